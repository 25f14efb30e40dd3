//! How a JobSet's spec looks after it went through Trainer's Go types: structs that are never left out, quantities in
//! their canonical form, numbers that are left out when they are zero.

use serde_json::{Value, json};

use super::super::quantity;

/// Writes a JobSet's spec as Go would.
pub(super) fn jobset(spec: &mut Value) {
    if let Some(policy) = spec.get_mut("failurePolicy").and_then(Value::as_object_mut)
        && policy.get("maxRestarts") == Some(&json!(0))
    {
        policy.remove("maxRestarts");
    }
    for replicated in each(spec, "replicatedJobs") {
        let template = &mut replicated["template"];
        present(template, "metadata");
        present(&mut template["spec"]["template"], "metadata");
        pod(&mut template["spec"]["template"]["spec"]);
    }
    for policy in each(spec, "volumeClaimPolicies") {
        for claim in each(policy, "templates") {
            present(claim, "metadata");
            present(claim, "status");
            present(&mut claim["spec"], "resources");
            amounts(&mut claim["spec"]["resources"]);
        }
    }
}

/// Writes a runtime as Go would.
pub(super) fn runtime(runtime: &mut Value) {
    present(&mut runtime["spec"]["template"], "metadata");
    jobset(&mut runtime["spec"]["template"]["spec"]);
}

fn pod(spec: &mut Value) {
    for list in ["initContainers", "containers"] {
        for container in each(spec, list) {
            present(container, "resources");
            amounts(&mut container["resources"]);
        }
    }
    for volume in each(spec, "volumes") {
        if let Some(limit) = volume.pointer_mut("/emptyDir/sizeLimit") {
            *limit = quantity::canonical(limit);
        }
    }
}

/// Writes the amounts of a container's or a claim's resources in their canonical form.
pub(super) fn amounts(resources: &mut Value) {
    for part in ["limits", "requests"] {
        let amounts = resources.get_mut(part).and_then(Value::as_object_mut);
        for (_, amount) in amounts.into_iter().flatten() {
            *amount = quantity::canonical(amount);
        }
    }
}

/// Go leaves no struct out.
fn present(object: &mut Value, field: &str) {
    if object[field].is_null() {
        object[field] = json!({});
    }
}

/// The elements of a list field, none when it is missing.
pub(super) fn each<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    object
        .get_mut(field)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}
