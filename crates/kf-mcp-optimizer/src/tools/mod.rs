//! The tools, one file each, by phase.

pub mod discovery;
pub mod monitoring;

/// The selector of an experiment's trials.
fn trials_of(experiment: &str) -> String {
    format!("katib.kubeflow.org/experiment={experiment}")
}
