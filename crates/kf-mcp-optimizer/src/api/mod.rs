//! Katib's objects as far as tools read them, decoded leniently: part by part, with a note for a part that makes no sense.

pub(crate) mod experiment;
pub(crate) mod state;
pub(crate) mod trial;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A text that may have been written as a number or a boolean: Katib's own values are strings, people's are not always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(match Value::deserialize(from)? {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        }))
    }
}

impl Word {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as it may be shown.
    pub(crate) fn shown(&self) -> String {
        shown(&self.0)
    }
}

/// A text of an object as it may be shown: cleaned, without what looks like a secret, bounded.
pub(crate) fn shown(text: &str) -> String {
    kf_mcp_core::text::bounded(&kf_mcp_core::redact::secrets(&kf_mcp_core::text::clean(text)), 200)
}

/// A message of an object: like [`shown`], on one line and longer.
pub(crate) fn sentence(text: &str) -> String {
    let safe = kf_mcp_core::redact::secrets(&kf_mcp_core::text::clean(text));
    kf_mcp_core::text::bounded(&safe.split_whitespace().collect::<Vec<_>>().join(" "), 500)
}

/// A number that may have been written as text. What is no finite number is none.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite())
}

/// A count that may be missing (then it is zero: Go leaves zeros out) or written as text.
pub(crate) fn count(value: &Value) -> Option<i64> {
    number(value).map(|number| number as i64)
}

/// One part of an object at a JSON pointer. Missing is empty; a part of another shape is empty too, with a note.
pub(crate) fn part<T: DeserializeOwned + Default>(object: &Value, pointer: &str, notes: &mut Vec<String>) -> T {
    match object.pointer(pointer) {
        None | Some(Value::Null) => T::default(),
        Some(value) => serde_json::from_value(value.clone()).unwrap_or_else(|_| {
            notes.push(format!("{} is not readable", pointer[1..].replace('/', ".")));
            T::default()
        }),
    }
}

/// The items of a list, each on its own, so that one odd item does not hide the others.
pub(crate) fn items<T: DeserializeOwned>(object: &Value, pointer: &str, notes: &mut Vec<String>) -> Vec<T> {
    let values: Vec<Value> = part(object, pointer, notes);
    let all = values.len();
    let read: Vec<T> = values
        .into_iter()
        .filter_map(|v| serde_json::from_value(v).ok())
        .collect();
    if read.len() < all {
        notes.push(format!(
            "{} of {} in {} not readable",
            all - read.len(),
            all,
            pointer[1..].replace('/', ".")
        ));
    }
    read
}

/// A name and a value, as Katib writes parameter assignments and algorithm settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) value: Word,
}

/// What one trial measured of one metric. All are texts, and may be `unavailable` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) min: Word,
    pub(crate) max: Word,
    pub(crate) latest: Word,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_read_from_texts_and_nonsense_is_none() {
        for (value, want) in [
            (json!(3), Some(3.0)),
            (json!(" 0.5 "), Some(0.5)),
            (json!("1e-3"), Some(0.001)),
            (json!("NaN"), None),
            (json!("inf"), None),
            (json!("unavailable"), None),
            (json!(""), None),
            (json!(null), None),
            (json!({}), None),
        ] {
            assert_eq!(number(&value), want, "{value}");
        }
    }

    #[test]
    fn a_part_of_another_shape_is_empty_with_a_note() {
        let object = json!({"spec": {"list": [{"name": "a", "value": 1}, 7], "word": {"a": 1}}});
        let mut notes = Vec::new();
        let pairs: Vec<Pair> = items(&object, "/spec/list", &mut notes);
        assert_eq!((pairs.len(), pairs[0].value.as_str()), (1, "1"));
        assert_eq!(part::<String>(&object, "/spec/word", &mut notes), "");
        assert_eq!(part::<String>(&object, "/spec/none", &mut notes), "");
        assert_eq!(notes, ["1 of 2 in spec.list not readable", "spec.word is not readable"]);
    }
}
