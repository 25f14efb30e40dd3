//! Rows of the smaller kinds of the core group.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age, at, entries, list, name, number, or, selector};

/// A ConfigMap.
pub(super) fn config_map(object: &Value, now: Timestamp) -> Vec<Value> {
    let count = entries(object, "data") + entries(object, "binaryData");
    vec![name(object), json!(count), age::of(object, now)]
}

/// A Secret.
pub(super) fn secret(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(object),
        json!(or(at(object, "/type"), "Opaque")),
        json!(entries(object, "data")),
        age::of(object, now),
    ]
}

/// A Namespace.
pub(super) fn namespace(object: &Value, now: Timestamp) -> Vec<Value> {
    vec![name(object), json!(at(object, "/status/phase")), age::of(object, now)]
}

/// A PersistentVolumeClaim.
pub(super) fn claim(object: &Value, now: Timestamp) -> Vec<Value> {
    let phase = if object["metadata"]["deletionTimestamp"].is_null() {
        at(object, "/status/phase")
    } else {
        "Terminating"
    };
    let volume = at(object, "/spec/volumeName");
    let (capacity, modes) = if volume.is_empty() {
        ("", String::new())
    } else {
        (or(at(object, "/status/capacity/storage"), "0"), access_modes(object))
    };
    let class = object["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"].as_str();
    vec![
        name(object),
        json!(phase),
        json!(volume),
        json!(capacity),
        json!(modes),
        json!(class.unwrap_or_else(|| at(object, "/spec/storageClassName"))),
        json!(or(at(object, "/spec/volumeAttributesClassName"), "<unset>")),
        age::of(object, now),
        json!(or(at(object, "/spec/volumeMode"), "<unset>")),
    ]
}

fn access_modes(object: &Value) -> String {
    let has = |mode: &str| list(object, "/status/accessModes").iter().any(|m| m == mode);
    let short = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let modes: Vec<&str> = short
        .into_iter()
        .filter(|(mode, _)| has(mode))
        .map(|(_, short)| short)
        .collect();
    modes.join(",")
}

/// A ResourceQuota: requests and limits apart.
pub(super) fn quota(object: &Value, now: Timestamp) -> Vec<Value> {
    let hard: BTreeMap<&String, &Value> = object["status"]["hard"].as_object().into_iter().flatten().collect();
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in hard {
        let used = object["status"]["used"][resource].as_str().unwrap_or("0");
        let text = format!("{resource}: {used}/{}", hard.as_str().unwrap_or_default());
        if resource.starts_with("limits.") {
            limits.push(text);
        } else {
            requests.push(text);
        }
    }
    vec![
        name(object),
        json!(requests.join(", ")),
        json!(limits.join(", ")),
        age::of(object, now),
    ]
}

/// A Service.
pub(super) fn service(object: &Value, now: Timestamp) -> Vec<Value> {
    let cluster = list(object, "/spec/clusterIPs")
        .first()
        .and_then(Value::as_str)
        .unwrap_or_else(|| or(at(object, "/spec/clusterIP"), "<none>"));
    let ports: Vec<String> = list(object, "/spec/ports").iter().map(port).collect();
    vec![
        name(object),
        json!(or(at(object, "/spec/type"), "ClusterIP")),
        json!(cluster),
        json!(external(object)),
        json!(or(&ports.join(","), "<none>")),
        age::of(object, now),
        json!(selector::labels(&object["spec"]["selector"])),
    ]
}

fn port(port: &Value) -> String {
    let protocol = or(at(port, "/protocol"), "TCP");
    match (number(port, "/port"), number(port, "/nodePort")) {
        (port, 0) => format!("{port}/{protocol}"),
        (port, node) => format!("{port}:{node}/{protocol}"),
    }
}

fn external(object: &Value) -> String {
    let given = list(object, "/spec/externalIPs").iter().filter_map(Value::as_str);
    match or(at(object, "/spec/type"), "ClusterIP") {
        "ExternalName" => at(object, "/spec/externalName").to_owned(),
        "ClusterIP" | "NodePort" => or(&given.collect::<Vec<_>>().join(","), "<none>").to_owned(),
        "LoadBalancer" => {
            let balancers: BTreeSet<&str> = list(object, "/status/loadBalancer/ingress")
                .iter()
                .map(|ingress| or(at(ingress, "/ip"), at(ingress, "/hostname")))
                .filter(|address| !address.is_empty())
                .collect();
            or(
                &balancers.into_iter().chain(given).collect::<Vec<_>>().join(","),
                "<pending>",
            )
            .to_owned()
        }
        _ => "<unknown>".to_owned(),
    }
}
