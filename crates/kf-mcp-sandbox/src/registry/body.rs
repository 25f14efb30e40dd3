//! Request bodies, decoded as Go's `encoding/json` with unknown fields refused.

use serde_json::{Map, Value};

use super::Problem;
use super::entity::{Form, Kind};
use super::value;

/// A decoded body: fields by their proper names, custom properties apart (`None` when absent).
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) fields: Map<String, Value>,
    pub(super) properties: Option<Map<String, Value>>,
}

/// Any JSON object, as the artifact union is decoded at first.
pub(super) fn object(raw: &[u8]) -> Result<Map<String, Value>, Problem> {
    let text = String::from_utf8_lossy(raw);
    if text.contains('\0') || text.contains("\\u0000") {
        return Err(Problem::raw("Request body contains null bytes which are not allowed"));
    }
    if text.trim().is_empty() {
        return Err(Problem::raw("EOF"));
    }
    // Only the first value is looked at; what comes after it is ignored, as Go's decoder does.
    match serde_json::Deserializer::from_str(&text).into_iter::<Value>().next() {
        Some(Ok(Value::Object(map))) => Ok(map),
        Some(Ok(Value::Null)) => Ok(Map::new()),
        Some(Ok(other)) => {
            let got = if other.is_array() { "array" } else { "value" };
            Err(Problem::raw(format!("json: cannot unmarshal {got} into Go value")))
        }
        Some(Err(problem)) if problem.is_eof() => Err(Problem::raw("unexpected EOF")),
        _ => Err(Problem::raw("invalid character in request body")),
    }
}

/// The body of a write to an entity of `kind`. `extra` are fields it may bring besides its own; artifact unions are
/// `lenient` and drop unknown fields.
pub(super) fn decode(kind: Kind, given: &Map<String, Value>, extra: &[&str], lenient: bool) -> Result<Body, Problem> {
    let mut body = Body::default();
    for (key, value) in given {
        let known = kind
            .fields()
            .iter()
            .map(|(name, _)| *name)
            .chain(["description", "externalId", "customProperties"])
            .chain(extra.iter().copied())
            .find(|name| name.eq_ignore_ascii_case(key));
        let Some(name) = known else {
            if lenient {
                continue;
            }
            return Err(Problem::raw(format!("json: unknown field {key:?}")));
        };
        if value.is_null() {
            continue;
        }
        if name == "customProperties" {
            body.properties = Some(value::properties(value)?);
        } else {
            check(kind.form(name).unwrap_or(Form::Text), name, value)?;
            body.fields.insert(name.to_owned(), value.clone());
        }
    }
    Ok(body)
}

fn check(form: Form, name: &str, value: &Value) -> Result<(), Problem> {
    let fits = match form {
        Form::Text => value.is_string(),
        Form::List => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        Form::Double => value.is_number(),
        Form::Integer => value.is_i64(),
        Form::Enum(of, values) => {
            let text = value.as_str().unwrap_or_default();
            if value.is_string() && !values.contains(&text) {
                return Err(Problem::raw(format!("{text} is not a valid {of}")));
            }
            value.is_string()
        }
    };
    if fits {
        Ok(())
    } else {
        Err(Problem::raw(format!(
            "json: cannot unmarshal into Go struct field {name}"
        )))
    }
}

/// Required fields that are missing or empty are a 422 that calls itself a bad request.
pub(super) fn require(kind: Kind, body: &Body) -> Result<(), Problem> {
    for field in kind.required() {
        if body
            .fields
            .get(*field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .is_empty()
        {
            let message = format!("required field '{field}' is zero value.");
            return Err(Problem {
                code: 422,
                word: "Bad Request",
                message,
            });
        }
    }
    Ok(())
}
