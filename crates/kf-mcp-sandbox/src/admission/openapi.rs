//! The TrainJob's type as OpenAPI tells of it.

use serde_json::{Map, Value, json};

use super::types::{Struct, Type, trainjob};

/// The schema of a TrainJob.
pub(crate) fn openapi() -> Value {
    object(&trainjob::TRAIN_JOB)
}

fn object(of: &Struct) -> Value {
    let properties: Map<String, Value> = of
        .fields
        .iter()
        .map(|field| (field.name.to_owned(), schema(&field.of)))
        .collect();
    let required: Vec<&str> = of
        .fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.name)
        .collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn schema(of: &Type) -> Value {
    match of {
        Type::List(list) => json!({"type": "array", "items": schema(&list.of)}),
        Type::Struct(of) => object(of),
        Type::Enum(values) => json!({"type": "string", "enum": values}),
        Type::Int(bits, ..) => json!({"type": "integer", "format": format!("int{bits}")}),
        Type::Time => json!({"type": "string", "format": "date-time"}),
        Type::Texts => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Type::Bytes => json!({"type": "object", "additionalProperties": {"type": "string", "format": "byte"}}),
        Type::Quantities => {
            let quantity = json!({
                "anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true,
            });
            json!({"type": "object", "additionalProperties": quantity})
        }
        Type::Other(_) => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        Type::Text(..) | Type::Named(_) | Type::Flag => json!({"type": of.schema()}),
    }
}
