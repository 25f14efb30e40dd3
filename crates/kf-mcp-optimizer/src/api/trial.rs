//! A Katib Trial: one run with one set of parameters.

use kf_mcp_core::kube::{Condition, Meta};
use serde_json::Value;
use serde_json::value::RawValue;

use super::experiment::{Observation, meta};
use super::{Metric, Pair, items, part};

/// A Trial, as far as tools read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trial {
    pub(crate) meta: Meta,
    pub(crate) parameters: Vec<Pair>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) started: Option<jiff::Timestamp>,
    pub(crate) completed: Option<jiff::Timestamp>,
    /// Parts that could not be read.
    pub(crate) notes: Vec<String>,
}

impl Trial {
    /// Reads an object. What is broken is empty and noted.
    pub(crate) fn read(raw: &RawValue) -> Self {
        let object: Value = serde_json::from_str(raw.get()).unwrap_or_default();
        Self::of(&object)
    }

    /// Reads an object that is parsed already.
    pub(crate) fn of(object: &Value) -> Self {
        let mut notes = Vec::new();
        let n = &mut notes;
        Self {
            meta: meta(object, n),
            parameters: items(object, "/spec/parameterAssignments", n),
            conditions: items(object, "/status/conditions", n),
            metrics: part::<Observation>(object, "/status/observation", n).metrics,
            started: part(object, "/status/startTime", n),
            completed: part(object, "/status/completionTime", n),
            notes,
        }
    }
}
