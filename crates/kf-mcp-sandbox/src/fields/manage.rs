//! What a write makes of an object's owners: the rules of server-side apply.

use serde_json::{Value, json};

use super::check::{check, join};
use super::compare::{Comparison, same};
use super::known::fill;
pub(crate) use super::managers::Manager;
use super::managers::{Managers, Owned};
use super::merge::merge;
use super::remove::remove;
use super::set::Set;
use super::step::{Step, show};
use super::{Shape, last_applied};
use crate::store::metadata;

/// Fields that belong to nobody, as the server or the path decides on them.
const NOBODYS: [&str; 12] = [
    "apiVersion",
    "kind",
    "metadata",
    "metadata.name",
    "metadata.namespace",
    "metadata.creationTimestamp",
    "metadata.selfLink",
    "metadata.uid",
    "metadata.clusterName",
    "metadata.generation",
    "metadata.managedFields",
    "metadata.resourceVersion",
];

/// One who writes.
#[derive(Debug, Clone)]
pub(crate) struct Writer<'a> {
    pub(crate) shape: Shape<'a>,
    /// The kind's apiVersion.
    pub(crate) version: &'a str,
    /// Whose name is recorded.
    pub(crate) name: &'a str,
    /// `status`, or empty.
    pub(crate) subresource: &'a str,
    /// The time as `metav1.Time`.
    pub(crate) now: &'a str,
    /// What this kind of write does not change, whatever it says.
    pub(crate) reset: Set,
}

/// Why an apply is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Others own fields that it would change.
    Conflict(Vec<Conflict>),
    /// The applied object is not of its type.
    Untyped(String),
}

/// A field that somebody else owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) manager: Manager,
    path: Vec<Step>,
}

impl Conflict {
    /// The field.
    pub(crate) fn field(&self) -> String {
        show(&self.path)
    }
}

impl Writer<'_> {
    /// The `managedFields` of an object after an update. `before` is the stored object, none for a new one; `new` is what
    /// will be stored, `asked` the `managedFields` that the request gives.
    ///
    /// An object that nobody owns stays nobody's: updates only keep records that there are.
    pub(crate) fn update(&self, before: Option<&Value>, new: &Value, asked: &Value) -> Vec<Value> {
        let recorded = before.map(owners).unwrap_or_default();
        let mut managers = if !self.subresource.is_empty() {
            recorded
        } else if Managers::reset(asked) {
            Managers::default()
        } else {
            Managers::read(asked)
                .filter(|given| !given.0.is_empty())
                .unwrap_or(recorded)
        };
        if before.is_some() && managers.0.is_empty() {
            return Vec::new();
        }
        let empty = json!({});
        self.take(&mut managers, before.unwrap_or(&empty), new, self.name);
        managers.write()
    }

    /// Records what `new` changes as an update by a manager.
    fn take(&self, managers: &mut Managers, old: &Value, new: &Value, name: &str) {
        let changes = self.settle(managers, old, new, None, true).unwrap_or_default();
        let fields = changes.modified.union(&changes.added).difference(&Set::of(&NOBODYS));
        if !fields.is_empty() {
            let manager = Manager::new(name, false, self.version, self.subresource);
            let owned = managers.0.entry(manager).or_default();
            *owned = Owned {
                version: self.version.to_owned(),
                fields: owned.fields.union(&fields),
                time: Some(self.now.to_owned()),
            };
        }
        managers.cap();
    }

    /// Applies to a live object (`{}` for one that is not there yet): the object and its `managedFields` after it.
    pub(crate) fn apply(&self, live: &Value, applied: &Value, force: bool) -> Result<(Value, Vec<Value>), Refusal> {
        let result = self.apply_once(live, applied, force);
        let (mut object, managers) = match result {
            Err(Refusal::Conflict(mut conflicts)) if self.name == "kubectl" => {
                // who applied with the same tool's older way is not in its own way
                let Some(own) = last_applied::still(self.shape, live) else {
                    return Err(Refusal::Conflict(conflicts));
                };
                conflicts.retain(|conflict| !own.contains(&conflict.path));
                if !conflicts.is_empty() {
                    return Err(Refusal::Conflict(conflicts));
                }
                self.apply_once(live, applied, true)?
            }
            other => other?,
        };
        if self.name == "kubectl" {
            last_applied::renew(&mut object, applied);
        }
        Ok((object, managers.write()))
    }

    fn apply_once(&self, live: &Value, applied: &Value, force: bool) -> Result<(Value, Managers), Refusal> {
        let problems = check(self.shape, applied);
        if !problems.is_empty() {
            return Err(Refusal::Untyped(join(&problems)));
        }
        let mut managers = owners(live);
        let live = bare(live);
        if managers.0.is_empty() {
            // what was there before anybody applied counts as somebody's
            self.take(&mut managers, &json!({}), &live, "before-first-apply");
        }
        let own = Manager::new(self.name, true, self.version, self.subresource);
        let last = managers.0.get(&own).cloned();
        let merged = merge(self.shape, Some(&live), Some(applied)).unwrap_or_else(|| json!({}));
        let fields = Set::all(self.shape, applied).without(&self.reset);
        managers.0.insert(
            own.clone(),
            Owned {
                version: self.version.to_owned(),
                fields,
                time: last.as_ref().and_then(|last| last.time.clone()),
            },
        );
        let object = match last {
            Some(last) if !last.fields.is_empty() => self.prune(merged, &managers, &last.fields),
            _ => merged,
        };
        self.settle(&mut managers, &live, &object, Some(&own), force)?;
        if let Some(mut owned) = managers.0.remove(&own) {
            owned.fields = owned.fields.difference(&Set::of(&NOBODYS));
            if !same(&live, &object) {
                owned.time = Some(self.now.to_owned());
            }
            if !owned.fields.is_empty() {
                managers.0.insert(own, owned);
            }
        }
        Ok((object, managers))
    }

    /// Takes from the managers (but for the one that writes) what a change takes from them. An apply without force is
    /// refused when that is anything but what went away.
    fn settle(
        &self,
        managers: &mut Managers,
        old: &Value,
        new: &Value,
        own: Option<&Manager>,
        force: bool,
    ) -> Result<Comparison, Refusal> {
        let (mut old, mut new) = (old.clone(), new.clone());
        fill(self.shape, &mut old);
        fill(self.shape, &mut new);
        let changes = Comparison::of(self.shape, &old, &new).without(&self.reset);
        let changed = changes.modified.union(&changes.added);
        // a version that is not served any more owns nothing
        managers.0.retain(|_, owned| owned.version == self.version);
        let mut conflicts = Vec::new();
        for (manager, owned) in managers.0.iter_mut().filter(|(manager, _)| Some(*manager) != own) {
            let lost = owned.fields.intersection(&changed);
            conflicts.extend(lost.paths().into_iter().map(|path| Conflict {
                manager: manager.clone(),
                path,
            }));
            owned.fields = owned.fields.difference(&lost).difference(&changes.removed);
        }
        if !force && !conflicts.is_empty() {
            return Err(Refusal::Conflict(conflicts));
        }
        managers.0.retain(|_, owned| !owned.fields.is_empty());
        Ok(changes)
    }

    /// Removes what the manager applied last time and no longer does, unless others own it.
    fn prune(&self, merged: Value, managers: &Managers, last: &Set) -> Value {
        let shape = self.shape;
        let without = |fields: &Set| remove(shape, &merged, fields).unwrap_or_else(|| json!({}));
        let has = |value: &Value| Set::all(shape, value).with_named(shape);
        let (all, last) = (has(&merged), last.with_named(shape));
        let owned = managers
            .0
            .values()
            .fold(Set::default(), |all, owned| all.union(&owned.fields));
        // what is owned comes back with what is around it …
        let kept = has(&without(&last)).union(&owned.with_named(shape));
        let pruned = without(&all.difference(&kept));
        // … and so does what went along without having been applied
        without(&all.difference(&has(&pruned)).intersection(&last))
    }
}

/// The managers of a stored object.
fn owners(object: &Value) -> Managers {
    Managers::read(&object["metadata"]["managedFields"]).unwrap_or_default()
}

/// An object without its owners.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if object.get("metadata").is_some() {
        metadata(&mut object).remove("managedFields");
    }
    object
}

/// Whether two lists of `managedFields` say the same but for the times.
pub(crate) fn alike(old: &Value, new: &[Value]) -> bool {
    let old = old.as_array().map_or(&[][..], Vec::as_slice);
    let timeless = |entry: &Value| {
        let mut entry = entry.clone();
        entry.as_object_mut().map(|fields| fields.remove("time"));
        entry
    };
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| timeless(old) == timeless(new))
}
