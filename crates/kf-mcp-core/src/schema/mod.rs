//! The one place that turns schemars' schemas into the flat dialect that every MCP client and model provider accepts:
//! an object at the root, nothing but `type`, `properties`, `items`, `enum`, `default`, bounds and descriptions.
//!
//! No `$ref`, `anyOf`, type arrays, number formats, boolean schemas or null defaults: each is refused by some client
//! (whole catalogues get dropped), and none says anything that our arguments need.

mod written;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

pub use self::written::in_writing;
pub(crate) use self::written::{Schemas, Written};

/// How deep the schemas of answers are written out. Deeper levels are said to be objects, which is true and costs little:
/// a catalogue is read by a model in full.
const OUTPUT_DEPTH: usize = 2;

/// What of a schema of answers costs more than it tells: the answer shows it. So deep, what lists hold is all the same.
const OUTPUT_NOISE: &[&str] = &[
    "description",
    "default",
    "enum",
    "items",
    "minimum",
    "maximum",
    "pattern",
    "maxLength",
    "minLength",
    "maxItems",
    "format",
];

/// The schema of a tool's arguments, as schemars makes it from the type.
pub(crate) fn arguments<T: JsonSchema>() -> Schema {
    settings().into_generator().into_root_schema_for::<T>()
}

/// The schema of a read tool's answer.
pub(crate) fn output<T: JsonSchema>() -> Schema {
    settings().for_serialize().into_generator().into_root_schema_for::<T>()
}

/// The schema of a change's answer: either a preview or the result, so no property is required.
pub(crate) fn change_output<T: JsonSchema>() -> Schema {
    let mut schema = output::<T>();
    if let Some(object) = schema.as_object_mut() {
        object.remove("required");
        if let Some(Value::Object(properties)) = object.get_mut("properties") {
            properties.insert("preview".into(), json!({"type": "object"}));
            properties.insert("plan_id".into(), json!({"type": "string"}));
        }
    }
    schema
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    })
}

/// A tool's input schema: flat, closed, with `confirmed` and `plan_id` for a change. Returns the description of the type
/// beside it.
pub(crate) fn input_schema(schema: Schema, change: bool) -> (Map<String, Value>, String) {
    let mut root = flat(schema.to_value());
    let description = match root.remove("description") {
        Some(Value::String(text)) => one_line(&text),
        _ => String::new(),
    };
    root.insert("type".into(), json!("object"));
    root.insert("additionalProperties".into(), json!(false));
    let properties = root.entry("properties").or_insert_with(|| json!({}));
    if change && let Value::Object(properties) = properties {
        properties.insert(
            "confirmed".into(),
            json!({"type": "boolean", "default": false, "description": "Do it."}),
        );
        properties.insert(
            "plan_id".into(),
            json!({"type": "string", "description": "From the plan."}),
        );
    }
    (root, description)
}

/// A tool's input schema as clients list it: without patterns, lengths, bounds and the types of maps' values. They are
/// checked all the same, and an error tells them to the caller whom they concern; in a listing every session pays for them.
pub(crate) fn listed(rules: Map<String, Value>) -> Map<String, Value> {
    let mut listed = rules;
    let closed = listed.get("additionalProperties").cloned();
    without(
        &mut listed,
        &[
            "pattern",
            "minLength",
            "maxLength",
            "maxItems",
            "minimum",
            "maximum",
            "additionalProperties",
            crate::arguments::NULLS,
        ],
    );
    if let Some(closed) = closed {
        listed.insert("additionalProperties".into(), closed);
    }
    // A switch that is off when nothing is said is what everybody expects.
    if let Some(Value::Object(properties)) = listed.get_mut("properties") {
        for property in properties.values_mut().filter_map(Value::as_object_mut) {
            if property.get("default") == Some(&Value::Bool(false)) {
                property.remove("default");
            }
        }
    }
    listed
}

/// Takes keywords out of a schema and of those in it.
fn without(schema: &mut Map<String, Value>, keywords: &[&str]) {
    schema.retain(|keyword, _| !keywords.contains(&keyword.as_str()));
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut().filter_map(Value::as_object_mut) {
            without(property, keywords);
        }
    }
    for inside in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = schema.get_mut(inside) {
            without(inner, keywords);
        }
    }
}

/// A tool's output schema: flat, without descriptions, to a small depth.
pub(crate) fn output_schema(schema: Schema) -> Map<String, Value> {
    let mut root = flat(schema.to_value());
    root.insert("type".into(), json!("object"));
    root.entry("properties").or_insert_with(|| json!({}));
    without(&mut root, OUTPUT_NOISE);
    prune(&mut root, 0);
    root
}

fn prune(schema: &mut Map<String, Value>, depth: usize) {
    if depth >= OUTPUT_DEPTH {
        schema.remove("properties");
        schema.remove("additionalProperties");
        schema.remove("required");
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut() {
            if let Value::Object(property) = property {
                prune(property, depth + 1);
            }
        }
    }
    for inside in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = schema.get_mut(inside) {
            prune(inner, depth + 1);
        }
    }
    if depth > 0 {
        schema.remove("required");
    }
}

/// One schema in our dialect.
fn flat(schema: Value) -> Map<String, Value> {
    let mut schema = match schema {
        Value::Object(schema) => schema,
        // `true`, or anything else: any JSON, which for our tools is always an object.
        _ => Map::from_iter([("type".to_owned(), json!("object"))]),
    };
    for noise in [
        "$schema",
        "title",
        "$defs",
        "definitions",
        "writeOnly",
        "readOnly",
        "examples",
        "deprecated",
    ] {
        schema.remove(noise);
    }
    unwrap_nullable(&mut schema);
    fold_enum(&mut schema);
    if let Some(format) = schema.get("format").and_then(Value::as_str)
        && (format.starts_with("uint") || format.starts_with("int") || matches!(format, "float" | "double"))
    {
        schema.remove("format");
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get("type") {
        let kind = types
            .iter()
            .find(|t| *t != "null")
            .cloned()
            .unwrap_or_else(|| json!("object"));
        schema.insert("type".into(), kind);
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = one_line(text);
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut() {
            *property = Value::Object(flat(property.take()));
        }
    }
    match schema.get_mut("items") {
        Some(items) if items.is_object() => *items = Value::Object(flat(items.take())),
        // `items: true`, any JSON, which for our tools is always an object.
        Some(items) => *items = json!({"type": "object"}),
        None => {}
    }
    match schema.get_mut("additionalProperties") {
        Some(inner) if inner.is_object() => *inner = Value::Object(flat(inner.take())),
        Some(Value::Bool(false)) | None => {}
        Some(_) => {
            schema.remove("additionalProperties");
        }
    }
    if !schema.contains_key("type") {
        let kind = if schema.contains_key("enum") {
            "string"
        } else {
            "object"
        };
        schema.insert("type".into(), json!(kind));
    }
    schema
}

/// `anyOf: [X, null]` (an `Option` of a referenced type) is X, which then need not be given; so is a lone `allOf`.
fn unwrap_nullable(schema: &mut Map<String, Value>) {
    for key in ["anyOf", "allOf", "oneOf"] {
        let Some(Value::Array(options)) = schema.get(key) else {
            continue;
        };
        let real: Vec<Value> = options
            .iter()
            .filter(|option| option["type"] != "null")
            .cloned()
            .collect();
        if key == "oneOf" && real.iter().all(|option| option.get("const").is_some()) {
            continue;
        }
        schema.remove(key);
        // Of several alternatives the first stands for all; the type's own parser takes the others too.
        if let Some(Value::Object(first)) = real.into_iter().next() {
            for (name, value) in first {
                schema.entry(name).or_insert(value);
            }
        }
        unwrap_nullable(schema);
    }
}

/// A documented unit enum comes as `oneOf` of `const`s: written as `enum`, with the documentation in one description.
fn fold_enum(schema: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = schema.remove("oneOf") else {
        return;
    };
    let mut values = Vec::new();
    let mut notes = Vec::new();
    for option in &options {
        let Some(value) = option.get("const") else { continue };
        values.push(value.clone());
        if let (Some(name), Some(note)) = (value.as_str(), option["description"].as_str()) {
            notes.push(format!("{name}: {}", one_line(note).trim_end_matches('.')));
        }
    }
    let own = schema
        .get("description")
        .and_then(Value::as_str)
        .map(one_line)
        .unwrap_or_default();
    if !notes.is_empty() {
        let sentence = format!("{own} {}.", notes.join("; ")).trim().to_owned();
        schema.insert("description".into(), json!(sentence));
    }
    schema.insert("type".into(), json!("string"));
    schema.insert("enum".into(), Value::Array(values));
}

/// Doc comments are wrapped for the source file; a model needs no line breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    enum Order {
        /// Newest first.
        #[serde(rename = "desc")]
        Desc,
        /// Oldest first.
        #[serde(rename = "asc")]
        Asc,
    }

    /// Does
    /// a thing.
    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is used")]
    struct Arguments {
        /// How many.
        limit: Option<u32>,
        /// Which order.
        order: Option<Order>,
        free: Value,
        map: BTreeMap<String, String>,
        list: Vec<Value>,
    }

    #[test]
    fn a_listing_has_no_bounds_but_arguments_of_their_names() {
        let rules = json!({"type": "object", "additionalProperties": false, "properties": {
            "pattern": {"type": "string", "maxLength": 200, "description": "Regular expression."},
            "names": {"type": "array", "maxItems": 3, "items": {"type": "string", "pattern": "^[a-z]+$"}},
            "env": {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
            "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
            "suspend": {"type": "boolean", "default": false},
        }});
        let listed = listed(rules.as_object().unwrap().clone());
        let wanted = json!({"type": "object", "additionalProperties": false, "properties": {
            "pattern": {"type": "string", "description": "Regular expression."},
            "names": {"type": "array", "items": {"type": "string"}},
            "env": {"type": "object"},
            "limit": {"type": "integer", "default": 50},
            "suspend": {"type": "boolean"},
        }});
        assert_eq!(Value::Object(listed), wanted);
    }

    #[test]
    fn options_enums_and_free_values_become_flat() {
        let (schema, description) = input_schema(arguments::<Arguments>(), true);
        assert_eq!(description, "Does a thing.");
        insta::assert_json_snapshot!(schema, @r###"
        {
          "additionalProperties": false,
          "properties": {
            "confirmed": {
              "default": false,
              "description": "Do it.",
              "type": "boolean"
            },
            "free": {
              "type": "object"
            },
            "limit": {
              "description": "How many.",
              "minimum": 0,
              "type": "integer"
            },
            "list": {
              "items": {
                "type": "object"
              },
              "type": "array"
            },
            "map": {
              "additionalProperties": {
                "type": "string"
              },
              "type": "object"
            },
            "order": {
              "description": "Which order. desc: Newest first; asc: Oldest first.",
              "enum": [
                "desc",
                "asc"
              ],
              "type": "string"
            },
            "plan_id": {
              "description": "From the plan.",
              "type": "string"
            }
          },
          "required": [
            "free",
            "map",
            "list"
          ],
          "type": "object"
        }
        "###);
    }
}
