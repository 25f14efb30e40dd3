//! One part of an OpenAPI schema: what it is, and its fields one level deep.

use kf_mcp_core::names::nearest;
use kf_mcp_core::{ErrorCode, ToolError, text};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::pods::outside;

/// The most fields that are answered; a pod has fewer.
const MOST_FIELDS: usize = 100;
/// Characters of the part's own description, and of a field's.
const LONG: usize = 400;
const SHORT: usize = 120;
/// Bounds that a schema sets, with their words.
const LIMITS: [(&str, &str); 8] = [
    ("minimum", "at least"),
    ("maximum", "at most"),
    ("minLength", "characters at least"),
    ("maxLength", "characters at most"),
    ("minItems", "elements at least"),
    ("maxItems", "elements at most"),
    ("minProperties", "entries at least"),
    ("maxProperties", "entries at most"),
];

/// A part of a schema.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Part {
    pub(crate) path: String,
    #[serde(flatten)]
    pub(crate) of: Field,
    pub(crate) fields: Vec<Field>,
    /// Fields that were left out.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) more_fields: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One field, or the part itself.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Field {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) required: bool,
    /// As JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub(crate) values: Vec<String>,
    /// Bounds, forms and rules, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) limits: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
}

impl Field {
    fn of(name: &str, schema: &Value, required: bool, most: usize) -> Self {
        Self {
            name: outside(name),
            kind: kind(schema),
            required,
            default: schema
                .get("default")
                .map(|value| text::bounded(&outside(&value.to_string()), SHORT)),
            values: values(schema),
            limits: limits(schema),
            description: description(schema, most),
        }
    }

    /// Everything but name, type and description, on one line.
    pub(crate) fn facts(&self) -> String {
        let required = self.required.then(|| "required".to_owned());
        let default = self.default.as_ref().map(|value| format!("default {value}"));
        let values = (!self.values.is_empty()).then(|| format!("one of {}", self.values.join("|")));
        let facts = required.into_iter().chain(default).chain(values);
        facts.chain(self.limits.iter().cloned()).collect::<Vec<_>>().join(", ")
    }
}

/// The part of a schema at a path such as `spec.trainer.env`; lists and maps are gone through without a word.
pub(crate) fn part(root: &Value, path: &str) -> Result<Part, ToolError> {
    let mut at = root;
    let mut before = String::new();
    let mut name = "";
    let mut required = false;
    for word in words(path) {
        let place = inside(at);
        let Some(next) = place
            .get("properties")
            .and_then(|all| all.get(word))
            .or_else(|| place.get("additionalProperties").filter(|any| any.is_object()))
        else {
            return Err(unknown(place, &before, word));
        };
        required = is_required(place, word);
        if !before.is_empty() {
            before.push('.');
        }
        before.push_str(word);
        (at, name) = (next, word);
    }
    let place = inside(at);
    let properties = place.get("properties").and_then(Value::as_object);
    let count = properties.map_or(0, serde_json::Map::len);
    let fields = properties.into_iter().flatten().take(MOST_FIELDS);
    Ok(Part {
        path: outside(&before),
        of: Field::of(name, at, required, LONG),
        fields: fields
            .map(|(name, schema)| Field::of(name, schema, is_required(place, name), SHORT))
            .collect(),
        more_fields: count.saturating_sub(MOST_FIELDS),
    })
}

/// The words of a path, without `[]`, `[0]` and `[*]`.
fn words(path: &str) -> impl Iterator<Item = &str> {
    let words = path.trim().trim_start_matches(['.', '$']).split('.');
    words
        .map(|word| word.split('[').next().unwrap_or_default().trim())
        .filter(|word| !word.is_empty())
}

/// What a list is of.
fn inside(mut schema: &Value) -> &Value {
    while let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        schema = items;
    }
    schema
}

fn is_required(schema: &Value, field: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|all| all.iter().any(|name| name == field))
}

fn unknown(place: &Value, before: &str, word: &str) -> ToolError {
    let names: Vec<&str> = place
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let of = if before.is_empty() {
        "the object".to_owned()
    } else {
        format!("`{}`", outside(before))
    };
    let word = text::bounded(&text::clean(word), 80);
    let error = ToolError::new(
        ErrorCode::InvalidArgument,
        "read a part of the schema",
        format!("{of} has no field `{word}`"),
    );
    let mut error = if names.is_empty() {
        let why = match kind(place).as_str() {
            "any" => "may hold anything: the definition does not say what".to_owned(),
            kind => format!("is a {kind} and has no fields"),
        };
        error.fix(format!("{of} {why}"))
    } else {
        let near = nearest(&word, names.iter().copied())
            .map(|near| format!("did you mean `{near}`? "))
            .unwrap_or_default();
        error.fix(outside(&format!("{near}fields are {}", names.join(", "))))
    };
    error.field = Some("path".into());
    error
}

/// The type in words: `list of object`, `map of string`, `integer or string`, `any`.
fn kind(schema: &Value) -> String {
    let flag = |name: &str| schema.get(name) == Some(&Value::Bool(true));
    if flag("x-kubernetes-int-or-string") {
        return "integer or string".into();
    }
    let own = schema.get("type").and_then(Value::as_str).unwrap_or("any");
    let named = schema.get("properties").is_some();
    match own {
        "array" => format!("list of {}", schema.get("items").map_or_else(|| "any".to_owned(), kind)),
        "object" if !named && schema.get("additionalProperties").is_some_and(Value::is_object) => {
            format!("map of {}", kind(&schema["additionalProperties"]))
        }
        "object" if !named && flag("x-kubernetes-preserve-unknown-fields") => "any".into(),
        other => match schema.get("format").and_then(Value::as_str) {
            Some(format) if other == "string" => outside(&format!("string ({format})")),
            _ => outside(other),
        },
    }
}

fn values(schema: &Value) -> Vec<String> {
    let values = schema.get("enum").and_then(Value::as_array);
    let text = |value: &Value| match value.as_str() {
        Some("") | None => value.to_string(),
        Some(text) => text.to_owned(),
    };
    values
        .into_iter()
        .flatten()
        .take(30)
        .map(|value| outside(&text(value)))
        .collect()
}

fn limits(schema: &Value) -> Vec<String> {
    let mut found: Vec<String> = LIMITS
        .iter()
        .filter_map(|(key, words)| match words.split_once(' ') {
            Some((unit, bound)) if unit != "at" => Some(format!("{bound} {} {unit}", schema.get(*key)?)),
            _ => Some(format!("{words} {}", schema.get(*key)?)),
        })
        .collect();
    let pattern = schema.get("pattern").and_then(Value::as_str);
    found.extend(pattern.map(|pattern| format!("like {}", text::bounded(&text::clean(pattern), SHORT))));
    if schema.get("nullable") == Some(&Value::Bool(true)) {
        found.push("may be null".into());
    }
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
    for rule in rules.into_iter().flatten().take(5) {
        let said = rule.get("message").or(rule.get("rule")).and_then(Value::as_str);
        found.extend(said.map(|said| text::bounded(&outside(said), SHORT)));
    }
    found
}

/// The first sentences of a description.
fn description(schema: &Value, most: usize) -> String {
    let whole = outside(schema.get("description").and_then(Value::as_str).unwrap_or_default());
    if whole.chars().count() <= most {
        return whole;
    }
    let head: String = whole.chars().take(most).collect();
    match head.rfind(". ") {
        Some(end) => head[..=end].to_owned(),
        None => format!("{}…", head.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["runtimeRef"], "properties": {
            "runtimeRef": {"type": "object", "description": "Which. More.", "properties": {"kind": {"type": "string", "default": "A", "enum": ["A", ""]}},
                "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "field is immutable"}]},
            "env": {"type": "array", "maxItems": 128, "items": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "minLength": 1, "pattern": "^[a-z]+$"}}}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "limits": {"type": "object", "additionalProperties": {"x-kubernetes-int-or-string": true}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "nodes": {"type": "integer", "format": "int32", "minimum": 1},
        }}}})
    }

    #[test]
    fn a_part_is_told_one_level_deep() {
        let part = part(&schema(), "spec").unwrap();
        let told: Vec<String> = part
            .fields
            .iter()
            .map(|field| {
                format!(
                    "{}: {} [{}] {}",
                    field.name,
                    field.kind,
                    field.facts(),
                    field.description
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "env: list of object [at most 128 elements] ",
                "free: any [] ",
                "labels: map of string [] ",
                "limits: map of integer or string [] ",
                "nodes: integer [at least 1] ",
                "runtimeRef: object [required, field is immutable] Which. More.",
            ]
        );
    }

    #[test]
    fn paths_go_through_lists_and_maps() {
        for path in ["spec.env", ".spec.env[]", "spec.env[0]", "$.spec.env[*]"] {
            let part = part(&schema(), path).unwrap();
            assert_eq!(
                part.fields[0].facts(),
                "required, at least 1 characters, like ^[a-z]+$",
                "{path}"
            );
        }
        assert_eq!(part(&schema(), "spec.labels.any").unwrap().of.kind, "string");
        let kind = part(&schema(), "spec.runtimeRef.kind").unwrap();
        assert_eq!(kind.of.facts(), "default \"A\", one of A|\"\"");
        assert_eq!(part(&schema(), "").unwrap().fields.len(), 1);
    }

    #[test]
    fn a_path_that_leads_nowhere_tells_what_is_there() {
        let fix = |path: &str| part(&schema(), path).unwrap_err().fix;
        assert!(fix("spec.node").starts_with("did you mean `nodes`? fields are env, free,"));
        assert_eq!(
            fix("spec.free.x"),
            "`spec.free` may hold anything: the definition does not say what"
        );
        assert_eq!(fix("spec.nodes.x"), "`spec.nodes` is a integer and has no fields");
    }

    #[test]
    fn long_descriptions_end_with_a_sentence() {
        let long = json!({"description": format!("One. Two. {}", "x".repeat(500))});
        assert_eq!(description(&long, LONG), "One. Two.");
        assert!(description(&json!({"description": "x".repeat(500)}), SHORT).ends_with('…'));
    }
}
