//! Reading, creating and replacing single objects.

use http::StatusCode;

use super::Call;
use super::answer::Answer;
use super::body::object;
use super::change::{Change, Draft};
use super::errors::{Cause, invalid, not_found};
use super::list::version;
use super::names::{same_name, settle_namespace};
use super::view::Shown;
use crate::Inner;
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::text;

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
    let change = Change::new(call, kind, false, "CreateOptions")?;
    let (mut object, warnings) = object(call, kind, &change.options)?;
    settle_namespace(&mut object, kind, change.namespace)?;
    if !text(&object, "/metadata/resourceVersion").is_empty() {
        return Err(Status::new(
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        ));
    }
    inner.with(|state, now| change.create(state, now, Draft::new(object, warnings)))
}

/// Answers an update of an object or, with `status`, of its status.
pub(crate) fn update(
    inner: &Inner,
    call: &Call,
    kind: &'static Kind,
    name: &str,
    status: bool,
) -> Result<Answer, Status> {
    let change = Change::new(call, kind, status, "UpdateOptions")?;
    let (mut object, warnings) = object(call, kind, &change.options)?;
    settle_namespace(&mut object, kind, change.namespace)?;
    same_name(&object, name)?;
    inner.with(|state, now| {
        let before = change.stored(&state.store, name)?;
        if kind.custom() && text(&object, "/metadata/resourceVersion").is_empty() {
            return Err(invalid(
                kind.group,
                kind.plural,
                name,
                &Cause {
                    reason: "FieldValueInvalid",
                    field: "metadata.resourceVersion".into(),
                    message: "Invalid value: 0: must be specified for an update".to_owned(),
                },
            ));
        }
        change.replace(state, now, &before, Draft::new(object, warnings))
    })
}
