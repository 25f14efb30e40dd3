//! A Kubeflow cluster in memory, for trying things out and for tests: a small API server, not a mock of our calls.

pub mod admission;
pub mod controllers;
pub mod kinds;
pub mod logs;
pub mod registry;
pub mod scenario;
pub mod status;
pub mod store;
