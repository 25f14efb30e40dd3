//! The JobSet controller: Jobs for the replicas of each replicated job, a headless Service, volume claims, and what they
//! add up to.

mod make;
mod policy;
mod status;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::events::{Note, new_event};
use super::objects::{condition, is_true, items, kind, later, number, owned_by, owner_uid, remove_condition, time};
use super::{Action, delete, trainjob};
use crate::store::{Store, text};
use status::Draft;

/// The value of `spec.managedBy` that leaves a JobSet to this controller.
const OWN: &str = "jobset.sigs.k8s.io/jobset-controller";

/// Brings the children and the status of all JobSets in line with their spec.
pub fn step(store: &Store, now: Timestamp) -> Vec<Action> {
    let mut actions = Vec::new();
    for jobset in store.list(kind("JobSet"), None) {
        if jobset["spec"]["managedBy"]
            .as_str()
            .is_none_or(|manager| manager == OWN)
        {
            reconcile(store, jobset, now, &mut actions);
        }
    }
    actions
}

/// When the next finished JobSet has been kept long enough.
pub fn next(store: &Store) -> Option<Timestamp> {
    store
        .list(kind("JobSet"), None)
        .filter_map(|jobset| expiry(jobset))
        .min()
}

/// When a finished JobSet is to go.
fn expiry(jobset: &Value) -> Option<Timestamp> {
    let kept = number(jobset, "/spec/ttlSecondsAfterFinished").and_then(|kept| u64::try_from(kept).ok())?;
    let end = ["Completed", "Failed"]
        .iter()
        .filter_map(|end| condition(jobset, end))
        .find(|end| end["status"] == "True")?;
    Some(later(time(end, "/lastTransitionTime")?, Duration::from_secs(kept)))
}

fn is_finished(jobset: &Value) -> bool {
    is_true(jobset, "Completed") || is_true(jobset, "Failed")
}

/// How often the whole set was started again.
fn restarts(jobset: &Value) -> i64 {
    number(jobset, "/status/restarts").unwrap_or_default()
}

/// The Jobs of a JobSet by what has become of them.
#[derive(Default)]
struct Children<'a> {
    all: Vec<&'a Value>,
    active: Vec<&'a Value>,
    failed: Vec<&'a Value>,
    succeeded: Vec<&'a Value>,
    /// From before the last restart.
    previous: Vec<&'a Value>,
}

impl<'a> Children<'a> {
    fn of(store: &'a Store, jobset: &Value) -> Self {
        let namespace = text(jobset, "/metadata/namespace");
        let mut children = Self::default();
        for replicated in items(&jobset["spec"]["replicatedJobs"]) {
            for index in 0..replicas(replicated) {
                let Some(job) = store.get(kind("Job"), &namespace, &job_name(jobset, replicated, index)) else {
                    continue;
                };
                if jobset["metadata"]["uid"] == owner_uid(job) {
                    children.sort(jobset, job);
                }
            }
        }
        children
    }

    fn sort(&mut self, jobset: &Value, job: &'a Value) {
        self.all.push(job);
        let attempt = &job["metadata"]["labels"]["jobset.sigs.k8s.io/restart-attempt"];
        let attempt: i64 = attempt.as_str().and_then(|text| text.parse().ok()).unwrap_or_default();
        let list = if attempt < restarts(jobset) {
            &mut self.previous
        } else if is_true(job, "Failed") {
            &mut self.failed
        } else if is_true(job, "Complete") {
            &mut self.succeeded
        } else {
            &mut self.active
        };
        list.push(job);
    }
}

fn replicas(replicated: &Value) -> i64 {
    number(replicated, "/replicas").unwrap_or(1)
}

/// The name of the Job of one replica.
fn job_name(jobset: &Value, replicated: &Value, index: i64) -> String {
    format!(
        "{}-{}-{index}",
        text(jobset, "/metadata/name"),
        text(replicated, "/name")
    )
}

fn reconcile(store: &Store, jobset: &Value, now: Timestamp, actions: &mut Vec<Action>) {
    let children = Children::of(store, jobset);
    let mut draft = Draft::new(jobset, now);
    draft.count(&children);
    if is_finished(jobset) {
        // What still runs when a JobSet has ended goes; what has finished stays for its pods and logs.
        actions.extend(children.active.iter().map(|job| delete(kind("Job"), job)));
        if expiry(jobset).is_some_and(|expiry| expiry <= now) {
            expire(store, jobset, actions);
            return;
        }
    } else {
        actions.extend(children.previous.iter().map(|job| delete(kind("Job"), job)));
        run(store, jobset, &children, &mut draft, actions);
    }
    draft.write(actions);
}

/// Removes a JobSet. A failed TrainJob above it is no longer failed then, in Trainer's eyes, and runs again.
fn expire(store: &Store, jobset: &Value, actions: &mut Vec<Action>) {
    actions.push(delete(kind("JobSet"), jobset));
    let (namespace, name) = (text(jobset, "/metadata/namespace"), text(jobset, "/metadata/name"));
    let Some(job) = store.get(kind("TrainJob"), &namespace, &name) else {
        return;
    };
    if trainjob::can_recover(job) && job["metadata"]["uid"] == owner_uid(jobset) {
        let mut next = (**job).clone();
        remove_condition(&mut next, "Failed");
        actions.push(Action::UpdateStatus(kind("TrainJob"), next));
    }
}

fn run(store: &Store, jobset: &Value, children: &Children<'_>, draft: &mut Draft<'_>, actions: &mut Vec<Action>) {
    let suspended = jobset["spec"]["suspend"] == true;
    if !suspended && draft.all_ready() {
        draft.no_longer_restarting("JobsReady", "all jobs are ready");
    }
    if !children.failed.is_empty() {
        policy::failed(jobset, &children.failed, draft);
        return;
    }
    if !children.succeeded.is_empty() && policy::has_succeeded(jobset, &children.succeeded) {
        draft.completed();
        return;
    }
    surroundings(store, jobset, actions);
    start(jobset, children, draft, suspended, actions);
    if suspended {
        for job in children.active.iter().filter(|job| job["spec"]["suspend"] != true) {
            let mut next = (*job).clone();
            next["spec"]["suspend"] = json!(true);
            actions.push(Action::Update(kind("Job"), next));
        }
        draft.suspended();
    } else {
        resume(jobset, children, draft, actions);
    }
}

fn in_order(jobset: &Value) -> bool {
    jobset["spec"]["startupPolicy"]["startupPolicyOrder"] == "InOrder"
}

/// Creates the Jobs whose time has come.
fn start(jobset: &Value, children: &Children<'_>, draft: &mut Draft<'_>, suspended: bool, actions: &mut Vec<Action>) {
    let in_order = in_order(jobset) && !suspended;
    let blocked =
        jobset["spec"]["failurePolicy"]["restartStrategy"] == "BlockingRecreate" && !children.previous.is_empty();
    for replicated in items(&jobset["spec"]["replicatedJobs"]) {
        if !draft.may_start(replicated) || (in_order && draft.has_started(replicated)) {
            continue;
        }
        for index in 0..replicas(replicated) {
            let name = job_name(jobset, replicated, index);
            if !blocked && !children.all.iter().any(|job| job["metadata"]["name"] == name.as_str()) {
                actions.push(Action::Create(
                    kind("Job"),
                    make::job(jobset, replicated, index, suspended),
                ));
            }
        }
        if in_order {
            draft.starting_in_order();
            return;
        }
    }
    if in_order {
        draft.started_in_order();
    }
}

/// Resumes suspended Jobs, with what may have been changed of their pods meanwhile.
fn resume(jobset: &Value, children: &Children<'_>, draft: &mut Draft<'_>, actions: &mut Vec<Action>) {
    for replicated in items(&jobset["spec"]["replicatedJobs"]) {
        if !draft.may_start(replicated) || (in_order(jobset) && draft.has_started(replicated)) {
            continue;
        }
        let name = &replicated["name"];
        let suspended = children
            .active
            .iter()
            .filter(|job| job["metadata"]["labels"]["jobset.sigs.k8s.io/replicatedjob-name"] == *name)
            .filter(|job| job["spec"]["suspend"] == true);
        for job in suspended {
            actions.push(Action::Update(kind("Job"), make::resumed(job, replicated)));
        }
        if in_order(jobset) {
            draft.starting_in_order();
            return;
        }
    }
    draft.resumed();
}

/// The headless Service and the volume claims.
fn surroundings(store: &Store, jobset: &Value, actions: &mut Vec<Action>) {
    let namespace = text(jobset, "/metadata/namespace");
    let network = &jobset["spec"]["network"];
    let subdomain = make::subdomain(jobset);
    if network["enableDNSHostnames"] == true && store.get(kind("Service"), &namespace, &subdomain).is_none() {
        actions.push(Action::Create(
            kind("Service"),
            json!({
                "metadata": {"name": subdomain, "namespace": namespace, "ownerReferences": owned_by(jobset)},
                "spec": {
                    "clusterIP": "None",
                    "selector": {"jobset.sigs.k8s.io/jobset-name": jobset["metadata"]["name"]},
                    "publishNotReadyAddresses": network["publishNotReadyAddresses"] != false,
                },
            }),
        ));
    }
    for policy in items(&jobset["spec"]["volumeClaimPolicies"]) {
        for template in items(&policy["templates"]) {
            let name = make::claim_name(jobset, template);
            if store.get(kind("PersistentVolumeClaim"), &namespace, &name).is_none() {
                let claim = make::claim(jobset, policy, template, &name);
                actions.push(Action::Create(kind("PersistentVolumeClaim"), claim));
            }
        }
    }
}

/// An event of this controller.
fn report(jobset: &Value, level: &str, reason: &str, message: &str, now: Timestamp) -> Action {
    let note = Note {
        reporter: "jobset",
        level,
        reason,
        message,
    };
    new_event(jobset, note, "Reconciling", now)
}
