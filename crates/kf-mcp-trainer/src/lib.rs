//! Kubeflow Trainer: plan, submit, watch and end training jobs.
//!
//! The way of a job through the tools: `check_compatibility` and `get_cluster_resources` (planning), `list_runtimes` and
//! `get_runtime` (what to run on), `run_container_training` (submit), `get_training_job`, `get_training_logs` and
//! `get_training_events` (watch), `delete_training_job` (end).

use kf_mcp_core::ClientModule;

mod capacity;
mod compatibility;
mod container;
mod devices;
mod events;
mod follow;
mod loglines;
mod manifest;
mod pods;
mod quantity;
mod reason;
mod refusal;
mod runtimes;
mod sizing;
mod steps;
pub mod tools;

/// The module for `--clients trainer`.
pub static MODULE: Trainer = Trainer;

/// Kubeflow Trainer as a client module.
#[derive(Debug)]
pub struct Trainer;

impl ClientModule for Trainer {
    fn name(&self) -> &'static str {
        "trainer"
    }
    fn about(&self) -> &'static str {
        "Kubeflow Trainer: training jobs, their logs and events, and the runtimes they run on"
    }
    fn home(&self) -> &'static str {
        module_path!()
    }
    fn instructions(&self) -> &'static str {
        "check_compatibility and list_runtimes first; submit with run_container_training; follow with get_training_job, \
         get_training_logs and get_training_events. A job that does not run says why in its reason."
    }
}
