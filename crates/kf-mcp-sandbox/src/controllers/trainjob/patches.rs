//! `spec.runtimePatches`: a strategic merge of what may be patched into the JobSet.

use serde_json::{Map, Value, json};

use super::super::objects::{items, kind};
use super::shape::each;
use crate::fields::Shape;
use crate::strategic;

/// Merges one patch (`{metadata, spec.replicatedJobs[]}`) into a JobSet's metadata and spec, or says why it cannot.
pub(super) fn apply(metadata: &mut Value, spec: &mut Value, patch: &Value) -> Result<(), String> {
    marks(metadata, &patch["metadata"]);
    for patch in items(&patch["spec"]["replicatedJobs"]) {
        for replicated in each(spec, "replicatedJobs").filter(|replicated| replicated["name"] == patch["name"]) {
            let template = &mut replicated["template"];
            if patch["template"]["metadata"].is_object() {
                marks(&mut template["metadata"], &patch["template"]["metadata"]);
            }
            let pod = template["spec"]["template"].take();
            template["spec"]["template"] = merged(pod, &patch["template"]["spec"]["template"])?;
        }
    }
    Ok(())
}

/// A pod template and what is patched into it: lists of pods are merged as those of any pod.
pub(super) fn merged(template: Value, patch: &Value) -> Result<Value, String> {
    let Some(patch) = patch.as_object() else {
        return Ok(template);
    };
    let pod = if template.is_null() {
        Value::Object(Map::new())
    } else {
        template
    };
    strategic::patch(Shape::of(kind("Pod")), pod, patch.clone()).map_err(|problem| problem.to_string())
}

/// Adds labels and annotations.
fn marks(metadata: &mut Value, patch: &Value) {
    for part in ["labels", "annotations"] {
        for (key, value) in patch[part].as_object().into_iter().flatten() {
            if !metadata[part].is_object() {
                metadata[part] = json!({});
            }
            metadata[part][key] = value.clone();
        }
    }
}
