//! The rules of Trainer's `CustomResourceDefinitions` that are written in CEL.

use serde_json::Value;

use crate::admission::problem::Problem;
use crate::controllers::objects::items;

/// Fields of a patch's pod that stay as they are.
const POD: [&str; 7] = [
    "serviceAccountName",
    "volumes",
    "initContainers",
    "containers",
    "imagePullSecrets",
    "securityContext",
    "terminationGracePeriodSeconds",
];
const IMMUTABLE: &str = "field is immutable";
/// Fields of a runtime's `JobSet` that stay as they are, by the rules that Trainer's definitions take over from `JobSet`'s.
const TEMPLATE: [&str; 5] = [
    "failurePolicy",
    "network",
    "startupPolicy",
    "successPolicy",
    "volumeClaimPolicies",
];
const STAYS: &str = "Value is immutable";

/// What a new or changed training runtime breaks.
pub(super) fn check_runtime(object: &Value, before: Option<&Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let chosen = object["spec"]["mlPolicy"].as_object().into_iter().flatten();
    let chosen = chosen.filter(|(name, value)| *name != "numNodes" && !value.is_null());
    if chosen.count() > 1 {
        let why = "Only one of the policy can be configured";
        problems.push(Problem::rule("spec.mlPolicy", why));
    }
    let set = &object["spec"]["template"]["spec"];
    let jobs = || items(&set["replicatedJobs"]).enumerate();
    if set["startupPolicy"]["startupPolicyOrder"] == "InOrder" && jobs().any(|(_, job)| !job["dependsOn"].is_null()) {
        let why = "StartupPolicy and DependsOn APIs are mutually exclusive";
        problems.push(Problem::rule("spec.template.spec", why));
    }
    let Some(was) = before.map(|before| &before["spec"]["template"]["spec"]) else {
        return problems;
    };
    for (index, job) in jobs() {
        let Some(old) = items(&was["replicatedJobs"]).find(|old| old["name"] == job["name"]) else {
            continue;
        };
        let path = format!("spec.template.spec.replicatedJobs[{index}].dependsOn");
        kept(&job["dependsOn"], &old["dependsOn"], &path, STAYS, &mut problems);
    }
    for field in TEMPLATE {
        let path = format!("spec.template.spec.{field}");
        kept(&set[field], &was[field], &path, STAYS, &mut problems);
    }
    problems
}

/// What a new or changed TrainJob breaks.
pub(super) fn check(object: &Value, before: Option<&Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    name(object, &mut problems);
    values(&object["spec"], &mut problems);
    if let Some(before) = before {
        transitions(&object["spec"], &before["spec"], &mut problems);
    }
    problems
}

/// What a new status breaks.
pub(super) fn check_status(object: &Value) -> Vec<Problem> {
    let progress = &object["status"]["trainerStatus"];
    if progress.is_object() && progress["lastUpdatedTime"].is_null() {
        let why = "lastUpdatedTime is required when trainerStatus is present";
        return vec![Problem::rule("status.trainerStatus", why)];
    }
    Vec::new()
}

fn name(object: &Value, problems: &mut Vec<Problem>) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(inner) || name.ends_with('-') {
        problems.push(Problem::rule("", "metadata.name must match RFC 1035 DNS label format"));
    }
    if name.len() > 63 {
        problems.push(Problem::rule("", "metadata.name must be no more than 63 characters"));
    }
}

fn values(spec: &Value, problems: &mut Vec<Problem>) {
    for part in ["dataset", "model"] {
        let uri = &spec["initializer"][part]["storageUri"];
        if uri.as_str().is_some_and(|uri| !uri.is_empty() && !is_uri(uri)) {
            let why = "storageUri may be empty, or it must be a valid URI (scheme://...)";
            problems.push(Problem::invalid(
                format!("spec.initializer.{part}.storageUri"),
                uri,
                why,
            ));
        }
    }
    let known = ["trainer.kubeflow.org/trainjob-controller", "kueue.x-k8s.io/multikueue"];
    let managed_by = &spec["managedBy"];
    if managed_by.as_str().is_some_and(|name| !known.contains(&name)) {
        let why = "ManagedBy must be trainer.kubeflow.org/trainjob-controller or kueue.x-k8s.io/multikueue if set";
        problems.push(Problem::invalid("spec.managedBy", managed_by, why));
    }
}

fn is_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return false;
    };
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-');
    // a dot in a pattern is anything but the end of a line
    !rest.is_empty()
        && !rest.contains('\n')
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(inner)
}

/// Rules about changes are only looked at where the field was there before and still is.
fn transitions(spec: &Value, before: &Value, problems: &mut Vec<Problem>) {
    for field in [
        "runtimeRef",
        "initializer",
        "trainer",
        "activeDeadlineSeconds",
        "managedBy",
    ] {
        kept(
            &spec[field],
            &before[field],
            &format!("spec.{field}"),
            IMMUTABLE,
            problems,
        );
    }
    let jobs = |patch: &Value| patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"].clone();
    let pod = |job: &Value| job["template"]["spec"]["template"]["spec"].clone();
    for (index, new) in items(&spec["runtimePatches"]).enumerate() {
        let Some(old) = items(&before["runtimePatches"]).find(|old| old["manager"] == new["manager"]) else {
            continue;
        };
        for (at, job) in items(&jobs(new)).enumerate() {
            let Some(was) = items(&jobs(old)).find(|was| was["name"] == job["name"]).map(pod) else {
                continue;
            };
            let is = pod(job);
            for field in POD {
                let path = format!(
                    "spec.runtimePatches[{index}].trainingRuntimeSpec.template.spec.replicatedJobs[{at}].template.spec.\
                     template.spec.{field}"
                );
                kept(&is[field], &was[field], &path, IMMUTABLE, problems);
            }
        }
    }
}

fn kept(new: &Value, old: &Value, path: &str, why: &str, problems: &mut Vec<Problem>) {
    if !old.is_null() && !new.is_null() && old != new {
        problems.push(Problem::invalid(path, new, why));
    }
}
