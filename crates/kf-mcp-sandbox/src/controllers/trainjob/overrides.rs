//! `spec.podTemplateOverrides` of Trainer v2.1 and `spec.podSpecOverrides` of v2.0: what `runtimePatches` was before.

use serde_json::{Value, json};

use super::super::objects::items;
use super::patches::merged;
use super::shape::each;

/// What one part of the runtime gets.
pub(crate) struct Override<'a> {
    /// The name of the part.
    pub(crate) job: &'a str,
    /// What its pods get, as the spec of a pod.
    pub(crate) pod: &'a Value,
    metadata: &'a Value,
}

/// The overrides of a job in a field, one for each part that they name.
pub(crate) fn overrides<'a>(job: &'a Value, field: &str) -> impl Iterator<Item = Override<'a>> {
    let whole = field == "podSpecOverrides";
    items(&job["spec"][field]).flat_map(move |given| {
        items(&given["targetJobs"]).map(move |target| Override {
            job: target["name"].as_str().unwrap_or_default(),
            pod: if whole { given } else { &given["spec"] },
            metadata: &given["metadata"],
        })
    })
}

/// Merges them into the spec of a JobSet, or says why they cannot be.
pub(super) fn apply(spec: &mut Value, job: &Value) -> Result<(), String> {
    let all = overrides(job, "podTemplateOverrides").chain(overrides(job, "podSpecOverrides"));
    for Override { job, pod, metadata } in all {
        let mut pod = pod.clone();
        pod.as_object_mut().map(|pod| pod.remove("targetJobs"));
        let mut patch = json!({"spec": pod});
        for marks in ["labels", "annotations"] {
            if metadata[marks].is_object() {
                patch["metadata"][marks] = metadata[marks].clone();
            }
        }
        for replicated in each(spec, "replicatedJobs").filter(|replicated| replicated["name"] == job) {
            let template = replicated["template"]["spec"]["template"].take();
            replicated["template"]["spec"]["template"] = merged(template, &patch)?;
        }
    }
    Ok(())
}
