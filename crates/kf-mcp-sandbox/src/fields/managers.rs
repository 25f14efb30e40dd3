//! `metadata.managedFields`: who owns what, as it is written.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::set::Set;
use crate::store::text;

/// More managers with the operation `Update` than these are joined, the oldest first.
const UPDATERS: usize = 10;

/// Who writes, and how. Two writes by the same are one entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manager {
    pub(crate) name: String,
    /// Whether it updates rather than applies.
    updates: bool,
    /// The apiVersion it wrote in. Appliers are the same whatever the version, so theirs is empty here.
    version: String,
    /// `status`, or empty.
    pub(crate) subresource: String,
}

impl Manager {
    /// A manager; an empty name is nobody's.
    pub(crate) fn new(name: &str, applies: bool, version: &str, subresource: &str) -> Self {
        Self {
            name: if name.is_empty() { "unknown" } else { name }.to_owned(),
            updates: !applies,
            version: if applies { "" } else { version }.to_owned(),
            subresource: subresource.to_owned(),
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {:?}", self.subresource)?;
        }
        if self.updates {
            write!(f, " using {}", self.version)
        } else {
            Ok(())
        }
    }
}

/// What a manager owns.
#[derive(Debug, Clone, Default)]
pub(super) struct Owned {
    pub(super) version: String,
    pub(super) fields: Set,
    /// When it last wrote; not there when what it wrote was there already.
    pub(super) time: Option<String>,
}

/// All managers of an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Managers(pub(super) BTreeMap<Manager, Owned>);

impl Managers {
    /// Reads `managedFields`; none when there is an entry that cannot be read.
    pub(super) fn read(entries: &Value) -> Option<Self> {
        let mut all = BTreeMap::new();
        for entry in entries.as_array().into_iter().flatten() {
            let applies = match entry["operation"].as_str() {
                Some("Apply") => true,
                Some("Update") => false,
                _ => return None,
            };
            let version = text(entry, "/apiVersion");
            if version.is_empty() || !matches!(entry["fieldsType"].as_str(), Some("FieldsV1")) {
                return None;
            }
            let (name, subresource) = (text(entry, "/manager"), text(entry, "/subresource"));
            let manager = Manager {
                name,
                ..Manager::new("", applies, &version, &subresource)
            };
            let owned = Owned {
                version,
                fields: Set::read(&entry["fieldsV1"]),
                time: entry["time"].as_str().map(str::to_owned),
            };
            all.insert(manager, owned);
        }
        Some(Self(all))
    }

    /// Whether `managedFields` of a request ask to forget all owners.
    pub(super) fn reset(entries: &Value) -> bool {
        match entries.as_array().map(Vec::as_slice) {
            Some([]) => true,
            Some([one]) => one.as_object().is_some_and(serde_json::Map::is_empty),
            _ => false,
        }
    }

    /// `managedFields`: appliers first, then by time and name.
    pub(super) fn write(&self) -> Vec<Value> {
        let mut all: Vec<(&Manager, &Owned)> = self.0.iter().collect();
        all.sort_by_key(|(manager, owned)| {
            let order = (manager.updates, owned.time.clone().unwrap_or_default());
            (order, &manager.name, &owned.version, &manager.subresource)
        });
        let entry = |(manager, owned): (&Manager, &Owned)| {
            let mut entry = json!({
                "manager": manager.name,
                "operation": if manager.updates { "Update" } else { "Apply" },
                "apiVersion": owned.version,
                "fieldsType": "FieldsV1",
                "fieldsV1": owned.fields.write(),
            });
            for (field, value) in [
                ("time", owned.time.as_deref()),
                ("subresource", Some(manager.subresource.as_str())),
            ] {
                if let Some(value) = value.filter(|value| !value.is_empty()) {
                    entry[field] = json!(value);
                }
            }
            entry
        };
        all.into_iter().map(entry).collect()
    }

    /// Joins the oldest updaters when there are too many.
    pub(super) fn cap(&mut self) {
        let mut updaters: Vec<(Option<String>, Manager)> = self
            .0
            .iter()
            .filter(|(manager, _)| manager.updates)
            .map(|(manager, owned)| (owned.time.clone(), manager.clone()))
            .collect();
        updaters.sort();
        let mut over = updaters.len().saturating_sub(UPDATERS);
        let mut first: BTreeMap<String, Manager> = BTreeMap::new();
        for (time, manager) in updaters {
            if over == 0 {
                return;
            }
            let version = manager.version.clone();
            let bucket = Manager::new("ancient-changes", false, &version, "");
            let Some(oldest) = first.get(&version) else {
                first.insert(version, manager);
                continue;
            };
            if !self.0.contains_key(&bucket)
                && let Some(owned) = self.0.remove(oldest)
            {
                self.0.insert(bucket.clone(), owned);
            }
            if let Some(owned) = self.0.remove(&manager)
                && let Some(joined) = self.0.get_mut(&bucket)
            {
                joined.fields = joined.fields.union(&owned.fields);
                joined.time = time;
            }
            over -= 1;
        }
    }
}
