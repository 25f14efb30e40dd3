//! Defaults of pod templates and pods, and what admission adds to pods.

use serde_json::{Value, json};

use super::container::{amounts, container};
use super::volume::volume;
use super::{each, set, word};
use crate::controllers::objects::{hash, items, suffix};

/// The two taints of a node in trouble that every pod bears for five minutes.
const TROUBLES: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
/// Where the service account's token is mounted.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Fills in the spec of a pod template.
pub(super) fn template(spec: &mut Value) {
    for (field, value) in [
        ("restartPolicy", json!("Always")),
        ("dnsPolicy", json!("ClusterFirst")),
        ("schedulerName", json!("default-scheduler")),
        ("securityContext", json!({})),
        ("terminationGracePeriodSeconds", json!(30)),
    ] {
        set(spec, field, &value);
    }
    let account = word(spec, "serviceAccountName");
    if !account.is_empty() {
        // the old name of the field goes along
        spec["serviceAccount"] = json!(account);
    }
    for list in ["initContainers", "containers"] {
        each(spec, list).for_each(container);
    }
    each(spec, "volumes").for_each(volume);
    amounts(spec.get_mut("overhead"));
}

/// Fills in the defaults of a pod.
pub(super) fn pod(pod: &mut Value) {
    let spec = &mut pod["spec"];
    template(spec);
    set(spec, "enableServiceLinks", &json!(true));
    for list in ["initContainers", "containers"] {
        for container in each(spec, list) {
            default_requests(&mut container["resources"]);
        }
    }
}

/// Adds what admission gives to a new pod.
pub(super) fn admitted(pod: &mut Value) {
    let seed = format!("{}/{}", pod["metadata"]["namespace"], pod["metadata"]["name"]);
    let spec = &mut pod["spec"];
    set(spec, "serviceAccountName", &json!("default"));
    spec["serviceAccount"] = spec["serviceAccountName"].clone();
    set(spec, "priority", &json!(0));
    set(spec, "preemptionPolicy", &json!("PreemptLowerPriority"));
    tolerate(spec);
    mount_token(spec, &seed);
    let class = quality(&pod["spec"]);
    set(&mut pod["status"], "phase", &json!("Pending"));
    set(&mut pod["status"], "qosClass", &json!(class));
}

/// What is limited but not requested is requested as it is limited.
fn default_requests(resources: &mut Value) {
    for (name, amount) in resources["limits"].as_object().cloned().into_iter().flatten() {
        if resources["requests"][&name].is_null() {
            resources["requests"][&name] = amount;
        }
    }
    // indexing made it null where there are no limits
    for part in ["limits", "requests"] {
        if resources[part].is_null() {
            resources.as_object_mut().map(|resources| resources.remove(part));
        }
    }
}

fn tolerate(spec: &mut Value) {
    let mut tolerations: Vec<Value> = items(&spec["tolerations"]).cloned().collect();
    for key in TROUBLES {
        let borne = tolerations.iter().any(|toleration| {
            let about = toleration["key"].as_str().unwrap_or_default();
            let effect = toleration["effect"].as_str().unwrap_or_default();
            (about == key || about.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        });
        if !borne {
            tolerations.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
            }));
        }
    }
    spec["tolerations"] = json!(tolerations);
}

/// The token of the pod's service account, unless the pod does not want it or has something there.
fn mount_token(spec: &mut Value, seed: &str) {
    if spec["automountServiceAccountToken"] == false {
        return;
    }
    let name = format!("kube-api-access-{}", suffix(&format!("{:x}", hash(seed))));
    let mut mounted = false;
    for list in ["initContainers", "containers"] {
        for container in each(spec, list) {
            let mut mounts: Vec<Value> = items(&container["volumeMounts"]).cloned().collect();
            if mounts.iter().any(|mount| mount["mountPath"] == ACCOUNT) {
                continue;
            }
            mounts.push(json!({"name": name, "mountPath": ACCOUNT, "readOnly": true}));
            container["volumeMounts"] = json!(mounts);
            mounted = true;
        }
    }
    if !mounted {
        return;
    }
    let mut volumes: Vec<Value> = items(&spec["volumes"]).cloned().collect();
    let namespace = json!([{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]);
    volumes.push(json!({
        "name": name,
        "projected": {
            "defaultMode": 420,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": namespace}},
            ],
        },
    }));
    spec["volumes"] = json!(volumes);
}

/// The quality of service: only CPU and memory count.
fn quality(spec: &Value) -> &'static str {
    let mut any = false;
    let mut all = true;
    for container in items(&spec["containers"]).chain(items(&spec["initContainers"])) {
        for resource in ["cpu", "memory"] {
            let [limit, request] = ["limits", "requests"].map(|part| &container["resources"][part][resource]);
            any |= !limit.is_null() || !request.is_null();
            all &= !limit.is_null() && limit == request;
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
