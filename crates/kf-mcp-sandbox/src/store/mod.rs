//! The sandbox's etcd: objects as JSON with uid, resourceVersion and generation, and the history that watches read.
//!
//! Pure and synchronous: time comes in as an argument, and nothing here knows HTTP or a controller.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::history::History;
pub use crate::history::{Change, Event};
use crate::kinds::Kind;

mod key;
mod object;
#[cfg(test)]
mod tests;

pub use key::Key;
pub use object::{metadata, micros, owners, seconds, text};

/// What of `metadata` a client cannot change.
const IDENTITY: [&str; 7] = [
    "uid",
    "creationTimestamp",
    "generation",
    "resourceVersion",
    "namespace",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// Why the store refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// No such object.
    NotFound,
    /// An object of that name is there.
    AlreadyExists,
    /// The resourceVersion or uid given is not the stored one.
    Conflict,
    /// The history no longer reaches back to that version.
    Expired,
}

/// Objects, their versions and their recent history.
#[derive(Debug, Default)]
pub struct Store {
    objects: BTreeMap<Key, Arc<Value>>,
    history: History,
    version: u64,
    /// Which objects name a uid as their owner, so that a deletion need not look at everything.
    owned: HashMap<String, BTreeSet<Key>>,
    uids: u64,
    /// What controllers keep in mind beside the objects: failures in a row and the last one, by uid.
    memory: HashMap<String, (u32, Timestamp)>,
}

impl Store {
    /// An empty store.
    pub fn new() -> Self {
        Self {
            version: 1000,
            history: History::after(1000),
            ..Self::default()
        }
    }

    /// The oldest version from which [`Store::changes_since`] can still answer.
    pub fn oldest(&self) -> u64 {
        self.history.oldest()
    }

    /// Forgets the history, as etcd's compaction does: watches and lists from an older version are told so.
    pub fn compact(&mut self) {
        self.history.compact(self.version);
    }

    /// The current resourceVersion, as lists report it.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// One object.
    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.objects.get(&Key::new(kind, namespace, name))
    }

    /// All objects of a kind, in one namespace or in all, ordered by namespace and name.
    pub fn list<'a>(&'a self, kind: &Kind, namespace: Option<&str>) -> impl Iterator<Item = &'a Arc<Value>> + use<'a> {
        self.list_after(kind, namespace, None)
    }

    /// Like [`Store::list`], but only what comes after a namespace and name: how `continue` tokens go on.
    pub fn list_after<'a>(
        &'a self,
        kind: &Kind,
        namespace: Option<&str>,
        after: Option<(&str, &str)>,
    ) -> impl Iterator<Item = &'a Arc<Value>> + use<'a> {
        let resource = kind.qualified();
        let only = if kind.namespaced {
            namespace.map(str::to_owned)
        } else {
            None
        };
        let from = match after {
            Some((ns, name)) => Key {
                resource: resource.clone(),
                namespace: ns.to_owned(),
                name: name.to_owned(),
            },
            None => Key {
                resource: resource.clone(),
                namespace: only.clone().unwrap_or_default(),
                name: String::new(),
            },
        };
        let skip_first = after.is_some();
        let first = from.clone();
        self.objects
            .range(from..)
            .take_while(move |(key, _)| key.resource == resource && only.as_ref().is_none_or(|ns| &key.namespace == ns))
            .filter(move |(key, _)| !(skip_first && **key == first))
            .map(|(_, object)| object)
    }

    /// Like [`Store::list_after`], but as it was at a version; [`StoreError::Expired`] when that is no longer known.
    pub fn list_at(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        after: Option<(&str, &str)>,
        version: u64,
    ) -> Result<Vec<Arc<Value>>, StoreError> {
        let (resource, namespace) = (kind.qualified(), namespace.filter(|_| kind.namespaced));
        let after_key = after.map(|(namespace, name)| Key::new(kind, namespace, name));
        let concerns = |key: &Key| {
            key.resource == resource
                && namespace.is_none_or(|ns| key.namespace == ns)
                && after_key.as_ref().is_none_or(|after| key > after)
        };
        let mut objects: BTreeMap<Key, Arc<Value>> = self
            .list_after(kind, namespace, after)
            .map(|object| {
                let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
                (Key::new(kind, &namespace, &name), Arc::clone(object))
            })
            .collect();
        self.history.undo(&mut objects, version, concerns)?;
        Ok(objects.into_values().collect())
    }

    /// How many objects of a kind there are in a scope.
    pub fn count(&self, kind: &Kind, namespace: Option<&str>) -> usize {
        self.list(kind, namespace).count()
    }

    /// Stores a new object: sets uid, resourceVersion, generation 1 and creationTimestamp (kept if the object brings
    /// one, so that scenarios can tell a past), apiVersion and kind.
    pub fn create(&mut self, kind: &Kind, mut object: Value, now: Timestamp) -> Result<Arc<Value>, StoreError> {
        let name = text(&object, "/metadata/name");
        let namespace = text(&object, "/metadata/namespace");
        let key = Key::new(kind, &namespace, &name);
        if self.objects.contains_key(&key) {
            return Err(StoreError::AlreadyExists);
        }
        let uid = self.new_uid();
        let version = self.bump();
        identify(kind, &mut object, &uid, now);
        metadata(&mut object).insert("resourceVersion".into(), json!(version.to_string()));
        Ok(self.record(version, Event::Added, key, Arc::new(object), None))
    }

    /// What [`Store::create`] would store, without storing it: a dry run. There is no resourceVersion.
    pub fn preview_create(&self, kind: &Kind, mut object: Value, now: Timestamp) -> Result<Value, StoreError> {
        let key = Key::new(
            kind,
            &text(&object, "/metadata/namespace"),
            &text(&object, "/metadata/name"),
        );
        if self.objects.contains_key(&key) {
            return Err(StoreError::AlreadyExists);
        }
        // another variant nibble than stored objects have, so that the uid can never turn up again
        let uid = format!("5a9db0c5-0000-4000-9000-{:012x}", self.uids + 1);
        identify(kind, &mut object, &uid, now);
        metadata(&mut object).remove("resourceVersion");
        Ok(object)
    }

    /// What [`Store::update`] (or, with `status_only`, [`Store::update_status`]) would store, without storing it.
    pub fn preview_update(&self, kind: &Kind, object: Value, status_only: bool) -> Result<Value, StoreError> {
        Ok(self.plan(kind, object, status_only)?.2)
    }

    /// Marks an object as being deleted, which is all a deletion does while there are finalizers.
    pub fn mark_deleted(
        &mut self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<Arc<Value>, StoreError> {
        let key = Key::new(kind, namespace, name);
        let before = Arc::clone(self.objects.get(&key).ok_or(StoreError::NotFound)?);
        if before["metadata"].get("deletionTimestamp").is_some() {
            return Ok(before);
        }
        let mut object = (*before).clone();
        let generation = before["metadata"]["generation"].as_u64().unwrap_or(1) + 1;
        let version = self.bump();
        let meta = metadata(&mut object);
        meta.insert("deletionTimestamp".into(), json!(seconds(now)));
        if kind.kind != "Namespace" {
            meta.insert("deletionGracePeriodSeconds".into(), json!(0));
        }
        if kind.generations() {
            meta.insert("generation".into(), json!(generation));
        }
        meta.insert("resourceVersion".into(), json!(version.to_string()));
        Ok(self.record(version, Event::Modified, key, Arc::new(object), Some(before)))
    }

    /// Replaces an object. Identity fields are kept, generation grows when anything but metadata and status changed,
    /// nothing happens when nothing changed. A `metadata.resourceVersion` in `object` must be the stored one.
    pub fn update(&mut self, kind: &Kind, object: Value) -> Result<Arc<Value>, StoreError> {
        self.replace(kind, object, false)
    }

    /// Replaces only `status` (and keeps everything else as stored).
    pub fn update_status(&mut self, kind: &Kind, object: Value) -> Result<Arc<Value>, StoreError> {
        self.replace(kind, object, true)
    }

    fn replace(&mut self, kind: &Kind, object: Value, status_only: bool) -> Result<Arc<Value>, StoreError> {
        let (key, before, mut object) = self.plan(kind, object, status_only)?;
        if object == *before {
            return Ok(before);
        }
        let version = self.bump();
        metadata(&mut object).insert("resourceVersion".into(), json!(version.to_string()));
        Ok(self.record(version, Event::Modified, key, Arc::new(object), Some(before)))
    }

    fn plan(&self, kind: &Kind, mut object: Value, status_only: bool) -> Result<(Key, Arc<Value>, Value), StoreError> {
        let key = Key::new(
            kind,
            &text(&object, "/metadata/namespace"),
            &text(&object, "/metadata/name"),
        );
        let before = Arc::clone(self.objects.get(&key).ok_or(StoreError::NotFound)?);
        let given = text(&object, "/metadata/resourceVersion");
        if !given.is_empty() && given != text(&before, "/metadata/resourceVersion") {
            return Err(StoreError::Conflict);
        }
        let given = text(&object, "/metadata/uid");
        if !given.is_empty() && given != text(&before, "/metadata/uid") {
            return Err(StoreError::Conflict);
        }
        if status_only {
            let mut kept = (*before).clone();
            if let Some(managed) = object["metadata"].get("managedFields") {
                metadata(&mut kept).insert("managedFields".into(), managed.clone());
            }
            match object.get_mut("status").map(Value::take) {
                Some(status) => kept["status"] = status,
                None => {
                    kept.as_object_mut().map(|o| o.remove("status"));
                }
            }
            object = kept;
        } else if kind.status {
            match before.get("status") {
                Some(status) => object["status"] = status.clone(),
                None => {
                    object.as_object_mut().map(|o| o.remove("status"));
                }
            }
        }
        object["apiVersion"] = before["apiVersion"].clone();
        object["kind"] = before["kind"].clone();
        disown(&mut object);
        for field in IDENTITY {
            match before["metadata"].get(field) {
                Some(value) => metadata(&mut object).insert(field.into(), value.clone()),
                None => metadata(&mut object).remove(field),
            };
        }
        if kind.generations() && grows(kind, &before, &object) {
            let generation = before["metadata"]["generation"].as_u64().unwrap_or(1) + 1;
            metadata(&mut object).insert("generation".into(), json!(generation));
        }
        Ok((key, before, object))
    }

    /// Removes an object and, unless `orphan`, everything that it alone owns, at once and depth first.
    pub fn delete(&mut self, kind: &Kind, namespace: &str, name: &str, orphan: bool) -> Result<Arc<Value>, StoreError> {
        let key = Key::new(kind, namespace, name);
        let object = self.objects.remove(&key).ok_or(StoreError::NotFound)?;
        let version = self.bump();
        let gone = self.record(version, Event::Deleted, key, Arc::clone(&object), None);
        let uid = text(&object, "/metadata/uid");
        self.memory.remove(&uid);
        let owned: Vec<Key> = self.owned.get(&uid).into_iter().flatten().cloned().collect();
        for key in owned {
            // gone already, if another owner took it along
            let Some(object) = self.objects.get(&key).map(Arc::clone) else {
                continue;
            };
            let Some(kind) = Kind::of(&text(&object, "/apiVersion"), &text(&object, "/kind")) else {
                continue;
            };
            let left: Vec<Value> = owners(&object)
                .filter(|owner| self.lives(&object, owner))
                .cloned()
                .collect();
            // what another owner still holds stays as well
            if orphan || !left.is_empty() {
                let mut freed = (*object).clone();
                if left.is_empty() {
                    metadata(&mut freed).remove("ownerReferences");
                } else {
                    metadata(&mut freed).insert("ownerReferences".into(), json!(left));
                }
                metadata(&mut freed).remove("resourceVersion");
                self.update(kind, freed).ok();
            } else {
                self.delete(kind, &key.namespace, &key.name, false).ok();
            }
        }
        Ok(gone)
    }

    /// Whether an owner of an object is there.
    fn lives(&self, object: &Value, owner: &Value) -> bool {
        Kind::of(&text(owner, "/apiVersion"), &text(owner, "/kind"))
            .and_then(|kind| self.get(kind, &text(object, "/metadata/namespace"), &text(owner, "/name")))
            .is_some_and(|found| found["metadata"]["uid"] == owner["uid"])
    }

    /// What changed after a version, oldest first; [`StoreError::Expired`] when that is no longer known.
    pub fn changes_since(&self, version: u64) -> Result<impl Iterator<Item = &Change>, StoreError> {
        self.history.since(version)
    }

    fn bump(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// Keeps in mind how often something failed in a row, and when it last did.
    pub fn remember(&mut self, uid: String, failures: u32, last: Timestamp) {
        self.memory.insert(uid, (failures, last));
    }

    /// What [`Store::remember`] was last told.
    pub fn recall(&self, uid: &str) -> Option<(u32, Timestamp)> {
        self.memory.get(uid).copied()
    }

    /// A uid that no object has.
    pub fn new_uid(&mut self) -> String {
        self.uids += 1;
        format!("5a9db0c5-0000-4000-8000-{:012x}", self.uids)
    }

    fn record(
        &mut self,
        version: u64,
        event: Event,
        key: Key,
        object: Arc<Value>,
        before: Option<Arc<Value>>,
    ) -> Arc<Value> {
        let old = if event == Event::Deleted {
            Some(&object)
        } else {
            before.as_ref()
        };
        for uid in old
            .into_iter()
            .flat_map(|old| owners(old))
            .filter_map(|owner| owner["uid"].as_str())
        {
            if let Some(keys) = self.owned.get_mut(uid) {
                keys.remove(&key);
                if keys.is_empty() {
                    self.owned.remove(uid);
                }
            }
        }
        let (object, before) = if event == Event::Deleted {
            let mut last = (*object).clone();
            metadata(&mut last).insert("resourceVersion".into(), json!(version.to_string()));
            (Arc::new(last), Some(object))
        } else {
            self.objects.insert(key.clone(), Arc::clone(&object));
            for uid in owners(&object).filter_map(|owner| owner["uid"].as_str()) {
                self.owned.entry(uid.to_owned()).or_default().insert(key.clone());
            }
            (object, before)
        };
        self.history.push(Change {
            version,
            event,
            key,
            object: Arc::clone(&object),
            before,
        });
        object
    }
}

/// Leaves out the record of owners when there are none.
fn disown(object: &mut Value) {
    if object["metadata"]["managedFields"]
        .as_array()
        .is_some_and(Vec::is_empty)
    {
        metadata(object).remove("managedFields");
    }
}

/// Gives a new object what the server decides.
fn identify(kind: &Kind, object: &mut Value, uid: &str, now: Timestamp) {
    disown(object);
    let meta = metadata(object);
    if !kind.namespaced {
        meta.remove("namespace");
    }
    // Objects of a scenario bring their uid, so that labels and events elsewhere can name it. Requests cannot.
    meta.entry("uid").or_insert_with(|| json!(uid));
    if kind.generations() {
        meta.insert("generation".into(), json!(1));
    }
    meta.entry("creationTimestamp").or_insert_with(|| json!(seconds(now)));
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.kind);
}

/// Whether a change makes a new generation of an object.
fn grows(kind: &Kind, before: &Value, after: &Value) -> bool {
    if kind.kind != "Pod" {
        return desired(before) != desired(after);
    }
    // To be bound to a node is no change of what is wanted.
    let bare = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        spec.as_object_mut().map(|spec| spec.remove("nodeName"));
        spec
    };
    bare(before) != bare(after)
}

/// Everything of an object that counts for its generation: all but metadata and status.
fn desired(object: &Value) -> Vec<(&String, &Value)> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(field, _)| !matches!(field.as_str(), "metadata" | "status" | "apiVersion" | "kind"))
        .collect()
}
