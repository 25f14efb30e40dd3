//! Kubeflow Trainer: plan, submit, watch and end training jobs.
//!
//! The way of a job through the tools: `pre_flight`, `check_compatibility` and `get_cluster_resources` (planning),
//! `list_runtimes` and `get_runtime` (what to run on), `fine_tune`, `run_custom_training` and `run_container_training`
//! (submit), `get_training_job`, `get_training_progress`, `get_training_logs`, `get_training_events`,
//! `wait_for_training` and `diagnose_training_job` (watch), `update_training_job` (pause and resume),
//! `clone_training_job` (again, with changes), `delete_training_job` (end).

use kf_mcp_core::{Check, ClientModule, Guide, Setting, Tier};

mod capacity;
mod claims;
mod compatibility;
mod copy;
mod crd;
mod devices;
mod diagnosis;
mod differences;
mod events;
mod finetune;
mod follow;
mod gpu_use;
mod guidance;
mod hugging_face;
mod legacy;
mod loglines;
mod manifest;
mod origin;
mod outputs;
mod platform;
mod pods;
mod preflight;
mod progress;
mod quantity;
mod queues;
mod quota;
mod reason;
mod refusal;
mod removal;
mod reported;
mod runtime_object;
mod runtimes;
mod script;
mod settings;
mod shortage;
mod sizing;
mod slices;
mod steps;
mod submit;
mod suspension;
pub mod tools;
mod usage;
mod waiting;

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
    fn schemas(&self) -> Option<&'static str> {
        Some(include_str!("schemas.json"))
    }
    fn instructions(&self, tier: Tier) -> &'static str {
        guidance::instructions(tier)
    }
    fn guides(&self) -> &'static [Guide] {
        guidance::GUIDES
    }
    fn settings(&self) -> &'static [Setting] {
        settings::SETTINGS
    }
    fn check(&self) -> Option<Check> {
        Some(Check {
            tool: "check_compatibility",
            holds: |answer| answer["compatible"] == true,
        })
    }
}
