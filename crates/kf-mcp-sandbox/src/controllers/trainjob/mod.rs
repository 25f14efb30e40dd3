//! The TrainJob controller: resolves the runtime, applies the JobSet, mirrors what becomes of it.

mod admitted;
mod build;
mod checks;
mod env;
mod mpi;
mod overrides;
mod patches;
mod shape;
mod snapshot;
pub mod torchtune;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::events::{Note, new_event};
use super::objects::{condition, hash, is_true, kind, later, number, owner_uid, remove_condition, set_condition, time};
use super::{Action, delete};
use crate::store::{Store, text};

pub(crate) use overrides::overrides;
use torchtune::is_tune_run;

/// The value of `spec.managedBy` that hands a TrainJob to somebody else.
const FOREIGN: &str = "kueue.x-k8s.io/multikueue";
/// How much of an error an event tells.
const TOLD: usize = 950;

/// Brings the JobSets of all open TrainJobs in line with them, and the status of all in line with their JobSets.
pub fn step(store: &Store, now: Timestamp) -> Vec<Action> {
    let mut actions = Vec::new();
    for job in store.list(kind("TrainJob"), None) {
        if is_open(job) {
            reconcile(store, job, now, &mut actions);
        } else if job["spec"]["managedBy"] != FOREIGN && is_unmarked(job) {
            mark(store, job, now, &mut actions);
        }
    }
    for jobset in store.list(kind("JobSet"), None) {
        follow(store, jobset, now, &mut actions);
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
    job["spec"]["managedBy"] != FOREIGN && !is_finished(job)
}

fn is_finished(job: &Value) -> bool {
    is_true(job, "Complete") || is_true(job, "Failed")
}

/// Whether a job has failed, but not for good: Trainer takes that back when there is something new to do.
pub(super) fn can_recover(job: &Value) -> bool {
    condition(job, "Failed").is_some_and(|c| c["status"] == "True" && c["reason"] != "DeadlineExceeded")
}

/// Whether the condition `Suspended` does not say what the spec says.
fn is_unmarked(job: &Value) -> bool {
    (job["spec"]["suspend"] == true) != is_true(job, "Suspended")
}

/// A finished job can still be suspended and resumed, not that it matters.
fn mark(store: &Store, job: &Value, now: Timestamp, actions: &mut Vec<Action>) {
    let mut next = job.clone();
    if !can_recover(job) {
        set_suspended(&mut next, now);
    } else if let Some(failed) = remove_condition(&mut next, "Failed") {
        // Trainer takes the condition away, goes on as if there were none, and copies it from the JobSet again.
        set_suspended(&mut next, now);
        if let Some(conditions) = next["status"]["conditions"].as_array_mut() {
            conditions.push(failed);
        }
        let jobset = store.get(
            kind("JobSet"),
            &text(job, "/metadata/namespace"),
            &text(job, "/metadata/name"),
        );
        if let Some(jobset) = jobset
            && let Ok(writes) = apply(store, job, Some(jobset), now)
        {
            actions.extend(writes);
        }
    }
    actions.push(Action::UpdateStatus(kind("TrainJob"), next));
}

/// Lets a finished TrainJob follow its JobSet, whose last pods may end later than it.
fn follow(store: &Store, jobset: &Value, now: Timestamp, actions: &mut Vec<Action>) {
    let namespace = text(jobset, "/metadata/namespace");
    let Some(job) = store.get(kind("TrainJob"), &namespace, &text(jobset, "/metadata/name")) else {
        return;
    };
    if job["metadata"]["uid"] != owner_uid(jobset) || is_open(job) || job["spec"]["managedBy"] == FOREIGN {
        return;
    }
    if job["status"]["jobsStatus"] == jobset["status"]["replicatedJobsStatus"] {
        return;
    }
    let mut next = (**job).clone();
    mirror(&mut next, jobset, now);
    if next != **job {
        actions.push(Action::UpdateStatus(kind("TrainJob"), next));
    }
}

fn deadline(job: &Value) -> Option<Timestamp> {
    let seconds = number(job, "/spec/activeDeadlineSeconds").and_then(|s| u64::try_from(s).ok())?;
    if seconds == 0 || job["spec"]["suspend"] == true {
        return None;
    }
    let resumed = condition(job, "Suspended")
        .filter(|c| c["status"] == "False")
        .and_then(|c| time(c, "/lastTransitionTime"));
    let begin = resumed.or_else(|| time(job, "/metadata/creationTimestamp"))?;
    Some(later(begin, Duration::from_secs(seconds)))
}

fn reconcile(store: &Store, job: &Value, now: Timestamp, actions: &mut Vec<Action>) {
    let namespace = text(job, "/metadata/namespace");
    let name = text(job, "/metadata/name");
    let jobset = store.get(kind("JobSet"), &namespace, &name);
    let suspended = job["spec"]["suspend"] == true;
    if jobset.is_none() && suspended && is_true(job, "Suspended") && job["status"]["jobsStatus"].is_array() {
        // Told as suspended by a scenario without its children: nothing to do until somebody resumes it.
        return;
    }
    match apply(store, job, jobset.map(|jobset| &**jobset), now) {
        Ok(writes) => actions.extend(writes),
        Err(problem) => complain(store, job, &problem, now, actions),
    }
    let mut next = job.clone();
    if next["status"].is_null() {
        next["status"] = json!({});
    }
    set_suspended(&mut next, now);
    if let Some(jobset) = jobset {
        mirror(&mut next, jobset, now);
    }
    if !is_finished(&next) && deadline(&next).is_some_and(|deadline| deadline <= now) {
        let message = "TrainJob exceeded its active deadline";
        set_condition(&mut next, "Failed", "True", "DeadlineExceeded", message, now);
        actions.extend(jobset.map(|jobset| delete(kind("JobSet"), jobset)));
    }
    if next["status"] != json!({}) && next != *job {
        actions.push(Action::UpdateStatus(kind("TrainJob"), next));
    }
}

fn set_suspended(job: &mut Value, now: Timestamp) {
    if job["spec"]["suspend"] == true {
        set_condition(job, "Suspended", "True", "Suspended", "TrainJob is suspended", now);
    } else if is_true(job, "Suspended") {
        set_condition(job, "Suspended", "False", "Resumed", "TrainJob is resumed", now);
    }
}

/// Copies counters and the final condition of the JobSet.
fn mirror(next: &mut Value, jobset: &Value, now: Timestamp) {
    if jobset["status"]["replicatedJobsStatus"].is_array() {
        next["status"]["jobsStatus"] = jobset["status"]["replicatedJobsStatus"].clone();
    }
    for (theirs, ours) in [("Completed", "Complete"), ("Failed", "Failed")] {
        if let Some(end) = condition(jobset, theirs).filter(|c| c["status"] == "True") {
            let at = time(end, "/lastTransitionTime").unwrap_or(now);
            set_condition(next, ours, "True", &text(end, "/reason"), &text(end, "/message"), at);
        }
    }
}

/// The writes that make or change what belongs to a TrainJob, or why they would be refused.
fn apply(store: &Store, job: &Value, jobset: Option<&Value>, now: Timestamp) -> Result<Vec<Action>, String> {
    let suspended = job["spec"]["suspend"] == true;
    if jobset.is_some_and(|jobset| jobset["spec"]["suspend"] != true) && !suspended {
        // A running JobSet is never applied again, except to suspend it.
        return Ok(Vec::new());
    }
    let (runtime, mut writes) = snapshot::of(store, job)?;
    let built = build::build(job, &runtime)?;
    match jobset {
        None => {
            writes.extend(built.companions);
            match admitted::created(built.jobset) {
                Ok(jobset) => writes.push(Action::Create(kind("JobSet"), jobset)),
                Err(problem) => complain(store, job, &problem, now, &mut writes),
            }
        }
        Some(jobset) => {
            let next = admitted::applied(jobset, &built.jobset)?;
            if next != *jobset {
                writes.push(Action::Update(kind("JobSet"), next));
            }
        }
    }
    Ok(writes)
}

/// The one thing Trainer reports on a TrainJob itself. Once per generation, where the real one tells it again and again.
fn complain(store: &Store, job: &Value, problem: &str, now: Timestamp, actions: &mut Vec<Action>) {
    let told: String = problem.chars().take(TOLD).collect();
    let more = if problem.len() > TOLD { " ..." } else { "" };
    let message = format!("TrainJob resources reconciliation failed: {told}{more}");
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
        actions.push(Action::Create(kind, event));
    }
}
