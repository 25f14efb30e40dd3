//! Arguments before a tool sees them: nulls dropped, obvious spellings of a type accepted, everything that is wrong said
//! at once.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use regex::Regex;
use serde_json::{Map, Value};

use crate::error::{ErrorCode, ToolError};
use crate::names::nearest;
use crate::{redact, text};

/// The largest arguments that are looked at: scripts and manifests fit, nonsense does not.
pub const MAX_BYTES: usize = 2 << 20;

/// The keyword of an object in which null is a value like others: `#[schemars(extend("x-nulls" = true))]`. Elsewhere what is null
/// is taken for not given.
pub const NULLS: &str = "x-nulls";

/// Checks arguments against a tool's input schema and returns them ready to parse, or one error with every problem.
///
/// Models write `"5"` for 5 and JSON text for objects; where the schema leaves no doubt these are accepted.
pub fn prepare(
    tool: &str,
    schema: &Map<String, Value>,
    given: Map<String, Value>,
) -> Result<Map<String, Value>, ToolError> {
    let mut problems = Vec::new();
    let prepared = object("", schema, given, &mut problems);
    if problems.is_empty() {
        return Ok(prepared);
    }
    let first = problems[0].field.clone();
    let told: Vec<String> = problems
        .iter()
        .take(20)
        .map(|p| format!("`{}` {}", p.field, p.why))
        .collect();
    let mut error = ToolError::new(
        ErrorCode::InvalidArgument,
        format!("call of {tool}"),
        format!("{}.", told.join("; ")),
    );
    error.field = Some(first);
    // Who named an argument that is none, or left one out, is told which there are.
    let by_name = |problem: &Problem| problem.why == REQUIRED || problem.why.starts_with(UNKNOWN);
    let fix = if problems.iter().any(by_name) {
        usage(schema)
    } else {
        "correct what is named and call again".to_owned()
    };
    Err(error.fix(fix))
}

/// What is said of a name that no argument has.
const UNKNOWN: &str = "is not an argument";
/// What is said of an argument that must be there.
const REQUIRED: &str = "is required";

struct Problem {
    field: String,
    why: String,
}

fn object(
    path: &str,
    schema: &Map<String, Value>,
    given: Map<String, Value>,
    problems: &mut Vec<Problem>,
) -> Map<String, Value> {
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let free = schema.get("additionalProperties") != Some(&Value::Bool(false));
    let inner = schema.get("additionalProperties").and_then(Value::as_object);
    let mut out = Map::new();
    for (name, value) in given {
        // Clients send null for what is not given, and so do Kubernetes' objects.
        if value.is_null() && schema.get(NULLS) != Some(&Value::Bool(true)) {
            continue;
        }
        let field = join(path, &name);
        match properties.get(&name).and_then(Value::as_object).or(inner) {
            Some(property) => {
                let value = check(&field, property, value, problems);
                out.insert(name, value);
            }
            None if free => {
                out.insert(name, value);
            }
            None => {
                let known = properties.keys().map(String::as_str);
                let why = match nearest(&name, known) {
                    Some(near) => format!("{UNKNOWN}; did you mean `{near}`?"),
                    None => UNKNOWN.to_owned(),
                };
                problems.push(Problem { field, why });
            }
        }
    }
    for name in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !out.contains_key(name) && !problems.iter().any(|p| p.field == join(path, name)) {
            problems.push(Problem {
                field: join(path, name),
                why: REQUIRED.into(),
            });
        }
    }
    out
}

/// A field of an argument, for errors.
pub(crate) fn join(path: &str, name: &str) -> String {
    let name = text::bounded(&text::clean(name), 80);
    if path.is_empty() {
        name
    } else {
        format!("{path}.{name}")
    }
}

fn check(field: &str, schema: &Map<String, Value>, value: Value, problems: &mut Vec<Problem>) -> Value {
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or("object");
    let value = match coerce(kind, value) {
        Ok(value) => value,
        Err(value) => {
            problems.push(Problem {
                field: field.into(),
                why: format!("must be {}, not {}", a(kind), shown(field, &value)),
            });
            return value;
        }
    };
    let value = as_listed(schema, value);
    let mut wrong = |why: String| {
        problems.push(Problem {
            field: field.into(),
            why,
        })
    };
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(&value)
    {
        let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        let near = value.as_str().and_then(|v| nearest(v, names.iter().copied()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        wrong(format!(
            "must be one of {}, not {}{hint}",
            names.join(", "),
            shown(field, &value)
        ));
    }
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(number) = value.as_f64() {
        if let Some(least) = bound("minimum").filter(|least| number < *least) {
            wrong(format!("must be at least {least}, not {number}"));
        }
        if let Some(most) = bound("maximum").filter(|most| number > *most) {
            wrong(format!("must be at most {most}, not {number}"));
        }
    }
    if let Some(string) = value.as_str() {
        let length = string.chars().count() as f64;
        if let Some(most) = bound("maxLength").filter(|most| length > *most) {
            wrong(format!("has {length} characters, at most {most} are possible"));
        } else if let Some(least) = bound("minLength").filter(|least| length < *least) {
            wrong(format!("must have at least {least} characters"));
        } else if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
            && !matches(pattern, string)
        {
            wrong(format!("is {}, which does not match {pattern}", shown(field, &value)));
        }
    }
    match value {
        Value::Object(map) => Value::Object(object(field, schema, map, problems)),
        Value::Array(items) => {
            if let Some(most) = bound("maxItems").filter(|most| items.len() as f64 > *most) {
                problems.push(Problem {
                    field: field.into(),
                    why: format!("has {} items, at most {most} are possible", items.len()),
                });
            }
            let Some(inner) = schema.get("items").and_then(Value::as_object) else {
                return Value::Array(items);
            };
            let each = items.into_iter().enumerate();
            Value::Array(
                each.map(|(at, item)| check(&format!("{field}[{at}]"), inner, item, problems))
                    .collect(),
            )
        }
        value => value,
    }
}

/// A word of a list as the list writes it: `LoRA` is `lora`.
fn as_listed(schema: &Map<String, Value>, value: Value) -> Value {
    let words = schema.get("enum").and_then(Value::as_array);
    let (Some(words), Some(given)) = (words, value.as_str()) else {
        return value;
    };
    let mut alike = words.iter().filter(|word| {
        word.as_str()
            .is_some_and(|word| word.eq_ignore_ascii_case(given.trim()))
    });
    match (alike.next(), alike.next()) {
        (Some(word), None) => word.clone(),
        _ => value,
    }
}

/// The value as the wanted type, where its spelling leaves no doubt; else the value back.
fn coerce(kind: &str, value: Value) -> Result<Value, Value> {
    let fits = match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    if fits {
        return Ok(value);
    }
    match (kind, &value) {
        ("integer", Value::Number(n)) => match n.as_f64() {
            Some(whole) if whole.fract() == 0.0 && whole.abs() < 9e15 => Ok(Value::from(whole as i64)),
            _ => Err(value),
        },
        ("integer", Value::String(s)) => s.trim().parse::<i64>().map(Value::from).map_err(|_| value),
        ("number", Value::String(s)) => s
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite())
            .map(Value::from)
            .ok_or(value),
        ("boolean", Value::String(s)) => match s.trim() {
            "true" | "True" => Ok(Value::Bool(true)),
            "false" | "False" => Ok(Value::Bool(false)),
            _ => Err(value),
        },
        ("array" | "object", Value::String(s)) if s.trim_start().starts_with(['[', '{']) => {
            match serde_json::from_str(s) {
                Ok(parsed) => coerce(kind, parsed).map_err(|_| value),
                Err(_) => Err(value),
            }
        }
        ("array", Value::String(_)) => Ok(Value::Array(vec![value])),
        ("string", Value::Number(n)) => Ok(Value::String(n.to_string())),
        _ => Err(value),
    }
}

fn a(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        _ => "an object",
    }
}

/// A wrong value, so that the caller knows it again; never one that may be a secret.
fn shown(field: &str, value: &Value) -> String {
    match value {
        _ if redact::is_secret_name(field) => "what was given".to_owned(),
        Value::String(s) => format!("`{}`", text::bounded(&text::clean(s), 80)),
        // What is in it may have any name.
        Value::Array(_) => a("array").to_owned(),
        Value::Object(_) => a("object").to_owned(),
        other => other.to_string(),
    }
}

/// Which arguments there are, for the fix line of an error.
fn usage(schema: &Map<String, Value>) -> String {
    let names: Vec<&str> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(n, _)| n.as_str())
        .collect();
    if names.is_empty() {
        "this tool takes no arguments".into()
    } else {
        format!("arguments are {}", names.join(", "))
    }
}

/// Patterns come from our own schemas, so there are few of them: compiled once each.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let regex = compiled
        .entry(pattern.to_owned())
        .or_insert_with(|| Regex::new(pattern).ok());
    regex.as_ref().is_none_or(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Map<String, Value> {
        let schema = json!({"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
            "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
            "limit": {"type": "integer", "minimum": 1, "maximum": 500},
            "follow": {"type": "boolean"},
            "status": {"type": "string", "enum": ["Running", "Failed"]},
            "env": {"type": "object", "additionalProperties": {"type": "string"}},
            "args": {"type": "array", "items": {"type": "string"}},
        }});
        schema.as_object().unwrap().clone()
    }

    fn prepared(given: Value) -> Result<Value, String> {
        let given = given.as_object().unwrap().clone();
        prepare("list_training_jobs", &schema(), given)
            .map(Value::Object)
            .map_err(|e| e.answered)
    }

    #[test]
    fn a_wrong_value_that_may_be_a_secret_is_not_repeated() {
        let schema = json!({"type": "object", "properties": {
            "hf_token": {"type": "string"},
            "env": {"type": "object", "additionalProperties": {"type": "string"}},
        }});
        let given = json!({"hf_token": ["hunter2"], "env": {"DB_PASSWORD": {"a": "hunter2"}}});
        let error = prepare("t", schema.as_object().unwrap(), given.as_object().unwrap().clone()).unwrap_err();
        assert!(error.answered.contains("`hf_token` must be text"), "{}", error.answered);
        assert!(!error.answered.contains("hunter2"), "{}", error.answered);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let said = prepared(json!({"limt": 3, "limit": 0, "status": "Runing", "args": [1, {}], "follow": "maybe"}))
            .unwrap_err();
        insta::assert_snapshot!(said, @"`args[1]` must be text, not an object; `follow` must be true or false, not `maybe`; `limit` must be at least 1, not 0; `limt` is not an argument; did you mean `limit`?; `status` must be one of Running, Failed, not `Runing`; did you mean `Running`?; `name` is required.");
    }

    #[test]
    fn nulls_are_dropped_and_plain_spellings_accepted() {
        let given =
            json!({"name": "a", "limit": "5", "follow": "true", "status": null, "env": "{\"A\": 1}", "args": "x"});
        assert_eq!(
            prepared(given).unwrap(),
            json!({"name": "a", "limit": 5, "follow": true, "env": {"A": "1"}, "args": ["x"]})
        );
    }

    #[test]
    fn words_of_a_list_are_known_in_any_case() {
        let given = json!({"name": "a", "status": "running "});
        assert_eq!(prepared(given).unwrap()["status"], "Running");
    }

    #[test]
    fn where_null_is_a_value_it_stays() {
        let of = |nulls: bool| {
            let schema = json!({"properties": {"free": {"type": "object", NULLS: nulls}}});
            let schema = schema.as_object().unwrap().clone();
            let given = json!({"free": {"a": null, "b": {"c": null}}});
            json!(prepare("t", &schema, given.as_object().unwrap().clone()).unwrap())
        };
        assert_eq!(of(true), json!({"free": {"a": null, "b": {"c": null}}}));
        assert_eq!(of(false), json!({"free": {"b": {"c": null}}}));
    }

    #[test]
    fn what_is_in_a_wrong_value_is_not_shown() {
        let wrong =
            prepared(json!({"name": "a", "env": [{"name": "DB_PASSWORD", "value": "hunter2"}], "limit": {"x": 1}}));
        assert_eq!(
            wrong.unwrap_err(),
            "`env` must be an object, not a list; `limit` must be a whole number, not an object."
        );
    }

    #[test]
    fn patterns_and_lengths_hold() {
        assert!(prepared(json!({"name": "A"})).unwrap_err().contains("does not match"));
        assert!(prepared(json!({"name": "abcdef"})).unwrap_err().contains("at most 5"));
    }
}
