//! Request bodies: whether they hold what the path says.

use serde_json::{Value, json};

use super::Call;
use super::errors::{Cause, bad_request, invalid, unsupported_media_type};
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{metadata, text};

/// The object in the body of a create or an update.
pub(crate) fn object(call: &Call, kind: &Kind) -> Result<Value, Status> {
    if !matches!(call.content_type.as_str(), "" | "application/json") {
        let accepted = if kind.custom() {
            "application/json, application/yaml, application/cbor"
        } else {
            "application/json, application/yaml, application/vnd.kubernetes.protobuf, application/cbor"
        };
        return Err(unsupported_media_type(accepted));
    }
    let unrecognized = |why: &str| {
        let start = String::from_utf8_lossy(call.body.get(..call.body.len().min(30)).unwrap_or_default());
        let more = if call.body.len() > 30 { " ..." } else { "" };
        let kind = kind.kind;
        bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): {why} ({start}{more})"
        ))
    };
    let mut object: Value = serde_json::from_slice(&call.body)
        .map_err(|error| unrecognized(&format!("couldn't get version/kind; json parse error: {error}")))?;
    if !object.is_object() {
        return Err(unrecognized(
            "couldn't get version/kind; json parse error: the body is not an object",
        ));
    }
    if !kind.custom() {
        // typed kinds have a default, as the path says it all
        for (field, value) in [("apiVersion", kind.api_version()), ("kind", kind.kind.to_owned())] {
            if text(&object, &format!("/{field}")).is_empty() {
                object[field] = json!(value);
            }
        }
    }
    same_type(&object, kind)?;
    Ok(object)
}

/// Refuses an object of another kind than the path's.
pub(crate) fn same_type(object: &Value, kind: &Kind) -> Result<(), Status> {
    let (given_version, given_kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    if given_kind.is_empty() {
        return Err(bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing",
            kind.kind
        )));
    }
    if given_version != kind.api_version() {
        return Err(bad_request(format!(
            "the API version in the data ({given_version}) does not match the expected API version ({})",
            kind.api_version()
        )));
    }
    if given_kind != kind.kind {
        return Err(bad_request(format!(
            "{given_kind} in version \"{}\" cannot be handled as a {}: converting ({given_kind}) to ({}): unknown conversion",
            kind.version, kind.kind, kind.kind
        )));
    }
    if object.get("metadata").is_some_and(|m| !m.is_object() && !m.is_null()) {
        return Err(bad_request(format!(
            "{given_kind} in version \"{}\" cannot be handled as a {given_kind}: json: cannot unmarshal metadata",
            kind.version
        )));
    }
    Ok(())
}

/// Puts the path's namespace into the object, or refuses another one.
pub(crate) fn settle_namespace(object: &mut Value, kind: &Kind, namespace: &str) -> Result<(), Status> {
    let given = text(object, "/metadata/namespace");
    if !kind.namespaced {
        metadata(object).remove("namespace");
    } else if given.is_empty() {
        metadata(object).insert("namespace".into(), json!(namespace));
    } else if given != namespace {
        return Err(bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// Refuses names that are no names.
pub(crate) fn check_name(kind: &Kind, name: &str) -> Result<(), Status> {
    let alnum = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label =
        |part: &str| part.chars().all(|c| alnum(c) || c == '-') && part.starts_with(alnum) && part.ends_with(alnum);
    let (reason, message) = if name.is_empty() {
        (
            "FieldValueRequired",
            "Required value: name or generateName is required".to_owned(),
        )
    } else if matches!(kind.kind, "Namespace" | "Service") {
        if label(name) && name.len() <= 63 {
            return Ok(());
        }
        let why = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                   start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for \
                   validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
        (
            "FieldValueInvalid",
            format!("Invalid value: \"{name}\": {}", too_long(name, 63).unwrap_or(why)),
        )
    } else if name.split('.').all(label) && name.len() <= 253 {
        return Ok(());
    } else {
        let why = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
                   must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation \
                   is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        (
            "FieldValueInvalid",
            format!("Invalid value: \"{name}\": {}", too_long(name, 253).unwrap_or(why)),
        )
    };
    Err(invalid(
        kind.group,
        kind.kind,
        name,
        &Cause {
            reason,
            field: "metadata.name",
            message,
        },
    ))
}

fn too_long(name: &str, limit: usize) -> Option<&'static str> {
    let long = if limit == 63 {
        "must be no more than 63 characters"
    } else {
        "must be no more than 253 characters"
    };
    (name.len() > limit).then_some(long)
}
