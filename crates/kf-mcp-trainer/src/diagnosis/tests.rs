//! Tests of whole diagnoses: which findings there are, in which order, and what they advise.

use serde_json::{Value, json};

use super::*;
use crate::events::newest_first;

const NOW: &str = "2026-01-01T01:00:00Z";

struct Case {
    job: Value,
    state: JobState,
    pods: Value,
    events: Value,
    log: &'static str,
}

fn case(state: JobState) -> Case {
    Case {
        job: json!({"spec": {"runtimeRef": {"name": "r"}, "trainer": {"numNodes": 1}}, "status": {"jobsStatus": [{"name": "node"}]}}),
        state,
        pods: json!([]),
        events: json!([]),
        log: "",
    }
}

fn failed(reason: &str) -> Value {
    json!({"conditions": [{"type": "Failed", "status": "True", "reason": reason, "message": "m"}], "jobsStatus": [{"name": "node"}]})
}

impl Case {
    fn findings(&self) -> Vec<Finding> {
        let mut job = self.job.clone();
        job["metadata"] = json!({"name": "a", "namespace": "n", "creationTimestamp": "2026-01-01T00:00:00Z"});
        let job = TrainJob::from_value(&job).0;
        let pods: Vec<Pod> = serde_json::from_value(self.pods.clone()).unwrap();
        let happened = newest_first(serde_json::from_value(self.events.clone()).unwrap());
        let log: Vec<String> = self.log.lines().map(str::to_owned).collect();
        let facts = Facts {
            job: &job,
            state: self.state,
            pods: Some(&pods),
            happened: &happened,
            log: &log,
            now: NOW.parse().unwrap(),
        };
        findings(&facts)
    }

    fn codes(&self) -> String {
        let codes: Vec<String> = self
            .findings()
            .into_iter()
            .map(|finding| {
                if finding.passed {
                    format!("({})", finding.code)
                } else {
                    finding.code
                }
            })
            .collect();
        codes.join(" ")
    }
}

fn pod(name: &str, index: u32, status: Value) -> Value {
    json!({"metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:01Z",
            "labels": {"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": index.to_string()}},
        "spec": {"nodeName": "w", "containers": [{"name": "node", "resources": {"limits": {"memory": "64Gi", "nvidia.com/gpu": "2"}}}]},
        "status": status})
}

fn ended(code: i64, reason: &str, second: u32) -> Value {
    let end = json!({"exitCode": code, "reason": reason, "finishedAt": format!("2026-01-01T00:10:{second:02}Z")});
    json!({"phase": "Failed", "containerStatuses": [{"name": "node", "state": {"terminated": end}}]})
}

fn waits(reason: &str, message: &str) -> Value {
    json!({"phase": "Pending", "containerStatuses": [{"name": "node", "state": {"waiting": {"reason": reason, "message": message}}}]})
}

fn unplaced(reason: &str, message: &str) -> Value {
    json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": reason, "message": message}]})
}

fn event(object: &str, reason: &str, message: &str) -> Value {
    let (kind, name) = object.split_once('/').unwrap();
    json!({"metadata": {"name": format!("{name}.{reason}")}, "involvedObject": {"kind": kind, "name": name}, "type": "Warning",
        "reason": reason, "message": message, "lastTimestamp": "2026-01-01T00:20:00Z"})
}

#[test]
fn out_of_memory_comes_before_what_it_led_to_and_is_fixed_by_more() {
    let mut case = case(JobState::Failed);
    case.job["status"] = failed("FailedJobs");
    case.pods = json!([
        pod("p0", 0, ended(1, "Error", 9)),
        pod("p1", 1, ended(137, "OOMKilled", 5)),
        pod("p2", 2, ended(143, "Error", 5))
    ]);
    case.events = json!([event(
        "Job/a-node-0",
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit"
    )]);
    case.log = "epoch 1\nepoch 2";
    assert_eq!(case.codes(), "OOMKilled ExitCode ExitCode BackoffLimitExceeded");
    let findings = case.findings();
    let fix = findings[0].fix.clone().unwrap();
    assert_eq!(fix.tool, Some("clone_training_job"));
    assert_eq!(
        fix.arguments,
        Some(json!({"name": "a", "namespace": "n", "resources_per_node": {"memory": "128Gi"}}))
    );
    assert!(findings[1..].iter().all(|finding| finding.fix.is_none()));
    assert_eq!(findings[3].evidence.len(), 2, "{findings:?}");
}

#[test]
fn each_cause_is_found_and_named() {
    let lost = "pods \"x\" is forbidden: exceeded quota: q, requested: pods=1";
    let no_gpu = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.";
    for (pods, events, log, want) in [
        (
            json!([pod("p", 0, unplaced("Unschedulable", no_gpu))]),
            json!([]),
            "",
            "Unschedulable",
        ),
        (
            json!([pod(
                "p",
                0,
                unplaced("Unschedulable", "persistentvolumeclaim \"data\" not found")
            )]),
            json!([]),
            "",
            "MissingClaim",
        ),
        (
            json!([pod(
                "p",
                0,
                unplaced("Unschedulable", "pod has unbound immediate PersistentVolumeClaims")
            )]),
            json!([event(
                "PersistentVolumeClaim/initializer-a",
                "ProvisioningFailed",
                "no storage class"
            )]),
            "",
            "VolumePending",
        ),
        (
            json!([pod("p", 0, unplaced("SchedulingGated", "gate"))]),
            json!([]),
            "",
            "SchedulingGated",
        ),
        (
            json!([]),
            json!([event("Job/a-node-0", "FailedCreate", lost)]),
            "",
            "QuotaExceeded",
        ),
        (
            json!([pod("p", 0, unplaced("Unschedulable", no_gpu))]),
            json!([event("Job/a-node-0", "FailedCreate", lost)]),
            "",
            "Unschedulable",
        ),
        (
            json!([pod("p", 0, waits("ErrImagePull", "not found"))]),
            json!([]),
            "",
            "ImagePull",
        ),
        (
            json!([pod(
                "p",
                0,
                waits("CreateContainerConfigError", "secret \"hf\" not found")
            )]),
            json!([]),
            "",
            "MissingSecret",
        ),
        (
            json!([pod("p", 0, waits("CreateContainerConfigError", "runAsNonRoot"))]),
            json!([]),
            "",
            "ContainerConfig",
        ),
        (
            json!([pod("p", 0, waits("ContainerCreating", ""))]),
            json!([event(
                "Pod/p",
                "FailedMount",
                "MountVolume.SetUp failed: configmap \"c\" not found"
            )]),
            "",
            "MissingSecret",
        ),
        (json!([pod("p", 0, waits("ContainerCreating", ""))]), json!([]), "", ""),
    ] {
        let mut case = case(JobState::Created);
        (case.pods, case.events, case.log) = (pods.clone(), events, log);
        assert_eq!(case.codes(), want, "{pods}");
        assert!(
            case.findings()
                .iter()
                .all(|finding| finding.fix.is_some() && !finding.evidence.is_empty())
        );
    }
}

#[test]
fn the_log_of_the_first_that_failed_tells_the_cause() {
    let trace =
        "Traceback (most recent call last):\n  File \"/w/t.py\", line 3, in <module>\nValueError: no such column";
    let nccl = "[rank1]: Watchdog caught collective operation timeout: x";
    for (log, want) in [
        (trace, "PythonException ExitCode FailedJobs"),
        (nccl, "NcclTimeout ExitCode FailedJobs"),
        (
            "torch.OutOfMemoryError: CUDA out of memory.",
            "GpuOutOfMemory ExitCode FailedJobs",
        ),
        (
            "Signal 9 (SIGKILL) received by PID 5",
            "ProcessKilled ExitCode FailedJobs",
        ),
        ("epoch 1", "ExitCode FailedJobs"),
    ] {
        let mut case = case(JobState::Failed);
        case.job["status"] = failed("FailedJobs");
        case.pods = json!([pod("p", 0, ended(1, "Error", 5))]);
        case.log = log;
        assert_eq!(case.codes(), want);
        assert!(case.findings()[0].fix.is_some(), "{want}");
    }
}

#[test]
fn what_is_over_is_told_as_passed() {
    let mut case = case(JobState::Running);
    let last = json!({"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T00:10:00Z"}});
    case.pods = json!([pod(
        "p",
        0,
        json!({"phase": "Running", "containerStatuses": [
        {"name": "node", "restartCount": 1, "state": {"running": {}}, "lastState": last}]})
    )]);
    case.log = "Traceback (most recent call last):\nValueError: x";
    assert_eq!(case.codes(), "(PythonException) (ExitCode)");
    case.state = JobState::Complete;
    assert_eq!(case.codes(), "(PythonException) (ExitCode)");
}

#[test]
fn what_a_deadline_ended_may_have_waited_for_room() {
    let mut case = case(JobState::Failed);
    case.job["status"] = failed("DeadlineExceeded");
    case.job["spec"]["activeDeadlineSeconds"] = json!(600);
    assert_eq!(case.codes(), "DeadlineExceeded");
    let fix = case.findings()[0].fix.clone().unwrap();
    assert_eq!(fix.arguments.unwrap()["active_deadline_seconds"], 1200);
    case.events = json!([event(
        "Pod/a-node-0-0-abcde",
        "FailedScheduling",
        "0/3 nodes are available"
    )]);
    assert_eq!(case.codes(), "Unschedulable DeadlineExceeded");
}

#[test]
fn a_job_that_is_gone_with_its_pods_is_told_by_events() {
    let mut case = case(JobState::Failed);
    case.job["status"] = failed("FailedJobs");
    case.events = json!([
        event(
            "Job/a-node-0",
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit"
        ),
        event(
            "Pod/a-node-0-0-abcde",
            "BackOff",
            "Back-off restarting failed container node in pod x"
        ),
    ]);
    assert_eq!(case.codes(), "CrashLoop BackoffLimitExceeded");
    assert_eq!(case.findings()[0].fix.clone().unwrap().tool, Some("clone_training_job"));
}

#[test]
fn pauses_are_told_from_the_trap_of_trainer() {
    let told = |status: &str| json!([{"type": "Suspended", "status": status, "message": "m"}]);
    let mut case = case(JobState::Suspended);
    case.job["spec"]["suspend"] = json!(true);
    case.job["status"] = json!({"conditions": told("True"), "jobsStatus": [{"name": "node", "suspended": 1}]});
    assert_eq!(case.codes(), "Suspended");
    assert_eq!(
        case.findings()[0].fix.clone().unwrap().tool,
        Some("update_training_job")
    );
    case.job["spec"]["runtimeRef"]["name"] = json!("torchtune-llama3.2-1b");
    assert_eq!(case.findings()[0].fix.clone().unwrap().tool, Some("clone_training_job"));
    case.job["status"]["jobsStatus"] = json!([{"name": "node", "active": 1}]);
    case.events = json!([event(
        "TrainJob/a",
        "TrainJobResourcesCreationFailed",
        "spec.volumeClaimPolicies: Invalid value: Value is immutable"
    )]);
    assert_eq!(case.codes(), "StillRunning");
    assert_eq!(case.findings()[0].evidence.len(), 3);
    case.state = JobState::Created;
    case.job["spec"]["suspend"] = json!(false);
    case.job["status"] = json!({"conditions": told("False"), "jobsStatus": [{"name": "node", "suspended": 1}]});
    assert_eq!(case.codes(), "StillSuspended");
    assert_eq!(case.findings()[0].fix.clone().unwrap().tool, Some("clone_training_job"));
}

#[test]
fn preemption_is_told_by_the_pod_that_it_ended() {
    let mut case = case(JobState::Created);
    let mut taken = ended(143, "Error", 5);
    taken["conditions"] =
        json!([{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "m"}]);
    let mut new = pod("new", 0, unplaced("Unschedulable", "0/1 nodes are available"));
    new["metadata"]["creationTimestamp"] = json!("2026-01-01T00:11:00Z");
    case.pods = json!([pod("old", 0, taken), new]);
    assert_eq!(case.codes(), "Preempted Unschedulable ExitCode");
    let mut lost = ended(1, "Error", 5);
    lost["reason"] = json!("Evicted");
    lost["message"] = json!("The node was low on resource: memory.");
    case.state = JobState::Failed;
    case.job["status"] = failed("FailedJobs");
    case.pods = json!([pod("old", 0, lost)]);
    assert_eq!(case.codes(), "Evicted ExitCode FailedJobs");
}

#[test]
fn missing_things_are_fixed_by_the_line_that_makes_them() {
    for (message, want) in [
        (
            "secret \"hf\" not found",
            "kubectl -n n create secret generic hf --from-literal=KEY=VALUE",
        ),
        (
            "couldn't find key token in Secret n/hf",
            "kubectl -n n create secret generic hf --from-literal=token=VALUE",
        ),
        ("configmap \"c\" not found", "kubectl -n n create configmap c"),
    ] {
        let mut case = case(JobState::Created);
        case.pods = json!([pod("p", 0, waits("CreateContainerConfigError", message))]);
        let fix = case.findings()[0].fix.clone().unwrap();
        assert!(fix.say.contains(want), "{}", fix.say);
        assert_eq!(fix.tool, Some("wait_for_training"));
    }
}

#[test]
fn a_name_that_is_too_long_is_shortened() {
    let mut case = case(JobState::Created);
    case.job["status"] = json!({});
    let said = "admission webhook \"vjobset.kb.io\" denied the request: JobSet name is too long, job names generated for it will exceed 63 characters";
    case.events = json!([event("TrainJob/a", "TrainJobResourcesCreationFailed", said)]);
    assert_eq!(case.codes(), "CreationFailed");
    let fix = case.findings()[0].fix.clone().unwrap();
    assert_eq!(
        (fix.tool, &fix.arguments.unwrap()["new_name"]),
        (Some("clone_training_job"), &json!("a"))
    );
    case.events = json!([]);
    assert_eq!(case.codes(), "NotReconciled");
}
