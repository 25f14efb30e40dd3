//! The steps of a training job as one answer tells them: from its pods, and from its counters where there are none.

use std::collections::{BTreeMap, BTreeSet};

use kf_mcp_trainjob::{JobCounts, JobState, TrainJob};
use schemars::JsonSchema;
use serde::Serialize;

use crate::pods::{self, Pod, outside};

/// Steps that an answer holds at most; those that are not well come first when some are left out.
const MOST: usize = 100;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Step {
    /// `node-0`, `dataset-initializer`, … as `get_training_logs` takes it.
    pub(crate) name: String,
    /// The pod's phase, and what its container waits for; without a pod, what the counters say.
    pub(crate) status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) restarts: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The steps in the order of the training, and how many were left out.
pub(crate) fn steps(job: &TrainJob, state: JobState, pods: &[Pod]) -> (Vec<Step>, usize) {
    let newest = pods::steps(pods);
    let mut steps: Vec<Step> = newest.iter().map(|(name, pod)| of_pod(name, pod)).collect();
    let have: BTreeSet<&str> = pods.iter().map(Pod::part).collect();
    let without = job
        .status
        .jobs_status
        .iter()
        .filter(|part| !have.contains(part.name.as_str()));
    steps.extend(without.map(|part| of_counts(job, part, state)));
    bounded(steps)
}

/// The step whose log is read when `node-0` is asked for, which is the default: itself, unless its pod is gone and that of another
/// node is left to tell how the job ended.
pub(crate) fn telling(step: &str, newest: &BTreeMap<String, &Pod>) -> String {
    if step != "node-0" || newest.contains_key(step) {
        return step.to_owned();
    }
    let ended = |phase: &str| {
        let of = |(name, pod): &(&String, &&Pod)| name.starts_with("node-") && pod.status.phase == phase;
        newest
            .iter()
            .filter(of)
            .map(|(name, _)| name.clone())
            .min_by_key(|name| order(name))
    };
    ended("Failed")
        .or_else(|| ended("Succeeded"))
        .unwrap_or_else(|| step.to_owned())
}

/// What is said of a step that another stands in for.
pub(crate) fn stands_in(step: &str, asked: &str) -> Option<String> {
    (step != asked).then(|| format!("the pod of {asked} is gone, and its log with it: this is {step}"))
}

/// The steps of which each has a pod, and how many were left out.
pub(crate) fn listed(newest: &BTreeMap<String, &Pod>) -> (Vec<Step>, usize) {
    bounded(newest.iter().map(|(name, pod)| of_pod(name, pod)).collect())
}

/// The steps in their order, as many as an answer holds.
fn bounded(mut steps: Vec<Step>) -> (Vec<Step>, usize) {
    let left_out = steps.len().saturating_sub(MOST);
    if left_out > 0 {
        steps.sort_by_key(|step| {
            (
                matches!(step.status.as_str(), "Running" | "Succeeded"),
                order(&step.name),
            )
        });
        steps.truncate(MOST);
    }
    steps.sort_by_key(|step| order(&step.name));
    (steps, left_out)
}

fn of_pod(name: &str, pod: &Pod) -> Step {
    let status = pod.container_status(pod.container());
    let deleted = pod.metadata.deletion_timestamp.map(|_| "Terminating".to_owned());
    Step {
        name: name.to_owned(),
        status: deleted.unwrap_or_else(|| pod.phrase()),
        pod: Some(outside(&pod.metadata.name)),
        node: Some(outside(&pod.spec.node_name)).filter(|node| !node.is_empty()),
        restarts: status.map_or(0, |status| status.restart_count),
    }
}

fn of_counts(job: &TrainJob, part: &JobCounts, state: JobState) -> Step {
    let name = match part.name.as_str() {
        "launcher" => "node-0".to_owned(),
        "node" if !job.has_launcher() && job.nodes() == Some(1) => "node-0".to_owned(),
        other => outside(other),
    };
    // A job that its deadline ended keeps the counters of before.
    let status = match part {
        _ if part.suspended > 0 => "Suspended",
        _ if part.failed > 0 => "Failed",
        _ if part.succeeded > 0 => "Succeeded",
        _ if state.is_final() => "Ended",
        _ if part.active > 0 => "Active",
        _ => "Waiting",
    };
    Step {
        name,
        status: status.into(),
        pod: None,
        node: None,
        restarts: 0,
    }
}

/// Initializers before nodes, and nodes by their numbers.
pub(crate) fn order(name: &str) -> (u8, u64, String) {
    if name.ends_with("-initializer") {
        return (0, 0, name.to_owned());
    }
    let (head, number) = name.rsplit_once('-').unwrap_or((name, ""));
    match number.parse() {
        Ok(number) => (1, number, head.to_owned()),
        Err(_) => (2, 0, name.to_owned()),
    }
}

/// How many training pods there are and how many of them run (or have ended well), for [`JobState::with_pods`]. One that
/// crashes and is started again and again runs, badly: that is its reason.
pub(crate) fn training_pods(pods: &[&Pod]) -> (usize, usize) {
    let training = pods.iter().filter(|pod| matches!(pod.part(), "node" | "launcher"));
    let well = |pod: &&&Pod| {
        let status = pod.container_status(pod.container());
        let runs =
            status.is_some_and(|status| status.state.running.is_some() || status.last_state.terminated.is_some());
        pod.status.phase == "Succeeded" || pod.status.phase == "Running" && runs
    };
    (training.clone().count(), training.filter(well).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(part: &str, index: u32, created: &str, phase: &str) -> Value {
        json!({"metadata": {"name": format!("a-{part}-0-{index}-{created}"), "creationTimestamp": format!("2026-01-01T00:{created}:00Z"),
            "labels": {"jobset.sigs.k8s.io/replicatedjob-name": part, "batch.kubernetes.io/job-completion-index": index.to_string()}},
            "spec": {"nodeName": "gpu-0", "containers": [{"name": "node"}]},
            "status": {"phase": phase, "containerStatuses": [{"name": "node", "restartCount": 2, "state": {"running": {}}}]}})
    }

    fn told(job: &Value, pods: &[Value]) -> Vec<String> {
        let job = TrainJob::from_value(job).0;
        let pods: Vec<Pod> = serde_json::from_value(json!(pods)).unwrap();
        let (steps, _) = steps(&job, JobState::of(&job), &pods);
        steps
            .iter()
            .map(|step| format!("{} {} {}", step.name, step.status, step.pod.as_deref().unwrap_or("-")))
            .collect()
    }

    #[test]
    fn steps_are_in_order_and_have_the_newest_pod() {
        let job = json!({"status": {"jobsStatus": [{"name": "node", "active": 1}, {"name": "model-initializer", "succeeded": 1}]}});
        let pods = [
            pod("node", 10, "02", "Running"),
            pod("node", 2, "01", "Failed"),
            pod("node", 2, "03", "Running"),
            pod("node", 0, "01", "Running"),
        ];
        assert_eq!(
            told(&job, &pods),
            [
                "model-initializer Succeeded -",
                "node-0 Running a-node-0-0-01",
                "node-2 Running a-node-0-2-03",
                "node-10 Running a-node-0-10-02",
            ]
        );
    }

    #[test]
    fn counters_stand_in_for_pods_that_are_gone() {
        let ended = json!({"spec": {"trainer": {"numNodes": 1}}, "status": {
            "conditions": [{"type": "Failed", "status": "True"}], "jobsStatus": [{"name": "node", "active": 1, "ready": 1}]}});
        assert_eq!(told(&ended, &[]), ["node-0 Ended -"]);
        let mpi = json!({"status": {"jobsStatus": [{"name": "node", "active": 1}, {"name": "launcher"}]}});
        assert_eq!(told(&mpi, &[]), ["node-0 Waiting -", "node Active -"]);
    }

    #[test]
    fn of_many_steps_those_that_are_not_well_are_told() {
        let mut pods: Vec<Value> = (0..150).map(|index| pod("node", index, "01", "Running")).collect();
        pods[149] = pod("node", 149, "01", "Pending");
        let pods: Vec<Pod> = serde_json::from_value(json!(pods)).unwrap();
        let (steps, left_out) = steps(&TrainJob::default(), JobState::Created, &pods);
        assert_eq!((steps.len(), left_out), (100, 50));
        assert_eq!(steps.last().map(|step| step.name.as_str()), Some("node-149"));
    }
}
