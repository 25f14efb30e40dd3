//! Server-side apply: `PATCH` with what one manager wants an object to be.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::access;
use super::answer::Answer;
use super::body::decoded;
use super::change::{Change, Draft};
use super::errors::{Cause, bad_request, conflict_because, invalid_all};
use super::media;
use super::names::{same_name, settle_namespace};
use crate::fields::manage::{Conflict, Refusal};
use crate::fields::{Known, Shape, json_type};
use crate::kinds::Kind;
use crate::pattern::Asked;
use crate::status::Status;
use crate::store::{metadata, text};
use crate::{Inner, State};

/// Answers an apply of an object or of its status.
pub(crate) fn apply(inner: &Inner, change: &Change<'_>, name: &str) -> Result<Answer, Status> {
    let read = media::yaml(&change.call.body)
        .map_err(|why| bad_request(format!("error decoding YAML: error converting YAML to JSON: {why}")))?;
    let applied = match read.value {
        Value::Null => json!({}),
        object @ Value::Object(_) => object,
        other => {
            return Err(bad_request(format!(
                "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go \
                 value of type map[string]interface {{}}",
                json_type(&other)
            )));
        }
    };
    inner.with(|state, now| {
        let before = state.store.get(change.kind, change.namespace, name).cloned();
        if before.is_none() && change.status {
            change.stored(&state.store, name)?;
        }
        let mut draft = lay(change, now, before.as_deref(), applied)?;
        if change.options.strict && !read.twice.is_empty() {
            let why = media::refused(&read.twice);
            return Err(bad_request(format!(
                "error strict decoding YAML: error converting YAML to JSON: {why}"
            )));
        }
        draft.warnings.extend(read.twice);
        match before {
            Some(before) => {
                settle(change, &mut draft.object, name)?;
                change.replace(state, now, &before, draft)
            }
            None => create(inner, state, now, change, name, draft),
        }
    })
}

/// Lays the applied object over the stored one.
fn lay(change: &Change<'_>, now: Timestamp, before: Option<&Value>, applied: Value) -> Result<Draft, Status> {
    let (version, kind) = (text(&applied, "/apiVersion"), text(&applied, "/kind"));
    if version != change.kind.api_version() || kind != change.kind.kind {
        let (group, version) = version.split_once('/').unwrap_or(("", &version));
        return Err(bad_request(format!(
            "invalid object type: {group}/{version}, Kind={kind}"
        )));
    }
    if applied["metadata"]
        .get("managedFields")
        .is_some_and(|given| !given.is_null())
    {
        return Err(bad_request("metadata.managedFields must be nil"));
    }
    let empty = json!({});
    let result = change.writer(now, |writer| {
        writer.apply(before.unwrap_or(&empty), &applied, change.options.force)
    });
    let (mut object, managed) = result.map_err(|refusal| refused(refusal, change.kind, &applied))?;
    let shape = Shape::served(change.kind, change.call.trainer);
    let known = Known::prune(shape, &mut object);
    decoded(&mut object, change.kind, change.call.trainer);
    if change.kind.custom() {
        without_nulls(&object, change.kind, shape)?;
    }
    Ok(Draft {
        object,
        warnings: known.warnings,
        managed: Some(managed),
    })
}

/// Refuses a custom resource with nulls, which an apply leaves where it takes all that there was.
fn without_nulls(object: &Value, kind: &Kind, shape: Shape<'_>) -> Result<(), Status> {
    let mut causes: Vec<Cause> = Known::nulls(shape, object)
        .into_iter()
        .map(|(path, wanted)| {
            let shown = if path == "status" { "" } else { &path };
            Cause {
                reason: "FieldValueTypeInvalid",
                message: format!("Invalid value: \"null\": {shown} in body must be of type {wanted}: \"null\""),
                field: path.into(),
            }
        })
        .collect();
    if causes.is_empty() {
        return Ok(());
    }
    let rest = "Invalid value: null: some validation rules were not checked because the object was invalid; correct the \
                existing errors to complete validation";
    causes.push(Cause {
        reason: "FieldValueInvalid",
        field: "<nil>".into(),
        message: rest.to_owned(),
    });
    Err(invalid_all(
        kind.group,
        kind.kind,
        &text(object, "/metadata/name"),
        &causes,
    ))
}

fn settle(change: &Change<'_>, object: &mut Value, name: &str) -> Result<(), Status> {
    settle_namespace(object, change.kind, change.namespace)?;
    same_name(object, name)
}

/// Creates what is applied to nothing, if its applier may create.
fn create(
    inner: &Inner,
    state: &mut State,
    now: Timestamp,
    change: &Change<'_>,
    name: &str,
    mut draft: Draft,
) -> Result<Answer, Status> {
    let uid = text(&draft.object, "/metadata/uid");
    if !uid.is_empty() {
        let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
        return Err(conflict_because(&change.kind.qualified(), &why, change.kind, name));
    }
    settle(change, &mut draft.object, name)?;
    let asked = Asked {
        verb: "create",
        ..change.call.asked()
    };
    if !inner.rules(|rules| access::allowed(rules, &asked)) {
        return Err(access::forbidden(&change.call.user, &asked, name));
    }
    metadata(&mut draft.object).remove("resourceVersion");
    change.create(state, now, draft)
}

fn refused(refusal: Refusal, kind: &Kind, applied: &Value) -> Status {
    match refusal {
        Refusal::Untyped(why) => {
            let (namespace, name) = (text(applied, "/metadata/namespace"), text(applied, "/metadata/name"));
            let group = if kind.group.is_empty() {
                "/v1".to_owned()
            } else {
                kind.api_version()
            };
            let message = format!(
                "failed to create typed patch object ({namespace}/{name}; {group}, Kind={}): {why}",
                kind.kind
            );
            Status::new(500, "", message)
        }
        Refusal::Conflict(conflicts) => conflict(&conflicts),
    }
}

/// 409 with everything that others own.
fn conflict(conflicts: &[Conflict]) -> Status {
    let message = match conflicts {
        [one] => format!("1 conflict: conflict with {}: {}", one.manager, one.field()),
        many => {
            let mut lines = Vec::new();
            for (index, one) in many.iter().enumerate() {
                if index == 0 || many.get(index - 1).is_some_and(|last| last.manager != one.manager) {
                    lines.push(format!("conflicts with {}:", one.manager));
                }
                lines.push(format!("- {}", one.field()));
            }
            format!("{} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    let cause = |one: &Conflict| {
        json!({
            "reason": "FieldManagerConflict",
            "message": format!("conflict with {}", one.manager),
            "field": one.field(),
        })
    };
    let causes: Vec<Value> = conflicts.iter().map(cause).collect();
    Status::new(409, "Conflict", format!("Apply failed with {message}")).details(json!({"causes": causes}))
}
