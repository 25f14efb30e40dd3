//! What the `CustomResourceDefinitions` of Trainer and JobSet say of their objects.

mod rules;
mod schema;

use serde_json::{Value, json};

use super::problem::Problem;
use super::types::decode;
use super::types::trainjob::TRAIN_JOB;
use crate::kinds::Kind;

/// What is said in place of the rules when the object is too wrong for them.
const UNCHECKED: &str = "some validation rules were not checked because the object was invalid; correct the existing \
                         errors to complete validation";

/// Fills in what is missing.
pub(super) fn defaults(kind: &Kind, object: &mut Value) {
    match kind.kind {
        "TrainJob" => trainjob(object),
        "TrainingRuntime" | "ClusterTrainingRuntime" => {
            let jobs = object
                .pointer_mut("/spec/template/spec/replicatedJobs")
                .and_then(Value::as_array_mut);
            for job in jobs.into_iter().flatten().filter_map(Value::as_object_mut) {
                job.entry("groupName").or_insert_with(|| json!("default"));
                job.entry("replicas").or_insert_with(|| json!(1));
            }
        }
        _ => {}
    }
}

fn trainjob(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    spec.entry("managedBy")
        .or_insert_with(|| json!("trainer.kubeflow.org/trainjob-controller"));
    spec.entry("suspend").or_insert_with(|| json!(false));
    if let Some(runtime) = spec.get_mut("runtimeRef").and_then(Value::as_object_mut) {
        runtime
            .entry("apiGroup")
            .or_insert_with(|| json!("trainer.kubeflow.org"));
        runtime.entry("kind").or_insert_with(|| json!("ClusterTrainingRuntime"));
    }
}

/// What Trainer's webhooks say when they cannot even decode an object.
pub(super) fn undecodable(kind: &Kind, object: &Value) -> Option<String> {
    (kind.kind == "TrainJob").then(|| decode::complaint(&TRAIN_JOB, object))?
}

/// What is wrong with a new status, besides the `found` in the object's metadata.
pub(super) fn check_status(kind: &Kind, object: &Value, mut found: Vec<Problem>) -> Vec<Problem> {
    if kind.kind != "TrainJob" {
        return found;
    }
    let mut of_status = schema::check(&TRAIN_JOB, object);
    of_status.retain(|problem| problem.field.starts_with("status"));
    for problem in &mut of_status {
        // sentences name the place from the status on
        problem.message = problem.message.replace(": status.", ": ");
    }
    found.extend(of_status);
    if found.iter().any(Problem::blocks_rules) {
        found.push(Problem::invalid("", &Value::Null, UNCHECKED));
    } else {
        found.extend(rules::check_status(object));
    }
    found
}

/// What is wrong with an object, besides the `found` in its metadata.
pub(super) fn check(kind: &Kind, object: &Value, before: Option<&Value>, mut found: Vec<Problem>) -> Vec<Problem> {
    match kind.kind {
        "TrainJob" => {
            found.extend(schema::check(&TRAIN_JOB, object));
            if found.iter().any(Problem::blocks_rules) {
                found.push(Problem::invalid("", &Value::Null, UNCHECKED));
            } else {
                found.extend(rules::check(object, before));
            }
        }
        "TrainingRuntime" | "ClusterTrainingRuntime" => found.extend(rules::check_runtime(object, before)),
        _ => {}
    }
    found
}
