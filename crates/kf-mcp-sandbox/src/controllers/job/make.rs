//! The pods of a Job, with all that the Job controller and the API server put on them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::controllers::objects::{items, owned_by, suffix};
use crate::controllers::quantity;
use crate::store::{seconds, text};

/// The pod of a completion index; -1 stands for a Job without indexes.
pub(super) fn make(job: &Value, index: i64, attempt: i64, now: Timestamp) -> Value {
    let template = &job["spec"]["template"];
    let job_name = text(job, "/metadata/name");
    let seed = format!("{}/{index}/{attempt}/{}", job["metadata"]["uid"], seconds(now));
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "namespace": job["metadata"]["namespace"],
            "labels": template["metadata"]["labels"].as_object().cloned().unwrap_or_default(),
            "annotations": template["metadata"]["annotations"].as_object().cloned().unwrap_or_default(),
            "ownerReferences": owned_by(job),
        },
        "spec": template["spec"],
        "status": {"phase": "Pending"},
    });
    let stem = if index < 0 {
        job_name.clone()
    } else {
        format!("{job_name}-{index}")
    };
    pod["metadata"]["generateName"] = json!(format!("{stem}-"));
    pod["metadata"]["name"] = json!(format!("{stem}-{}", suffix(&seed)));
    let uid = &job["metadata"]["uid"];
    for prefix in ["", "batch.kubernetes.io/"] {
        pod["metadata"]["labels"][format!("{prefix}controller-uid")] = uid.clone();
        pod["metadata"]["labels"][format!("{prefix}job-name")] = json!(job_name);
    }
    if index >= 0 {
        let key = "batch.kubernetes.io/job-completion-index";
        pod["metadata"]["labels"][key] = json!(index.to_string());
        pod["metadata"]["annotations"][key] = json!(index.to_string());
        pod["spec"]["hostname"] = json!(stem);
    }
    defaults(&mut pod["spec"], index >= 0);
    pod
}

/// What the API server and the Job controller add to a pod's spec.
fn defaults(spec: &mut Value, indexed: bool) {
    for (field, value) in [
        ("restartPolicy", json!("Never")),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("serviceAccountName", json!("default")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("securityContext", json!({})),
    ] {
        if spec[field].is_null() {
            spec[field] = value;
        }
    }
    let mut tolerations: Vec<Value> = items(&spec["tolerations"]).cloned().collect();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        tolerations.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
    }
    spec["tolerations"] = json!(tolerations);
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if indexed {
                let path = "metadata.labels['batch.kubernetes.io/job-completion-index']";
                let var = json!({
                    "name": "JOB_COMPLETION_INDEX",
                    "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}},
                });
                match container.get_mut("env").and_then(Value::as_array_mut) {
                    Some(env) => env.push(var),
                    None => container["env"] = json!([var]),
                }
            }
            resources(&mut container["resources"]);
        }
    }
}

/// Requests default to limits, and quantities are text once stored.
fn resources(resources: &mut Value) {
    if resources.is_null() {
        *resources = json!({});
        return;
    }
    for part in ["limits", "requests"] {
        for (_, value) in resources
            .get_mut(part)
            .and_then(Value::as_object_mut)
            .into_iter()
            .flatten()
        {
            *value = quantity::canonical(value);
        }
    }
    for (name, value) in resources["limits"].as_object().cloned().into_iter().flatten() {
        if resources["requests"][&name].is_null() {
            resources["requests"][&name] = value;
        }
    }
    if resources["limits"].is_null() {
        resources.as_object_mut().map(|r| r.remove("limits"));
    }
}
