//! Tests of what events are taken for.

use serde_json::{Value, json};

use super::*;
use crate::events::newest_first;

fn event(object: &str, reason: &str, message: &str, second: u32) -> Value {
    let (kind, name) = object.split_once('/').unwrap();
    json!({"metadata": {"name": format!("{name}.{reason}.{second}")}, "involvedObject": {"kind": kind, "name": name}, "type": "Warning",
        "reason": reason, "message": message, "lastTimestamp": format!("2026-01-01T00:01:{second:02}Z")})
}

fn told(state: JobState, job: &Value, pods: &Value, complete: bool, events: Value) -> Vec<(String, bool)> {
    let mut job = job.clone();
    job["metadata"] = json!({"name": "a", "creationTimestamp": "2026-01-01T00:00:30Z"});
    let job = TrainJob::from_value(&job).0;
    let pods: Vec<Pod> = serde_json::from_value(pods.clone()).unwrap();
    let happened = newest_first(serde_json::from_value(events).unwrap());
    let story = Story {
        job: &job,
        state,
        pods: Some(&pods),
        complete,
        happened: &happened,
    };
    story
        .findings()
        .into_iter()
        .map(|finding| (finding.code, finding.passed))
        .collect()
}

fn code(events: Value) -> String {
    let told = told(JobState::Failed, &json!({}), &json!([]), false, events);
    let codes: Vec<String> = told.into_iter().map(|(code, _)| code).collect();
    codes.join(" ")
}

#[test]
fn what_happened_to_pods_that_are_gone_is_known_from_their_events() {
    for (reason, message, want) in [
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
            "Unschedulable",
        ),
        (
            "FailedScheduling",
            "persistentvolumeclaim \"data\" not found",
            "MissingClaim",
        ),
        ("Failed", "Failed to pull image \"x\": not found", "ImagePull"),
        ("BackOff", "Back-off pulling image \"x\"", "ImagePull"),
        (
            "BackOff",
            "Back-off restarting failed container node in pod p",
            "CrashLoop",
        ),
        ("Preempted", "Preempted by pod u on node n", "Preempted"),
        ("Evicted", "The node was low on resource: memory.", "Evicted"),
        ("TaintManagerEviction", "Marking for deletion Pod n/p", "NodeLost"),
        ("Killing", "Stopping container node", ""),
        ("FailedCreate", "x", ""),
    ] {
        let events = json!([event("Pod/a-node-0-0-abcde", reason, message, 5)]);
        let want = if reason == "FailedCreate" {
            "CreationFailed"
        } else {
            want
        };
        assert_eq!(code(events), want, "{reason} {message}");
    }
    assert_eq!(
        code(json!([event(
            "Job/a-node-0",
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit",
            5
        )])),
        "BackoffLimitExceeded"
    );
    assert_eq!(
        code(json!([event(
            "Workload/trainjob-a-1a2b3",
            "EvictedDueToPreempted",
            "m",
            5
        )])),
        "Preempted"
    );
}

#[test]
fn what_came_right_later_is_no_finding() {
    let pod = "Pod/a-node-0-0-abcde";
    assert_eq!(
        code(json!([
            event(pod, "FailedScheduling", "m", 5),
            event(pod, "Scheduled", "m", 6)
        ])),
        ""
    );
    assert_eq!(
        code(json!([
            event(pod, "FailedScheduling", "m", 5),
            event("Pod/a-node-0-1-abcde", "Scheduled", "m", 6)
        ])),
        "Unschedulable"
    );
    let before = event(pod, "FailedScheduling", "m", 5);
    let mut before = before;
    before["lastTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(code(json!([before])), "", "an earlier job of the name");
}

#[test]
fn what_was_refused_counts_while_it_is_missing() {
    let quota = || {
        json!([event(
            "Job/a-node-0",
            "FailedCreate",
            "pods \"x\" is forbidden: exceeded quota: q",
            5
        )])
    };
    let created = |complete| told(JobState::Created, &json!({}), &json!([]), complete, quota());
    assert_eq!(
        (created(false), created(true)),
        (vec![("QuotaExceeded".to_owned(), false)], vec![])
    );
    let webhook = |message: &str| json!([event("TrainJob/a", "TrainJobResourcesCreationFailed", message, 5)]);
    for (message, want) in [
        (
            "admission webhook \"vjobset.kb.io\" denied the request",
            "CreationFailed",
        ),
        (
            "ClusterTrainingRuntime.trainer.kubeflow.org \"r\" not found",
            "RuntimeMissing",
        ),
    ] {
        assert_eq!(
            told(JobState::Created, &json!({}), &json!([]), false, webhook(message))[0].0,
            want
        );
    }
    // a JobSet that is there: Trainer applies it twice where it claims a volume, and complains once
    let there = json!({"status": {"jobsStatus": [{"name": "node"}]}});
    assert_eq!(
        told(
            JobState::Created,
            &there,
            &json!([]),
            false,
            webhook("volumeClaimPolicies: immutable")
        ),
        []
    );
}

#[test]
fn a_pod_that_is_there_speaks_for_itself_but_for_its_mounts() {
    let name = "a-node-0-0-abcde";
    let pods = json!([{"metadata": {"name": name}, "status": {"phase": "Pending"}}]);
    let events = json!([
        event(&format!("Pod/{name}"), "FailedScheduling", "m", 5),
        event(
            &format!("Pod/{name}"),
            "FailedMount",
            "MountVolume.SetUp failed for volume \"v\" : secret \"hf\" not found",
            6
        ),
    ]);
    assert_eq!(
        told(JobState::Created, &json!({}), &pods, true, events),
        [("MissingSecret".to_owned(), false)]
    );
    let before = json!([event("Pod/a-node-0-0-zzzzz", "FailedScheduling", "m", 5)]);
    assert_eq!(
        told(JobState::Created, &json!({}), &pods, true, before),
        [("Unschedulable".to_owned(), true)],
        "another pod has taken its place"
    );
    let preempted = json!([event("Pod/a-node-0-0-zzzzz", "Preempted", "m", 5)]);
    assert_eq!(
        told(JobState::Running, &json!({}), &pods, true, preempted),
        [("Preempted".to_owned(), true)]
    );
}
