//! The runtime of a job as it was when the job was first seen.

use serde_json::{Value, json};

use super::super::Action;
use super::super::objects::{kind, owned_by, owner_uid};
use super::shape;
use crate::store::{Store, metadata, text};

/// The runtime, and the write of the snapshot when there is none yet; or why there is none.
pub(super) fn of(store: &Store, job: &Value) -> Result<(Value, Vec<Action>), String> {
    let namespace = text(job, "/metadata/namespace");
    let snapshot = format!("{}-runtime-snapshot", text(job, "/metadata/name"));
    if let Some(config) = store.get(kind("ConfigMap"), &namespace, &snapshot) {
        return read(job, config).map(|runtime| (runtime, Vec::new()));
    }
    let reference = &job["spec"]["runtimeRef"];
    let name = text(reference, "/name");
    let of = reference["kind"].as_str().unwrap_or("ClusterTrainingRuntime");
    let runtime = match of {
        "TrainingRuntime" => store.get(kind("TrainingRuntime"), &namespace, &name),
        _ => store.get(kind("ClusterTrainingRuntime"), "", &name),
    };
    let Some(runtime) = runtime else {
        return Err(format!(
            "{of} specified in TrainJob is not found: {of}.trainer.kubeflow.org \"{name}\" not found"
        ));
    };
    let mut kept = (**runtime).clone();
    metadata(&mut kept).remove("managedFields");
    crate::builtin::fill(kind(of), &mut kept);
    shape::runtime(&mut kept);
    let yaml = serde_saphyr::to_string(&kept).map_err(|problem| problem.to_string())?;
    let config = json!({
        "metadata": {"name": snapshot, "namespace": namespace, "ownerReferences": owned_by(job)},
        "data": {"runtime": yaml},
    });
    Ok((kept, vec![Action::Create(kind("ConfigMap"), config)]))
}

fn read(job: &Value, config: &Value) -> Result<Value, String> {
    if job["metadata"]["uid"] != owner_uid(config) {
        return Err(
            "getting runtime snapshot: invalid runtime snapshot: a snapshot configmap exists but is owned by another object"
                .to_owned(),
        );
    }
    serde_saphyr::from_str::<Value>(&text(config, "/data/runtime")).map_err(|problem| {
        format!("getting runtime snapshot: invalid runtime snapshot: unable to unmarshal the snapshot: {problem}")
    })
}
