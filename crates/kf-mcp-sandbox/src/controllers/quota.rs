//! ResourceQuota: keeps `status.used` true, and refuses pods that would go beyond.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Action;
use super::objects::kind;
use super::quantity;
use crate::admission::quota;
use crate::builtin;
use crate::kinds::KINDS;
use crate::store::{Store, text};

/// Recounts what quotas limit.
pub fn step(store: &Store, _now: Timestamp) -> Vec<Action> {
    let quotas = kind("ResourceQuota");
    store
        .list(quotas, None)
        .filter_map(|quota| {
            let status = json!({"hard": quota["spec"]["hard"], "used": told(used(store, quota))});
            (quota["status"] != status).then(|| {
                let mut next = (**quota).clone();
                next["status"] = status;
                Action::UpdateStatus(quotas, next)
            })
        })
        .collect()
}

/// What is used, as a status tells it.
fn told(used: BTreeMap<String, i128>) -> BTreeMap<String, String> {
    used.into_iter()
        .map(|(name, milli)| {
            let written = quantity::summed(resource(&name), milli);
            (name, written)
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
    costs.extend(quota::resources(pod));
    costs
}

/// The quotas of a namespace, with what is used of them.
pub struct Quotas {
    quotas: Vec<Value>,
}

impl Quotas {
    /// Counts what is used in a namespace.
    pub fn of(store: &Store, namespace: &str) -> Self {
        let quotas = store
            .list(kind("ResourceQuota"), Some(namespace))
            .map(|quota| {
                let mut quota = (**quota).clone();
                quota["status"]["used"] = json!(told(used(store, &quota)));
                quota
            })
            .collect();
        Self { quotas }
    }

    /// Counts one more pod, or says why there must not be one more.
    pub fn admit(&mut self, pod: &Value) -> Result<(), String> {
        if self.quotas.is_empty() {
            return Ok(());
        }
        let pods = kind("Pod");
        let mut pod = pod.clone();
        builtin::fill(pods, &mut pod);
        if let Some(why) = self.quotas.iter().find_map(|quota| quota::refusal(quota, pods, &pod)) {
            return Err(why);
        }
        for quota in &mut self.quotas {
            let hard = quota["spec"]["hard"].as_object().cloned().unwrap_or_default();
            for (name, amount) in quota::asked(&hard, pods, &pod) {
                let used = &mut quota["status"]["used"][&name];
                let sum = quantity::milli(used).unwrap_or_default() + amount;
                *used = json!(quantity::summed(resource(&name), sum));
            }
        }
        Ok(())
    }
}
