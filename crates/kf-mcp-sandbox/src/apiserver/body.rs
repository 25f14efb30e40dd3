//! Request bodies of creates, updates and reviews.

use serde_json::{Value, json};

use super::Call;
use super::errors::bad_request;
use super::media::{self, Read};
use super::names::same_type;
use super::options::WriteOptions;
use crate::fields::{Known, Shape, json_type};
use crate::kinds::Kind;
use crate::release::Release;
use crate::status::Status;
use crate::store::text;

/// How much of a body messages show.
const SHOWN: usize = 30;

/// The object in the body of a create or an update, without fields that its kind does not have, and the warnings about
/// those. With `fieldValidation=Strict` they are refusals.
pub(crate) fn object(call: &Call, kind: &Kind, options: &WriteOptions) -> Result<(Value, Vec<String>), Status> {
    let yaml = media::is_yaml(&call.content_type)?;
    let read = read(call, kind.kind)?;
    let unrecognized = |why: &str| unrecognized(call, kind.kind, why);
    let typeless = |why: &str| typeless(call, kind.kind, why);
    let mut object = match read.value {
        object @ Value::Object(_) => object,
        Value::Null => json!({}),
        other => {
            let target = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
                          \"json:\\\"kind,omitempty\\\"\" }";
            return Err(typeless(&format!(
                "json: cannot unmarshal {} into Go value of type {target}",
                json_type(&other)
            )));
        }
    };
    for field in ["apiVersion", "kind"] {
        if let Some(value) = object.get(field).filter(|value| !value.is_string() && !value.is_null()) {
            return Err(typeless(&format!(
                "json: cannot unmarshal {} into Go struct field .{field} of type string",
                json_type(value)
            )));
        }
    }
    if kind.custom() && text(&object, "/kind").is_empty() {
        let body = String::from_utf8_lossy(&call.body);
        return Err(unrecognized(&format!("Object 'Kind' is missing in '{body}'")));
    }
    typed(&mut object, kind);
    same_type(&object, kind)?;
    let mut warnings = read.twice;
    if yaml && options.strict && !warnings.is_empty() {
        warnings = vec![media::refused(&warnings)];
    }
    warnings.extend(Known::prune(Shape::served(kind, call.trainer), &mut object).warnings);
    if options.strict && !warnings.is_empty() {
        return Err(bad_request(format!(
            "{0} in version \"{1}\" cannot be handled as a {0}: {2}",
            kind.kind,
            kind.version,
            strict(&warnings)
        )));
    }
    if kind.custom() {
        Known::denull(&mut object);
    }
    decoded(&mut object, kind, call.trainer);
    Ok((object, warnings))
}

/// The content of a body that has to be an object of a kind.
pub(crate) fn read(call: &Call, kind: &str) -> Result<Read, Status> {
    if media::is_yaml(&call.content_type)? {
        media::yaml(&call.body).map_err(|why| unrecognized(call, kind, &why))
    } else {
        media::json(&call.body).map_err(|why| typeless(call, kind, &why))
    }
}

fn unrecognized(call: &Call, kind: &str, why: &str) -> Status {
    bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {why} ({})",
        summary(&call.body)
    ))
}

fn typeless(call: &Call, kind: &str, why: &str) -> Status {
    let why = format!("couldn't get version/kind; json parse error: {why}");
    unrecognized(call, kind, &why)
}

/// Gives an object of a built-in kind its type, where it does not say it: the path says it all.
pub(crate) fn typed(object: &mut Value, kind: &Kind) {
    if kind.custom() {
        return;
    }
    for (field, value) in [("apiVersion", kind.api_version()), ("kind", kind.kind.to_owned())] {
        if text(object, &format!("/{field}")).is_empty() {
            object[field] = json!(value);
        }
    }
}

/// Makes of an object what the real server's decoder makes of it. Of a custom one only the metadata have Go types, and the
/// rest has defaults.
pub(crate) fn decoded(object: &mut Value, kind: &Kind, trainer: Release) {
    let shape = Shape::served(kind, trainer);
    if kind.custom() {
        if let (Some(shape), Some(metadata)) = (Shape::metadata(), object.get_mut("metadata")) {
            Known::compact(shape, metadata);
        }
        Known::complete(shape, object);
        return;
    }
    // an empty list asks to forget all owners
    let managed = object["metadata"].get("managedFields").cloned();
    Known::compact(shape, object);
    if let Some(managed) = managed.filter(|managed| !managed.is_null()) {
        object["metadata"]["managedFields"] = managed;
    }
}

/// What a strict reader says.
pub(crate) fn strict(warnings: &[String]) -> String {
    format!("strict decoding error: {}", warnings.join(", "))
}

/// The beginning of a body: as text when it looks like an object, else in hexadecimal.
fn summary(body: &[u8]) -> String {
    if body.is_empty() {
        return "<empty>".to_owned();
    }
    let (start, more) = match body.get(..SHOWN) {
        Some(start) if body.len() > SHOWN => (start, " ..."),
        _ => (body, ""),
    };
    let start = if body.starts_with(b"{") {
        String::from_utf8_lossy(start).into_owned()
    } else {
        start.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    start + more
}
