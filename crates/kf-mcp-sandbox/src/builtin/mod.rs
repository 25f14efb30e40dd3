//! What the API server itself puts into new objects: the defaults of their types or of their CRDs, and what the admission
//! plugins of every cluster add.

mod batch;
mod container;
mod core;
mod custom;
mod pod;
mod volume;

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::store::text;

pub(crate) use custom::jobset;

/// Fills in a new object. It has its uid only when a controller gave it one: what needs the uid is added by
/// [`identified`].
pub(crate) fn fill(kind: &Kind, object: &mut Value) {
    default(kind, object);
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::admitted(object),
        ("", "Service") => core::families(object),
        ("", "PersistentVolumeClaim") => core::protected(object),
        _ => {}
    }
}

/// Fills in the defaults of a kind, which come in whenever an object is written.
pub(crate) fn default(kind: &Kind, object: &mut Value) {
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::pod(object),
        ("batch", "Job") => batch::job(object),
        ("", "Service") => core::service(object),
        ("", "PersistentVolumeClaim") => core::claim(object),
        ("", "Secret") => set(object, "type", &json!("Opaque")),
        ("trainer.kubeflow.org", "TrainingRuntime" | "ClusterTrainingRuntime") => custom::runtime(object),
        ("jobset.x-k8s.io", "JobSet") => custom::jobset(&mut object["spec"]),
        _ => {}
    }
}

/// Adds what is made of an object's own uid.
pub(crate) fn identified(kind: &Kind, object: &mut Value) {
    match (kind.group, kind.kind) {
        ("batch", "Job") => batch::selector(object),
        ("", "Service") => core::address(object),
        _ => {}
    }
}

/// Sets a field that is missing.
fn set(object: &mut Value, field: &str, value: &Value) {
    if object[field].is_null() {
        object[field] = value.clone();
    }
}

/// The elements of a list field, none when it is missing.
fn each<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    object
        .get_mut(field)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

/// References to fields of the pod name the version of their paths.
fn field_refs(item: &mut Value) {
    if let Some(reference) = item.get_mut("fieldRef").filter(|reference| reference.is_object()) {
        set(reference, "apiVersion", &json!("v1"));
    }
    if let Some(reference) = item
        .get_mut("resourceFieldRef")
        .filter(|reference| reference.is_object())
    {
        set(reference, "divisor", &json!("0"));
    }
}

/// Whether an image's tag may move, so that it has to be pulled each time.
fn moves(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// The text of a field.
fn word(object: &Value, field: &str) -> String {
    text(object, &format!("/{field}"))
}
