//! `ConfigMaps` and Secrets.

use serde_json::{Map, Value, json};

use crate::admission::format::config_key;
use crate::admission::problem::Problem;

/// How much either may hold.
const MOST: usize = 1024 * 1024;

/// What is wrong with a `ConfigMap`.
pub(super) fn map(object: &Value, before: Option<&Value>) -> Vec<Problem> {
    let mut problems = frozen(object, before, &["data", "binaryData"]);
    let mut size = 0;
    for (key, value) in entries(object, "data") {
        let field = format!("data[{key}]");
        keys(key, &field, &mut problems);
        if object["binaryData"].get(key).is_some() {
            problems.push(Problem::invalid(
                field,
                &json!(key),
                "duplicate of key present in binaryData",
            ));
        }
        size += value.as_str().map_or(0, str::len);
    }
    for (key, value) in entries(object, "binaryData") {
        keys(key, &format!("binaryData[{key}]"), &mut problems);
        size += value.as_str().map_or(0, |text| text.len() / 4 * 3);
    }
    if size > MOST {
        problems.push(Problem::too_long("", MOST, "bytes"));
    }
    problems
}

/// What is wrong with a Secret.
pub(super) fn secret(object: &Value, before: Option<&Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(before) = before
        && before["type"] != object["type"]
    {
        problems.push(Problem::invalid("type", &object["type"], "field is immutable"));
    }
    problems.extend(frozen(object, before, &["data"]));
    let mut size = 0;
    for (key, value) in entries(object, "data") {
        keys(key, &format!("data[{key}]"), &mut problems);
        size += value.as_str().map_or(0, |text| text.len() / 4 * 3);
    }
    if size > MOST {
        problems.push(Problem::too_long("data", MOST, "bytes"));
    }
    problems
}

fn entries<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object[field].as_object().into_iter().flat_map(Map::iter)
}

fn keys(key: &str, field: &str, problems: &mut Vec<Problem>) {
    let wrong = config_key(key).into_iter();
    problems.extend(wrong.map(|why| Problem::invalid(field, &json!(key), &why)));
}

/// What is immutable stays so, with all that it holds.
fn frozen(object: &Value, before: Option<&Value>, fields: &[&str]) -> Vec<Problem> {
    let Some(before) = before.filter(|before| before["immutable"] == true) else {
        return Vec::new();
    };
    let why = "field is immutable when `immutable` is set";
    let mut changed = Vec::new();
    if object["immutable"] != true {
        changed.push("immutable");
    }
    let empty = |value: &Value| value.as_object().is_none_or(Map::is_empty);
    for field in fields {
        let (old, new) = (&before[*field], &object[*field]);
        if old != new && !(empty(old) && empty(new)) {
            changed.push(field);
        }
    }
    changed
        .into_iter()
        .map(|field| Problem::forbidden(field, why))
        .collect()
}
