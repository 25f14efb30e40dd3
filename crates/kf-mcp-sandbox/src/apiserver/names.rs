//! Whether an object is what its path says: its kind, its namespace and its name.

use serde_json::{Value, json};

use super::errors::{Cause, bad_request, invalid};
use crate::admission;
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{metadata, text};

/// Refuses an object of another kind than the path's.
pub(crate) fn same_type(object: &Value, kind: &Kind) -> Result<(), Status> {
    let (given_version, given_kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    let served = kind.api_version();
    let handled = |why: String| {
        let version = given_version.rsplit('/').next().unwrap_or_default();
        bad_request(format!(
            "{given_kind} in version \"{version}\" cannot be handled as a {}: {why}",
            kind.kind
        ))
    };
    let (version, same) = (given_version == served, given_kind == kind.kind);
    if kind.custom() && !version {
        let message =
            format!("the API version in the data ({given_version}) does not match the expected API version ({served})");
        return Err(bad_request(message).warned(&unknown(object, &given_version, &served)));
    }
    if kind.custom() && !same {
        let name = text(object, "/metadata/name");
        return Err(must_be(kind.group, &given_kind, &name, "kind", &given_kind, kind.kind));
    }
    if !(version && same) {
        return Err(handled(conversion(object, kind)));
    }
    admission::unreadable(kind, object).map_or(Ok(()), |why| Err(handled(why)))
}

/// What is said of the fields of a version of a served group that there is not: without a version there is no schema.
pub(crate) fn unknown(object: &Value, version: &str, served: &str) -> Vec<String> {
    let group = |version: &str| version.split_once('/').map(|(group, _)| group.to_owned());
    if group(version) != group(served) {
        return Vec::new();
    }
    let fields = object.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    fields
        .filter(|name| !matches!(*name, "apiVersion" | "kind" | "metadata"))
        .map(|name| format!("unknown field \"{name}\""))
        .collect()
}

/// Why an object of one built-in kind is not one of another.
pub(crate) fn conversion(object: &Value, kind: &Kind) -> String {
    let (version, given) = (text(object, "/apiVersion"), text(object, "/kind"));
    if Kind::of(&version, &given).is_none_or(Kind::custom) {
        return format!(
            "no kind \"{given}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\""
        );
    }
    // an object is read as what it says it is before it is found to be something else
    if let Some(why) = Kind::of(&version, &given).and_then(|of| admission::unreadable(of, object)) {
        return why;
    }
    let group = if kind.group.is_empty() { "core" } else { kind.group };
    let short = version.rsplit('/').next().unwrap_or_default();
    format!(
        "converting ({short}.{given}) to ({group}.{}): unknown conversion",
        kind.kind
    )
}

/// 422 for a custom object whose type was changed.
pub(crate) fn must_be(group: &str, kind: &str, name: &str, field: &'static str, given: &str, wanted: &str) -> Status {
    let message = format!("Invalid value: \"{given}\": must be {wanted}");
    invalid(
        group,
        kind,
        name,
        &Cause {
            reason: "FieldValueInvalid",
            field: field.into(),
            message,
        },
    )
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

/// Refuses an object without a name, or with another one than the path's.
pub(crate) fn same_name(object: &Value, name: &str) -> Result<(), Status> {
    let given = text(object, "/metadata/name");
    if given.is_empty() {
        return Err(bad_request(format!(
            "the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )));
    }
    if given != name {
        return Err(bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        )));
    }
    Ok(())
}
