//! Containers of pods and of pod templates.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::admission::format::label;
use crate::admission::problem::Problem;
use crate::controllers::objects::items;
use crate::controllers::quantity;
use crate::store::text;

/// What is wrong with the containers in a list of a pod's `spec`. `names` are those of the lists before.
pub(super) fn check<'a>(
    spec: &'a Value,
    list: &str,
    path: &str,
    names: &mut HashSet<&'a str>,
    problems: &mut Vec<Problem>,
) {
    let volumes: HashSet<&str> = items(&spec["volumes"])
        .filter_map(|volume| volume["name"].as_str())
        .collect();
    for (index, container) in items(&spec[list]).enumerate() {
        let path = format!("{path}.{list}[{index}]");
        match container["name"].as_str().filter(|name| !name.is_empty()) {
            None => problems.push(Problem::required(format!("{path}.name"), "")),
            Some(name) => {
                let field = format!("{path}.name");
                problems.extend(
                    label(name)
                        .into_iter()
                        .map(|why| Problem::invalid(&field, &json!(name), &why)),
                );
                if !names.insert(name) {
                    problems.push(Problem::duplicate(field, &json!(name)));
                }
            }
        }
        if text(container, "/image").is_empty() {
            problems.push(Problem::required(format!("{path}.image"), ""));
        }
        for (at, variable) in items(&container["env"]).enumerate() {
            if text(variable, "/name").is_empty() {
                problems.push(Problem::required(format!("{path}.env[{at}].name"), ""));
            }
        }
        mounts(container, &path, &volumes, problems);
        let policy = &container["imagePullPolicy"];
        let known = ["Always", "IfNotPresent", "Never"];
        if policy.as_str().is_some_and(|policy| !known.contains(&policy)) {
            problems.push(Problem::unsupported(format!("{path}.imagePullPolicy"), policy, &known));
        }
        resources(&container["resources"], &format!("{path}.resources"), problems);
    }
}

fn mounts(container: &Value, path: &str, volumes: &HashSet<&str>, problems: &mut Vec<Problem>) {
    let mut places = HashSet::new();
    for (index, mount) in items(&container["volumeMounts"]).enumerate() {
        let path = format!("{path}.volumeMounts[{index}]");
        let (name, place) = (text(mount, "/name"), text(mount, "/mountPath"));
        if name.is_empty() {
            problems.push(Problem::required(format!("{path}.name"), ""));
        }
        if !volumes.contains(name.as_str()) {
            problems.push(Problem::not_found(format!("{path}.name"), &mount["name"]));
        }
        if place.is_empty() {
            problems.push(Problem::required(format!("{path}.mountPath"), ""));
        } else if !places.insert(place.clone()) {
            let why = "must be unique";
            problems.push(Problem::invalid(format!("{path}.mountPath"), &json!(place), why));
        }
    }
}

fn resources(resources: &Value, path: &str, problems: &mut Vec<Problem>) {
    for part in ["limits", "requests"] {
        for (name, amount) in entries(resources, part) {
            if quantity::milli(amount).is_some_and(|amount| amount < 0) {
                let field = format!("{path}.{part}[{name}]");
                let why = "must be greater than or equal to 0";
                problems.push(Problem::invalid(field, &quantity::canonical(amount), why));
            }
        }
    }
    for (name, amount) in entries(resources, "requests") {
        let limit = &resources["limits"][name];
        if let (Some(asked), Some(most)) = (quantity::milli(amount), quantity::milli(limit))
            && asked > most
        {
            let shown = quantity::canonical(limit);
            let why = format!(
                "must be less than or equal to {name} limit of {}",
                shown.as_str().unwrap_or_default()
            );
            let field = format!("{path}.requests");
            problems.push(Problem::invalid(field, &quantity::canonical(amount), &why));
        }
    }
}

fn entries<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object[field].as_object().into_iter().flat_map(Map::iter)
}
