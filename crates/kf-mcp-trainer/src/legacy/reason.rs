//! Why a v1 job does not run, in the words that TrainJobs have for it.

use jiff::Timestamp;
use kf_mcp_trainjob::JobState;

use super::job::LegacyJob;
use crate::pods::Pod;
use crate::reason::{PATIENCE, Reason, of_pods};

/// Why a job is not running well, none when it is. `pods` are the newest of each step, or none when they are not known.
pub(crate) fn reason(job: &LegacyJob, pods: Option<&[&Pod]>, now: Timestamp) -> Option<Reason> {
    let told = pods.unwrap_or_default();
    match job.state() {
        JobState::Complete | JobState::Initializing => None,
        JobState::Suspended => of_conditions(job),
        JobState::Failed => of_pods(told).or_else(|| of_conditions(job)),
        JobState::Running => of_pods(told).or_else(|| of_conditions(job)),
        JobState::Created => of_pods(told).or_else(|| waiting(job, pods, now)),
    }
}

/// What the conditions say where it says more than the status.
pub(crate) fn of_conditions(job: &LegacyJob) -> Option<Reason> {
    let said = |kind: &str| {
        let condition = job.holds(kind)?;
        let code = if condition.reason.is_empty() {
            kind
        } else {
            &condition.reason
        };
        Some(Reason::new(code, &condition.message))
    };
    match job.state() {
        JobState::Failed => said("Failed"),
        JobState::Running if job.holds("Running").is_none() => said("Restarting"),
        JobState::Suspended => {
            let queue = job.metadata.labels.get("kueue.x-k8s.io/queue-name")?;
            Some(Reason::new(
                "WaitsInQueue",
                format!("Kueue has not admitted it yet (queue {queue})"),
            ))
        }
        _ => None,
    }
}

/// A job whose pods say nothing, because there are none.
fn waiting(job: &LegacyJob, pods: Option<&[&Pod]>, now: Timestamp) -> Option<Reason> {
    let age = job
        .metadata
        .creation_timestamp
        .map_or(0, |at| now.duration_since(at).as_secs());
    if age < PATIENCE || !pods?.is_empty() {
        return None;
    }
    Some(if job.holds("Created").is_none() {
        Reason::new(
            "NotReconciled",
            "no operator has made anything of this job yet: the training operator v1 is down or not installed",
        )
    } else {
        Reason::new(
            "NoPods",
            "the job has no pods: a quota, an admission webhook or the time between two tries; get_training_events says why",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::kind::KINDS;
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn each_trouble_has_its_word() {
        let now: Timestamp = "2026-01-01T01:00:00Z".parse().unwrap();
        let job = |conditions: Value, suspend: bool| {
            LegacyJob::read(
                &KINDS[0],
                &json!({
                "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"kueue.x-k8s.io/queue-name": "q"}},
                "spec": {"runPolicy": {"suspend": suspend}, "pytorchReplicaSpecs": {"Worker": {}}},
                "status": {"conditions": conditions}}),
            )
        };
        let holds =
            |kind: &str, reason: &str| json!([{"type": kind, "status": "True", "reason": reason, "message": "m"}]);
        let oom: Pod = serde_json::from_value(json!({"status": {"containerStatuses": [
            {"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}}))
        .unwrap();
        let none: &[&Pod] = &[];
        for (job, pods, code) in [
            (job(json!([]), false), Some(none), Some("NotReconciled")),
            (job(json!([]), false), None, None),
            (
                job(holds("Created", "PyTorchJobCreated"), false),
                Some(none),
                Some("NoPods"),
            ),
            (
                job(holds("Created", "PyTorchJobCreated"), true),
                Some(none),
                Some("WaitsInQueue"),
            ),
            (
                job(holds("Failed", "PyTorchJobFailed"), false),
                Some(none),
                Some("PyTorchJobFailed"),
            ),
            (
                job(holds("Failed", "PyTorchJobFailed"), false),
                Some(&[&oom][..]),
                Some("OOMKilled"),
            ),
            (
                job(holds("Restarting", "PyTorchJobRestarting"), false),
                Some(none),
                Some("PyTorchJobRestarting"),
            ),
            (job(holds("Running", "PyTorchJobRunning"), false), Some(none), None),
            (job(holds("Succeeded", "PyTorchJobSucceeded"), false), Some(none), None),
        ] {
            assert_eq!(reason(&job, pods, now).map(|reason| reason.code).as_deref(), code);
        }
    }
}
