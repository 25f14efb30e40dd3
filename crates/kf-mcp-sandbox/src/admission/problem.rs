//! What is wrong with an object, field by field, and the refusal that tells it.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::status::Status;
use crate::store::text;

/// One field that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) field: String,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

impl Problem {
    fn new(field: impl Into<String>, reason: &'static str, message: String) -> Self {
        let field = field.into();
        // how a path is written that was never begun
        let field = if field.is_empty() { "<nil>".to_owned() } else { field };
        Self { field, reason, message }
    }

    /// A value that is none. Objects and lists are left out of the message, single values are shown.
    pub(crate) fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Self {
        let message = match value {
            Value::Object(_) | Value::Array(_) => format!("Invalid value: {why}"),
            value => format!("Invalid value: {value}: {why}"),
        };
        Self::new(field, "FieldValueInvalid", message)
    }

    /// A value of another type than the schema's.
    pub(crate) fn of_type(field: impl Into<String>, value: &str, why: &str) -> Self {
        let message = format!("Invalid value: \"{value}\": {why}");
        Self::new(field, "FieldValueTypeInvalid", message)
    }

    /// A rule that is broken, without the value.
    pub(crate) fn rule(field: impl Into<String>, why: &str) -> Self {
        Self::new(field, "FieldValueInvalid", format!("Invalid value: {why}"))
    }

    /// A field that is missing.
    pub(crate) fn required(field: impl Into<String>, why: &str) -> Self {
        let colon = if why.is_empty() { "" } else { ": " };
        Self::new(field, "FieldValueRequired", format!("Required value{colon}{why}"))
    }

    /// A field that must not be there.
    pub(crate) fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self::new(field, "FieldValueForbidden", format!("Forbidden: {why}"))
    }

    /// An element that is there twice.
    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self::new(field, "FieldValueDuplicate", format!("Duplicate value: {value}"))
    }

    /// A reference to what is not there.
    pub(crate) fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Self::new(field, "FieldValueNotFound", format!("Not found: {value}"))
    }

    /// A value that is none of those there are.
    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|value| format!("\"{value}\"")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        Self::new(field, "FieldValueNotSupported", message)
    }

    /// A text or list that is longer than it may be; `unit` is what is counted.
    pub(crate) fn too_long(field: impl Into<String>, most: usize, unit: &str) -> Self {
        let message = format!("Too long: may not be more than {most} {unit}");
        Self::new(field, "FieldValueTooLong", message)
    }

    /// A list with more elements than it may have.
    pub(crate) fn too_many(field: impl Into<String>, count: usize, most: usize) -> Self {
        let message = format!("Too many: {count}: must have at most {most} items");
        Self::new(field, "FieldValueTooMany", message)
    }

    /// Whether rules that look at the whole object are not even tried.
    pub(crate) fn blocks_rules(&self) -> bool {
        matches!(
            self.reason,
            "FieldValueRequired"
                | "FieldValueNotSupported"
                | "FieldValueTooLong"
                | "FieldValueTooMany"
                | "FieldValueTypeInvalid"
        )
    }

    /// Field and message.
    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }
}

/// Several sentences as one: each once, in brackets when there are several.
pub(crate) fn joined(texts: impl IntoIterator<Item = String>) -> String {
    let mut said = HashSet::new();
    let texts: Vec<String> = texts.into_iter().filter(|text| said.insert(text.clone())).collect();
    match texts.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// 422 with everything that is wrong.
pub(crate) fn invalid(kind: &Kind, object: &Value, problems: &[Problem]) -> Status {
    let name = text(object, "/metadata/name");
    let what = if kind.group.is_empty() {
        kind.kind.to_owned()
    } else {
        format!("{}.{}", kind.kind, kind.group)
    };
    let causes: Vec<Value> = problems
        .iter()
        .map(|p| json!({"reason": p.reason, "message": p.message, "field": p.field}))
        .collect();
    let mut details = json!({"kind": kind.kind, "causes": causes});
    for (field, value) in [("name", name.as_str()), ("group", kind.group)] {
        if !value.is_empty() {
            details[field] = json!(value);
        }
    }
    let all = joined(problems.iter().map(Problem::text));
    Status::new(422, "Invalid", format!("{what} \"{name}\" is invalid: {all}")).details(details)
}
