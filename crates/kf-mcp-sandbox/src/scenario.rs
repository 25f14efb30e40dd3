//! Named worlds: what is in the cluster, who may do what, and which faults are switched on.

use jiff::Timestamp;
use serde_json::Value;

use crate::registry::Registry;

/// A world to start from.
#[derive(Debug, Clone, Default)]
pub struct Scenario {
    /// Objects, with times already made absolute.
    pub objects: Vec<Value>,
    /// Requests that are refused, as `verb resource[/subresource][@namespace]` patterns; `*` matches anything.
    pub forbidden: Vec<String>,
    /// The Model Registry.
    pub registry: Registry,
}

/// An unknown scenario, or a bad parameter of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScenarioError(pub String);

/// The names of all scenarios, the default first.
pub fn names() -> &'static [&'static str] {
    &["showcase", "healthy-empty", "no-trainer", "no-rbac", "thousand"]
}

/// Loads a scenario by its name, with parameters after a question mark: `thousand?jobs=10000`.
pub fn load(_name: &str, _now: Timestamp) -> Result<Scenario, ScenarioError> {
    Ok(Scenario::default())
}
