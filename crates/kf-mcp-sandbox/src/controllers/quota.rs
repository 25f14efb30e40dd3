//! ResourceQuota: keeps `status.used` true, and refuses pods that would go beyond.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Action;
use super::objects::{items, kind};
use super::quantity;
use crate::kinds::KINDS;
use crate::store::{Store, text};

/// Recounts what quotas limit.
pub fn step(store: &Store, _now: Timestamp) -> Vec<Action> {
    let quotas = kind("ResourceQuota");
    store
        .list(quotas, None)
        .filter_map(|quota| {
            let used: BTreeMap<String, String> = used(store, quota)
                .into_iter()
                .map(|(name, milli)| {
                    let written = quantity::summed(resource(&name), milli);
                    (name, written)
                })
                .collect();
            let status = json!({"hard": quota["spec"]["hard"], "used": used});
            (quota["status"] != status).then(|| {
                let mut next = (**quota).clone();
                next["status"] = status;
                Action::UpdateStatus(quotas, next)
            })
        })
        .collect()
}

/// The resource that a limit is about.
fn resource(limit: &str) -> &str {
    limit
        .strip_prefix("requests.")
        .or_else(|| limit.strip_prefix("limits."))
        .unwrap_or(limit)
}

/// What is used of each limit of a quota, in thousandths.
fn used(store: &Store, quota: &Value) -> BTreeMap<String, i128> {
    let namespace = text(quota, "/metadata/namespace");
    let limits = || {
        quota["spec"]["hard"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name)
    };
    let mut used: BTreeMap<String, i128> = limits().map(|name| (name.clone(), 0)).collect();
    for pod in store.list(kind("Pod"), Some(&namespace)) {
        for (name, amount) in costs(pod) {
            if let Some(sum) = used.get_mut(&name) {
                *sum += amount;
            }
        }
    }
    for name in limits() {
        if let Some(number) = objects(store, &namespace, name) {
            used.insert(name.clone(), number * 1000);
        }
    }
    used
}

/// How many objects of the kind that a limit names there are; `None` for limits that are not about numbers of objects
/// or that are about pods.
fn objects(store: &Store, namespace: &str, limit: &str) -> Option<i128> {
    let plural = limit.strip_prefix("count/").unwrap_or(limit);
    if matches!(plural, "pods") {
        return None;
    }
    let kind = KINDS.iter().find(|kind| {
        kind.namespaced && (kind.qualified() == plural) && (limit.starts_with("count/") || kind.group.is_empty())
    })?;
    i128::try_from(store.count(kind, Some(namespace))).ok()
}

/// What a pod takes of the limits that are about pods, in thousandths: as an object until it is gone, and of
/// everything else until it has ended.
fn costs(pod: &Value) -> BTreeMap<String, i128> {
    let mut costs = BTreeMap::from([("count/pods".to_owned(), 1000)]);
    if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return costs;
    }
    costs.insert("pods".to_owned(), 1000);
    for (name, amount) in quantity::requests(pod) {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            costs.insert(name.clone(), amount);
        }
        costs.insert(format!("requests.{name}"), amount);
    }
    let mut limits: BTreeMap<String, i128> = BTreeMap::new();
    for container in items(&pod["spec"]["containers"]) {
        for (name, amount) in container["resources"]["limits"].as_object().into_iter().flatten() {
            *limits.entry(format!("limits.{name}")).or_default() += quantity::milli(amount).unwrap_or_default();
        }
    }
    costs.extend(limits);
    costs
}

/// The quotas of a namespace, with what is used of them.
pub struct Quotas<'a> {
    quotas: Vec<(&'a Value, BTreeMap<String, i128>)>,
}

impl<'a> Quotas<'a> {
    /// Counts what is used in a namespace.
    pub fn of(store: &'a Store, namespace: &str) -> Self {
        let quotas = store
            .list(kind("ResourceQuota"), Some(namespace))
            .map(|quota| (&**quota, used(store, quota)))
            .collect();
        Self { quotas }
    }

    /// Counts one more pod, or says why there must not be one more.
    pub fn admit(&mut self, pod: &Value) -> Result<(), String> {
        let costs = costs(pod);
        for (quota, used) in &self.quotas {
            unspecified(quota, pod)?;
            exceeded(quota, used, &costs)?;
        }
        for (_, used) in &mut self.quotas {
            for (name, amount) in &costs {
                if let Some(sum) = used.get_mut(name) {
                    *sum += amount;
                }
            }
        }
        Ok(())
    }
}

fn exceeded(quota: &Value, used: &BTreeMap<String, i128>, costs: &BTreeMap<String, i128>) -> Result<(), String> {
    let over: Vec<(&String, i128, i128, i128)> = used
        .iter()
        .filter_map(|(name, used)| {
            let cost = *costs.get(name)?;
            let hard = quantity::milli(&quota["spec"]["hard"][name])?;
            (used + cost > hard).then_some((name, cost, *used, hard))
        })
        .collect();
    if over.is_empty() {
        return Ok(());
    }
    let told = |of: &dyn Fn(&(&String, i128, i128, i128)) -> i128| {
        let parts: Vec<String> = over
            .iter()
            .map(|entry| format!("{}={}", entry.0, quantity::summed(resource(entry.0), of(entry))))
            .collect();
        parts.join(",")
    };
    Err(format!(
        "exceeded quota: {}, requested: {}, used: {}, limited: {}",
        text(quota, "/metadata/name"),
        told(&|entry| entry.1),
        told(&|entry| entry.2),
        told(&|entry| entry.3),
    ))
}

/// A quota of CPU or memory wants every container to say how much it takes.
fn unspecified(quota: &Value, pod: &Value) -> Result<(), String> {
    let mut problems = Vec::new();
    for (limit, _) in quota["spec"]["hard"].as_object().into_iter().flatten() {
        let part = if limit.starts_with("limits.") {
            "limits"
        } else {
            "requests"
        };
        let resource = resource(limit);
        if !matches!(resource, "cpu" | "memory") {
            continue;
        }
        let silent: Vec<String> = items(&pod["spec"]["containers"])
            .chain(items(&pod["spec"]["initContainers"]))
            .filter(|container| {
                let resources = &container["resources"];
                resources[part][resource].is_null() && (part == "limits" || resources["limits"][resource].is_null())
            })
            .map(|container| text(container, "/name"))
            .collect();
        if !silent.is_empty() {
            problems.push(format!("{limit} for: {}", silent.join(",")));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort();
    Err(format!(
        "failed quota: {}: must specify {}",
        text(quota, "/metadata/name"),
        problems.join("; ")
    ))
}
