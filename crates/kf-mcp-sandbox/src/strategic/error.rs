//! Why a strategic merge patch cannot be applied.

use serde_json::{Map, Value};

use crate::fields::plain;

/// Why a strategic merge patch cannot be applied, in the words of the real server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unpatchable {
    #[error("invalid JSON document")]
    BadDocument,
    #[error("lists of lists are not supported")]
    ListOfLists,
    #[error("invalid patch format of primitive list")]
    PrimitiveList,
    #[error("invalid patch format of retainKeys")]
    RetainKeys,
    #[error("invalid patch format of setElementOrder list")]
    ElementOrder,
    /// What the real server answers with a bare 500.
    #[error("{0}")]
    Other(String),
}

impl Unpatchable {
    pub(super) fn directive(what: &Value, patch: &Map<String, Value>) -> Self {
        let patch = plain(&Value::Object(patch.clone()));
        Self::Other(format!("unknown patch type: {} in map: {patch}", plain(what)))
    }

    pub(super) fn no_key(element: &Value, key: &str) -> Self {
        Self::Other(format!(
            "map: {} does not contain declared merge key: {key}",
            plain(element)
        ))
    }

    pub(super) fn unknown(field: &str) -> Self {
        Self::Other(format!(
            "unable to find api field in struct for the json field \"{field}\""
        ))
    }
}
