//! Custom properties as plain JSON values: numbers as numbers, secrets hidden, everything bounded.

use std::collections::BTreeMap;

use kf_mcp_core::redact::is_secret_name;
use serde_json::{Number, Value, json};

use crate::api::{Properties, line, name};

/// The longest text of a property that is shown.
const LONGEST: usize = 300;

/// Properties by name.
pub(crate) type Plain = BTreeMap<String, Value>;

/// The first properties as plain values, and how many more there are.
pub(crate) fn plain(properties: &Properties, most: usize) -> (Plain, usize) {
    let shown = properties.iter().take(most);
    let plain = shown.map(|(key, typed)| (name(key), value(key, typed))).collect();
    (plain, properties.len().saturating_sub(most))
}

/// `accuracy=0.93 epochs=3`.
pub(crate) fn in_line(properties: &Plain) -> String {
    let word = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let words = properties.iter().map(|(key, value)| match value {
        // The registry's UI uses empty texts as labels.
        Value::String(text) if text.is_empty() => key.clone(),
        value => format!("{key}={}", word(value)),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The value of `{"double_value": 0.93, "metadataType": "MetadataDoubleValue"}`.
fn value(key: &str, typed: &Value) -> Value {
    if is_secret_name(key) {
        return json!("***");
    }
    let field = |name: &str| typed.get(name).filter(|value| !value.is_null());
    if let Some(value) = field("bool_value") {
        return value.as_bool().map_or_else(|| text(value), Value::Bool);
    }
    if let Some(value) = field("int_value") {
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        return number.map_or_else(|| text(value), Value::from);
    }
    if let Some(value) = field("double_value") {
        let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        return number
            .and_then(Number::from_f64)
            .map_or_else(|| text(value), Value::Number);
    }
    let rest = field("string_value")
        .or_else(|| field("struct_value"))
        .or_else(|| field("proto_value"));
    rest.map_or_else(|| json!(""), text)
}

/// Anything else as safe text: a struct keeps its JSON as text, so that a value is never an unbounded tree.
fn text(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(line(text, LONGEST)),
        other => Value::String(line(&other.to_string(), LONGEST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Model;

    #[test]
    fn recorded_properties_become_plain_values() {
        let model: Model = serde_json::from_str(include_str!("../tests/fixtures/model_get.json")).unwrap();
        let (plain, more) = plain(&model.custom_properties, 50);
        assert_eq!(
            json!(plain),
            json!({"a/b-c": "odd key", "accuracy": 0.93, "epochs": 3, "label": "", "lora": true, "stage": "production"})
        );
        assert_eq!(more, 0);
        assert_eq!(
            in_line(&plain),
            "a/b-c=odd key accuracy=0.93 epochs=3 label lora=true stage=production"
        );
        assert_eq!(super::plain(&model.custom_properties, 2).1, 4);
    }

    #[test]
    fn odd_and_secret_properties_are_safe() {
        for (key, typed, want) in [
            (
                "k",
                json!({"int_value": "99999999999999999999"}),
                json!("99999999999999999999"),
            ),
            ("k", json!({"double_value": "0.5"}), json!(0.5)),
            ("k", json!({"struct_value": "{\"a\": 1}"}), json!("{\"a\": 1}")),
            (
                "k",
                json!({"string_value": "two\nlines hf_abcdefghijklmnopqrstuvwx"}),
                json!("two lines ***"),
            ),
            ("k", json!(null), json!("")),
            ("hf_token", json!({"string_value": "x"}), json!("***")),
            ("api_key", json!({"int_value": "3"}), json!("***")),
        ] {
            assert_eq!(value(key, &typed), want, "{key} {typed}");
        }
    }
}
