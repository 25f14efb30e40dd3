//! [`Secret`]: a token among a tool's arguments.

use std::borrow::Cow;

use kf_mcp_core::redact::Redacted;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// A token in clear text, which nothing shows: its `Debug` is `***`, and it cannot be serialized.
#[derive(Debug, Clone)]
pub(crate) struct Secret(Redacted<String>);

impl Secret {
    /// The token, for the one place that has to send it; none when it is empty.
    pub(crate) fn expose(&self) -> Option<&str> {
        Some(self.0.expose().as_str()).filter(|token| !token.is_empty())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|token| Self(Redacted::new(token)))
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string"})
    }
}
