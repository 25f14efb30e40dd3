//! Why a training job prints nothing: it has no pods, not this step, or its pod waits.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::kube::resources::{EVENTS, TRAIN_JOBS};
use kf_mcp_core::kube::{Condition, ListQuery, Meta};
use kf_mcp_core::{Cx, ErrorCode, ToolError, text};
use kf_mcp_trainjob::JobState;
use serde::Deserialize;

use crate::events::{Event, is_of_job, newest_first};
use crate::legacy::{self, LegacyJob, LegacyKind};
use crate::pods::{Named, Pod, outside};
use crate::refusal::{CHECK, of_job};

/// A training job, as far as its state goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Job {
    pub(super) metadata: Meta,
    spec: JobSpec,
    status: JobStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobSpec {
    suspend: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JobStatus {
    conditions: Option<Vec<Condition>>,
    #[serde(deserialize_with = "null_is_empty")]
    jobs_status: Vec<Named>,
}

/// Why a job that is paused has no pods.
const SUSPENDED: &str =
    "the job is suspended: suspending deletes its pods and their logs, and it gets new ones when it is resumed";

fn gone(state: &str, said: &str) -> String {
    format!("the job is {state} ({said}) and its pods are gone, and their logs with them")
}

fn not_yet(created: Option<Timestamp>, now: Timestamp) -> String {
    let age = created.map(|at| format!(" (the job was created {} ago)", text::age(at, now)));
    format!("the job has no pods yet{}", age.unwrap_or_default())
}

impl Job {
    /// The names of the replicated jobs that the job was made into, none before that.
    pub(super) fn parts(&self) -> Vec<&str> {
        self.status.jobs_status.iter().map(|part| part.name.as_str()).collect()
    }

    /// Whether the job has neither ended nor been told to pause.
    fn wants_pods(&self) -> bool {
        let conditions = self.status.conditions.as_deref().unwrap_or_default();
        let holds = |kind: &str| conditions.iter().any(|c| c.kind == kind && c.is_true());
        self.spec.suspend != Some(true) && !holds("Failed") && !holds("Complete") && !holds("Suspended")
    }

    /// Why the job has no pods.
    pub(super) fn no_pods(&self, now: Timestamp) -> String {
        let conditions = self.status.conditions.as_deref().unwrap_or_default();
        let holds = |kind: &str| conditions.iter().find(|c| c.kind == kind && c.is_true());
        if let Some(end) = holds("Failed").or_else(|| holds("Complete")) {
            let said = outside(&format!("{}: {}", end.reason, end.message));
            return gone(&end.kind, &said);
        }
        if self.spec.suspend == Some(true) || holds("Suspended").is_some() {
            return SUSPENDED.into();
        }
        not_yet(self.metadata.creation_timestamp, now)
    }
}

/// Reads the job behind a name: a job that does not exist is an error with advice.
pub(super) async fn job(cx: &Cx, namespace: &str, name: &str) -> Result<Option<Job>, ToolError> {
    match cx.kube().get::<Job>(&TRAIN_JOBS, Some(namespace), name).await {
        Ok(job) => Ok(Some(job)),
        Err(error) if error.is_forbidden() => Ok(None),
        Err(error) if error.is_not_found() => Err(ToolError::from(error).fix(CHECK).tool("list_training_jobs")),
        Err(error) => Err(error.into()),
    }
}

/// Why a job has no pods; an error when there is no such job. What stands in the way of a job that should have some, such
/// as a quota, only events tell.
pub(super) async fn no_pods(cx: &Cx, namespace: &str, name: &str) -> Result<String, ToolError> {
    let Some(job) = job(cx, namespace, name).await? else {
        return Ok(
            "there are no pods of such a job, and you may not read training jobs to see whether it exists".into(),
        );
    };
    let reason = job.no_pods(cx.now());
    if !job.wants_pods() {
        return Ok(reason);
    }
    let parts = job.parts();
    let of_job = |event: &Event| is_of_job(&event.involved_object, name, &parts);
    Ok(with_warning(cx, namespace, "type=Warning".into(), of_job, reason).await)
}

/// The same for a job of the training operator v1.
pub(super) async fn no_pods_of_legacy(
    cx: &Cx,
    namespace: &str,
    kind: &'static LegacyKind,
    name: &str,
) -> Result<String, ToolError> {
    let job = match legacy::get(cx, kind, namespace, name).await {
        Ok(object) => LegacyJob::read(kind, &object),
        Err(error) if error.is_forbidden() => {
            let (kind, plural) = (kind.name, kind.resource.plural);
            return Ok(format!(
                "there are no pods of such a {kind}, and you may not read {plural} to see whether it exists"
            ));
        }
        Err(error) => return Err(of_job(error, name, namespace, CHECK)),
    };
    let end = job.holds("Failed").or_else(|| job.holds("Succeeded"));
    if let Some(end) = end {
        return Ok(gone(&end.kind, &outside(&format!("{}: {}", end.reason, end.message))));
    }
    if job.state() == JobState::Suspended {
        return Ok(SUSPENDED.into());
    }
    let reason = not_yet(job.metadata.creation_timestamp, cx.now());
    let of_job = |event: &Event| legacy::is_of_job(&event.involved_object, kind, name);
    Ok(with_warning(cx, namespace, "type=Warning".into(), of_job, reason).await)
}

/// How many steps are named.
const MOST: usize = 20;

/// Why a job has not this step: it comes later, else it is an error with the steps that there are.
pub(super) fn no_step(name: &str, step: &str, steps: &BTreeMap<String, &Pod>, mpi: bool) -> Result<String, ToolError> {
    let mut told: Vec<String> = steps
        .iter()
        .take(MOST)
        .map(|(step, pod)| format!("{step} ({})", pod.phrase()))
        .collect();
    if steps.len() > MOST {
        told.push(format!("… {} in all", steps.len()));
    }
    let told = told.join(", ");
    let is_node = step
        .strip_prefix("node-")
        .is_some_and(|rank| rank.parse::<u32>().is_ok());
    if is_node && !steps.keys().any(|step| step.starts_with("node-")) {
        return Ok(format!(
            "the nodes have not started: they come after the initializers. Steps so far: {told}"
        ));
    }
    if mpi && step == "node-0" {
        return Ok(format!(
            "the launcher has not started: it comes after the other nodes. Steps so far: {told}"
        ));
    }
    let asked = format!("find step `{step}` of training job `{name}`");
    // How many nodes there were, the pods that are left do not tell.
    let why = if is_node {
        "it has no pod: the pod is gone, and its log with it, or the job has fewer nodes"
    } else {
        "the job has no such step"
    };
    Err(ToolError::new(ErrorCode::NotFound, asked, why).fix(format!("steps with a pod: {told}")))
}

/// The reason, with what the newest warning about the pod adds to it.
pub(super) async fn with_event(cx: &Cx, namespace: &str, pod: &str, reason: String) -> String {
    let fields = format!("involvedObject.name={pod},type=Warning");
    with_warning(cx, namespace, fields, |_| true, reason).await
}

/// Events that are read.
const MOST_EVENTS: u32 = 500;

/// The reason, with the newest event that the fields select and that is right. One request; without the right to read
/// events, the reason alone.
async fn with_warning(
    cx: &Cx,
    namespace: &str,
    fields: String,
    right: impl Fn(&Event) -> bool,
    reason: String,
) -> String {
    let query = ListQuery {
        fields: Some(fields),
        limit: Some(MOST_EVENTS),
        ..ListQuery::default()
    };
    let Ok(page) = cx.kube().list(&EVENTS, Some(namespace), &query).await else {
        return reason;
    };
    let newest = newest_first(page.decode::<Event>().0);
    let Some((event, count)) = newest.into_iter().find(|(event, _)| event.is_warning() && right(event)) else {
        return reason;
    };
    let said = outside(&event.message);
    if reason.contains(&said) {
        return reason;
    }
    let when = event
        .time()
        .map(|at| format!(", {} ago", text::age(at, cx.now())))
        .unwrap_or_default();
    format!(
        "{reason}; event {} ({count} times{when}): {said}",
        outside(&event.reason)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_without_pods_says_why() {
        let now = "2026-01-01T00:00:30Z".parse().unwrap();
        for (job, why) in [
            (
                json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}),
                "no pods yet (the job was created 30s ago)",
            ),
            (
                json!({"spec": {"suspend": true}, "status": {"conditions": null}}),
                "is suspended",
            ),
            (
                json!({"status": {"conditions": [{"type": "Suspended", "status": "False"}]}}),
                "no pods yet",
            ),
            (
                json!({"spec": {"suspend": true}, "status": {"conditions": [
                    {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too late"}]}}),
                "is Failed (DeadlineExceeded: too late)",
            ),
        ] {
            let decoded: Job = serde_json::from_value(job).unwrap();
            assert!(decoded.no_pods(now).contains(why), "{why}: {}", decoded.no_pods(now));
        }
    }

    #[test]
    fn a_job_tells_its_parts_once_it_has_them() {
        for (status, parts) in [
            (json!({}), &[][..]),
            (json!({"jobsStatus": null}), &[]),
            (
                json!({"jobsStatus": [{"name": "ps", "active": 1}, {"name": "worker"}]}),
                &["ps", "worker"],
            ),
        ] {
            let job: Job = serde_json::from_value(json!({"status": status})).unwrap();
            assert_eq!(job.parts(), parts);
        }
    }

    #[test]
    fn a_step_that_comes_later_is_told_from_one_that_never_will() {
        let pod: Pod = serde_json::from_value(json!({"status": {"phase": "Running"}})).unwrap();
        let steps = |names: &[&str]| {
            names
                .iter()
                .map(|name| ((*name).to_owned(), &pod))
                .collect::<BTreeMap<_, _>>()
        };
        let initializing = steps(&["dataset-initializer"]);
        assert!(
            no_step("j", "node-0", &initializing, false)
                .unwrap()
                .ends_with("so far: dataset-initializer (Running)")
        );
        assert!(
            no_step("j", "node-0", &steps(&["node-1"]), true)
                .unwrap()
                .starts_with("the launcher")
        );
        for (step, mpi) in [("node-9", true), ("node-x", false), ("model-initializer", false)] {
            let error = no_step("j", step, &steps(&["node-0", "node-1"]), mpi).unwrap_err();
            assert_eq!(
                (error.code, error.fix.as_str()),
                (
                    ErrorCode::NotFound,
                    "steps with a pod: node-0 (Running), node-1 (Running)"
                )
            );
        }
    }
}
