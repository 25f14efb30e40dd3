//! What a runtime must be.

use serde_json::Value;

use super::{jobs, pod};
use crate::admission::problem::joined;
use crate::controllers::objects::items;

/// The label that says what a replicated job does.
const STEP: &str = "/template/metadata/labels/trainer.kubeflow.org~1trainjob-ancestor-step";
/// Fields of a container, in the order in which Go writes them.
const CONTAINER: [&str; 21] = [
    "name",
    "image",
    "command",
    "args",
    "workingDir",
    "ports",
    "envFrom",
    "env",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "volumeMounts",
    "volumeDevices",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "imagePullPolicy",
    "securityContext",
];

/// Why a new runtime is refused.
pub(super) fn validate(runtime: &Value) -> Result<(), String> {
    let mut problems = Vec::new();
    for (index, job) in jobs(runtime).enumerate() {
        let step = job.pointer(STEP).and_then(Value::as_str).unwrap_or_default();
        let container = match step {
            "trainer" => "node",
            "dataset-initializer" | "model-initializer" => step,
            _ => continue,
        };
        let path = format!("spec.template.spec.replicatedJobs[{index}]");
        let replicas = &job["replicas"];
        if *replicas != 1 {
            problems.push(format!("{path}.replicas: Invalid value: {replicas}: always must be 1"));
        }
        let containers = &pod(job)["containers"];
        if !items(containers).any(|known| known["name"] == container) {
            let shown: Vec<String> = items(containers).map(shown).collect();
            problems.push(format!(
                "{path}.template.spec.template.spec.containers: Invalid value: [{}]: must contain the required container \
                 for the ancestor: {step}",
                shown.join(",")
            ));
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(joined(problems))
    }
}

fn shown(container: &Value) -> String {
    let empty = Value::Object(serde_json::Map::new());
    let parts: Vec<String> = CONTAINER
        .iter()
        .filter_map(|field| match container.get(field) {
            // resources are a struct, which is never left out
            None if *field == "resources" => Some((field, &empty)),
            found => found.map(|value| (field, value)),
        })
        .map(|(field, value)| format!("\"{field}\":{value}"))
        .collect();
    format!("{{{}}}", parts.join(","))
}
