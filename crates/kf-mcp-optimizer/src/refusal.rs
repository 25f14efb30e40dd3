//! What a failed request means when it was about an experiment.

use kf_mcp_core::kube::KubeError;
use kf_mcp_core::{ErrorCode, ToolError};

/// The error of a request for one experiment.
pub(crate) fn of_one(error: KubeError, name: &str, namespace: &str) -> ToolError {
    let asked = format!("read Katib Experiment `{name}` in namespace `{namespace}`");
    if error.is_not_served() {
        return not_installed(&error).asked(asked);
    }
    let missing = error.is_not_found();
    let told = ToolError::from(error).asked(asked);
    if missing {
        told.fix("check the name and the namespace")
            .tool("list_optimization_jobs")
    } else {
        told
    }
}

/// The error of a list: the rest is the core's.
pub(crate) fn of_list(error: ToolError) -> ToolError {
    if error.code == ErrorCode::NotInstalled {
        let asked = error.asked.clone();
        return ToolError {
            asked,
            ..katib_missing(String::new())
        };
    }
    error
}

fn not_installed(error: &KubeError) -> ToolError {
    katib_missing(error.asked.clone())
}

fn katib_missing(asked: String) -> ToolError {
    ToolError::new(
        ErrorCode::NotInstalled,
        asked,
        "the cluster does not serve experiments.kubeflow.org/v1beta1: Katib is not installed",
    )
    .fix("install Katib; the trainer's own optimizationjobs.trainer.kubeflow.org is another kind of object")
    .tool("health_check")
}
