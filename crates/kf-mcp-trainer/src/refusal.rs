//! What a failed request means: for one training job, or for an answer that can do without it.

use kf_mcp_core::ToolError;
use kf_mcp_core::kube::KubeError;

use crate::pods::outside;

/// What to do about a job that is not there, for tools that read one.
pub(crate) const CHECK: &str = "check the name and the namespace: list_training_jobs shows what there is";

/// The same, for tools that serve TrainJobs only.
pub(crate) const CHECK_TRAINJOB: &str = "check the name and the namespace: list_training_jobs shows what there is. This tool serves \
    TrainJobs only: for a job of the training operator v1 there are get_training_job and get_training_logs";

/// A job that is not there is answered with the tool that shows which are, and with `fix`.
pub(crate) fn of_job(error: KubeError, name: &str, namespace: &str, fix: &str) -> ToolError {
    let absent = error.is_not_found();
    let error = ToolError::from(error);
    if !absent {
        return error;
    }
    error
        .asked(format!("read training job `{name}` in namespace `{namespace}`"))
        .fix(fix)
        .tool("list_training_jobs")
}

/// Why something could not be looked at, for an answer that is given without it.
pub(crate) fn said(error: KubeError) -> String {
    outside(&ToolError::from(error).answered)
}
