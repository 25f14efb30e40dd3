//! The pods of a training job, decoded leniently: which step each runs, what state its containers are in, and why not.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::kube::{Condition, Meta};
use kf_mcp_core::{redact, text};
use kf_mcp_trainjob::Resources;
use serde::Deserialize;

use crate::legacy;

/// The label that JobSet puts on every pod of a job: the job's name.
pub(crate) const JOB: &str = "jobset.sigs.k8s.io/jobset-name";
/// The label with the replicated job of a pod.
pub(crate) const REPLICATED_JOB: &str = "jobset.sigs.k8s.io/replicatedjob-name";
/// The label with the rank of a pod in its replicated job.
pub(crate) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// A pod, as far as tools read it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Pod {
    pub(crate) metadata: Meta,
    pub(crate) spec: PodSpec,
    pub(crate) status: PodStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodSpec {
    pub(crate) node_name: String,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) containers: Vec<PodContainer>,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) volumes: Vec<Named>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PodContainer {
    pub(crate) name: String,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) resources: Resources,
}

/// A part of a pod that has a name.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub(crate) name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodStatus {
    pub(crate) phase: String,
    pub(crate) start_time: Option<Timestamp>,
    pub(crate) reason: String,
    pub(crate) message: String,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) conditions: Vec<Condition>,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerStatus {
    pub(crate) name: String,
    pub(crate) restart_count: u32,
    pub(crate) state: ContainerState,
    pub(crate) last_state: ContainerState,
}

/// At most one of the three is set.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContainerState {
    pub(crate) waiting: Option<Waiting>,
    pub(crate) running: Option<Running>,
    pub(crate) terminated: Option<Terminated>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Waiting {
    pub(crate) reason: String,
    pub(crate) message: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Running {
    pub(crate) started_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Terminated {
    pub(crate) exit_code: i64,
    pub(crate) reason: String,
    pub(crate) finished_at: Option<Timestamp>,
}

/// Which run of a container to read when the caller does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// The one that is there.
    Current,
    /// The one before the last restart: the current one has not begun.
    Previous,
    /// The current one if it has printed anything, else the one before: it began a moment ago.
    PreviousIfEmpty,
}

/// A container that restarted less than this ago has hardly printed anything.
const JUST_NOW: i64 = 60;

impl ContainerStatus {
    /// Which run tells most.
    pub(crate) fn run(&self, now: Timestamp) -> Run {
        let has_previous = self.restart_count > 0 || self.last_state.terminated.is_some();
        if !has_previous {
            return Run::Current;
        }
        if self.state.waiting.is_some() {
            return Run::Previous;
        }
        let started = self.state.running.as_ref().and_then(|running| running.started_at);
        match started {
            Some(at) if now.duration_since(at).as_secs() < JUST_NOW => Run::PreviousIfEmpty,
            _ => Run::Current,
        }
    }

    /// Why the container has printed nothing yet: it waits, and never ran before.
    fn waits(&self) -> Option<&Waiting> {
        self.state
            .waiting
            .as_ref()
            .filter(|_| self.restart_count == 0 && self.last_state.terminated.is_none())
    }
}

impl Pod {
    fn label(&self, name: &str) -> &str {
        self.metadata.labels.get(name).map_or("", String::as_str)
    }

    /// The replicated job it belongs to, empty when it does not say.
    pub(crate) fn part(&self) -> &str {
        self.label(REPLICATED_JOB)
    }

    /// The rank in the replicated job; older clusters write it as an annotation only.
    fn index(&self) -> u32 {
        let annotation = self.metadata.annotations.get(INDEX);
        self.label(INDEX)
            .parse()
            .ok()
            .or_else(|| annotation.and_then(|index| index.parse().ok()))
            .unwrap_or(0)
    }

    /// Whether the pod is a worker of an MPI job: Trainer mounts the job's SSH keys into all of them.
    fn is_mpi(&self) -> bool {
        self.label(REPLICATED_JOB) == "launcher" || self.spec.volumes.iter().any(|v| v.name == "mpi-ssh-auth")
    }

    /// The container that does the step's work: `node`, or the one named as the step, or the first.
    pub(crate) fn container(&self) -> &str {
        let job = self.label(REPLICATED_JOB);
        let wanted = if job == "launcher" { "node" } else { job };
        let named = |name: &str| self.spec.containers.iter().find(|c| c.name == name);
        named(wanted)
            .or_else(|| named("node"))
            .map(|container| container.name.as_str())
            .or_else(|| legacy::container(self))
            .or_else(|| self.spec.containers.first().map(|container| container.name.as_str()))
            .unwrap_or(wanted)
    }

    /// What is known of a container.
    pub(crate) fn container_status(&self, container: &str) -> Option<&ContainerStatus> {
        self.status.container_statuses.iter().find(|c| c.name == container)
    }

    /// The containers, those that only prepare first.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.status
            .init_container_statuses
            .iter()
            .chain(&self.status.container_statuses)
    }

    /// What a container asks for.
    pub(crate) fn resources(&self, container: &str) -> Option<&Resources> {
        let spec = self.spec.containers.iter().find(|known| known.name == container)?;
        Some(&spec.resources)
    }

    /// Why there is no log yet, none when there can be one.
    pub(crate) fn no_log_yet(&self, container: &str) -> Option<String> {
        let status = self.container_status(container);
        let waiting = status.and_then(ContainerStatus::waits);
        if waiting.is_none() && !(status.is_none() && matches!(self.status.phase.as_str(), "Pending" | "")) {
            return None;
        }
        let mut why = vec![format!(
            "pod {} is {}",
            self.metadata.name,
            or(&self.status.phase, "Pending")
        )];
        if let Some(waiting) = waiting {
            let said = with(&waiting.reason, &waiting.message);
            why.push(format!("container {container} waits: {}", or(&said, "no reason given")));
        }
        let unscheduled = |c: &&Condition| c.kind == "PodScheduled" && c.status == "False";
        if let Some(condition) = self.status.conditions.iter().find(unscheduled) {
            why.push(with(&condition.reason, &condition.message));
        }
        if !self.status.reason.is_empty() || !self.status.message.is_empty() {
            why.push(with(&self.status.reason, &self.status.message));
        }
        Some(why.join("; "))
    }

    /// The state of the pod and its container in one phrase, for lists of steps.
    pub(crate) fn phrase(&self) -> String {
        let status = self.container_status(self.container());
        let state = match status.map(|status| &status.state) {
            Some(ContainerState {
                waiting: Some(waiting), ..
            }) => waiting.reason.clone(),
            Some(ContainerState {
                terminated: Some(end), ..
            }) if end.exit_code != 0 => {
                format!("{}, exit code {}", or(&end.reason, "Error"), end.exit_code)
            }
            _ => String::new(),
        };
        let phase = or(&self.status.phase, "Pending");
        if state.is_empty() {
            phase.to_owned()
        } else {
            format!("{phase}: {}", outside(&state))
        }
    }
}

fn or<'a>(text: &'a str, else_: &'a str) -> &'a str {
    if text.is_empty() { else_ } else { text }
}

/// `reason: message`, made safe to show.
fn with(reason: &str, message: &str) -> String {
    let said = match (reason.is_empty(), message.is_empty()) {
        (false, false) => format!("{reason}: {message}"),
        _ => format!("{reason}{message}"),
    };
    outside(&said)
}

/// A text from the cluster, made safe to show: cleaned, redacted, on one line, bounded.
pub(crate) fn outside(said: &str) -> String {
    let line = text::clean(said).split_whitespace().collect::<Vec<_>>().join(" ");
    text::bounded(&redact::secrets(&line), 500)
}

/// The steps of a job, each with the newest of its pods. Steps are `node-IDX`, `dataset-initializer` and
/// `model-initializer`; in an MPI job the launcher is node-0 and the workers come after it, as in the Kubeflow SDK.
pub(crate) fn steps(pods: &[Pod]) -> BTreeMap<String, &Pod> {
    let shift = u32::from(pods.iter().any(Pod::is_mpi));
    newest(pods.iter().filter_map(|pod| {
        let step = match pod.label(REPLICATED_JOB) {
            "" => return None,
            "launcher" => "node-0".to_owned(),
            "node" => format!("node-{}", pod.index() + shift),
            initializer @ ("dataset-initializer" | "model-initializer") => initializer.to_owned(),
            other => format!("{other}-{}", pod.index()),
        };
        Some((step, pod))
    }))
}

/// The newest pod of each step.
pub(crate) fn newest<'a>(of_steps: impl Iterator<Item = (String, &'a Pod)>) -> BTreeMap<String, &'a Pod> {
    let mut steps: BTreeMap<String, &Pod> = BTreeMap::new();
    for (step, pod) in of_steps {
        let age = |pod: &Pod| (pod.metadata.creation_timestamp, pod.metadata.name.clone());
        let newest = steps.get(&step).is_none_or(|known| age(known) < age(pod));
        if newest {
            steps.insert(step, pod);
        }
    }
    steps
}

/// The completion index of a step's pod, for a job with more pods than one page; none for steps without one.
pub(crate) fn index_of(step: &str, pods: &[Pod]) -> Option<u32> {
    let rank: u32 = step.strip_prefix("node-")?.parse().ok()?;
    rank.checked_sub(u32::from(pods.iter().any(Pod::is_mpi)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, job: &str, index: u32, created: &str) -> Value {
        json!({
            "metadata": {"name": name, "creationTimestamp": created,
                "labels": {REPLICATED_JOB: job, INDEX: index.to_string()}},
            "spec": {"containers": [{"name": "side"}, {"name": if job == "launcher" { "node" } else { job }}]},
        })
    }

    fn pods(values: Value) -> Vec<Pod> {
        serde_json::from_value(values).unwrap()
    }

    fn chosen(pods: &[Pod]) -> Vec<(String, String)> {
        let steps = steps(pods).into_iter();
        steps.map(|(step, pod)| (step, pod.metadata.name.clone())).collect()
    }

    const EARLY: &str = "2026-01-01T00:00:00Z";
    const LATE: &str = "2026-01-01T01:00:00Z";

    #[test]
    fn the_newest_pod_of_a_step_wins_whatever_the_order() {
        let old = pod("bert-node-0-0-aaaaa", "node", 0, EARLY);
        let new = pod("bert-node-0-0-zzzzz", "node", 0, LATE);
        let init = pod("bert-model-initializer-0-0-abcde", "model-initializer", 0, EARLY);
        for list in [json!([old, new, init]), json!([new, init, old])] {
            let pods = pods(list);
            let want = [
                ("model-initializer", "bert-model-initializer-0-0-abcde"),
                ("node-0", "bert-node-0-0-zzzzz"),
            ];
            assert_eq!(chosen(&pods), want.map(|(a, b)| (a.to_owned(), b.to_owned())));
            assert_eq!(steps(&pods)["node-0"].container(), "node");
        }
    }

    #[test]
    fn an_mpi_launcher_is_node_0_even_before_it_exists() {
        let launcher = pod("ds-launcher-0-0-abcde", "launcher", 0, LATE);
        let mut worker = pod("ds-node-0-0-abcde", "node", 0, EARLY);
        let names = |pods: &[Pod]| chosen(pods).into_iter().map(|(step, _)| step).collect::<Vec<_>>();
        assert_eq!(names(&pods(json!([launcher, worker]))), ["node-0", "node-1"]);
        worker["spec"]["volumes"] = json!([{"name": "mpi-ssh-auth"}]);
        let waiting = pods(json!([worker]));
        assert_eq!(names(&waiting), ["node-1"]);
        assert_eq!(
            (index_of("node-7", &waiting), index_of("node-0", &waiting)),
            (Some(6), None)
        );
        assert_eq!(
            (index_of("node-7", &[]), index_of("dataset-initializer", &[])),
            (Some(7), None)
        );
    }

    #[test]
    fn the_run_that_tells_most_is_chosen() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().unwrap();
        for (status, run) in [
            (json!({"state": {"running": {"startedAt": EARLY}}}), Run::Current),
            (
                json!({"state": {"waiting": {"reason": "ContainerCreating"}}}),
                Run::Current,
            ),
            (
                json!({"restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {}}}),
                Run::Previous,
            ),
            (
                json!({"restartCount": 1, "state": {"running": {"startedAt": "2026-01-01T00:00:30Z"}}}),
                Run::PreviousIfEmpty,
            ),
            (
                json!({"restartCount": 1, "state": {"running": {"startedAt": EARLY}}}),
                Run::Current,
            ),
            (
                json!({"restartCount": 1, "state": {"terminated": {"exitCode": 1}}}),
                Run::Current,
            ),
        ] {
            let decoded: ContainerStatus = serde_json::from_value(status.clone()).unwrap();
            assert_eq!(decoded.run(now), run, "{status}");
        }
    }

    #[test]
    fn a_pod_without_a_log_says_why() {
        let pending = json!({"metadata": {"name": "p"}, "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]}});
        let pulling = json!({"metadata": {"name": "p"}, "status": {"phase": "Pending", "containerStatuses": [
            {"name": "node", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}});
        let crashed = json!({"metadata": {"name": "p"}, "status": {"phase": "Running", "containerStatuses": [
            {"name": "node", "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}});
        let evicted = json!({"metadata": {"name": "p"}, "status": {"phase": "Failed", "reason": "Evicted"}});
        let list = pods(json!([pending, pulling, crashed, evicted]));
        let why: Vec<_> = list.iter().map(|pod| pod.no_log_yet("node")).collect();
        assert_eq!(
            why[0].as_deref(),
            Some("pod p is Pending; Unschedulable: 0/3 nodes are available")
        );
        assert_eq!(
            why[1].as_deref(),
            Some("pod p is Pending; container node waits: ImagePullBackOff: no such image")
        );
        assert_eq!(why[2..], [None, None]);
    }

    #[test]
    fn nulls_and_missing_parts_are_empty() {
        let pod: Pod = serde_json::from_value(json!({"metadata": {"name": "p", "labels": null},
            "status": {"containerStatuses": null, "conditions": null}}))
        .unwrap();
        assert_eq!((pod.phrase().as_str(), pod.container()), ("Pending", ""));
    }
}
