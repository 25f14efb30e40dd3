//! The objects of bookmarks, which have a version and nothing else.

use serde_json::{Value, json};

use crate::kinds::Kind;

/// A bookmark of a kind at a version; `initial` is the one that ends what there was at the beginning.
pub(crate) fn object(kind: &Kind, version: u64, initial: bool) -> Value {
    let mut object = json!({
        "kind": kind.kind,
        "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": version.to_string()},
    });
    if initial {
        object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    if let (Some(object), Value::Object(empty)) = (object.as_object_mut(), empty(kind.kind)) {
        object.extend(empty);
    }
    object
}

/// What Go writes of an empty object: the fields that it cannot leave out. Custom kinds have none.
fn empty(kind: &str) -> Value {
    let template = json!({"metadata": {}, "spec": {"containers": null}});
    match kind {
        "Namespace" | "ResourceQuota" => json!({"spec": {}, "status": {}}),
        "Node" => {
            let fields = [
                "machineID",
                "systemUUID",
                "bootID",
                "kernelVersion",
                "osImage",
                "containerRuntimeVersion",
                "kubeletVersion",
                "kubeProxyVersion",
                "operatingSystem",
                "architecture",
            ];
            let info: serde_json::Map<String, Value> =
                fields.into_iter().map(|field| (field.to_owned(), json!(""))).collect();
            json!({
                "spec": {},
                "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": info},
            })
        }
        "Pod" => json!({"spec": {"containers": null}, "status": {}}),
        "Service" => json!({"spec": {}, "status": {"loadBalancer": {}}}),
        "Event" => json!({
            "involvedObject": {}, "source": {}, "firstTimestamp": null, "lastTimestamp": null, "eventTime": null,
            "reportingComponent": "", "reportingInstance": "",
        }),
        "PersistentVolumeClaim" => json!({"spec": {"resources": {}}, "status": {}}),
        "Deployment" => json!({
            "spec": {"replicas": 0, "selector": null, "template": template, "strategy": {}}, "status": {},
        }),
        "Job" => json!({"spec": {"template": template}, "status": {}}),
        "CustomResourceDefinition" => json!({
            "spec": {"group": "", "names": {"plural": "", "kind": ""}, "scope": "", "versions": null},
            "status": {"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": null},
        }),
        _ => json!({}),
    }
}
