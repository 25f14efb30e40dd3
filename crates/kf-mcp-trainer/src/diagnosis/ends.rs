//! Containers that ended badly: which, with what, when, and whether they run again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Finding;
use crate::pods::{ContainerStatus, Pod};

/// SIGTERM: somebody else ended the container, most often because another one had failed.
const TERMINATED: i64 = 143;

/// A container that ended with an exit code other than 0.
#[derive(Debug, Clone)]
pub(crate) struct End<'a> {
    pub(crate) pod: &'a Pod,
    /// As `get_training_logs` takes it, empty for a pod that is not the newest of its step.
    pub(crate) step: String,
    pub(crate) container: &'a str,
    exit_code: i64,
    reason: &'a str,
    pub(crate) at: Option<Timestamp>,
    restarts: u32,
    /// The end is that of the run before, and the container waits or runs again.
    pub(crate) previous: bool,
    crash_loop: bool,
    /// The container runs again, or another pod has taken the place of this one.
    pub(super) over: bool,
}

impl<'a> End<'a> {
    fn of(pod: &'a Pod, step: &str, status: &'a ContainerStatus, replaced: bool) -> Option<Self> {
        let previous = status.state.terminated.is_none();
        let end = status
            .state
            .terminated
            .as_ref()
            .or(status.last_state.terminated.as_ref())?;
        let waits = status.state.waiting.as_ref();
        (end.exit_code != 0).then(|| Self {
            pod,
            step: step.to_owned(),
            container: &status.name,
            exit_code: end.exit_code,
            reason: &end.reason,
            at: end.finished_at,
            restarts: status.restart_count,
            previous,
            crash_loop: waits.is_some_and(|waiting| waiting.reason == "CrashLoopBackOff"),
            over: replaced || status.state.running.is_some(),
        })
    }

    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.reason == "OOMKilled"
    }

    fn code(&self) -> &'static str {
        match self {
            _ if self.is_out_of_memory() => "OOMKilled",
            // No program ran, so nothing else can have gone wrong in it.
            _ if matches!(self.reason, "StartError" | "ContainerCannotRun") => "CommandNotFound",
            Self { crash_loop: true, .. } => "CrashLoop",
            _ => "ExitCode",
        }
    }

    /// `exit code 137 (OOMKilled), 3 restarts`.
    fn phrase(&self) -> String {
        let reason = if self.reason.is_empty() { "Error" } else { self.reason };
        let restarts = match self.restarts {
            0 => String::new(),
            1 => ", 1 restart".into(),
            many => format!(", {many} restarts"),
        };
        format!(
            "container {} ended with exit code {} ({reason}){restarts}",
            self.container, self.exit_code
        )
    }
}

/// All bad ends of the pods, the first first. Of those of one moment, those that were ended from outside come last.
pub(crate) fn ends<'a>(pods: &'a [Pod], newest: &BTreeMap<String, &'a Pod>) -> Vec<End<'a>> {
    let mut ends: Vec<End<'a>> = Vec::new();
    for pod in pods {
        let step = newest
            .iter()
            .find(|(_, known)| known.metadata.name == pod.metadata.name);
        let step = step.map_or("", |(step, _)| step.as_str());
        // Another pod of the step has come after it.
        let replaced = step.is_empty() && !pod.part().is_empty();
        ends.extend(pod.statuses().filter_map(|status| End::of(pod, step, status, replaced)));
    }
    ends.sort_by_key(|end| (end.at.is_none(), end.at, end.exit_code == TERMINATED, end.step.clone()));
    ends
}

/// A finding for each kind of end. `well` is whether the job goes on, `done` whether it has ended well.
pub(super) fn findings(ends: &[End<'_>], well: bool, done: bool) -> Vec<Finding> {
    let mut kinds: Vec<(&'static str, i64, &str, Vec<&End<'_>>)> = Vec::new();
    for end in ends {
        let kind = |(code, exit, container, _): &&mut (&'static str, i64, &str, Vec<&End<'_>>)| {
            *code == end.code() && *exit == end.exit_code && *container == end.container
        };
        match kinds.iter_mut().find(kind) {
            Some((.., same)) => same.push(end),
            None => kinds.push((end.code(), end.exit_code, end.container, vec![end])),
        }
    }
    let finding = |(code, exit, container, same): (&str, i64, &str, Vec<&End<'_>>)| {
        let pods = if same.len() == 1 {
            "1 pod".to_owned()
        } else {
            format!("{} pods", same.len())
        };
        let what = match code {
            "OOMKilled" => format!("container {container} used more memory than its limit allows, in {pods}"),
            "CrashLoop" => format!(
                "container {container} ends and is started again and again, in {pods}: {}",
                meaning(exit)
            ),
            _ => format!("container {container} ended in {pods}: {}", meaning(exit)),
        };
        let mut finding = Finding::new(code, what);
        finding.passed = well && same.iter().all(|end| end.over || done);
        for end in same {
            finding.quote(&format!("Pod/{}", end.pod.metadata.name), &end.phrase(), end.at);
        }
        finding
    };
    kinds.into_iter().map(finding).collect()
}

/// What an exit code means by the conventions of shells and kernels.
fn meaning(exit_code: i64) -> String {
    let says = match exit_code {
        1 => "the program reports a failure",
        2 => "the program was called wrongly, or reports a failure",
        126 => "the command cannot be executed",
        127 => "a command was not found in the image",
        128 => "the command could not be started: the image has no such program, or may not run it",
        132 => "SIGILL: the image is for another kind of CPU",
        134 => "SIGABRT: the program, or a library such as NCCL, aborted itself",
        135 => "SIGBUS: often /dev/shm is too small",
        137 => "SIGKILL: killed from outside, and Kubernetes does not say that it was for memory",
        139 => "SIGSEGV: a crash in native code",
        143 => "SIGTERM: told to end from outside",
        _ => "the program reports a failure",
    };
    format!("exit code {exit_code}, {says}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::pods::steps;

    fn pod(name: &str, index: u32, status: Value) -> Value {
        json!({"metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": index.to_string()}},
            "spec": {"containers": [{"name": "node"}]}, "status": {"containerStatuses": [status]}})
    }

    fn ended(code: i64, reason: &str, at: &str) -> Value {
        json!({"exitCode": code, "reason": reason, "finishedAt": format!("2026-01-01T00:00:{at}Z")})
    }

    #[test]
    fn the_first_that_failed_is_first_and_its_like_are_one_finding() {
        let pods: Vec<Pod> = serde_json::from_value(json!([
            pod(
                "a",
                0,
                json!({"name": "node", "state": {"terminated": ended(143, "Error", "05")}})
            ),
            pod(
                "b",
                1,
                json!({"name": "node", "state": {"terminated": ended(137, "OOMKilled", "05")}})
            ),
            pod(
                "c",
                2,
                json!({"name": "node", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": ended(1, "Error", "09")}})
            ),
            pod(
                "d",
                3,
                json!({"name": "node", "state": {"terminated": ended(137, "OOMKilled", "07")}})
            ),
            pod(
                "e",
                4,
                json!({"name": "node", "state": {"terminated": ended(0, "Completed", "01")}})
            ),
        ]))
        .unwrap();
        let ends = ends(&pods, &steps(&pods));
        assert_eq!(
            ends.iter()
                .map(|end| (end.step.as_str(), end.previous))
                .collect::<Vec<_>>(),
            [
                ("node-1", false),
                ("node-0", false),
                ("node-3", false),
                ("node-2", true)
            ]
        );
        let told: Vec<String> = findings(&ends, false, false)
            .iter()
            .map(|finding| format!("{} {} {}", finding.code, finding.passed, finding.evidence.len()))
            .collect();
        assert_eq!(told, ["OOMKilled false 2", "ExitCode false 1", "CrashLoop false 1"]);
    }

    #[test]
    fn a_program_that_never_ran_is_a_cause_of_its_own() {
        let end = |reason: &str, code: i64| json!({"name": "node", "state": {"terminated": ended(code, reason, "05")}});
        for (reason, code, want) in [
            ("StartError", 128, "CommandNotFound"),
            ("ContainerCannotRun", 127, "CommandNotFound"),
            ("Error", 127, "ExitCode"),
        ] {
            let pods: Vec<Pod> = serde_json::from_value(json!([pod("a", 0, end(reason, code))])).unwrap();
            assert_eq!(
                findings(&ends(&pods, &steps(&pods)), false, false)[0].code,
                want,
                "{reason} {code}"
            );
        }
    }

    #[test]
    fn what_runs_again_has_passed_while_the_job_goes_on() {
        let again = json!({"name": "node", "restartCount": 1, "state": {"running": {}}, "lastState": {"terminated": ended(1, "", "05")}});
        let pods: Vec<Pod> = serde_json::from_value(json!([pod("a", 0, again)])).unwrap();
        let ends = ends(&pods, &steps(&pods));
        assert!(findings(&ends, true, false)[0].passed && !findings(&ends, false, false)[0].passed);
        assert!(
            findings(&ends, true, false)[0].evidence[0]
                .said
                .ends_with("exit code 1 (Error), 1 restart")
        );
    }
}
