//! The tools, one file each, by phase.

mod discovery;
mod monitoring;

/// The selector of an experiment's trials.
fn trials_of(experiment: &str) -> String {
    format!("katib.kubeflow.org/experiment={experiment}")
}
