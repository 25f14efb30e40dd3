//! From a written object to a stored one: what creates, updates, patches and applies have in common.

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
use super::errors::{Cause, already_exists, conflict, conflict_because, details, invalid, not_found};
use super::fresh::{defaults, generate_name, labels, service_account};
use super::options::WriteOptions;
use super::view::Shown;
use crate::State;
use crate::admission::Admission;
use crate::builtin;
use crate::fields::manage::{Writer, alike};
use crate::fields::{Set, Shape};
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{Store, StoreError, metadata, seconds, text};

/// A write to one object.
pub(crate) struct Change<'a> {
    pub(crate) call: &'a Call,
    pub(crate) kind: &'static Kind,
    pub(crate) namespace: &'a str,
    /// Only the status is written.
    pub(crate) status: bool,
    pub(crate) options: WriteOptions,
}

/// What is written, and what was found out about it.
pub(crate) struct Draft {
    pub(crate) object: Value,
    /// What the client is told besides the answer.
    pub(crate) warnings: Vec<String>,
    /// `managedFields` after an apply; an update has them computed.
    pub(crate) managed: Option<Vec<Value>>,
}

impl Draft {
    /// An object that an update wrote.
    pub(crate) fn new(object: Value, warnings: Vec<String>) -> Self {
        Self {
            object,
            warnings,
            managed: None,
        }
    }
}

impl<'a> Change<'a> {
    /// A write as a request asks for it; `options` is the kind of its options.
    pub(crate) fn new(call: &'a Call, kind: &'static Kind, status: bool, options: &str) -> Result<Self, Status> {
        Ok(Self {
            call,
            kind,
            namespace: call.target.namespace.as_deref().unwrap_or_default(),
            status,
            options: WriteOptions::new(call, options)?,
        })
    }

    /// The stored object that is to be changed.
    pub(crate) fn stored(&self, store: &Store, name: &str) -> Result<Arc<Value>, Status> {
        let stored = store.get(self.kind, self.namespace, name).cloned();
        stored.ok_or_else(|| not_found(self.kind, name))
    }

    /// Works with the one who writes, as fields know them.
    pub(crate) fn writer<T>(&self, now: Timestamp, work: impl FnOnce(&Writer<'_>) -> T) -> T {
        work(&Writer {
            shape: Shape::served(self.kind, self.call.trainer),
            version: &self.kind.api_version(),
            name: &self.options.manager,
            subresource: if self.status { "status" } else { "" },
            now: &seconds(now),
            reset: reset(self.kind, self.status),
        })
    }

    /// Checks, admits and stores a new object.
    pub(crate) fn create(&self, state: &mut State, now: Timestamp, draft: Draft) -> Result<Answer, Status> {
        let kind = self.kind;
        let Draft {
            mut object,
            mut warnings,
            managed,
        } = draft;
        let asked = metadata(&mut object).remove("managedFields").unwrap_or_default();
        for field in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
        ] {
            metadata(&mut object).remove(field);
        }
        if kind.generations() {
            metadata(&mut object).remove("generation");
        }
        if kind.status {
            object.as_object_mut().map(|o| o.remove("status"));
        }
        generate_name(state, kind, self.namespace, &mut object);
        let name = text(&object, "/metadata/name");
        if kind.namespaced {
            self.namespace_is_open(&state.store, &name)?;
        }
        labels(kind, &name, &mut object);
        self.admission(&state.store, now).complete(&mut object, None);
        // what is added from here on nobody asked for
        let managed = managed.unwrap_or_else(|| self.writer(now, |writer| writer.update(None, &object, &asked)));
        defaults(kind, &name, &mut object);
        let uid = state.store.new_uid();
        metadata(&mut object).insert("uid".into(), json!(uid));
        let admitted = self.admission(&state.store, now).create(&mut object);
        warnings.extend(admitted.map_err(|status| self.warned(status, &warnings))?);
        keep(&mut object, managed);
        builtin::identified(kind, &mut object);
        let made = if self.options.dry_run {
            state.store.preview_create(kind, object, now).map(Arc::new)
        } else {
            state.store.create(kind, object, now)
        };
        let made = made.map_err(|error| refusal(&error, kind, &name))?;
        if kind.kind == "Namespace" && !self.options.dry_run {
            service_account(&mut state.store, &name, now);
        }
        Ok(self.answer(StatusCode::CREATED, &made, &warnings))
    }

    /// Checks, admits and stores what became of an object that is there.
    pub(crate) fn replace(
        &self,
        state: &mut State,
        now: Timestamp,
        before: &Value,
        draft: Draft,
    ) -> Result<Answer, Status> {
        let (kind, name) = (self.kind, text(before, "/metadata/name"));
        let Draft {
            mut object,
            mut warnings,
            managed,
        } = draft;
        self.preconditions(&object, before)?;
        let asked = metadata(&mut object).remove("managedFields").unwrap_or_default();
        let mut object = self.effective(object, before);
        let admission = self.admission(&state.store, now);
        if !self.status {
            admission.complete(&mut object, Some(before));
        }
        let managed =
            managed.unwrap_or_else(|| self.writer(now, |writer| writer.update(Some(before), &object, &asked)));
        if self.status {
            admission.status(&object, before)?;
        } else {
            let admitted = admission.update(&mut object, before);
            warnings.extend(admitted.map_err(|status| self.warned(status, &warnings))?);
        }
        let recorded = &before["metadata"]["managedFields"];
        match recorded {
            // a write that changes nothing does not even change when it was made
            Value::Array(old) if alike(recorded, &managed) && same_but_managers(&object, before) => {
                keep(&mut object, old.clone());
            }
            _ => keep(&mut object, managed),
        }
        let stored = match (self.options.dry_run, self.status) {
            (true, status) => state.store.preview_update(kind, object, status).map(Arc::new),
            (false, true) => state.store.update_status(kind, object),
            (false, false) => state.store.update(kind, object),
        };
        let stored = stored.map_err(|error| refusal(&error, kind, &name))?;
        let finalizers = stored["metadata"]["finalizers"].as_array();
        if !self.options.dry_run
            && finalizers.is_none_or(Vec::is_empty)
            && stored["metadata"].get("deletionTimestamp").is_some()
        {
            // the last finalizer is gone, and with it the object
            state.store.delete(kind, self.namespace, &name, false).ok();
        }
        Ok(self.answer(StatusCode::OK, &stored, &warnings))
    }

    /// Refuses new objects in a namespace that is not there, or not for long.
    fn namespace_is_open(&self, store: &Store, name: &str) -> Result<(), Status> {
        let (kind, namespace) = (self.kind, self.namespace);
        let Some(namespaces) = Kind::named("Namespace") else {
            return Ok(());
        };
        let Some(found) = store.get(namespaces, "", namespace) else {
            return Err(not_found(namespaces, namespace));
        };
        if found["metadata"].get("deletionTimestamp").is_none() {
            return Ok(());
        }
        let message = format!(
            "{} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being \
             terminated",
            kind.qualified()
        );
        let why = format!("namespace {namespace} is being terminated");
        let cause = json!({"reason": "NamespaceTerminating", "message": why, "field": "metadata.namespace"});
        let mut details = details(kind, name);
        details["causes"] = json!([cause]);
        Err(Status::new(403, "Forbidden", message).details(details))
    }

    /// A refusal, with what was found out before.
    fn warned(&self, status: Status, warnings: &[String]) -> Status {
        status.warned(if self.options.warn { warnings } else { &[] })
    }

    fn admission<'s>(&self, store: &'s Store, now: Timestamp) -> Admission<'s> {
        let kind = self.kind;
        Admission { store, kind, now }
    }

    fn answer(&self, code: StatusCode, object: &Value, warnings: &[String]) -> Answer {
        let answer = Answer::json(code, &Shown(object, self.call.view));
        answer.warnings(if self.options.warn { warnings } else { &[] })
    }

    /// Refuses to change another version or another object of the same name than the one that is meant.
    fn preconditions(&self, object: &Value, before: &Value) -> Result<(), Status> {
        let name = text(before, "/metadata/name");
        let given = text(object, "/metadata/resourceVersion");
        if !given.is_empty() && given.parse::<u64>().is_err() {
            let why = format!("strconv.ParseUint: parsing \"{given}\": invalid syntax");
            return Err(Status::new(500, "", why));
        }
        let (uid, stored) = (text(object, "/metadata/uid"), text(before, "/metadata/uid"));
        let another = !uid.is_empty() && uid != stored;
        if another && self.call.verb == "update" {
            let key = self.registry_key(&name);
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition \
                 failed: UID in precondition: {uid}, UID in object meta: {stored}"
            );
            return Err(conflict_because(&self.kind.qualified(), &why, self.kind, &name));
        }
        if !given.is_empty() && given != text(before, "/metadata/resourceVersion") {
            return Err(conflict(self.kind, &name));
        }
        if another {
            let cause = Cause {
                reason: "FieldValueInvalid",
                field: "metadata.uid".into(),
                message: format!("Invalid value: \"{uid}\": field is immutable"),
            };
            let mut refused = invalid(self.kind.group, self.kind.kind, &name, &cause);
            // a real server finds it twice, and says it once
            if let Some(causes) = refused
                .details
                .as_mut()
                .and_then(|details| details["causes"].as_array_mut())
            {
                causes.extend(causes.clone());
            }
            return Err(refused);
        }
        Ok(())
    }

    /// Where etcd would have the object.
    fn registry_key(&self, name: &str) -> String {
        let resource = match self.kind.plural {
            "nodes" => "minions".to_owned(),
            "services" => "services/specs".to_owned(),
            plural if self.kind.group.contains('.') => format!("{}/{plural}", self.kind.group),
            plural => plural.to_owned(),
        };
        let namespace = if self.kind.namespaced {
            format!("{}/", self.namespace)
        } else {
            String::new()
        };
        format!("/registry/{resource}/{namespace}{name}")
    }

    /// What of a written object counts: its status or all but that, and nothing that the server decides.
    fn effective(&self, mut object: Value, before: &Value) -> Value {
        if self.status {
            let mut kept = before.clone();
            move_field(&mut kept, object.get_mut("status").map(Value::take), "status");
            return kept;
        }
        if self.kind.status {
            move_field(&mut object, before.get("status").cloned(), "status");
        }
        for field in [
            "uid",
            "creationTimestamp",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
        ] {
            match before["metadata"].get(field) {
                Some(value) => metadata(&mut object).insert(field.into(), value.clone()),
                None => metadata(&mut object).remove(field),
            };
        }
        object
    }
}

fn move_field(object: &mut Value, value: Option<Value>, field: &str) {
    match value {
        Some(value) => object[field] = value,
        None => {
            object.as_object_mut().map(|o| o.remove(field));
        }
    }
}

/// Sets `managedFields`. An empty list is set too: it tells the store to forget the old one.
fn keep(object: &mut Value, managed: Vec<Value>) {
    metadata(object).insert("managedFields".into(), Value::Array(managed));
}

fn same_but_managers(object: &Value, before: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        metadata(&mut object).remove("managedFields");
        object
    };
    bare(object) == bare(before)
}

/// What a write leaves alone whatever it says, and so does not own.
fn reset(kind: &Kind, status: bool) -> Set {
    match (status, kind.kind) {
        (false, _) if kind.status => Set::of(&["status"]),
        (false, _) => Set::default(),
        (true, _) if kind.custom() => Set::of(&["metadata", "spec"]),
        (true, "Pod") => Set::of(&["spec", "metadata.deletionTimestamp", "metadata.ownerReferences"]),
        (true, "Deployment") => Set::of(&["spec", "metadata.labels"]),
        (true, _) => Set::of(&["spec"]),
    }
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
