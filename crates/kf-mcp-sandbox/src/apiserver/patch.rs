//! Patches: RFC 6902 JSON patches, RFC 7396 merge patches, strategic merge patches, and server-side apply.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, CopyOperation, PatchOperation};
use serde_json::{Map, Value, json};

use super::Call;
use super::answer::Answer;
use super::apply::apply;
use super::body::{decoded, strict, typed};
use super::change::{Change, Draft};
use super::errors::{self, Cause, bad_request, unsupported_media_type};
use super::media;
use super::names::{conversion, must_be, same_name, settle_namespace, unknown};
use super::options::APPLY;
use crate::Inner;
use crate::admission;
use crate::fields::{Known, Shape, json_type, plain};
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::text;
use crate::strategic::{self, Unpatchable};

/// Real servers refuse longer lists of operations.
const OPERATIONS: usize = 10_000;

/// Answers a patch of an object or, with `status`, of its status.
pub(crate) fn patch(
    inner: &Inner,
    call: &Call,
    kind: &'static Kind,
    name: &str,
    status: bool,
) -> Result<Answer, Status> {
    accepted(&call.content_type, kind)?;
    let change = Change::new(call, kind, status, "PatchOptions")?;
    if call.content_type == APPLY {
        return apply(inner, &change, name);
    }
    inner.with(|state, now| {
        let before = change.stored(&state.store, name)?;
        let (patch, mut warnings) = Patch::read(call)?;
        let said = patch.said();
        let mut object = patch.apply((*before).clone(), kind)?;
        // a patch of a built-in kind can take its type away, and it comes back
        typed(&mut object, kind);
        let shown = said.unwrap_or_else(|| object.to_string());
        same_type(&object, kind, &shown)?;
        if let Some(why) = admission::unreadable(kind, &object) {
            return Err(invalid(&shown, &why));
        }
        warnings.extend(Known::prune(Shape::served(kind, call.trainer), &mut object).warnings);
        if change.options.strict && !warnings.is_empty() {
            return Err(invalid(&shown, &strict(&warnings)));
        }
        if kind.custom() {
            Known::denull(&mut object);
        }
        decoded(&mut object, kind, call.trainer);
        settle_namespace(&mut object, kind, change.namespace)?;
        same_name(&object, name)?;
        change.replace(state, now, &before, Draft::new(object, warnings))
    })
}

/// Refuses content types that are no patches.
fn accepted(content_type: &str, kind: &Kind) -> Result<(), Status> {
    match content_type {
        "application/json-patch+json" | "application/merge-patch+json" | APPLY => Ok(()),
        "application/strategic-merge-patch+json" if !kind.custom() => Ok(()),
        _ if kind.custom() => Err(unsupported_media_type(
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )),
        _ => {
            let message = "415: Unsupported Media Type";
            Err(Status::new(415, "UnsupportedMediaType", message).details(json!({})))
        }
    }
}

enum Patch {
    Json(Value),
    Merge(Value),
    Strategic(Map<String, Value>),
}

impl Patch {
    /// The patch in a body, and what a strict reader says about it.
    fn read(call: &Call) -> Result<(Self, Vec<String>), Status> {
        let strategic = call.content_type == "application/strategic-merge-patch+json";
        let refused = |why: &str| {
            let what = if strategic { "" } else { "error decoding patch: " };
            bad_request(format!("{what}{why}"))
        };
        let read = media::json(&call.body).map_err(|why| refused(&why))?;
        let patch = match read.value {
            list @ Value::Array(_) if call.content_type == "application/json-patch+json" => Self::Json(list),
            Value::Object(fields) if strategic => Self::Strategic(fields),
            fields @ Value::Object(_) if call.content_type == "application/merge-patch+json" => Self::Merge(fields),
            other => {
                let target = match call.content_type.as_str() {
                    "application/json-patch+json" => "[]handlers.jsonPatchOp",
                    _ => "map[string]interface {}",
                };
                return Err(refused(&format!(
                    "json: cannot unmarshal {} into Go value of type {target}",
                    json_type(&other)
                )));
            }
        };
        Ok((patch, read.twice))
    }

    /// How refusals show the patch, where they do not show the patched object.
    fn said(&self) -> Option<String> {
        match self {
            Self::Strategic(patch) => Some(plain(&Value::Object(patch.clone()))),
            _ => None,
        }
    }

    fn apply(self, mut object: Value, kind: &'static Kind) -> Result<Value, Status> {
        match self {
            Self::Merge(patch) => {
                json_patch::merge(&mut object, &patch);
                Ok(object)
            }
            Self::Json(operations) => operate(object, operations),
            Self::Strategic(mut patch) => {
                // the decoder knows the type already
                patch.remove("apiVersion");
                patch.remove("kind");
                strategic::patch(Shape::of(kind), object, patch).map_err(|error| unpatchable(&error))
            }
        }
    }
}

fn operate(mut object: Value, operations: Value) -> Result<Value, Status> {
    let count = operations.as_array().map_or(0, Vec::len);
    if count > OPERATIONS {
        return Err(Status::new(
            413,
            "RequestEntityTooLarge",
            format!(
                "Request entity too large: The allowed maximum operations in a JSON patch is {OPERATIONS}, got {count}"
            ),
        ));
    }
    let done = serde_json::from_value::<json_patch::Patch>(operations)
        .map_err(|error| error.to_string())
        .and_then(|patch| {
            patch
                .0
                .into_iter()
                .try_for_each(|operation| operate_once(&mut object, operation))
        });
    match done {
        Ok(()) => Ok(object),
        Err(error) => {
            tracing::debug!(%error, "a JSON patch does not apply");
            Err(rejected())
        }
    }
}

fn operate_once(object: &mut Value, operation: PatchOperation) -> Result<(), String> {
    let operation = match operation {
        // of what is not there, a real server makes a copy too: a null
        PatchOperation::Copy(CopyOperation { from, path }) if is_missing_in_parent(object, &from) => {
            PatchOperation::Add(AddOperation {
                path,
                value: Value::Null,
            })
        }
        other => other,
    };
    json_patch::patch(object, &[operation]).map_err(|error| error.to_string())
}

fn is_missing_in_parent(object: &Value, at: &PointerBuf) -> bool {
    let parent = at.as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
    object.pointer(at.as_str()).is_none() && object.pointer(parent).is_some_and(Value::is_object)
}

/// 422 without a reason.
fn rejected() -> Status {
    let message = "the server rejected our request due to an error in our request";
    Status::new(422, "Invalid", message).details(json!({}))
}

fn unpatchable(error: &Unpatchable) -> Status {
    match error {
        Unpatchable::ListOfLists => rejected(),
        Unpatchable::Other(why) => Status::new(500, "", why.clone()),
        other => bad_request(other.to_string()),
    }
}

/// Refuses a patch that makes an object another kind's.
fn same_type(object: &Value, kind: &'static Kind, shown: &str) -> Result<(), Status> {
    let (version, given) = (text(object, "/apiVersion"), text(object, "/kind"));
    let served = kind.api_version();
    if version == served && given == kind.kind {
        return Ok(());
    }
    if !kind.custom() {
        return Err(invalid(shown, &conversion(object, kind)));
    }
    let name = text(object, "/metadata/name");
    if given.is_empty() {
        return Err(invalid(shown, &format!("Object 'Kind' is missing in '{shown}'")));
    }
    if version.is_empty() {
        let why = "Object 'apiVersion' is missing in 'object has no apiVersion field'";
        let message = format!("Internal error occurred: {why}");
        return Err(Status::new(500, "InternalError", message).details(json!({"causes": [{"message": why}]})));
    }
    if version != served && matches!(kind.kind, "TrainJob" | "JobSet") {
        // it does not get to the schema: a webhook wants to see it, and has to have it in its own version
        return Err(unconvertible(object, &version, &given, &served));
    }
    if version != served {
        let group = version.split_once('/').map_or("", |(group, _)| group);
        return Err(must_be(group, &given, &name, "apiVersion", &version, &served));
    }
    Err(must_be(kind.group, &given, &name, "kind", &given, kind.kind))
}

/// 500 for an object of a version that there is not.
fn unconvertible(object: &Value, version: &str, kind: &str, served: &str) -> Status {
    let same_group = version.split_once('/').map(|(group, _)| group) == served.split_once('/').map(|(group, _)| group);
    let why = if same_group {
        format!("request to convert CR from an invalid group/version: {version}")
    } else {
        format!("{version}, Kind={kind} is unstructured and is not suitable for converting to \"{served}\"")
    };
    let message = format!("Internal error occurred: {why}");
    Status::new(500, "InternalError", format!("Internal error occurred: {message}"))
        .details(json!({"causes": [{"message": message}]}))
        .warned(&unknown(object, version, served))
}

/// 422 for what a patch makes of an object.
fn invalid(shown: &str, why: &str) -> Status {
    let cause = Cause {
        reason: "FieldValueInvalid",
        field: "patch".into(),
        message: format!("Invalid value: {}: {why}", json!(shown)),
    };
    errors::invalid("", "", "", &cause)
}
