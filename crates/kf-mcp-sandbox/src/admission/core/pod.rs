//! Pods and pod templates.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{container, not_negative};
use crate::admission::format::{label, label_value, qualified};
use crate::admission::problem::Problem;
use crate::controllers::objects::items;

/// What of a pod may be changed.
const MUTABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
                       `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
                       existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                       previously negative)";

/// What is wrong with a pod.
pub(super) fn check(pod: &Value, before: Option<&Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    template(&pod["spec"], "spec", &mut problems);
    let policy = &pod["spec"]["restartPolicy"];
    let known = ["Always", "OnFailure", "Never"];
    if policy.as_str().is_some_and(|policy| !known.contains(&policy)) {
        problems.push(Problem::unsupported("spec.restartPolicy", policy, &known));
    }
    if let Some(before) = before {
        unchanged(&pod["spec"], &before["spec"], &mut problems);
    }
    problems
}

/// What is wrong with the spec of a pod or of a template, but for its restart policy.
pub(super) fn template(spec: &Value, path: &str, problems: &mut Vec<Problem>) {
    let mut volumes = HashSet::new();
    for (index, volume) in items(&spec["volumes"]).enumerate() {
        let field = format!("{path}.volumes[{index}].name");
        let name = volume["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            problems.push(Problem::required(&field, ""));
            continue;
        }
        problems.extend(
            label(name)
                .into_iter()
                .map(|why| Problem::invalid(&field, &json!(name), &why)),
        );
        if !volumes.insert(name) {
            problems.push(Problem::duplicate(&field, &json!(name)));
        }
    }
    let mut names = HashSet::new();
    if items(&spec["containers"]).next().is_none() {
        problems.push(Problem::required(format!("{path}.containers"), ""));
    }
    container::check(spec, "containers", path, &mut names, problems);
    container::check(spec, "initContainers", path, &mut names, problems);
    not_negative(
        &spec["terminationGracePeriodSeconds"],
        &format!("{path}.terminationGracePeriodSeconds"),
        problems,
    );
    let field = format!("{path}.nodeSelector");
    for (key, value) in spec["nodeSelector"].as_object().into_iter().flat_map(Map::iter) {
        problems.extend(
            qualified(key)
                .into_iter()
                .map(|why| Problem::invalid(&field, &json!(key), &why)),
        );
        let wrong = label_value(value.as_str().unwrap_or_default()).into_iter();
        problems.extend(wrong.map(|why| Problem::invalid(&field, value, &why)));
    }
}

fn unchanged(spec: &Value, before: &Value, problems: &mut Vec<Problem>) {
    for list in ["containers", "initContainers"] {
        if items(&spec[list]).count() != items(&before[list]).count() {
            let why = if list == "containers" {
                "pod updates may not add or remove containers"
            } else {
                "pod updates may not add or remove init containers"
            };
            problems.push(Problem::forbidden(format!("spec.{list}"), why));
            return;
        }
    }
    if kept(spec) != kept(before) || !added(&spec["tolerations"], &before["tolerations"]) {
        problems.push(Problem::forbidden("spec", MUTABLE));
    }
}

/// What must stay.
fn kept(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
            container.remove("image");
        }
    }
    for field in ["activeDeadlineSeconds", "tolerations", "schedulingGates"] {
        spec.as_object_mut().map(|spec| spec.remove(field));
    }
    spec
}

fn added(new: &Value, old: &Value) -> bool {
    items(old).all(|toleration| items(new).any(|other| other == toleration))
}
