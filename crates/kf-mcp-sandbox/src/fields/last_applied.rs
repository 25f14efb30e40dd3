//! The annotation in which `kubectl apply` of the old kind keeps what it applied last.

use serde_json::{Value, json};

use super::compare::Comparison;
use super::set::Set;
use super::types::Shape;
use crate::store::text;

const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The fields that the annotation names and that are still as it says: whoever moves from one kind of apply to the other
/// may change them without a conflict. None without an annotation that can be read.
pub(super) fn still(shape: Shape<'_>, live: &Value) -> Option<Set> {
    let kept = annotation(live)?;
    let last: Value = serde_json::from_str(kept).ok()?;
    if text(&last, "/apiVersion") != text(live, "/apiVersion") {
        return None;
    }
    let changed = Comparison::of(shape, &last, live);
    let fields = Set::all(shape, &last);
    Some(
        fields
            .difference(&changed.modified)
            .difference(&changed.added)
            .difference(&changed.removed),
    )
}

/// Keeps the annotation, where there is one, in step with what is applied now.
pub(super) fn renew(object: &mut Value, applied: &Value) {
    if annotation(object).is_none() {
        return;
    }
    let mut applied = applied.clone();
    if let Some(annotations) = applied
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove(ANNOTATION);
        if annotations.is_empty()
            && let Some(metadata) = applied["metadata"].as_object_mut()
        {
            metadata.remove("annotations");
        }
    }
    object["metadata"]["annotations"][ANNOTATION] = json!(format!("{applied}\n"));
}

fn annotation(object: &Value) -> Option<&str> {
    let kept = object["metadata"]["annotations"].get(ANNOTATION)?.as_str()?;
    (!kept.is_empty()).then_some(kept)
}
