//! Patches: RFC 7396 merge patches and RFC 6902 JSON patches.

use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
use super::body::same_type;
use super::errors::{Cause, bad_request, invalid, not_found, unsupported_media_type};
use super::options::WriteOptions;
use super::verbs::{Change, apply};
use crate::Inner;
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::text;

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
    let options = WriteOptions::new(call, "PatchOptions")?;
    let patch = Patch::read(call)?;
    let namespace = call.target.namespace.as_deref().unwrap_or_default();
    inner.with(|state, _| {
        let before = state
            .store
            .get(kind, namespace, name)
            .cloned()
            .ok_or_else(|| not_found(kind, name))?;
        let mut object = (*before).clone();
        patch.apply(&mut object)?;
        same_type(&object, kind)?;
        for (field, old) in [("metadata.name", name), ("metadata.namespace", namespace)] {
            let new = text(&object, &format!("/{}", field.replace('.', "/")));
            if new != old {
                let message = format!("Invalid value: \"{new}\": field is immutable");
                return Err(invalid(
                    kind.group,
                    kind.kind,
                    name,
                    &Cause {
                        reason: "FieldValueInvalid",
                        field,
                        message,
                    },
                ));
            }
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

enum Patch {
    Merge(Value),
    Json(json_patch::Patch),
}

impl Patch {
    fn read(call: &Call) -> Result<Self, Status> {
        match call.content_type.as_str() {
            "application/merge-patch+json" => {
                let patch: Value = serde_json::from_slice(&call.body)
                    .map_err(|error| bad_request(format!("error decoding patch: {error}")))?;
                if !patch.is_object() {
                    return Err(bad_request("error decoding patch: the patch is not an object"));
                }
                Ok(Self::Merge(patch))
            }
            "application/json-patch+json" => {
                let patch: json_patch::Patch = serde_json::from_slice(&call.body)
                    .map_err(|error| bad_request(format!("error decoding patch: {error}")))?;
                if patch.len() > OPERATIONS {
                    return Err(Status::new(
                        413,
                        "RequestEntityTooLarge",
                        format!(
                            "Request entity too large: The allowed maximum operations in a JSON patch is {OPERATIONS}, got {}",
                            patch.len()
                        ),
                    ));
                }
                Ok(Self::Json(patch))
            }
            _ => Err(unsupported_media_type(
                "application/json-patch+json, application/merge-patch+json",
            )),
        }
    }

    fn apply(&self, object: &mut Value) -> Result<(), Status> {
        match self {
            Self::Merge(patch) => {
                json_patch::merge(object, patch);
                Ok(())
            }
            Self::Json(patch) => json_patch::patch(object, patch).map_err(|error| {
                tracing::debug!(%error, "a JSON patch does not apply");
                let message = "the server rejected our request due to an error in our request";
                Status::new(422, "Invalid", message).details(json!({}))
            }),
        }
    }
}
