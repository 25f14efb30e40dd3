//! Defaults of containers.

use serde_json::{Value, json};

use super::{each, field_refs, moves, set, word};
use crate::controllers::quantity;

/// Fills in one container of a pod template or a pod.
pub(super) fn container(container: &mut Value) {
    let policy = if moves(&word(container, "image")) {
        "Always"
    } else {
        "IfNotPresent"
    };
    set(container, "imagePullPolicy", &json!(policy));
    set(container, "terminationMessagePath", &json!("/dev/termination-log"));
    set(container, "terminationMessagePolicy", &json!("File"));
    set(container, "resources", &json!({}));
    for part in ["limits", "requests"] {
        amounts(container["resources"].get_mut(part));
    }
    for port in each(container, "ports") {
        set(port, "protocol", &json!("TCP"));
    }
    for variable in each(container, "env") {
        if let Some(source) = variable.get_mut("valueFrom") {
            field_refs(source);
        }
        // an empty value is how a variable without one is stored
        if variable["value"] == "" {
            variable.as_object_mut().map(|variable| variable.remove("value"));
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(name).filter(|probe| probe.is_object()) {
            self::probe(probe);
        }
    }
    for name in ["postStart", "preStop"] {
        if let Some(http) = container.pointer_mut(&format!("/lifecycle/{name}/httpGet")) {
            self::http(http);
        }
    }
}

fn probe(probe: &mut Value) {
    for (field, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        if probe[field].is_null() || probe[field] == 0 {
            probe[field] = json!(value);
        }
    }
    if let Some(http) = probe.get_mut("httpGet").filter(|http| http.is_object()) {
        self::http(http);
    }
    if let Some(grpc) = probe.get_mut("grpc").filter(|grpc| grpc.is_object()) {
        set(grpc, "service", &json!(""));
    }
}

fn http(http: &mut Value) {
    set(http, "path", &json!("/"));
    set(http, "scheme", &json!("HTTP"));
}

/// Writes all amounts of a resource list in their canonical form.
pub(super) fn amounts(list: Option<&mut Value>) {
    for (_, amount) in list.and_then(Value::as_object_mut).into_iter().flatten() {
        *amount = quantity::canonical(amount);
    }
}
