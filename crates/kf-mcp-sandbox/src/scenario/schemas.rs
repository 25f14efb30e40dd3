//! The schemas that the CustomResourceDefinitions of Trainer's kinds carry, as far as admission knows them.

use serde_json::{Value, json};

use crate::admission;

/// The schema of a kind; none where nothing is known of its fields.
pub(super) fn schema(kind: &str) -> Option<Value> {
    match kind {
        "TrainJob" => Some(admission::openapi()),
        "TrainingRuntime" | "ClusterTrainingRuntime" => Some(runtime()),
        _ => None,
    }
}

/// A runtime: its policies whole, the JobSet of its template to its parts.
fn runtime() -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let empty = json!({"type": "object"});
    let number = json!({"type": "integer", "format": "int32"});
    let processes = json!({"type": "integer", "format": "int32", "default": 1});
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let text = json!({"type": "string"});
    let object = |properties: Value| json!({"type": "object", "properties": properties});
    let mpi = object(json!({
        "mpiImplementation": {"type": "string", "enum": ["OpenMPI", ""], "default": "OpenMPI"},
        "numProcPerNode": processes,
        "runLauncherAsNode": {"type": "boolean", "default": false},
        "sshAuthMountPath": {"type": "string", "maxLength": 4096, "default": "/root/.ssh"},
    }));
    let targets = json!({"type": "array", "maxItems": 16, "items": open});
    let mut policy = object(json!({
        "numNodes": number, "torch": object(json!({"envInjection": object(json!({"targets": targets}))})),
        "mpi": mpi, "jax": empty, "xgboost": empty, "flux": object(json!({"numProcPerNode": processes})),
    }));
    policy["x-kubernetes-validations"] = json!([{
        "rule": "[has(self.torch), has(self.mpi), has(self.jax), has(self.xgboost),has(self.flux)].filter(x, x).size() <= 1",
        "message": "Only one of the policy can be configured",
    }]);
    let mut part = object(json!({
        "dependsOn": {"type": "array", "items": open}, "groupName": {"type": "string", "default": "default"},
        "name": text, "replicas": {"type": "integer", "format": "int32", "default": 1}, "template": open,
    }));
    part["required"] = json!(["name", "template"]);
    let jobset = object(json!({
        "coordinator": open, "failurePolicy": open, "managedBy": text, "network": open,
        "replicatedJobs": {"type": "array", "items": part, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        "startupPolicy": open, "successPolicy": open, "suspend": {"type": "boolean"},
        "ttlSecondsAfterFinished": number, "volumeClaimPolicies": {"type": "array", "items": open},
    }));
    let mut template =
        object(json!({"metadata": object(json!({"labels": texts, "annotations": texts})), "spec": jobset}));
    template["minProperties"] = json!(1);
    let groups = object(json!({
        "coscheduling": object(json!({"scheduleTimeoutSeconds": {"type": "integer", "format": "int32", "default": 60}})),
        "volcano": open,
    }));
    object(json!({
        "apiVersion": text, "kind": text, "metadata": empty,
        "spec": object(json!({"mlPolicy": policy, "podGroupPolicy": groups, "template": template})),
    }))
}
