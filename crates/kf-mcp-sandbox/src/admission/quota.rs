//! What quotas forbid: more objects or resources in a namespace than they allow.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::controllers::objects::{items, kind};
use crate::controllers::quantity;
use crate::kinds::Kind;
use crate::store::{Store, text};

/// Why a new object would exceed a quota of its namespace, in the API server's words.
pub(crate) fn exceeded(store: &Store, of: &Kind, object: &Value) -> Option<String> {
    let namespace = text(object, "/metadata/namespace");
    if namespace.is_empty() || of.kind == "Event" {
        return None;
    }
    store
        .list(kind("ResourceQuota"), Some(&namespace))
        .find_map(|quota| refusal(quota, of, object))
}

/// Why a new object would exceed one quota.
pub(crate) fn refusal(quota: &Value, of: &Kind, object: &Value) -> Option<String> {
    let name = text(quota, "/metadata/name");
    let hard = quota["spec"]["hard"].as_object()?;
    let asked = asked(hard, of, object);
    if of.kind == "Pod" {
        let missing = unspecified(hard, object);
        if !missing.is_empty() {
            return Some(format!("failed quota: {name}: must specify {}", missing.join("; ")));
        }
    }
    let over: Vec<(&String, i128, i128, i128)> = asked
        .iter()
        .filter_map(|(resource, amount)| {
            let most = quantity::milli(hard.get(resource)?)?;
            let used = quantity::milli(&quota["status"]["used"][resource]).unwrap_or_default();
            (*amount > 0 && used + amount > most).then_some((resource, *amount, used, most))
        })
        .collect();
    if over.is_empty() {
        return None;
    }
    let list = |pick: fn(&(&String, i128, i128, i128)) -> i128| {
        let parts: Vec<String> = over
            .iter()
            .map(|entry| format!("{}={}", entry.0, quantity::summed(entry.0, pick(entry))))
            .collect();
        parts.join(",")
    };
    Some(format!(
        "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
        list(|entry| entry.1),
        list(|entry| entry.2),
        list(|entry| entry.3)
    ))
}

/// What an object takes of what a quota limits, in thousandths.
pub(crate) fn asked(hard: &Map<String, Value>, of: &Kind, object: &Value) -> BTreeMap<String, i128> {
    let resources = if of.kind == "Pod" {
        resources(object)
    } else {
        BTreeMap::new()
    };
    let counted = if of.group.is_empty() {
        format!("count/{}", of.plural)
    } else {
        format!("count/{}.{}", of.plural, of.group)
    };
    hard.keys()
        .filter_map(|name| {
            let counts = *name == counted || (of.group.is_empty() && name == of.plural);
            let amount = if counts {
                Some(1000)
            } else {
                resources.get(name).copied()
            };
            amount.map(|amount| (name.clone(), amount))
        })
        .collect()
}

/// What a pod takes of resources, by the names that quotas have for it, in thousandths.
pub(crate) fn resources(pod: &Value) -> BTreeMap<String, i128> {
    let mut all = BTreeMap::new();
    for (name, amount) in quantity::requests(pod) {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            all.insert(name.clone(), amount);
        }
        all.insert(format!("requests.{name}"), amount);
    }
    for container in items(&pod["spec"]["containers"]) {
        for (name, amount) in container["resources"]["limits"].as_object().into_iter().flatten() {
            *all.entry(format!("limits.{name}")).or_default() += quantity::milli(amount).unwrap_or_default();
        }
    }
    all
}

/// Limited resources that containers of a pod do not say how much they take of.
fn unspecified(hard: &Map<String, Value>, pod: &Value) -> Vec<String> {
    let mut missing = Vec::new();
    for name in hard.keys() {
        let (part, resource) = match name.as_str() {
            "cpu" | "memory" => ("requests", name.as_str()),
            "requests.cpu" | "requests.memory" => ("requests", name.trim_start_matches("requests.")),
            "limits.cpu" | "limits.memory" => ("limits", name.trim_start_matches("limits.")),
            _ => continue,
        };
        let without: Vec<&str> = items(&pod["spec"]["containers"])
            .filter(|container| container["resources"][part][resource].is_null())
            .filter_map(|container| container["name"].as_str())
            .collect();
        if !without.is_empty() {
            missing.push(format!("{name} for: {}", without.join(",")));
        }
    }
    missing
}
