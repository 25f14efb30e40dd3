//! A Katib Trial: one run with one set of parameters.

use kf_mcp_core::kube::Meta;
use serde_json::Value;
use serde_json::value::RawValue;

use super::experiment::Observation;
use super::state::{State, meta};
use super::{Metric, Pair, items, part};

/// A Trial, as far as tools read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trial {
    pub(crate) meta: Meta,
    pub(crate) parameters: Vec<Pair>,
    pub(crate) state: State,
    pub(crate) metrics: Vec<Metric>,
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
            state: State::of(object, n),
            metrics: part::<Observation>(object, "/status/observation", n).metrics,
            notes,
        }
    }
}
