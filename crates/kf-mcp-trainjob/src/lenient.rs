//! Reading objects from outside: a missing, null or odd field is empty, never an error.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// `null`, as Go writes empty fields, is the default.
pub(crate) fn null<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// A time, or none when it is not one.
pub(crate) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_str().and_then(|text| text.parse().ok()))
}

/// Quantities by name. Clients write them as text or as numbers; Kubernetes means the same.
pub(crate) fn quantities<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let map = Option::<BTreeMap<String, Value>>::deserialize(from)?.unwrap_or_default();
    Ok(map
        .into_iter()
        .filter_map(|(name, value)| Some((name, quantity(&value)?)))
        .collect())
}

/// A value that older versions write as text and newer ones as a number.
pub(crate) fn int_or_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(quantity(&Value::deserialize(from)?))
}

/// A quantity as text: `1.0` is `1`.
pub(crate) fn quantity(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(match number.as_f64() {
            Some(whole) if whole.fract() == 0.0 && whole.abs() < 9e15 => format!("{whole:.0}"),
            _ => number.to_string(),
        }),
        _ => None,
    }
}

/// The text at a pointer, empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list at a pointer, none when it is no list.
pub(crate) fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The texts of a list at a pointer.
pub(crate) fn texts(value: &Value, pointer: &str) -> Vec<String> {
    items(value, pointer)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_become_the_text_that_kubernetes_writes() {
        for (value, text) in [
            (json!(1.0), "1"),
            (json!(8), "8"),
            (json!(0.5), "0.5"),
            (json!(" 16Gi "), "16Gi"),
        ] {
            assert_eq!(quantity(&value).as_deref(), Some(text));
        }
        assert_eq!(quantity(&json!([1])), None);
    }
}
