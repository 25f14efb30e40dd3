//! Deletions of objects and of collections.

use std::sync::Arc;

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
use super::change::refusal;
use super::errors::{conflict_because, details, not_found};
use super::list;
use super::options::DeleteOptions;
use super::selector::Selection;
use super::view::Shown;
use crate::kinds::{KINDS, Kind};
use crate::status::Status;
use crate::store::{Store, metadata, seconds, text};
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
    let selection = inner.with(|state, _| Selection::new(&state.store, kind, &call.query))?;
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
    // batch/v1 has kept this default from the time before garbage collection
    let policy = options
        .policy
        .as_deref()
        .or_else(|| (kind.kind == "Job").then_some("Orphan"));
    let finalizer = match policy {
        Some("Orphan") => Some("orphan"),
        Some("Foreground") => Some("foregroundDeletion"),
        _ => None,
    };
    let held = before["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|f| !f.is_empty());
    let mut leaving = leaving(kind, before, options, now);
    if let Some(finalizer) = finalizer {
        let finalizers = &mut leaving["metadata"]["finalizers"];
        match finalizers.as_array_mut() {
            Some(list) => list.push(json!(finalizer)),
            None => *finalizers = json!([finalizer]),
        }
    }
    if options.dry_run {
        let shown = held || finalizer.is_some() || ANSWER_OBJECT.contains(&kind.kind);
        return Ok(if shown { Left::Object(leaving) } else { Left::Nothing });
    }
    if held {
        // what the finalizer's owner has to do comes first; the object is only marked
        let marked = state.store.mark_deleted(kind, &namespace, &name, now).map_err(failed)?;
        return Ok(Left::Object((*marked).clone()));
    }
    if kind.kind == "Namespace" {
        empty(&mut state.store, &name, now);
        let mut marked = (*state.store.mark_deleted(kind, "", &name, now).map_err(failed)?).clone();
        marked["status"]["phase"] = json!("Terminating");
        let marked = state.store.update_status(kind, marked).map_err(failed)?;
        return Ok(Left::Object((*marked).clone()));
    }
    state
        .store
        .delete(kind, &namespace, &name, policy == Some("Orphan"))
        .map_err(failed)?;
    Ok(match kind.kind {
        _ if finalizer.is_some() => Left::Object(leaving),
        "ResourceQuota" | "ServiceAccount" => Left::Object(before.clone()),
        other if ANSWER_OBJECT.contains(&other) => Left::Object(leaving),
        _ => Left::Nothing,
    })
}

/// The object as it is while it is being deleted.
fn leaving(kind: &Kind, before: &Value, options: &DeleteOptions, now: Timestamp) -> Value {
    let mut object = before.clone();
    if before["metadata"].get("deletionTimestamp").is_some() {
        return object;
    }
    let grace = match kind.kind {
        "Pod" => grace(before, options),
        _ => 0,
    };
    let ends = now.saturating_add(SignedDuration::from_secs(grace)).unwrap_or(now);
    let meta = metadata(&mut object);
    meta.insert("deletionTimestamp".into(), json!(seconds(ends)));
    meta.insert("deletionGracePeriodSeconds".into(), json!(grace));
    if kind.generations() {
        let generation = meta.get("generation").and_then(Value::as_u64).unwrap_or(1);
        meta.insert("generation".into(), json!(generation + 1));
    }
    object
}

/// How long a pod has to end. One that runs nowhere needs no time.
fn grace(pod: &Value, options: &DeleteOptions) -> i64 {
    let nowhere = text(pod, "/spec/nodeName").is_empty();
    if nowhere || matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
        return 0;
    }
    let own = || pod["spec"]["terminationGracePeriodSeconds"].as_i64();
    options.grace.or_else(own).unwrap_or(30).max(0)
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
        return Err(conflicting(&what, &why, kind, name));
    }
    let version = text(before, "/metadata/resourceVersion");
    if let Some(given) = options.version.as_ref().filter(|given| **given != version) {
        let why = format!(
            "the ResourceVersion in the precondition ({given}) does not match the ResourceVersion in record \
             ({version}). The object might have been modified"
        );
        return Err(conflicting(&what, &why, kind, name));
    }
    Ok(())
}

/// Like other conflicts, but it names the kind in its details too.
fn conflicting(what: &str, why: &str, kind: &Kind, name: &str) -> Status {
    let mut status = conflict_because(what, why, kind, name);
    if let Some(details) = &mut status.details {
        details["kind"] = json!(kind.kind);
    }
    status
}

/// Deletes everything in a namespace; what has finalizers is only marked.
fn empty(store: &mut Store, namespace: &str, now: Timestamp) {
    for kind in KINDS.iter().filter(|kind| kind.namespaced) {
        let names: Vec<String> = store
            .list(kind, Some(namespace))
            .map(|o| text(o, "/metadata/name"))
            .collect();
        for name in names {
            // what an owner took with it is gone already
            let Some(object) = store.get(kind, namespace, &name) else {
                continue;
            };
            let held = object["metadata"]["finalizers"]
                .as_array()
                .is_some_and(|f| !f.is_empty());
            if held {
                store.mark_deleted(kind, namespace, &name, now).ok();
            } else {
                store.delete(kind, namespace, &name, false).ok();
            }
        }
    }
}

fn success(kind: &Kind, object: &Value) -> Value {
    let mut details = details(kind, &text(object, "/metadata/name"));
    details["uid"] = object["metadata"]["uid"].clone();
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}
