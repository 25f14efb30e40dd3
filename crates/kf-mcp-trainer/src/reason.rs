//! Why a training job does not run, from its pods and its own status: one word, and a sentence from who knows.

use jiff::Timestamp;
use kf_mcp_trainjob::{JobState, SuspendTrap, TrainJob, suspend_trap};

use crate::pods::{ContainerStatus, Pod, outside};

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reason {
    /// One word: `Unschedulable`, `ImagePull`, `CrashLoop`, `OOMKilled`, …
    pub(crate) code: String,
    /// What Kubernetes or Trainer says, made safe to show.
    pub(crate) message: String,
}

impl Reason {
    pub(crate) fn new(code: impl Into<String>, message: impl AsRef<str>) -> Self {
        Self {
            code: code.into(),
            message: outside(message.as_ref()),
        }
    }
}

/// How long Trainer may take before a job without any status is worth a look.
pub(crate) const PATIENCE: i64 = 30;

/// Why a job is not running well, none when it is. `pods` are the newest of each step, or none when they are not known.
pub(crate) fn of(job: &TrainJob, state: JobState, pods: Option<&[&Pod]>, now: Timestamp) -> Option<Reason> {
    if let Some(reason) = suspended(job, state) {
        return Some(reason);
    }
    let told = pods.unwrap_or_default();
    match state {
        JobState::Complete | JobState::Suspended => None,
        JobState::Failed => {
            let condition = job.holds("Failed")?;
            let of_condition = Reason::new(or(&condition.reason, "Failed"), &condition.message);
            // The deadline ends pods that were well; what they say then is no reason.
            if condition.reason == "DeadlineExceeded" {
                return Some(of_condition);
            }
            Some(of_pods(told).unwrap_or(of_condition))
        }
        JobState::Running => of_pods(told),
        JobState::Created | JobState::Initializing => of_pods(told).or_else(|| waiting(job, pods, now)),
    }
}

/// What a list tells: the conditions' word where it says more than the status.
pub(crate) fn of_conditions(job: &TrainJob, state: JobState) -> Option<Reason> {
    if let Some(reason) = suspended(job, state) {
        return Some(reason);
    }
    let condition = job.holds("Failed").filter(|_| state == JobState::Failed)?;
    let usual = matches!(condition.reason.as_str(), "FailedJobs" | "");
    (!usual).then(|| Reason::new(&*condition.reason, &condition.message))
}

fn suspended(job: &TrainJob, state: JobState) -> Option<Reason> {
    match suspend_trap(job) {
        Some(SuspendTrap::StillRunning) => Some(Reason::new(
            "StillRunning",
            "the job was told to pause and Trainer says it did, but its pods still run: runtimes with a volume claim and \
             no retention policy cannot be paused",
        )),
        Some(SuspendTrap::StillSuspended) => Some(Reason::new(
            "StillSuspended",
            "the job was resumed and Trainer says it is, but its parts are still paused: runtimes with a volume claim \
             and no retention policy cannot be resumed",
        )),
        None if state == JobState::Suspended => {
            let queue = job.metadata.labels.get("kueue.x-k8s.io/queue-name")?;
            Some(Reason::new(
                "WaitsInQueue",
                format!("Kueue has not admitted it yet (queue {queue})"),
            ))
        }
        None => None,
    }
}

/// A job whose pods say nothing, because there are none.
fn waiting(job: &TrainJob, pods: Option<&[&Pod]>, now: Timestamp) -> Option<Reason> {
    if job.spec.managed_by == "kueue.x-k8s.io/multikueue" {
        return Some(Reason::new(
            "RunsElsewhere",
            "MultiKueue runs this job in another cluster",
        ));
    }
    let age = job
        .metadata
        .creation_timestamp
        .map_or(0, |at| now.duration_since(at).as_secs());
    if age < PATIENCE || !pods?.is_empty() {
        return None;
    }
    if job.status.conditions.is_empty() && job.status.jobs_status.is_empty() {
        return Some(Reason::new(
            "NotReconciled",
            "Trainer has made nothing of this job yet: its controller is down or cannot; diagnose_training_job says why",
        ));
    }
    Some(Reason::new(
        "NoPods",
        "the job has no pods: a quota, an admission webhook or the time between two tries; diagnose_training_job says why",
    ))
}

/// The gravest of what pods say, and how many say it.
pub(crate) fn of_pods(pods: &[&Pod]) -> Option<Reason> {
    let said: Vec<(u8, Reason)> = pods.iter().filter_map(|pod| of_pod(pod)).collect();
    let (rank, gravest) = said.iter().min_by_key(|(rank, _)| *rank)?;
    let same = said.iter().filter(|(other, _)| other == rank).count();
    let mut reason = gravest.clone();
    if pods.len() > 1 {
        reason.message = format!("{} ({same} of {} pods)", reason.message, pods.len());
    }
    Some(reason)
}

fn of_pod(pod: &Pod) -> Option<(u8, Reason)> {
    each_of_pod(pod).into_iter().min_by_key(|(rank, _)| *rank)
}

/// All that is wrong with a pod, with its rank: what a user can and must repair comes first.
pub(crate) fn each_of_pod(pod: &Pod) -> Vec<(u8, Reason)> {
    let mut found: Vec<(u8, Reason)> = pod.statuses().filter_map(of_container).collect();
    let status = &pod.status;
    if let Some(condition) = status
        .conditions
        .iter()
        .find(|c| c.kind == "DisruptionTarget" && c.is_true())
    {
        found.push((3, Reason::new(disruption(&condition.reason), &condition.message)));
    }
    if status.message.contains("exceeded quota") {
        found.push((3, Reason::new("QuotaExceeded", &status.message)));
    } else if !status.reason.is_empty() && status.phase == "Failed" {
        found.push((4, Reason::new(&*status.reason, &status.message)));
    }
    if let Some(condition) = status
        .conditions
        .iter()
        .find(|c| c.kind == "PodScheduled" && c.status == "False")
    {
        let message = &condition.message;
        let code = unscheduled(&condition.reason, message);
        found.push((5, Reason::new(code, message)));
    }
    found
}

/// The word for a pod that was ended for a reason outside it.
fn disruption(reason: &str) -> &str {
    match reason {
        "PreemptionByScheduler" | "PreemptionByKubeScheduler" => "Preempted",
        "EvictionByEvictionAPI" | "TerminationByKubelet" => "Evicted",
        "DeletionByTaintManager" | "DeletionByPodGC" => "NodeLost",
        other => or(other, "Disrupted"),
    }
}

/// The word for a pod without a node, from what the scheduler says of it.
pub(crate) fn unscheduled<'a>(reason: &'a str, message: &str) -> &'a str {
    match reason {
        _ if message.contains("exceeded quota") => "QuotaExceeded",
        _ if message.contains("persistentvolumeclaim \"") && message.contains("not found") => "MissingClaim",
        _ if message.contains("PersistentVolumeClaim") || message.contains("persistentvolumeclaim") => "VolumePending",
        reason => or(reason, "Unschedulable"),
    }
}

fn of_container(status: &ContainerStatus) -> Option<(u8, Reason)> {
    let ended = status
        .state
        .terminated
        .as_ref()
        .or(status.last_state.terminated.as_ref());
    let out_of_memory = ended.is_some_and(|end| end.reason == "OOMKilled");
    let at = |text: String| format!("container {}: {text}", status.name);
    let killed = || {
        let times = if status.restart_count > 0 {
            format!(", {} restarts", status.restart_count)
        } else {
            String::new()
        };
        (
            0,
            Reason::new("OOMKilled", at(format!("used more memory than its limit{times}"))),
        )
    };
    if let Some(waiting) = &status.state.waiting {
        return match waiting.reason.as_str() {
            "CrashLoopBackOff" if out_of_memory => Some(killed()),
            "CrashLoopBackOff" => {
                let code = ended
                    .map(|end| format!("exit code {}, ", end.exit_code))
                    .unwrap_or_default();
                let text = at(format!("{code}{} restarts; {}", status.restart_count, waiting.message));
                Some((1, Reason::new("CrashLoop", text)))
            }
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "RegistryUnavailable"
            | "ImageInspectError" => Some((2, Reason::new("ImagePull", at(said(&waiting.reason, &waiting.message))))),
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Some((
                2,
                Reason::new("ContainerConfig", at(said(&waiting.reason, &waiting.message))),
            )),
            _ => None,
        };
    }
    // A container that runs again after a crash is no reason any more.
    let end = status.state.terminated.as_ref().filter(|end| end.exit_code != 0)?;
    if out_of_memory {
        return Some(killed());
    }
    Some((
        6,
        Reason::new(
            "ExitCode",
            at(format!("exit code {} ({})", end.exit_code, or(&end.reason, "Error"))),
        ),
    ))
}

fn said(reason: &str, message: &str) -> String {
    if message.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason}: {message}")
    }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn waits(reason: &str, last: Value) -> Value {
        json!({"status": {"phase": "Pending", "containerStatuses": [
            {"name": "node", "restartCount": 3, "state": {"waiting": {"reason": reason, "message": "m"}}, "lastState": last}]}})
    }

    #[test]
    fn each_trouble_of_a_pod_has_its_word() {
        let oom = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        let scheduled = |reason: &str, message: &str| {
            json!({"status": {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}]}})
        };
        for (pod, code) in [
            (
                waits("CrashLoopBackOff", json!({"terminated": {"exitCode": 1}})),
                Some("CrashLoop"),
            ),
            (waits("CrashLoopBackOff", oom.clone()), Some("OOMKilled")),
            (waits("ImagePullBackOff", json!({})), Some("ImagePull")),
            (waits("CreateContainerConfigError", json!({})), Some("ContainerConfig")),
            (waits("ContainerCreating", json!({})), None),
            (
                scheduled(
                    "Unschedulable",
                    "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                ),
                Some("Unschedulable"),
            ),
            (
                scheduled("Unschedulable", "pod has unbound immediate PersistentVolumeClaims"),
                Some("VolumePending"),
            ),
            (
                scheduled(
                    "Unschedulable",
                    "0/3 nodes are available: persistentvolumeclaim \"data\" not found.",
                ),
                Some("MissingClaim"),
            ),
            (scheduled("SchedulingGated", ""), Some("SchedulingGated")),
            (
                json!({"status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}}),
                Some("Evicted"),
            ),
            (
                json!({"status": {"containerStatuses": [{"state": oom}]}}),
                Some("OOMKilled"),
            ),
            (
                json!({"status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}}),
                Some("ExitCode"),
            ),
            (
                json!({"status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 0}}}]}}),
                None,
            ),
            (
                json!({"status": {"containerStatuses": [{"restartCount": 1, "state": {"running": {}}, "lastState": oom}]}}),
                None,
            ),
        ] {
            let decoded: Pod = serde_json::from_value(pod.clone()).unwrap();
            assert_eq!(of_pods(&[&decoded]).map(|reason| reason.code).as_deref(), code, "{pod}");
        }
    }

    #[test]
    fn the_job_tells_what_its_pods_do_not() {
        let now: Timestamp = "2026-01-01T01:00:00Z".parse().unwrap();
        let job = |spec: Value, status: Value| {
            TrainJob::from_value(
                &json!({"metadata": {"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"kueue.x-k8s.io/queue-name": "q"}}, "spec": spec, "status": status}),
            )
            .0
        };
        let failed = |reason: &str| json!({"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": "m"}]});
        let oom: Pod =
            serde_json::from_value(json!({"status": {"containerStatuses": [{"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}}))
                .unwrap();
        let none: &[&Pod] = &[];
        for (job, pods, code) in [
            (job(json!({}), json!({})), Some(none), Some("NotReconciled")),
            (job(json!({}), json!({})), None, None),
            (
                job(json!({}), json!({"jobsStatus": [{"name": "node"}]})),
                Some(none),
                Some("NoPods"),
            ),
            (
                job(json!({"suspend": true}), json!({})),
                Some(none),
                Some("WaitsInQueue"),
            ),
            (
                job(json!({"managedBy": "kueue.x-k8s.io/multikueue"}), json!({})),
                Some(none),
                Some("RunsElsewhere"),
            ),
            (
                job(json!({}), failed("FailedJobs")),
                Some(&[&oom][..]),
                Some("OOMKilled"),
            ),
            (job(json!({}), failed("FailedJobs")), Some(none), Some("FailedJobs")),
            (
                job(json!({}), failed("DeadlineExceeded")),
                Some(&[&oom][..]),
                Some("DeadlineExceeded"),
            ),
            (
                job(
                    json!({}),
                    json!({"conditions": [{"type": "Complete", "status": "True"}]}),
                ),
                Some(none),
                None,
            ),
        ] {
            let state = JobState::of(&job);
            assert_eq!(of(&job, state, pods, now).map(|reason| reason.code).as_deref(), code);
        }
        let trap = job(
            json!({"suspend": true}),
            json!({"conditions": [{"type": "Suspended", "status": "True"}], "jobsStatus": [{"name": "node", "active": 1}]}),
        );
        assert_eq!(
            of_conditions(&trap, JobState::of(&trap))
                .map(|reason| reason.code)
                .as_deref(),
            Some("StillRunning")
        );
        let plain = job(json!({}), failed("FailedJobs"));
        assert_eq!(of_conditions(&plain, JobState::Failed), None);
    }
}
