//! `spec.runtimePatches`: a strategic merge of what may be patched into the JobSet.

use serde_json::{Map, Value, json};

/// Merges one patch (`{metadata, spec.replicatedJobs[]}`) into a JobSet's metadata and spec.
pub(super) fn apply(metadata: &mut Value, spec: &mut Value, patch: &Value) {
    for part in ["labels", "annotations"] {
        if let Some(values) = patch["metadata"].get(part) {
            merge(metadata, &json!({ part: values }));
        }
    }
    if let Some(jobs) = patch["spec"].get("replicatedJobs") {
        merge(spec, &json!({"replicatedJobs": jobs}));
    }
}

/// The field that identifies an element of a list; `None` for lists that are replaced as a whole.
fn merge_key(list: &str) -> Option<&'static str> {
    match list {
        "replicatedJobs" | "containers" | "initContainers" | "volumes" | "env" | "imagePullSecrets"
        | "schedulingGates" => Some("name"),
        "volumeMounts" => Some("mountPath"),
        _ => None,
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else { return };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (field, value) in patch {
        let old = &mut target[field];
        match value {
            Value::Null => {
                target.as_object_mut().map(|object| object.remove(field));
            }
            Value::Object(_) => merge(old, value),
            Value::Array(new) => match (merge_key(field), old.as_array_mut()) {
                (Some(key), Some(old)) => {
                    for element in new {
                        match old.iter_mut().find(|o| o[key] == element[key]) {
                            Some(same) => merge(same, element),
                            None => old.push(element.clone()),
                        }
                    }
                }
                _ => *old = value.clone(),
            },
            _ => *old = value.clone(),
        }
    }
}
