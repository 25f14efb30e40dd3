//! ResourceQuota: keeps `status.used` true. Nothing is refused; the sandbox shows quotas, it does not enforce them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Action;
use super::objects::kind;
use super::quantity;
use crate::store::{Store, text};

/// Recounts what quotas limit.
pub fn step(store: &Store, _now: Timestamp) -> Vec<Action> {
    let quotas = kind("ResourceQuota");
    store
        .list(quotas, None)
        .filter_map(|quota| {
            let used = used(store, quota);
            let status = json!({"hard": quota["spec"]["hard"], "used": used});
            (quota["status"] != status).then(|| {
                let mut next = (**quota).clone();
                next["status"] = status;
                Action::UpdateStatus(quotas, next)
            })
        })
        .collect()
}

fn used(store: &Store, quota: &Value) -> BTreeMap<String, String> {
    let namespace = text(quota, "/metadata/namespace");
    let mut pods = 0;
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for pod in store.list(kind("Pod"), Some(&namespace)) {
        if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
            continue;
        }
        pods += 1;
        for (name, amount) in quantity::requests(pod) {
            *sums.entry(name).or_default() += amount;
        }
    }
    quota["spec"]["hard"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| {
            let resource = name.strip_prefix("requests.").unwrap_or(name);
            let used = match resource {
                "pods" | "count/pods" => pods * 1000,
                "persistentvolumeclaims" => {
                    i128::try_from(store.count(kind("PersistentVolumeClaim"), Some(&namespace))).unwrap_or_default()
                        * 1000
                }
                "count/trainjobs.trainer.kubeflow.org" => {
                    i128::try_from(store.count(kind("TrainJob"), Some(&namespace))).unwrap_or_default() * 1000
                }
                _ => sums.get(resource).copied().unwrap_or_default(),
            };
            (name.clone(), written(resource, used))
        })
        .collect()
}

fn written(resource: &str, milli: i128) -> String {
    const GIB: i128 = 1024 * 1024 * 1024 * 1000;
    if resource == "memory" && milli % GIB == 0 && milli > 0 {
        return format!("{}Gi", milli / GIB);
    }
    if milli % 1000 == 0 {
        (milli / 1000).to_string()
    } else {
        format!("{milli}m")
    }
}
