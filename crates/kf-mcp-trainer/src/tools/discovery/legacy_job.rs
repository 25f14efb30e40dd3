//! What `get_training_job` tells of a job of the training operator v1.

use kf_mcp_core::kube::{KubeError, Page};
use kf_mcp_core::{Cx, ToolError, text};
use kf_mcp_trainjob::JobState;

use super::get_training_job::{TrainingJob, labels, seen, started};
use crate::legacy::{self, LegacyJob, RunPolicy};
use crate::pods::{Pod, outside};
use crate::steps::listed;

/// The job with its pods.
pub(super) fn tell_legacy(cx: &Cx, job: &LegacyJob, page: Result<Page, KubeError>) -> Result<TrainingJob, ToolError> {
    let (page, not_seen) = seen(page)?;
    let pods = page.as_ref().map(|page| page.decode::<Pod>().0).unwrap_or_default();
    let newest = legacy::steps(job.kind, &pods);
    let (steps, steps_left_out) = listed(&newest);
    let newest: Vec<&Pod> = newest.into_values().collect();
    let status = job.state();
    let why = legacy::reason(job, page.is_some().then_some(&newest), cx.now());
    let mut notes: Vec<String> = job.problem.iter().map(|problem| outside(problem)).collect();
    if job.metadata.deletion_timestamp.is_some() {
        notes.push("it is being deleted".into());
    }
    Ok(TrainingJob {
        kind: Some(job.kind.name),
        name: outside(&job.metadata.name),
        namespace: outside(&job.metadata.namespace),
        status,
        reason: why.as_ref().map(|why| outside(&why.code)),
        message: why.map(|why| why.message).filter(|message| !message.is_empty()),
        runtime: None,
        suspended: status == JobState::Suspended,
        nodes: Some(job.nodes()).filter(|nodes| *nodes > 0),
        devices: job.devices.clone(),
        image: Some(job.image.clone()).filter(|image| !image.is_empty()),
        replicas: job.replicas.clone(),
        run_policy: Some(job.policy.clone()).filter(|policy| *policy != RunPolicy::default()),
        outputs: job.outputs.clone(),
        created: job.metadata.creation_timestamp.map(text::time),
        started: job.started.or_else(|| started(&newest)).map(text::time),
        finished: job.ended().map(text::time),
        steps,
        steps_left_out,
        jobs_status: Vec::new(),
        progress: None,
        labels: labels(&job.metadata),
        notes,
        not_seen,
        object: None,
    })
}
