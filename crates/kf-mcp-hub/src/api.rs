//! The registry's objects as far as tools read them. Missing and odd fields are empty, never an error.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kf_mcp_core::text::{bounded, clean};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A page of a list. `size` is only the length of the page, so it is not read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Page {
    #[serde(deserialize_with = "kf_mcp_core::kube::meta::null_is_empty")]
    items: Vec<Value>,
    #[serde(deserialize_with = "text")]
    next_page_token: String,
}

impl Page {
    /// The items that are objects.
    pub(crate) fn items<T: serde::de::DeserializeOwned>(&self) -> Vec<T> {
        let read = |item: &Value| serde_json::from_value(item.clone()).ok();
        self.items.iter().filter_map(read).collect()
    }

    /// Where the next page begins, none on the last.
    pub(crate) fn next(&self) -> Option<String> {
        Some(self.next_page_token.clone()).filter(|token| !token.is_empty())
    }
}

/// Custom properties as the registry writes them: each value in an object that names its type.
pub(crate) type Properties = BTreeMap<String, Value>;

/// A registered model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Model {
    #[serde(deserialize_with = "text")]
    pub(crate) id: String,
    #[serde(deserialize_with = "text")]
    pub(crate) name: String,
    #[serde(deserialize_with = "text")]
    pub(crate) state: String,
    #[serde(deserialize_with = "text")]
    pub(crate) owner: String,
    #[serde(deserialize_with = "text")]
    pub(crate) description: String,
    #[serde(deserialize_with = "text")]
    pub(crate) readme: String,
    #[serde(deserialize_with = "text")]
    pub(crate) external_id: String,
    #[serde(deserialize_with = "text")]
    pub(crate) maturity: String,
    #[serde(deserialize_with = "text")]
    pub(crate) provider: String,
    #[serde(deserialize_with = "text")]
    pub(crate) license: String,
    #[serde(deserialize_with = "text")]
    pub(crate) library_name: String,
    #[serde(deserialize_with = "texts")]
    pub(crate) language: Vec<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) tasks: Vec<String>,
    #[serde(deserialize_with = "properties")]
    pub(crate) custom_properties: Properties,
    #[serde(deserialize_with = "time")]
    pub(crate) create_time_since_epoch: Option<String>,
    #[serde(deserialize_with = "time")]
    pub(crate) last_update_time_since_epoch: Option<String>,
}

/// A version of a model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Version {
    #[serde(deserialize_with = "text")]
    pub(crate) id: String,
    #[serde(deserialize_with = "text")]
    pub(crate) name: String,
    #[serde(deserialize_with = "text")]
    pub(crate) state: String,
    #[serde(deserialize_with = "text")]
    pub(crate) author: String,
    #[serde(deserialize_with = "text")]
    pub(crate) description: String,
    #[serde(deserialize_with = "properties")]
    pub(crate) custom_properties: Properties,
    #[serde(deserialize_with = "time")]
    pub(crate) create_time_since_epoch: Option<String>,
}

/// The state as it is: the registry's default where it says none.
pub(crate) fn state(state: &str) -> String {
    if state.is_empty() {
        "LIVE".into()
    } else {
        shown(state, 40)
    }
}

/// Untrusted text as it may be shown: cleaned, without what looks like a secret, bounded.
pub(crate) fn shown(text: &str, most: usize) -> String {
    bounded(&kf_mcp_core::redact::secrets(&clean(text)), most)
}

/// A name as it may be shown. It is what the next call needs, so it is cleaned but never redacted.
pub(crate) fn name(name: &str) -> String {
    bounded(&clean(name), 255)
}

/// Untrusted text on one line.
pub(crate) fn line(text: &str, most: usize) -> String {
    shown(&text.split_whitespace().collect::<Vec<_>>().join(" "), most)
}

/// A text, none when it is empty.
pub(crate) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    })
}

fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let Value::Array(items) = Value::deserialize(from)? else {
        return Ok(Vec::new());
    };
    Ok(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn properties<'de, D: Deserializer<'de>>(from: D) -> Result<Properties, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Object(properties) => properties.into_iter().collect(),
        _ => Properties::new(),
    })
}

/// Milliseconds since the epoch, written as text, as RFC 3339.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let millis = match Value::deserialize(from)? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    let at = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    Ok(at.map(kf_mcp_core::text::time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn recorded_answers_are_read() {
        let model: Model = serde_json::from_str(include_str!("../tests/fixtures/model_get.json")).unwrap();
        assert_eq!((&*model.id, &*model.name, &*model.state), ("2", "beta", "ARCHIVED"));
        assert_eq!((model.language.len(), model.custom_properties.len()), (2, 6));
        assert_eq!(model.create_time_since_epoch.as_deref(), Some("2026-01-01T00:00:01Z"));
        let page: Page = serde_json::from_str(include_str!("../tests/fixtures/page_1.json")).unwrap();
        let names: Vec<String> = page.items::<Model>().into_iter().map(|model| model.name).collect();
        assert_eq!(
            (names, page.next().as_deref()),
            (vec!["alpha".into(), "beta".into()], Some("Mjoy"))
        );
        let page: Page = serde_json::from_str(include_str!("../tests/fixtures/versions_of_model.json")).unwrap();
        let versions: Vec<Version> = page.items();
        assert_eq!(
            (&*versions[0].author, &*versions[1].id, page.next()),
            ("ada", "13", None)
        );
        let page: Page = serde_json::from_str(include_str!("../tests/fixtures/page_2.json")).unwrap();
        assert_eq!(page.items::<Model>()[1].name, "модель-🚀");
    }

    #[test]
    fn odd_fields_are_empty() {
        let odd = json!({"id": 7, "name": null, "tasks": "x", "customProperties": null, "createTimeSinceEpoch": "soon", "new": {}});
        let model: Model = serde_json::from_value(odd).unwrap();
        assert_eq!((&*model.id, &*model.name, model.tasks.len()), ("7", "", 0));
        assert_eq!(model.create_time_since_epoch, None);
        assert_eq!(state(""), "LIVE");
        let page: Page = serde_json::from_value(json!({"items": [null, 3, {"id": "1"}]})).unwrap();
        assert_eq!(page.items::<Model>().len(), 1);
    }
}
