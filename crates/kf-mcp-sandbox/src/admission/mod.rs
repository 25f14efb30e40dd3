//! What happens to an object between the request and the store: decoding, defaults, what the webhooks and the admission
//! plugins of a real cluster change and refuse, and what each kind must be.

mod core;
mod custom;
pub(crate) mod format;
mod metadata;
mod openapi;
mod problem;
pub(crate) mod quota;
mod types;
mod webhook;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::builtin;
use crate::controllers::objects::kind;
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{Store, text};
pub(crate) use openapi::openapi;
use problem::invalid;
use types::decode;

/// A write that is being admitted.
#[derive(Debug, Clone, Copy)]
pub struct Admission<'a> {
    /// What there is.
    pub store: &'a Store,
    /// The kind of the object.
    pub kind: &'static Kind,
    /// When it is written.
    pub now: Timestamp,
}

impl Admission<'_> {
    /// Fills in what an object has by default. An object that was stored without its defaults, as scenarios bring them,
    /// stays without.
    pub fn complete(&self, object: &mut Value, before: Option<&Value>) {
        defaults(self.kind, object);
        let complete = |before: &Value| {
            let mut complete = before.clone();
            builtin::default(self.kind, &mut complete);
            complete == *before
        };
        if before.is_none_or(complete) {
            builtin::default(self.kind, object);
        }
    }

    /// Fills in, checks and admits a new object. Returns the warnings that go into `Warning` headers.
    pub fn create(&self, object: &mut Value) -> Result<Vec<String>, Status> {
        defaults(self.kind, object);
        builtin::fill(self.kind, object);
        self.admit(object, None)
    }

    /// Fills in, checks and admits what an object is changed to.
    pub fn update(&self, object: &mut Value, before: &Value) -> Result<Vec<String>, Status> {
        self.complete(object, Some(before));
        self.admit(object, Some(before))
    }

    /// Checks a new status. No webhook looks at those.
    pub fn status(&self, object: &Value, before: &Value) -> Result<(), Status> {
        if self.kind.custom() {
            let found = metadata::check(self.kind, object, Some(before));
            let problems = custom::check_status(self.kind, object, found);
            if !problems.is_empty() {
                return Err(invalid(self.kind, object, &problems));
            }
        }
        Ok(())
    }

    fn admit(&self, object: &mut Value, before: Option<&Value>) -> Result<Vec<String>, Status> {
        let Self { store, kind, now } = *self;
        webhook::mutate(store, kind, object, before, now)?;
        if before.is_none() {
            self.service_account(object)?;
        }
        let found = metadata::check(kind, object, before);
        let problems = if kind.custom() {
            custom::check(kind, object, before, found)
        } else {
            let more = core::check(kind, object, before);
            found.into_iter().chain(more).collect()
        };
        if !problems.is_empty() {
            return Err(invalid(kind, object, &problems));
        }
        let warnings = webhook::validate(store, kind, object, before)?;
        if before.is_none()
            && let Some(why) = quota::exceeded(store, kind, object)
        {
            return Err(self.forbidden(object, &why));
        }
        Ok(warnings)
    }

    /// Refuses pods of a service account that is not there.
    fn service_account(&self, object: &Value) -> Result<(), Status> {
        if self.kind.kind != "Pod" {
            return Ok(());
        }
        let (namespace, name) = (
            text(object, "/metadata/namespace"),
            text(object, "/spec/serviceAccountName"),
        );
        if name.is_empty() || self.store.get(kind("ServiceAccount"), &namespace, &name).is_some() {
            return Ok(());
        }
        let why = format!("error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found");
        Err(self.forbidden(object, &why))
    }

    /// 403 of an admission plugin.
    fn forbidden(&self, object: &Value, why: &str) -> Status {
        let name = text(object, "/metadata/name");
        let message = format!("{} \"{name}\" is forbidden: {why}", self.kind.qualified());
        let mut details = json!({"name": name, "kind": self.kind.plural});
        if !self.kind.group.is_empty() {
            details["group"] = json!(self.kind.group);
        }
        Status::new(403, "Forbidden", message).details(details)
    }
}

/// What a real server says of an object whose fields its types cannot hold. Of custom kinds it knows only the metadata.
pub(crate) fn unreadable(kind: &Kind, object: &Value) -> Option<String> {
    if !kind.custom() {
        return decode::complaint(types::core::of(kind), object);
    }
    match &object["metadata"] {
        Value::Null => None,
        meta @ Value::Object(_) => decode::complaint(&types::core::META, meta),
        other => Some(format!(
            "json: cannot unmarshal {} into Go value of type v1.ObjectMeta",
            decode::kind(other)
        )),
    }
}

/// What is filled in whenever an object of a kind is written.
fn defaults(kind: &Kind, object: &mut Value) {
    match (kind.group, kind.kind) {
        ("", "Secret") => plain_to_bytes(object),
        ("", "ResourceQuota") => {
            core::canonical(object);
            always(object, "status");
        }
        ("batch", "Job") | ("apps", "Deployment") => always(object, "status"),
        ("", "Event") => {
            for (field, value) in [
                ("eventTime", Value::Null),
                ("reportingComponent", json!("")),
                ("reportingInstance", json!("")),
                ("source", json!({})),
                ("firstTimestamp", Value::Null),
                ("lastTimestamp", Value::Null),
            ] {
                if let Some(event) = object.as_object_mut() {
                    event.entry(field).or_insert(value);
                }
            }
        }
        _ => custom::defaults(kind, object),
    }
}

/// Adds a struct that is written even when there is nothing in it.
fn always(object: &mut Value, field: &str) {
    if object[field].is_null() {
        object[field] = json!({});
    }
}

/// Moves a Secret's plain texts to where they are kept.
fn plain_to_bytes(secret: &mut Value) {
    let Some(texts) = secret.as_object_mut().and_then(|secret| secret.remove("stringData")) else {
        return;
    };
    for (key, value) in texts.as_object().into_iter().flatten() {
        secret["data"][key] = json!(STANDARD.encode(value.as_str().unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests;
