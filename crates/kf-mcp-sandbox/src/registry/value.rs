//! Values as the real server treats them: SQL LIKE, Go's error texts, custom properties.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Problem;

/// SQL LIKE without regard to case, backslash escaping.
pub(super) fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut tokens = Vec::new();
    let lower = pattern.to_lowercase();
    let mut chars = lower.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '%' => Token::Many,
            '_' => Token::One,
            '\\' => Token::Exact(chars.next().unwrap_or('\\')),
            other => Token::Exact(other),
        });
    }
    matches(&text, &tokens)
}

enum Token {
    Many,
    One,
    Exact(char),
}

/// Matches row by row, so that patterns with many `%` stay cheap.
fn matches(text: &[char], tokens: &[Token]) -> bool {
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for token in tokens {
        let mut next = vec![false; text.len() + 1];
        match token {
            Token::Many => {
                let mut seen = false;
                for (at, slot) in next.iter_mut().enumerate() {
                    seen |= row[at];
                    *slot = seen;
                }
            }
            Token::One | Token::Exact(_) => {
                for at in 0..text.len() {
                    let fits = match token {
                        Token::Exact(c) => text[at] == *c,
                        _ => true,
                    };
                    next[at + 1] = row[at] && fits;
                }
            }
        }
        row = next;
    }
    row[text.len()]
}

/// `strconv.ParseInt`'s words for what is no 32-bit number.
pub(super) fn go_number_error(text: &str) -> String {
    let why = if text.parse::<i128>().is_ok() {
        "value out of range"
    } else {
        "invalid syntax"
    };
    format!("strconv.ParseInt: parsing {text:?}: {why}")
}

/// Where Go's base64 decoder stops: the first illegal character, or the incomplete last group.
fn base64_error(text: &str) -> usize {
    text.bytes()
        .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')))
        .unwrap_or(text.len() / 4 * 4)
}

/// Base64 with Go's error text.
pub(super) fn decode(text: &str) -> Result<String, String> {
    STANDARD
        .decode(text)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .map_err(|_| format!("illegal base64 data at input byte {}", base64_error(text)))
}

/// The token of the next page.
pub(super) fn encode(text: &str) -> String {
    STANDARD.encode(text)
}

const KINDS: [(&str, &str); 5] = [
    ("MetadataStringValue", "string_value"),
    ("MetadataIntValue", "int_value"),
    ("MetadataDoubleValue", "double_value"),
    ("MetadataBoolValue", "bool_value"),
    ("MetadataStructValue", "struct_value"),
];

/// Checks custom properties and brings them into the stored form.
pub(super) fn properties(given: &Value) -> Result<Map<String, Value>, Problem> {
    let mut out = Map::new();
    for (key, value) in given.as_object().into_iter().flatten() {
        out.insert(key.clone(), property(key, value)?);
    }
    Ok(out)
}

fn property(key: &str, given: &Value) -> Result<Value, Problem> {
    let setting = |why: String| Problem::bad(format!("error setting field CustomProperties: bad request: {why}"));
    let name = given["metadataType"].as_str().unwrap_or_default();
    let Some((kind, field)) = KINDS.iter().find(|(kind, _)| *kind == name) else {
        return Err(setting(format!(
            "metadataType not found for {key}: {{<nil> <nil> <nil> 0x1 <nil> <nil>}}"
        )));
    };
    let value = &given[*field];
    let wrong = |wanted: &str| {
        let got = match value {
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            Value::Array(_) => "array",
            _ => "object",
        };
        Problem::raw(format!(
            "failed to unmarshal MetadataValue as {kind}: json: cannot unmarshal {got} into Go struct field \
             {kind}.{field} of type {wanted}"
        ))
    };
    let stored = match *field {
        "double_value" => value.as_f64().map(|_| value.clone()).ok_or_else(|| wrong("float64"))?,
        "bool_value" => value.as_bool().map(Value::Bool).ok_or_else(|| wrong("bool"))?,
        _ => {
            let text = value.as_str().ok_or_else(|| wrong("string"))?;
            match *field {
                "int_value" => {
                    if text.parse::<i32>().is_err() {
                        let why = go_number_error(text);
                        return Err(setting(format!(
                            "unable to decode as int64 invalid numeric string: {why} for key {key}"
                        )));
                    }
                    value.clone()
                }
                "struct_value" => {
                    json!(decode(text).map_err(|why| setting(format!("unable to decode {why} for key {key}")))?)
                }
                _ => value.clone(),
            }
        }
    };
    Ok(json!({"metadataType": kind, *field: stored}))
}
