//! A real Kubernetes control plane as plain processes on loopback: etcd, the API server, the controller manager, the
//! scheduler, Kubeflow Trainer and JobSet with their webhooks, and simulated nodes.
//!
//! [`Tools`] builds the programs with Go, once. [`supervisor::run`] is the process that all others are children of, and
//! whose end ends them all. [`Plane`] is what others hold of a running one: its kubeconfig, users and audit log.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on may panic"))]

mod api;
mod audit;
pub mod command;
mod go;
pub mod kubelet;
mod layout;
mod manifests;
mod pki;
mod plane;
mod ports;
pub mod process;
mod start;
pub mod supervisor;
mod tools;

pub use api::Api;
pub use audit::{Audit, Entry};
pub use layout::Layout;
pub use plane::{Plane, Up};
pub use tools::Tools;
