//! Values in messages, as a webhook that is written in Go prints them: fields in the order of their types.

use serde_json::Value;

use super::Type;

/// The JSON that Go would write for a value of a type. Fields of types that are taken as they come are in no order.
pub(in crate::admission) fn json(of: &Type, value: &Value) -> String {
    match (of, value) {
        (Type::Struct(shape), Value::Object(fields)) => {
            let parts: Vec<String> = shape
                .fields
                .iter()
                .filter_map(|field| Some((field, fields.get(field.name)?)))
                .filter(|(_, value)| !is_empty(value))
                .map(|(field, value)| format!("\"{}\":{}", field.name, json(&field.of, value)))
                .collect();
            format!("{{{}}}", parts.join(","))
        }
        (Type::List(list), Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| json(&list.of, item)).collect();
            format!("[{}]", items.join(","))
        }
        _ => value.to_string(),
    }
}

/// What Go leaves out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
