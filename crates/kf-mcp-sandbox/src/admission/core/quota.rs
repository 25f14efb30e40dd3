//! `ResourceQuotas` themselves; what they limit is looked at elsewhere.

use serde_json::{Map, Value, json};

use crate::admission::problem::Problem;
use crate::controllers::quantity;

/// What a quota can limit besides resources of nodes and counts of objects.
const STANDARD: [&str; 25] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
    "hugepages-2Mi",
    "hugepages-1Gi",
    "requests.hugepages-2Mi",
    "requests.hugepages-1Gi",
    "limits.hugepages-2Mi",
    "limits.hugepages-1Gi",
];

/// What is wrong with a quota.
pub(super) fn check(quota: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, amount) in quota["spec"]["hard"].as_object().into_iter().flat_map(Map::iter) {
        let field = format!("spec.hard[{name}]");
        if !name.contains('/') && !STANDARD.contains(&name.as_str()) {
            for why in [
                "must be a standard resource type or fully qualified",
                "must be a standard resource for quota",
            ] {
                problems.push(Problem::invalid(&field, &json!(name), why));
            }
        }
        if quantity::milli(amount).is_some_and(|amount| amount < 0) {
            let why = "must be greater than or equal to 0";
            problems.push(Problem::invalid(&field, &quantity::canonical(amount), why));
        }
    }
    problems
}

/// Writes a quota's amounts as they are stored.
pub(in crate::admission) fn canonical(quota: &mut Value) {
    let hard = quota.pointer_mut("/spec/hard").and_then(Value::as_object_mut);
    for amount in hard.into_iter().flat_map(Map::values_mut) {
        *amount = quantity::canonical(amount);
    }
}
