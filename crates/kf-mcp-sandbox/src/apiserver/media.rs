//! The content of request bodies: JSON and YAML, with what a strict reader complains about.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::options::DuplicateKeyPolicy;

use super::errors::unsupported_media_type;
use super::syntax;
use crate::status::Status;

/// A body, read. Of what is there twice, the last counts.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Null for a body of YAML with nothing in it.
    pub(crate) value: Value,
    /// What is there twice, in the words of the real server's reader.
    pub(crate) twice: Vec<String>,
}

/// Whether a body is YAML rather than JSON by its content type; 415 when it is neither.
pub(crate) fn is_yaml(content_type: &str) -> Result<bool, Status> {
    match content_type {
        "" | "application/json" => Ok(false),
        "application/yaml" => Ok(true),
        _ => Err(unsupported_media_type(
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )),
    }
}

/// Reads JSON. The error is the reader's.
pub(crate) fn json(body: &[u8]) -> Result<Read, String> {
    let twice = RefCell::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let place = Place {
        path: String::new(),
        twice: &twice,
    };
    let value = place
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    let value = value.map_err(|error| match error.is_eof() {
        true => "unexpected end of JSON input".to_owned(),
        false => syntax::complaint(body).unwrap_or_else(|| error.to_string()),
    })?;
    Ok(Read {
        value,
        twice: twice.into_inner(),
    })
}

/// Reads the first document of YAML 1.1 (JSON is YAML too). The error is the reader's.
pub(crate) fn yaml(body: &[u8]) -> Result<Read, String> {
    if body.trim_ascii_start().starts_with(b"{")
        && let Ok(read) = json(body)
        && read.twice.is_empty()
    {
        return Ok(read);
    }
    let mut twice = Vec::new();
    let value = match first(body, DuplicateKeyPolicy::Error) {
        Err(error) => match error.without_snippet() {
            serde_saphyr::Error::DuplicateMappingKey { key, location } => {
                let key = key.as_deref().unwrap_or_default();
                twice.push(format!("line {}: key \"{key}\" already set in map", location.line()));
                first(body, DuplicateKeyPolicy::LastWins)
            }
            _ => Err(error),
        },
        read => read,
    };
    let mut value = value.map_err(|error| said(&error))?;
    whole(&mut value);
    Ok(Read { value, twice })
}

/// An error as Go's reader says it: the line comes first, unless it is the first.
fn said(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match error.location().map(|location| location.line()) {
        Some(line) if line > 1 => format!("yaml: line {line}: {text}"),
        _ => format!("yaml: {text}"),
    }
}

/// What a reader of YAML says that does not accept keys that are there twice.
pub(crate) fn refused(twice: &[String]) -> String {
    format!("yaml: unmarshal errors:\n  {}", twice.join("\n  "))
}

fn first(mut body: &[u8], duplicate_keys: DuplicateKeyPolicy) -> Result<Value, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        duplicate_keys: duplicate_keys,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    let mut documents = serde_saphyr::read_with_options(&mut body, options);
    documents.next().unwrap_or(Ok(Value::Null))
}

/// Writes numbers without a fraction as JSON does after Go's detour through it: `1e3` is 1000.
fn whole(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            // beyond this, not every whole number is a float
            if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "nothing is lost of a whole number this small"
                )]
                let exact = float as i64;
                *number = Number::from(exact);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole),
        Value::Object(fields) => fields.values_mut().for_each(whole),
        _ => {}
    }
}

/// A place in a JSON document, which knows its path.
struct Place<'a> {
    path: String,
    twice: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        loop {
            let place = Place {
                path: format!("{}[{}]", self.path, all.len()),
                twice: self.twice,
            };
            match items.next_element_seed(place)? {
                Some(item) => all.push(item),
                None => return Ok(Value::Array(all)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let path = if self.path.is_empty() {
                name.clone()
            } else {
                format!("{}.{name}", self.path)
            };
            if all.contains_key(&name) {
                self.twice.borrow_mut().push(format!("duplicate field \"{path}\""));
            }
            let place = Place {
                path,
                twice: self.twice,
            };
            let value = fields.next_value_seed(place)?;
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_is_read_as_yaml_1_1() {
        let text = "# hi\na: 0x10\nb: yes\nc: 2020-01-01\nd: ~\ne: 1e3\nf: on\ng: 010\nh: '1'\n---\nz: 1\n";
        let read = yaml(text.as_bytes()).unwrap();
        let expected =
            json!({"a": 16, "b": true, "c": "2020-01-01", "d": null, "e": 1000, "f": true, "g": 8, "h": "1"});
        assert_eq!(read.value, expected);
        assert_eq!(yaml(b"").unwrap().value, Value::Null);
        assert!(yaml(b"a: b: c").unwrap_err().starts_with("yaml: "));
    }

    #[test]
    fn what_is_there_twice_is_told() {
        let read = json(br#"{"a": {"b": 1, "b": 2}, "c": [{"d": 1, "d": 1}], "a": {"b": 3}}"#).unwrap();
        assert_eq!(read.value, json!({"a": {"b": 3}, "c": [{"d": 1}]}));
        assert_eq!(
            read.twice,
            [
                "duplicate field \"a.b\"",
                "duplicate field \"c[0].d\"",
                "duplicate field \"a\""
            ]
        );
        let read = yaml(b"a: 1\nb: 2\na: 3\n").unwrap();
        assert_eq!(read.value, json!({"a": 3, "b": 2}));
        assert_eq!(read.twice, ["line 3: key \"a\" already set in map"]);
    }
}
