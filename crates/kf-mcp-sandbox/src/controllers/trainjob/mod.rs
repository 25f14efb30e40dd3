//! The TrainJob controller: resolves the runtime, applies the JobSet, mirrors what becomes of it.

mod build;
mod env;
mod patches;
pub mod torchtune;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects::{
    Note, condition, hash, is_true, items, kind, later, new_event, number, owned_by, set_condition, time,
};
use super::{Action, delete};
use crate::store::{Store, seconds, text};

use torchtune::is_tune_run;

/// The value of `spec.managedBy` that hands a TrainJob to somebody else.
const FOREIGN: &str = "kueue.x-k8s.io/multikueue";

/// Brings the JobSets of all open TrainJobs in line with them, and their status in line with the JobSets.
pub fn step(store: &Store, now: Timestamp) -> Vec<Action> {
    let mut actions = Vec::new();
    for job in store.list(kind("TrainJob"), None).filter(|job| is_open(job)) {
        reconcile(store, job, now, &mut actions);
    }
    actions
}

/// When the next TrainJob reaches its deadline.
pub fn next(store: &Store) -> Option<Timestamp> {
    store
        .list(kind("TrainJob"), None)
        .filter(|job| is_open(job))
        .filter_map(|job| deadline(job))
        .min()
}

/// The controller's pre-filter, cheap enough for ten thousand jobs.
fn is_open(job: &Value) -> bool {
    job["spec"]["managedBy"] != FOREIGN && !is_true(job, "Complete") && !is_true(job, "Failed")
}

fn deadline(job: &Value) -> Option<Timestamp> {
    let seconds = number(job, "/spec/activeDeadlineSeconds").and_then(|s| u64::try_from(s).ok())?;
    if job["spec"]["suspend"] == true {
        return None;
    }
    let resumed = condition(job, "Suspended").and_then(|c| time(c, "/lastTransitionTime"));
    let begin = resumed.or_else(|| time(job, "/metadata/creationTimestamp"))?;
    Some(later(begin, Duration::from_secs(seconds)))
}

fn reconcile(store: &Store, job: &Value, now: Timestamp, actions: &mut Vec<Action>) {
    let namespace = text(job, "/metadata/namespace");
    let name = text(job, "/metadata/name");
    let suspended = job["spec"]["suspend"] == true;
    let jobset = store.get(kind("JobSet"), &namespace, &name);
    if jobset.is_none() && suspended && is_true(job, "Suspended") && job["status"]["jobsStatus"].is_array() {
        // Told as suspended by a scenario without its children: nothing to do until somebody resumes it.
        return;
    }
    let mut next = job.clone();
    if next["status"].is_null() {
        next["status"] = json!({});
    }
    if jobset.is_some() && deadline(job).is_some_and(|deadline| deadline <= now) {
        let message = "TrainJob exceeded its active deadline";
        set_condition(&mut next, "Failed", "True", "DeadlineExceeded", message, now);
        actions.push(Action::UpdateStatus(kind("TrainJob"), next));
        actions.extend(jobset.map(|jobset| delete(kind("JobSet"), jobset)));
        return;
    }
    match apply(store, job, jobset.map(|jobset| &**jobset)) {
        Ok(writes) => actions.extend(writes),
        Err(problem) => {
            complain(store, job, &problem, now, actions);
            if jobset.is_none() {
                return;
            }
        }
    }
    if suspended {
        set_condition(
            &mut next,
            "Suspended",
            "True",
            "Suspended",
            "TrainJob is suspended",
            now,
        );
    } else if is_true(job, "Suspended") {
        set_condition(&mut next, "Suspended", "False", "Resumed", "TrainJob is resumed", now);
    }
    if let Some(jobset) = jobset {
        mirror(&mut next, jobset, now);
    }
    if next["status"] != json!({}) && next != *job {
        actions.push(Action::UpdateStatus(kind("TrainJob"), next));
    }
}

/// Copies counters and the final condition of the JobSet.
fn mirror(next: &mut Value, jobset: &Value, now: Timestamp) {
    if jobset["status"]["replicatedJobsStatus"].is_array() {
        next["status"]["jobsStatus"] = jobset["status"]["replicatedJobsStatus"].clone();
    }
    for (theirs, ours) in [("Completed", "Complete"), ("Failed", "Failed")] {
        if let Some(end) = condition(jobset, theirs).filter(|c| c["status"] == "True") {
            set_condition(next, ours, "True", &text(end, "/reason"), &text(end, "/message"), now);
        }
    }
}

/// The writes that make or change what belongs to a TrainJob, or why they would be refused.
fn apply(store: &Store, job: &Value, jobset: Option<&Value>) -> Result<Vec<Action>, String> {
    let suspended = job["spec"]["suspend"] == true;
    if let Some(jobset) = jobset
        && jobset["spec"]["suspend"] != true
    {
        // A running JobSet is never applied again, except to suspend it.
        if !suspended {
            return Ok(Vec::new());
        }
        keeps_claims(jobset)?;
        let mut next = jobset.clone();
        next["spec"]["suspend"] = json!(true);
        return Ok(vec![Action::Update(kind("JobSet"), next)]);
    }
    if jobset.is_some() && suspended && job["spec"]["runtimePatches"].as_array().is_none_or(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let (runtime, mut writes) = runtime(store, job)?;
    let wanted = build::jobset(job, &runtime)?;
    match jobset {
        None => {
            writes.extend(build::companions(job, &runtime));
            writes.push(Action::Create(kind("JobSet"), wanted));
        }
        Some(jobset) => {
            let mut next = jobset.clone();
            next["spec"] = wanted["spec"].clone();
            if next["spec"] != jobset["spec"] {
                keeps_claims(jobset)?;
                writes.push(Action::Update(kind("JobSet"), next));
            }
        }
    }
    Ok(writes)
}

/// Trainer 2.3 with JobSet 0.12: JobSet's webhook adds a retention policy on creation, Trainer's next apply takes it
/// away again, and the CRD refuses the change, so that jobs with claims can be neither suspended nor resumed.
fn keeps_claims(jobset: &Value) -> Result<(), String> {
    let bare = items(&jobset["spec"]["volumeClaimPolicies"]).any(|policy| policy["retentionPolicy"].is_null());
    if bare {
        return Err(format!(
            "JobSet.jobset.x-k8s.io \"{}\" is invalid: spec.volumeClaimPolicies: Invalid value: Value is immutable",
            text(jobset, "/metadata/name")
        ));
    }
    Ok(())
}

/// The runtime as it was when the job was first seen, and the write of that snapshot when there is none yet.
fn runtime(store: &Store, job: &Value) -> Result<(Value, Vec<Action>), String> {
    let namespace = text(job, "/metadata/namespace");
    let snapshot = format!("{}-runtime-snapshot", text(job, "/metadata/name"));
    if let Some(config) = store.get(kind("ConfigMap"), &namespace, &snapshot) {
        let yaml = text(config, "/data/runtime");
        return match serde_saphyr::from_str::<Value>(&yaml) {
            Ok(runtime) => Ok((runtime, Vec::new())),
            Err(problem) => Err(format!("runtime snapshot {snapshot} cannot be read: {problem}")),
        };
    }
    let reference = &job["spec"]["runtimeRef"];
    let name = text(reference, "/name");
    let runtime = match reference["kind"].as_str() {
        Some("TrainingRuntime") => store.get(kind("TrainingRuntime"), &namespace, &name),
        _ => store.get(kind("ClusterTrainingRuntime"), "", &name),
    };
    let Some(runtime) = runtime else {
        let of = reference["kind"].as_str().unwrap_or("ClusterTrainingRuntime");
        return Err(format!("{of}.trainer.kubeflow.org \"{name}\" not found"));
    };
    let mut kept = json!({
        "apiVersion": runtime["apiVersion"], "kind": runtime["kind"], "metadata": {"name": name},
        "spec": runtime["spec"],
    });
    for field in ["labels", "annotations", "namespace", "uid"] {
        if !runtime["metadata"][field].is_null() {
            kept["metadata"][field] = runtime["metadata"][field].clone();
        }
    }
    let yaml = serde_saphyr::to_string(&kept).map_err(|problem| problem.to_string())?;
    let config = json!({
        "metadata": {"name": snapshot, "namespace": namespace, "ownerReferences": owned_by(job)},
        "data": {"runtime": yaml},
    });
    Ok((kept, vec![Action::Create(kind("ConfigMap"), config)]))
}

/// The one thing Trainer reports on a TrainJob itself. Once per generation, where the real one adds to a series.
fn complain(store: &Store, job: &Value, problem: &str, now: Timestamp, actions: &mut Vec<Action>) {
    let mut message = format!("TrainJob resources reconciliation failed: {problem}");
    if message.len() > 950 {
        message = message.chars().take(950).collect();
    }
    let seed = format!("{}/{}/{message}", job["metadata"]["uid"], job["metadata"]["generation"]);
    let name = format!("{}.{:016x}", text(job, "/metadata/name"), hash(&seed));
    if store
        .get(kind("Event"), &text(job, "/metadata/namespace"), &name)
        .is_some()
    {
        return;
    }
    let note = Note {
        reporter: "trainer-trainjob-controller",
        level: "Warning",
        reason: "TrainJobResourcesCreationFailed",
        message: &message,
    };
    if let Action::Create(kind, mut event) = new_event(job, note, "Reconciling", now) {
        event["metadata"]["name"] = json!(name);
        event["metadata"]["creationTimestamp"] = json!(seconds(now));
        actions.push(Action::Create(kind, event));
    }
}
