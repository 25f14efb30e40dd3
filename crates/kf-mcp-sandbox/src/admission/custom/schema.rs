//! The structural part of the TrainJob's `CustomResourceDefinition`: types, required fields, limits, lists whose elements
//! are told apart.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::admission::problem::Problem;
use crate::admission::types::{Field, List, Struct, Type};

/// What is wrong with an object.
pub(super) fn check(shape: &'static Struct, object: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    fields(shape, object, "", &mut problems);
    // lists are looked at when the rest is done
    keys(shape, object, "", &mut problems);
    problems
}

fn fields(shape: &'static Struct, object: &Value, path: &str, problems: &mut Vec<Problem>) {
    let is_missing = |field: &&Field| field.required && object.get(field.name).is_none_or(Value::is_null);
    let mut missing: Vec<&str> = shape.fields.iter().filter(is_missing).map(|field| field.name).collect();
    missing.sort_unstable();
    problems.extend(missing.into_iter().map(|name| Problem::required(join(path, name), "")));
    for Field { name, of, .. } in shape.fields {
        if let Some(inner) = object.get(name).filter(|value| !value.is_null()) {
            value(of, inner, &join(path, name), problems);
        }
    }
}

fn value(of: &'static Type, value: &Value, path: &str, problems: &mut Vec<Problem>) {
    let fits = match of {
        Type::Text(..) | Type::Enum(_) | Type::Named(_) | Type::Time => value.is_string(),
        Type::Int(..) => value.is_i64(),
        Type::Flag => value.is_boolean(),
        Type::List(_) => value.is_array(),
        Type::Texts | Type::Bytes | Type::Quantities | Type::Struct(_) => value.is_object(),
        Type::Other(_) => true,
    };
    if !fits {
        let (wanted, found) = (of.schema(), kind(value));
        let why = format!("{path} in body must be of type {wanted}: \"{found}\"");
        problems.push(Problem::of_type(path, found, &why));
        return;
    }
    match of {
        Type::Text(least, most) => length(value, path, *least, *most, problems),
        Type::Enum(words) if !words.iter().any(|word| value == word) => {
            problems.push(Problem::unsupported(path, value, words));
        }
        Type::Time if value.as_str().is_none_or(|text| text.parse::<Timestamp>().is_err()) => {
            let why = format!("{path} in body must be of type date-time: {value}");
            problems.push(Problem::invalid(path, value, &why));
        }
        Type::Int(_, least, most) => range(value, path, *least, *most, problems),
        Type::Quantities => value
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, amount)| amount.is_f64())
            .for_each(|(name, amount)| fraction(amount, &join(path, name), problems)),
        Type::List(list) => {
            let items = value.as_array().into_iter().flatten();
            let count = items.clone().count();
            if count > list.most {
                problems.push(Problem::too_many(path, count, list.most));
            }
            for (index, item) in items.enumerate() {
                self::value(&list.of, item, &format!("{path}[{index}]"), problems);
            }
        }
        Type::Struct(shape) => fields(shape, value, path, problems),
        _ => {}
    }
}

fn length(value: &Value, path: &str, least: usize, most: usize, problems: &mut Vec<Problem>) {
    let count = value.as_str().unwrap_or_default().chars().count();
    if count < least {
        let why = format!("{path} in body should be at least {least} chars long");
        problems.push(Problem::invalid(path, value, &why));
    }
    if count > most {
        problems.push(Problem::too_long(path, most, "bytes"));
    }
}

fn range(value: &Value, path: &str, least: i64, most: i64, problems: &mut Vec<Problem>) {
    let number = value.as_i64().unwrap_or_default();
    if number < least {
        let why = format!("{path} in body should be greater than or equal to {least}");
        problems.push(Problem::invalid(path, value, &why));
    }
    if number > most {
        let why = format!("{path} in body should be less than or equal to {most}");
        problems.push(Problem::invalid(path, value, &why));
    }
}

/// A quantity is a whole number or a text; what the schema says of another number, it says four times.
fn fraction(value: &Value, path: &str, problems: &mut Vec<Problem>) {
    let found = kind(value);
    let both = format!("{path} in body must be of type integer,string: \"{found}\"");
    problems.push(Problem::of_type(path, found, &both));
    let any = format!("\"{path}\" must validate at least one schema (anyOf)");
    problems.push(Problem::invalid("", &json!(""), &any));
    let whole = format!("{path} in body must be of type integer: \"{found}\"");
    problems.push(Problem::of_type(path, found, &whole));
    let format = format!("Checked value must be of type integer (default format) in {path}");
    problems.push(Problem::invalid("", &json!(""), &format));
}

fn keys(shape: &'static Struct, object: &Value, path: &str, problems: &mut Vec<Problem>) {
    for Field { name, of, .. } in shape.fields {
        if let Some(inner) = object.get(name) {
            keys_of(of, inner, &join(path, name), problems);
        }
    }
}

fn keys_of(of: &'static Type, value: &Value, path: &str, problems: &mut Vec<Problem>) {
    match (of, value) {
        (Type::Struct(shape), Value::Object(_)) => keys(shape, value, path, problems),
        (Type::List(List { of, key, .. }), Value::Array(items)) => {
            let mut seen = HashSet::new();
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                if let Some(name) = item.get(key).and_then(Value::as_str)
                    && !seen.insert(name)
                {
                    problems.push(Problem::duplicate(&path, &json!({*key: name})));
                }
                keys_of(of, item, &path, problems);
            }
        }
        _ => {}
    }
}

/// What the schema calls a JSON value.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
