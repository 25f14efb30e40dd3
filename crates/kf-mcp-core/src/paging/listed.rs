//! What the tools that list have in common: the `limit` argument, the filters of a cursor, and the page in the answer.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The `limit` argument: how many rows a page has at most, from 1 to 500, 50 when the caller does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limit(usize);

impl Limit {
    /// The number of rows.
    pub fn rows(self) -> usize {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl JsonSchema for Limit {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": 1, "maximum": 500})
    }
}

/// What an answer says about the page of a namespaced list that its rows are. Flattened into the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Listed {
    /// Namespace looked at, or `*`.
    pub namespace: String,
    /// Whether the list goes on after this page.
    pub has_more: bool,
    /// Where it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// How many rows the whole list has, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What could not be read, of a list over several namespaces. Rare, so the listed schema does without it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub not_seen: Vec<String>,
    /// Whether `*` means the namespaces that the policy allows.
    #[serde(skip)]
    pub several: bool,
}

impl Listed {
    /// Whether rows of all namespaces were asked for.
    pub fn everywhere(&self) -> bool {
        self.namespace == "*"
    }

    /// The place in words.
    pub fn place(&self) -> &str {
        match (self.everywhere(), self.several) {
            (true, true) => "the namespaces that the policy allows",
            (true, false) => "all namespaces",
            _ => &self.namespace,
        }
    }
}

/// The filters that were given, in the words that a cursor remembers them by: `status=Failed,runtime=torch`.
pub fn filter_words(filters: &[(&str, Option<&str>)]) -> String {
    let given = filters.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    given
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_filters_that_were_given_have_words() {
        assert_eq!(filter_words(&[("status", None), ("algorithm", None)]), "");
        assert_eq!(
            filter_words(&[("status", Some("Failed")), ("owner", None), ("algorithm", Some("tpe"))]),
            "status=Failed,algorithm=tpe"
        );
    }

    #[test]
    fn a_limit_is_fifty_unless_it_is_given() {
        #[derive(Deserialize)]
        struct Arguments {
            #[serde(default)]
            limit: Limit,
        }
        for (json, rows) in [("{}", 50), (r#"{"limit": 7}"#, 7)] {
            let arguments: Arguments = serde_json::from_str(json).unwrap();
            assert_eq!(arguments.limit.rows(), rows);
        }
    }
}
