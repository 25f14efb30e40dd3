//! The API server's refusals, word for word.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::status::Status;

/// 404 for an object.
pub(crate) fn not_found(kind: &Kind, name: &str) -> Status {
    Status::new(404, "NotFound", format!("{} \"{name}\" not found", kind.qualified())).details(details(kind, name))
}

/// 409 for a name that is taken.
pub(crate) fn already_exists(kind: &Kind, name: &str) -> Status {
    Status::new(
        409,
        "AlreadyExists",
        format!("{} \"{name}\" already exists", kind.qualified()),
    )
    .details(details(kind, name))
}

/// 409 for a write that is based on an old version.
pub(crate) fn conflict(kind: &Kind, name: &str) -> Status {
    conflict_because(
        &kind.qualified(),
        "the object has been modified; please apply your changes to the latest version and try again",
        kind,
        name,
    )
}

/// 409 for another reason; `what` is the resource as the message names it.
pub(crate) fn conflict_because(what: &str, why: &str, kind: &Kind, name: &str) -> Status {
    Status::new(
        409,
        "Conflict",
        format!("Operation cannot be fulfilled on {what} \"{name}\": {why}"),
    )
    .details(details(kind, name))
}

/// 400.
pub(crate) fn bad_request(message: impl Into<String>) -> Status {
    Status::new(400, "BadRequest", message)
}

/// 404 for a path that names no resource.
pub(crate) fn no_such_resource() -> Status {
    Status::new(404, "NotFound", "the server could not find the requested resource").details(json!({}))
}

/// 405.
pub(crate) fn method_not_allowed() -> Status {
    Status::new(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )
    .details(json!({}))
}

/// 405 for a verb that a custom kind does not have.
pub(crate) fn verb_not_supported(kind: &Kind, verb: &str) -> Status {
    let message = format!("{verb} is not supported on resources of kind \"{}\"", kind.qualified());
    Status::new(405, "MethodNotAllowed", message).details(json!({"group": kind.group, "kind": kind.plural}))
}

/// 415, with the media types that would do.
pub(crate) fn unsupported_media_type(accepted: &str) -> Status {
    let message =
        format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
    Status::new(415, "UnsupportedMediaType", message)
}

/// 410 for a version that the history no longer knows.
pub(crate) fn too_old(asked: u64, oldest: u64) -> Status {
    Status::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
}

/// 504 for a version that is yet to come.
pub(crate) fn too_large(asked: u64, current: u64) -> Status {
    Status::new(
        504,
        "Timeout",
        format!("Timeout: Too large resource version: {asked}, current: {current}"),
    )
    .details(json!({
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }))
}

/// One thing that is wrong with an object.
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) field: Cow<'static, str>,
    pub(crate) message: String,
}

/// 422 for an object, for one thing. Where group, kind or name are not known they are empty.
pub(crate) fn invalid(group: &str, kind: &str, name: &str, cause: &Cause) -> Status {
    invalid_all(group, kind, name, std::slice::from_ref(cause))
}

/// 422 for an object, for all that is wrong with it.
pub(crate) fn invalid_all(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Status {
    let what = if group.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind}.{group}")
    };
    let texts: Vec<String> = causes
        .iter()
        .map(|cause| format!("{}: {}", cause.field, cause.message))
        .collect();
    let message = match texts.as_slice() {
        [one] => format!("{what} \"{name}\" is invalid: {one}"),
        all => format!("{what} \"{name}\" is invalid: [{}]", all.join(", ")),
    };
    let causes: Vec<Value> = causes
        .iter()
        .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
        .collect();
    let mut details = json!({"causes": causes});
    for (field, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details[field] = json!(value);
        }
    }
    Status::new(422, "Invalid", message).details(details)
}

/// A field that must not be there.
pub(crate) fn forbidden_field(field: &'static str, why: &str) -> Cause {
    Cause {
        reason: "FieldValueForbidden",
        field: field.into(),
        message: format!("Forbidden: {why}"),
    }
}

/// A field with a value that is none of those there are.
pub(crate) fn unsupported_field(field: &'static str, value: &str, supported: &[&str]) -> Cause {
    let supported: Vec<String> = supported.iter().map(|value| format!("\"{value}\"")).collect();
    Cause {
        reason: "FieldValueNotSupported",
        field: field.into(),
        message: format!(
            "Unsupported value: \"{value}\": supported values: {}",
            supported.join(", ")
        ),
    }
}

/// `details` that name an object.
pub(crate) fn details(kind: &Kind, name: &str) -> Value {
    let mut details = json!({"name": name, "kind": kind.plural});
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    details
}
