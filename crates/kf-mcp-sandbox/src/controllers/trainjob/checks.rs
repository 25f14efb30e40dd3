//! What JobSet's webhook refuses of new JobSets.

use serde_json::Value;

use super::super::objects::{items, number};
use crate::store::text;

/// How long the name of a Job or a pod may be.
const LONGEST: usize = 63;
/// The reasons for which a Job fails.
const REASONS: [&str; 5] = [
    "BackoffLimitExceeded",
    "DeadlineExceeded",
    "FailedIndexes",
    "MaxFailedIndexesExceeded",
    "PodFailurePolicy",
];

/// Nothing, or the webhook's refusal.
pub(super) fn created(jobset: &Value) -> Result<(), String> {
    let name = text(jobset, "/metadata/name");
    let mut problems = Vec::new();
    if jobset["spec"]["replicatedJobs"][0]["dependsOn"].is_array() {
        problems.push(internal("DependsOn can't be set for the first ReplicatedJob"));
    }
    names(jobset, &name, &mut problems);
    policies(&jobset["spec"], &mut problems);
    let problems = match problems.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    Err(format!(
        "admission webhook \"vjobset.kb.io\" denied the request: JobSet.jobset.x-k8s.io \"{name}\" is invalid: {problems}"
    ))
}

/// An error that names no field.
fn internal(why: &str) -> String {
    format!("<nil>: Internal error: {why}")
}

fn names(jobset: &Value, name: &str, problems: &mut Vec<String>) {
    let mut known: Vec<&Value> = Vec::new();
    for (index, replicated) in items(&jobset["spec"]["replicatedJobs"]).enumerate() {
        known.push(&replicated["name"]);
        let last = number(replicated, "/replicas").unwrap_or(1) - 1;
        let job = format!("{name}-{}-{last}", text(replicated, "/name"));
        let pods = number(replicated, "/template/spec/completions").unwrap_or(1);
        let pod = format!("{job}-{}-abcde", pods - 1);
        for (long, of) in [(&job, "job"), (&pod, "pod")] {
            if long.len() > LONGEST {
                problems.push(format!(
                    "spec.replicatedJobs[{index}].name: Invalid value: \"{job}\": JobSet name is too long, {of} names \
                     generated for this JobSet will exceed 63 characters"
                ));
            }
        }
        for dependency in items(&replicated["dependsOn"]).filter(|other| !known.contains(&&other["name"])) {
            problems.push(internal(&format!(
                "replicatedJob: {} cannot depend on replicatedJob: {}",
                text(replicated, "/name"),
                text(dependency, "/name"),
            )));
        }
    }
}

fn policies(spec: &Value, problems: &mut Vec<String>) {
    let known: Vec<&Value> = items(&spec["replicatedJobs"])
        .map(|replicated| &replicated["name"])
        .collect();
    let unknown = |list: &'static str, of: &Value| -> Vec<String> {
        items(&of[list])
            .filter(|name| !known.contains(name))
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    };
    for name in unknown("targetReplicatedJobs", &spec["successPolicy"]) {
        problems.push(internal(&format!(
            "invalid replicatedJob name '{name}' does not appear in .spec.ReplicatedJobs"
        )));
    }
    for rule in items(&spec["failurePolicy"]["rules"]) {
        for name in unknown("targetReplicatedJobs", rule) {
            problems.push(internal(&format!(
                "invalid replicatedJob name '{name}' in failure policy does not appear in .spec.ReplicatedJobs"
            )));
        }
        let reasons = items(&rule["onJobFailureReasons"]).filter_map(Value::as_str);
        for reason in reasons.filter(|reason| !REASONS.contains(reason)) {
            problems.push(internal(&format!(
                "invalid job failure reason '{reason}' in failure policy is not a recognized job failure reason"
            )));
        }
    }
}
