//! Namespaces that are being deleted: they go when nothing is left in them.

use jiff::Timestamp;

use super::Action;
use super::objects::kind;
use crate::kinds::KINDS;
use crate::store::{Store, text};

/// Removes namespaces that are empty at last.
pub fn step(store: &Store, _now: Timestamp) -> Vec<Action> {
    let namespaces = kind("Namespace");
    store
        .list(namespaces, None)
        .filter(|namespace| namespace["metadata"].get("deletionTimestamp").is_some())
        .map(|namespace| text(namespace, "/metadata/name"))
        .filter(|name| {
            let mut kinds = KINDS.iter().filter(|kind| kind.namespaced);
            kinds.all(|kind| store.list(kind, Some(name)).next().is_none())
        })
        .map(|name| Action::Delete(namespaces, String::new(), name))
        .collect()
}
