//! Deletions of objects and of collections.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
use super::errors::{conflict_because, not_found};
use super::list;
use super::options::DeleteOptions;
use super::selector::Selection;
use super::verbs::{refusal, terminating};
use super::view::Shown;
use crate::kinds::{KINDS, Kind};
use crate::status::Status;
use crate::store::{Store, metadata, text};
use crate::{Inner, State};

/// Kinds whose deletion answers with the object; others answer with a Status.
const ANSWER_OBJECT: &[&str] = &[
    "Pod",
    "Service",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "ResourceQuota",
    "Namespace",
];
const JOB_WARNING: &str = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background \
                           to remove them or set propagationPolicy=Orphan to suppress this warning";

/// Answers a delete.
pub(crate) fn delete(inner: &Inner, call: &Call, kind: &'static Kind, name: &str) -> Result<Answer, Status> {
    let options = DeleteOptions::new(call)?;
    let namespace = call.target.namespace.as_deref().unwrap_or_default();
    inner.with(|state, now| {
        let before = state
            .store
            .get(kind, namespace, name)
            .cloned()
            .ok_or_else(|| not_found(kind, name))?;
        preconditions(&options, kind, name, &before)?;
        let answer = remove(state, kind, &before, &options, now)?;
        let answer = match answer {
            Left::Object(object) => Answer::json(StatusCode::OK, &Shown(&object, call.view)),
            Left::Nothing => Answer::json(StatusCode::OK, &success(kind, &before)),
        };
        let warn = kind.kind == "Job" && options.policy.is_none();
        Ok(if warn {
            answer.warnings(&[JOB_WARNING.to_owned()])
        } else {
            answer
        })
    })
}

/// Answers a deletion of all that is selected.
pub(crate) fn delete_collection(inner: &Inner, call: &Call, kind: &'static Kind) -> Result<Answer, Status> {
    let options = DeleteOptions::new(call)?;
    let selection = Selection::new(kind, &call.query)?;
    inner.with(|state, now| {
        let all = state.store.list(kind, call.target.namespace.as_deref());
        let selected: Vec<Arc<Value>> = all.filter(|o| selection.matches(o)).map(Arc::clone).collect();
        for object in &selected {
            // an object that went with its owner a moment ago is gone all the same
            remove(state, kind, object, &options, now).ok();
        }
        Ok(list::of(call, kind, &selected, state.store.version()))
    })
}

/// What a deletion has to answer with.
enum Left {
    /// The object as it was, or as it still is.
    Object(Value),
    /// Only that it is gone.
    Nothing,
}

fn remove(
    state: &mut State,
    kind: &'static Kind,
    before: &Value,
    options: &DeleteOptions,
    now: Timestamp,
) -> Result<Left, Status> {
    let (namespace, name) = (text(before, "/metadata/namespace"), text(before, "/metadata/name"));
    let failed = |error| refusal(&error, kind, &name);
    let finalizers = before["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|f| !f.is_empty());
    if finalizers {
        // what the finalizer's owner has to do comes first; the object is only marked
        return if options.dry_run {
            Ok(Left::Object(terminating(before, now)))
        } else {
            let marked = state.store.mark_deleted(kind, &namespace, &name, now).map_err(failed)?;
            Ok(Left::Object((*marked).clone()))
        };
    }
    // batch/v1 has kept this default from the time before garbage collection
    let orphan = match options.policy.as_deref() {
        Some(policy) => policy == "Orphan",
        None => kind.kind == "Job",
    };
    if !options.dry_run {
        if kind.kind == "Namespace" {
            empty(&mut state.store, &name);
        }
        state.store.delete(kind, &namespace, &name, orphan).map_err(failed)?;
    }
    if options.policy.as_deref() == Some("Foreground") {
        let mut object = terminating(before, now);
        metadata(&mut object).insert("finalizers".into(), json!(["foregroundDeletion"]));
        return Ok(Left::Object(object));
    }
    if !ANSWER_OBJECT.contains(&kind.kind) {
        return Ok(Left::Nothing);
    }
    let mut object = terminating(before, now);
    if kind.kind == "Namespace" {
        object["status"]["phase"] = json!("Terminating");
    }
    Ok(Left::Object(object))
}

fn preconditions(options: &DeleteOptions, kind: &Kind, name: &str, before: &Value) -> Result<(), Status> {
    // this one message names the kind where others name the resource
    let what = if kind.group.is_empty() {
        kind.kind.to_owned()
    } else {
        format!("{}.{}", kind.kind, kind.group)
    };
    let uid = text(before, "/metadata/uid");
    if let Some(given) = options.uid.as_ref().filter(|given| **given != uid) {
        let why = format!(
            "the UID in the precondition ({given}) does not match the UID in record ({uid}). The object might have \
             been deleted and then recreated"
        );
        return Err(conflict_because(&what, &why, kind, name));
    }
    let version = text(before, "/metadata/resourceVersion");
    if let Some(given) = options.version.as_ref().filter(|given| **given != version) {
        let why = format!(
            "the ResourceVersion in the precondition ({given}) does not match the ResourceVersion in record \
             ({version}). The object might have been modified"
        );
        return Err(conflict_because(&what, &why, kind, name));
    }
    Ok(())
}

/// Deletes everything in a namespace.
fn empty(store: &mut Store, namespace: &str) {
    for kind in KINDS.iter().filter(|kind| kind.namespaced) {
        let names: Vec<String> = store
            .list(kind, Some(namespace))
            .map(|o| text(o, "/metadata/name"))
            .collect();
        for name in names {
            // what an owner took with it is gone already
            store.delete(kind, namespace, &name, false).ok();
        }
    }
}

fn success(kind: &Kind, object: &Value) -> Value {
    let mut details = json!({
        "name": object["metadata"]["name"], "kind": kind.plural, "uid": object["metadata"]["uid"],
    });
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
