//! What a wait for a training job ends at: a status, the job's end, or a reason that will not pass by itself.

use std::time::Duration;

use kf_mcp_trainjob::{JobState, TrainJob};
use tokio::time::Instant;

use crate::events::{Event, is_of_job, newest_first};
use crate::pods::outside;
use crate::reason::Reason;
use crate::shortage::{Shortage, beyond_quota};
use crate::suspension::{Reach, reach};

/// The word for a job without pods, until events tell more.
pub(crate) const NO_PODS: &str = "NoPods";
/// The word for a job that Trainer has made nothing of, until events tell more.
pub(crate) const NOT_RECONCILED: &str = "NotReconciled";
/// The word for a job that is paused.
pub(crate) const SUSPENDED: &str = "Suspended";

/// Whether the job has what was waited for. Statuses that it passes on its way to later ones are met by those too, because
/// it may be through them between two looks; `Suspended` is met when the pods have been told, not when the job says so.
pub(crate) fn met(targets: &[JobState], job: &TrainJob, state: JobState) -> bool {
    targets.iter().any(|target| match target {
        JobState::Created => matches!(state, JobState::Created | JobState::Initializing | JobState::Running),
        JobState::Initializing => matches!(state, JobState::Initializing | JobState::Running),
        JobState::Suspended => state == JobState::Suspended && reach(job, true) == Reach::Done,
        other => *other == state,
    })
}

/// Whether the job is paused and nobody but a person will change that.
pub(crate) fn rests(job: &TrainJob, state: JobState) -> bool {
    state == JobState::Suspended
        && reach(job, true) == Reach::Done
        && !job.metadata.labels.contains_key("kueue.x-k8s.io/queue-name")
}

/// How long a reason must stand before it is one that will not pass; none for those that pass by themselves, or that end
/// the job in the end.
pub(crate) fn patience(code: &str) -> Option<Duration> {
    let seconds = match code {
        // A scheduler, a kubelet and a quota controller need a moment for what has just become possible.
        "Unschedulable" | "ImagePull" | "ContainerConfig" | "MissingClaim" | "QuotaExceeded" | NO_PODS => 5,
        // What Trainer says and what its JobSet does differ for a moment after each change.
        "StillRunning" | "StillSuspended" => 5,
        // Volumes take their time to be made.
        "VolumePending" => 60,
        NOT_RECONCILED => 30,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

/// How long the same reason has stood.
#[derive(Debug, Default)]
pub(crate) struct Standing(Option<(String, Instant)>);

impl Standing {
    /// Takes the reason of this moment; whether it has stood for long enough now.
    pub(crate) fn stands(&mut self, code: Option<&str>, now: Instant) -> bool {
        let Some((code, patience)) = code.and_then(|code| Some((code, patience(code)?))) else {
            self.0 = None;
            return false;
        };
        match &self.0 {
            Some((known, since)) if known == code => now.duration_since(*since) >= patience,
            _ => {
                self.0 = Some((code.to_owned(), now));
                false
            }
        }
    }
}

/// What keeps pods from being made, by the newest warning that says so.
pub(crate) fn creation_failure(events: Vec<Event>, job: &TrainJob) -> Option<Reason> {
    let parts: Vec<&str> = job.status.jobs_status.iter().map(|part| part.name.as_str()).collect();
    let begun = job.metadata.creation_timestamp;
    let says_so = |event: &Event| {
        event.refuses_creation()
            && is_of_job(&event.involved_object, &job.metadata.name, &parts)
            // Not of an earlier job of the same name.
            && event.time() >= begun
    };
    let (event, _) = newest_first(events).into_iter().find(|(event, _)| says_so(event))?;
    let code = if event.message.contains("exceeded quota") {
        "QuotaExceeded"
    } else {
        "CreationFailed"
    };
    Some(Reason {
        code: code.into(),
        message: outside(&format!("{}: {}", event.reason, event.message)),
    })
}

/// Whether nodes are on their way for a pod that fits on none.
pub(crate) fn scales_up(events: Vec<Event>) -> bool {
    let newest = newest_first(events);
    let said = |reasons: &[&str]| {
        newest
            .iter()
            .position(|(event, _)| reasons.contains(&event.reason.as_str()))
    };
    match (said(&["TriggeredScaleUp", "Nominated"]), said(&["NotTriggerScaleUp"])) {
        (Some(up), Some(not)) => up < not,
        (up, _) => up.is_some(),
    }
}

/// What to do about a wait that ended before its target.
pub(crate) fn advice(code: &str, message: &str) -> &'static str {
    match code {
        "Unschedulable" if let Some(remedy) = Shortage::of(message).remedy() => remedy,
        "QuotaExceeded" if beyond_quota(message).is_some() => {
            "it asks for more than the quota has in all: clone_training_job with less, then delete_training_job"
        }
        "MissingClaim" => "make the PersistentVolumeClaim that the message names, or submit the job without it",
        "Unschedulable" => "get_cluster_resources shows what is free; wait again once something is",
        "QuotaExceeded" => {
            "free something of the quota with delete_training_job or update_training_job, or ask for less"
        }
        "ImagePull" => {
            "check the image's name and its pull secret; clone_training_job with the right image, then delete_training_job"
        }
        "ContainerConfig" => "create the Secret or ConfigMap that the message names, or submit the job without it",
        "VolumePending" => "get_training_events tells what the volume waits for",
        SUSPENDED => "update_training_job with action=resume lets it go on",
        "StillRunning" | "StillSuspended" => "delete_training_job ends it; clone_training_job submits it again",
        NOT_RECONCILED => "check_compatibility tells whether Trainer is there",
        _ => "diagnose_training_job tells what would help",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(spec: Value, status: Value) -> TrainJob {
        let metadata = json!({"name": "a", "creationTimestamp": "2026-01-01T00:00:00Z"});
        TrainJob::from_value(&json!({"metadata": metadata, "spec": spec, "status": status})).0
    }

    #[test]
    fn a_target_is_met_by_its_status_and_by_what_comes_after_it() {
        use JobState::{Complete, Created, Failed, Initializing, Running, Suspended};
        let plain = job(json!({}), json!({}));
        for (target, state, want) in [
            (Created, Created, true),
            (Created, Running, true),
            (Initializing, Running, true),
            (Initializing, Created, false),
            (Running, Initializing, false),
            (Running, Complete, false),
            (Complete, Failed, false),
            (Failed, Failed, true),
        ] {
            assert_eq!(met(&[target], &plain, state), want, "{target:?} {state:?}");
        }
        let told = json!([{"type": "Suspended", "status": "True"}]);
        let paused = job(
            json!({"suspend": true}),
            json!({"conditions": told, "jobsStatus": [{"name": "node", "suspended": 1}]}),
        );
        let running = job(
            json!({"suspend": true}),
            json!({"conditions": told, "jobsStatus": [{"name": "node", "active": 1}]}),
        );
        assert!(met(&[Complete, Suspended], &paused, Suspended) && rests(&paused, Suspended));
        assert!(!met(&[Suspended], &running, Suspended) && !rests(&running, Suspended));
    }

    #[test]
    fn a_reason_must_stand_before_it_ends_a_wait() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut standing = Standing::default();
        assert!(!standing.stands(Some("Unschedulable"), at(0)));
        assert!(!standing.stands(Some("Unschedulable"), at(3)));
        assert!(!standing.stands(Some("ImagePull"), at(5)), "another reason begins anew");
        assert!(standing.stands(Some("ImagePull"), at(10)));
        assert!(!standing.stands(None, at(11)));
        assert!(!standing.stands(Some("ImagePull"), at(12)));
        assert!(!standing.stands(Some("CrashLoop"), at(13)) && !standing.stands(Some("CrashLoop"), at(99)));
    }

    #[test]
    fn the_newest_event_of_the_job_tells_why_there_are_no_pods() {
        let event = |kind: &str, name: &str, reason: &str, message: &str, at: &str| {
            json!({"involvedObject": {"kind": kind, "name": name}, "type": "Warning", "reason": reason,
                "message": message, "lastTimestamp": at})
        };
        let of = |events: Value| {
            let job = job(json!({}), json!({"jobsStatus": [{"name": "node"}]}));
            creation_failure(serde_json::from_value(events).unwrap(), &job).map(|reason| reason.code)
        };
        let quota = event(
            "Job",
            "a-node-0",
            "FailedCreate",
            "exceeded quota: q",
            "2026-01-01T00:00:09Z",
        );
        let hook = event(
            "Job",
            "a-node-0",
            "FailedCreate",
            "admission webhook",
            "2026-01-01T00:00:05Z",
        );
        assert_eq!(of(json!([hook, quota])).as_deref(), Some("QuotaExceeded"));
        assert_eq!(of(json!([hook])).as_deref(), Some("CreationFailed"));
        let before = event("Job", "a-node-0", "FailedCreate", "m", "2025-01-01T00:00:00Z");
        let other = event("Job", "b-node-0", "FailedCreate", "m", "2026-01-01T00:00:09Z");
        assert_eq!(of(json!([before, other])), None);
    }

    #[test]
    fn nodes_that_are_on_their_way_are_waited_for() {
        let of = |reasons: &[&str]| {
            let events: Vec<Value> = reasons
                .iter()
                .enumerate()
                .map(|(at, reason)| json!({"reason": reason, "lastTimestamp": format!("2026-01-01T00:00:0{at}Z")}))
                .collect();
            scales_up(serde_json::from_value(json!(events)).unwrap())
        };
        assert!(!of(&["FailedScheduling"]));
        assert!(of(&["FailedScheduling", "TriggeredScaleUp"]));
        assert!(!of(&["TriggeredScaleUp", "NotTriggerScaleUp"]));
    }
}
