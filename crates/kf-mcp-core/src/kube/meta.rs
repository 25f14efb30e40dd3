//! The parts of Kubernetes objects that every tool reads, decoded leniently: a missing field is empty, never an error.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `metadata`, as far as tools read it.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Object name.
    pub name: String,
    /// Namespace, empty for cluster-scoped objects.
    pub namespace: String,
    /// Unique id.
    pub uid: String,
    /// Version, for watches.
    pub resource_version: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// RFC 3339.
    pub creation_timestamp: Option<jiff::Timestamp>,
    /// RFC 3339; set while the object is being deleted.
    pub deletion_timestamp: Option<jiff::Timestamp>,
    /// Labels.
    #[serde(deserialize_with = "null_is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Who owns the object.
    pub owner_references: Vec<Owner>,
}

/// One owner reference.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Owner {
    /// Kind of the owner.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// `metav1.Condition`, and the older condition shapes of batch Jobs and Katib.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What it is about, for example `Complete`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// When it last changed.
    pub last_transition_time: Option<jiff::Timestamp>,
}

impl Condition {
    /// Whether the condition holds.
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }
}

/// Fields that Go writes as `null` when they are empty.
pub fn null_is_empty<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}
