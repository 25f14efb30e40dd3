//! What a webhook that is written in Go says of an object that its types cannot hold.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;

use super::{Struct, Type};
use crate::controllers::quantity;
pub(in crate::admission) use crate::fields::json_type as kind;

/// How a moment is written, as Go's `time` package says it.
const LAYOUT: &str = "2006-01-02T15:04:05Z07:00";

/// What a decoder says of the first field that it cannot decode. Mismatches are told at the end; what a type decodes by
/// itself, such as a quantity, is told at once.
pub(in crate::admission) fn complaint(shape: &'static Struct, object: &Value) -> Option<String> {
    let mut decoder = Decoder {
        path: Vec::new(),
        inside: Vec::new(),
        first: None,
    };
    let stopped = decoder.fields(shape, object).err();
    stopped.or(decoder.first)
}

struct Decoder {
    path: Vec<&'static str>,
    /// The structs around the field that is decoded.
    inside: Vec<&'static str>,
    first: Option<String>,
}

impl Decoder {
    fn fields(&mut self, shape: &'static Struct, object: &Value) -> Result<(), String> {
        self.inside.push(shape.name);
        for (name, value) in object.as_object().into_iter().flatten() {
            if let Some(field) = shape.field(name) {
                self.path.push(field.name);
                self.value(&field.of, value)?;
                self.path.pop();
            }
        }
        self.inside.pop();
        Ok(())
    }

    fn value(&mut self, of: &'static Type, value: &Value) -> Result<(), String> {
        match (of, value) {
            (_, Value::Null)
            | (Type::Text(..) | Type::Enum(_) | Type::Named(_), Value::String(_))
            | (Type::Flag, Value::Bool(_)) => {}
            (Type::Int(32, ..), Value::Number(n)) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {}
            (Type::Int(64, ..), Value::Number(n)) if n.is_i64() => {}
            (Type::Int(..), Value::Number(n)) => self.mismatch(&format!("number {n}"), &of.go()),
            (Type::Time, Value::String(text)) => {
                if text.parse::<Timestamp>().is_err() {
                    return Err(format!(
                        "parsing time \"{text}\" as \"{LAYOUT}\": cannot parse \"{text}\" as \"2006\""
                    ));
                }
            }
            (Type::Texts, Value::Object(fields)) => {
                for value in fields.values().filter(|value| !value.is_string() && !value.is_null()) {
                    self.mismatch(kind(value), "string");
                }
            }
            (Type::Bytes, Value::Object(fields)) => {
                for value in fields.values().filter(|value| !value.is_null()) {
                    match value.as_str() {
                        Some(text) => bytes(text)?,
                        None => self.mismatch(kind(value), "[]uint8"),
                    }
                }
            }
            (Type::Quantities, Value::Object(fields)) => {
                if fields
                    .values()
                    .any(|value| quantity::milli(value).is_none() && !value.is_null())
                {
                    return Err(quantity_error());
                }
            }
            (Type::List(list), Value::Array(items)) => {
                for item in items {
                    self.value(&list.of, item)?;
                }
            }
            (Type::Struct(shape), Value::Object(_)) => self.fields(shape, value)?,
            (Type::Other(_), Value::Object(_) | Value::Array(_)) => {}
            _ => self.mismatch(kind(value), &of.go()),
        }
        Ok(())
    }

    fn mismatch(&mut self, found: &str, wanted: &str) {
        if self.first.is_none() {
            let inside = self.inside.last().copied().unwrap_or_default();
            let path = self.path.join(".");
            self.first = Some(format!(
                "json: cannot unmarshal {found} into Go struct field {inside}.{path} of type {wanted}"
            ));
        }
    }
}

/// Where Go's decoder of base64 stops.
fn bytes(text: &str) -> Result<(), String> {
    if STANDARD.decode(text).is_ok() {
        return Ok(());
    }
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let at = text.find(|c| !fine(c)).unwrap_or(text.len() / 4 * 4);
    Err(format!("illegal base64 data at input byte {at}"))
}

/// What Go says of a quantity that is none.
fn quantity_error() -> String {
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'".to_owned()
}
