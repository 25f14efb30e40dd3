//! `runtimePatches`: what they may change, when, and when they were made.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::pod;
use crate::admission::format::subdomain;
use crate::admission::types::{text, trainjob as types};
use crate::controllers::objects::{items, kind, number};
use crate::store::{Store, seconds, text as string};

/// Containers that get their env from elsewhere.
pub(super) const OWNED: [&str; 3] = ["dataset-initializer", "model-initializer", "node"];

/// Notes when each patch was made: one that did not change keeps its time.
pub(super) fn stamp(job: &mut Value, before: Option<&Value>, now: Timestamp) {
    let old: Vec<Value> = before
        .map(|before| items(&before["spec"]["runtimePatches"]).cloned().collect())
        .unwrap_or_default();
    let patches = job.pointer_mut("/spec/runtimePatches").and_then(Value::as_array_mut);
    for patch in patches.into_iter().flatten().filter(|patch| patch.is_object()) {
        match old.iter().find(|old| old["manager"] == patch["manager"]) {
            Some(old) if timeless(old) == timeless(patch) => {
                let time = old["time"].clone();
                set_time(patch, time);
            }
            Some(_) => set_time(patch, json!(seconds(now))),
            None if patch["time"].is_null() => set_time(patch, json!(seconds(now))),
            None => {}
        }
    }
}

fn set_time(patch: &mut Value, time: Value) {
    if time.is_null() {
        patch.as_object_mut().map(|patch| patch.remove("time"));
    } else {
        patch["time"] = time;
    }
}

fn timeless(patch: &Value) -> Value {
    let mut patch = patch.clone();
    patch.as_object_mut().map(|patch| patch.remove("time"));
    patch
}

/// Why a job's patches are refused.
pub(super) fn check(store: &Store, job: &Value, before: Option<&Value>, problems: &mut Vec<String>) {
    let patches = &job["spec"]["runtimePatches"];
    if let Some(before) = before {
        changed(store, job, before, problems);
    }
    let refuse = |why: &str| {
        let shown = text::json(&types::RUNTIME_PATCHES, patches);
        format!("spec.runtimePatches: Invalid value: {shown}: {why}")
    };
    for patch in items(patches) {
        problems.extend(managed_by(patch["manager"].as_str().unwrap_or_default()));
        // the webhook looks at the runtime with the patches in it, where whatever they name is there
        for patched in items(&patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]) {
            for container in items(&pod(patched)["containers"]) {
                let name = container["name"].as_str().unwrap_or_default();
                if OWNED.contains(&name) && items(&container["env"]).next().is_some() {
                    let why = format!("must not have envs for the {} containers", OWNED.join(", "));
                    problems.push(refuse(&why));
                }
            }
        }
    }
}

/// What is wrong with the name of who made a patch.
fn managed_by(manager: &str) -> Vec<String> {
    let invalid = |value: &str, why: &str| format!("spec.runtimePatches.manager: Invalid value: \"{value}\": {why}");
    let (host, path) = match manager.split_once('/') {
        Some((host, path)) if !host.is_empty() && !path.is_empty() => (host, path),
        _ => {
            let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            return vec![invalid(manager, why)];
        }
    };
    let mut wrong: Vec<String> = subdomain(host).iter().map(|why| invalid(host, why)).collect();
    let fine = |c: char| c.is_ascii_alphanumeric() || "/-._~%!$&'()*+,;=:".contains(c);
    if !path.chars().all(fine) {
        let why = r"Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')";
        wrong.push(invalid(path, why));
    }
    wrong
}

/// Patches change only while the job is, or becomes, suspended, and none of its pods is left.
fn changed(store: &Store, job: &Value, before: &Value, problems: &mut Vec<String>) {
    let patches = |job: &Value| items(&job["spec"]["runtimePatches"]).cloned().collect::<Vec<_>>();
    if patches(job) == patches(before) {
        return;
    }
    if job["spec"]["suspend"] != true && before["spec"]["suspend"] != true {
        problems.push(
            "spec.runtimePatches: Forbidden: RuntimePatches can only be modified when the TrainJob is suspended before \
             or after the update"
                .to_owned(),
        );
        return;
    }
    let (namespace, name) = (string(job, "/metadata/namespace"), string(job, "/metadata/name"));
    let jobset = store.get(kind("JobSet"), &namespace, &name);
    let statuses = jobset
        .into_iter()
        .flat_map(|jobset| items(&jobset["status"]["replicatedJobsStatus"]));
    for status in statuses.filter(|status| number(status, "/active").unwrap_or_default() > 0) {
        problems.push(format!(
            "spec.runtimePatches: Forbidden: RuntimePatches cannot be modified when the JobSet's ReplicatedJob {} is \
             still active",
            string(status, "/name")
        ));
    }
}
