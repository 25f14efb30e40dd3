//! What experiments and trials have alike: their metadata, and how far they are.

use jiff::Timestamp;
use kf_mcp_core::kube::{Condition, Meta};
use serde_json::Value;

use super::{items, part};

/// How far an object is: Katib's conditions, when it began and when it ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) completed: Option<Timestamp>,
}

impl State {
    /// Reads the `status` of an object.
    pub(super) fn of(object: &Value, notes: &mut Vec<String>) -> Self {
        Self {
            conditions: items(object, "/status/conditions", notes),
            started: part(object, "/status/startTime", notes),
            completed: part(object, "/status/completionTime", notes),
        }
    }

    /// The condition of a type, if it holds.
    pub(crate) fn holds(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.kind == kind && c.is_true())
    }
}

/// The metadata. A broken label does not hide the name.
pub(super) fn meta(object: &Value, notes: &mut Vec<String>) -> Meta {
    let mut meta: Meta = part(object, "/metadata", notes);
    if meta.name.is_empty() {
        let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
        (meta.name, meta.namespace) = (text("name"), text("namespace"));
    }
    meta
}
