//! Reading, creating and changing single objects.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
use super::body::{check_name, object, settle_namespace};
use super::errors::{Cause, already_exists, bad_request, conflict, conflict_because, invalid, not_found};
use super::fresh::{defaults, generate_name, service_account};
use super::list::version;
use super::options::WriteOptions;
use super::view::Shown;
use crate::admission::{self, Verb};
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{Store, StoreError, metadata, seconds, text};
use crate::{Inner, State};

/// Answers a get.
pub(crate) fn get(inner: &Inner, call: &Call, kind: &'static Kind, name: &str) -> Result<Answer, Status> {
    let namespace = call.target.namespace.as_deref().unwrap_or_default();
    let object = inner.with(|state, _| {
        version(call, &state.store)?;
        state
            .store
            .get(kind, namespace, name)
            .cloned()
            .ok_or_else(|| not_found(kind, name))
    })?;
    Ok(Answer::json(StatusCode::OK, &Shown(&object, call.view)))
}

/// Answers a create.
pub(crate) fn create(inner: &Inner, call: &Call, kind: &'static Kind) -> Result<Answer, Status> {
    let options = WriteOptions::new(call, "CreateOptions")?;
    let mut object = object(call, kind)?;
    let namespace = call.target.namespace.as_deref().unwrap_or_default();
    settle_namespace(&mut object, kind, namespace)?;
    if !text(&object, "/metadata/resourceVersion").is_empty() {
        return Err(Status::new(
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let meta = metadata(&mut object);
    for field in [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    ] {
        meta.remove(field);
    }
    if kind.status {
        object.as_object_mut().map(|o| o.remove("status"));
    }
    inner.with(|state, now| {
        generate_name(state, kind, namespace, &mut object);
        let name = text(&object, "/metadata/name");
        check_name(kind, &name)?;
        if kind.namespaced {
            namespace_exists(&state.store, namespace)?;
        }
        let warnings = admission::admit(&state.store, kind, Verb::Create, &mut object, None, options.strict)?;
        defaults(kind, &name, &mut object);
        let made = if options.dry_run {
            state.store.preview_create(kind, object, now).map(Arc::new)
        } else {
            state.store.create(kind, object, now)
        };
        let made = made.map_err(|error| refusal(&error, kind, &name))?;
        if kind.kind == "Namespace" && !options.dry_run {
            service_account(&mut state.store, &name, now);
        }
        let answer = Answer::json(StatusCode::CREATED, &Shown(&made, call.view));
        Ok(answer.warnings(if options.warn { &warnings } else { &[] }))
    })
}

/// Answers an update of an object or, with `status`, of its status.
pub(crate) fn update(
    inner: &Inner,
    call: &Call,
    kind: &'static Kind,
    name: &str,
    status: bool,
) -> Result<Answer, Status> {
    let options = WriteOptions::new(call, "UpdateOptions")?;
    let mut object = object(call, kind)?;
    let namespace = call.target.namespace.as_deref().unwrap_or_default();
    settle_namespace(&mut object, kind, namespace)?;
    let given = text(&object, "/metadata/name");
    if given.is_empty() {
        metadata(&mut object).insert("name".into(), json!(name));
    } else if given != name {
        return Err(bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    inner.with(|state, _| {
        let before = state
            .store
            .get(kind, namespace, name)
            .cloned()
            .ok_or_else(|| not_found(kind, name))?;
        if kind.custom() && text(&object, "/metadata/resourceVersion").is_empty() {
            return Err(invalid(
                kind.group,
                kind.kind,
                name,
                &Cause {
                    reason: "FieldValueInvalid",
                    field: "metadata.resourceVersion",
                    message: "Invalid value: 0: must be specified for an update".to_owned(),
                },
            ));
        }
        apply(
            state,
            &Change {
                kind,
                name,
                before,
                status,
                options,
            },
            object,
            call,
        )
    })
}

/// A change of one object that is there.
pub(crate) struct Change<'a> {
    pub(crate) kind: &'static Kind,
    pub(crate) name: &'a str,
    pub(crate) before: Arc<Value>,
    /// Only the status is written.
    pub(crate) status: bool,
    pub(crate) options: WriteOptions,
}

/// Checks, admits and stores what an update or a patch made of an object.
pub(crate) fn apply(state: &mut State, change: &Change<'_>, mut object: Value, call: &Call) -> Result<Answer, Status> {
    let Change {
        kind,
        name,
        before,
        status,
        options,
    } = change;
    let given = text(&object, "/metadata/resourceVersion");
    if !given.is_empty() && given != text(before, "/metadata/resourceVersion") {
        return Err(conflict(kind, name));
    }
    let (given, uid) = (text(&object, "/metadata/uid"), text(before, "/metadata/uid"));
    if !given.is_empty() && given != uid {
        let why = format!("Precondition failed: UID in precondition: {given}, UID in object meta: {uid}");
        return Err(conflict_because(&kind.qualified(), &why, kind, name));
    }
    let mut warnings = Vec::new();
    if !status {
        if kind.status {
            match before.get("status") {
                Some(status) => object["status"] = status.clone(),
                None => {
                    object.as_object_mut().map(|o| o.remove("status"));
                }
            }
        }
        keep_identity(&mut object, before);
        warnings = admission::admit(
            &state.store,
            kind,
            Verb::Update,
            &mut object,
            Some(before),
            options.strict,
        )?;
    }
    let stored = match (options.dry_run, status) {
        (true, status) => state.store.preview_update(kind, object, *status).map(Arc::new),
        (false, true) => state.store.update_status(kind, object),
        (false, false) => state.store.update(kind, object),
    };
    let stored = stored.map_err(|error| refusal(&error, kind, name))?;
    let finalizers = stored["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|f| !f.is_empty());
    if !options.dry_run && !finalizers && stored["metadata"].get("deletionTimestamp").is_some() {
        // the last finalizer is gone, and with it the object
        state
            .store
            .delete(kind, &text(&stored, "/metadata/namespace"), name, false)
            .ok();
    }
    let answer = Answer::json(StatusCode::OK, &Shown(&stored, call.view));
    Ok(answer.warnings(if options.warn { &warnings } else { &[] }))
}

/// The store's refusal in the API server's words.
pub(crate) fn refusal(error: &StoreError, kind: &Kind, name: &str) -> Status {
    match error {
        StoreError::NotFound => not_found(kind, name),
        StoreError::AlreadyExists => already_exists(kind, name),
        StoreError::Conflict => conflict(kind, name),
        StoreError::Expired => Status::new(410, "Expired", "too old resource version"),
    }
}

fn keep_identity(object: &mut Value, before: &Value) {
    for field in [
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "resourceVersion",
    ] {
        match before["metadata"].get(field) {
            Some(value) => metadata(object).insert(field.into(), value.clone()),
            None => metadata(object).remove(field),
        };
    }
}

fn namespace_exists(store: &Store, namespace: &str) -> Result<(), Status> {
    match Kind::named("Namespace") {
        Some(kind) if store.get(kind, "", namespace).is_none() => Err(not_found(kind, namespace)),
        _ => Ok(()),
    }
}

/// The object as a deletion that takes its time would answer it.
pub(crate) fn terminating(object: &Value, now: Timestamp) -> Value {
    let mut object = object.clone();
    metadata(&mut object)
        .entry("deletionTimestamp")
        .or_insert_with(|| json!(seconds(now)));
    object
}
