//! Objects brought into the form of their type: fields that it does not have go, structs that it always has come.

use serde_json::{Value, json};

use super::types::{Form, Scalar, Shape};

/// What a decoder says about fields.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// `unknown field "…"` for each field that was dropped.
    pub(crate) warnings: Vec<String>,
}

impl Known {
    /// Drops the fields of an object that its type does not have.
    pub(crate) fn prune(shape: Shape<'_>, object: &mut Value) -> Self {
        let mut known = Self::default();
        known.walk(shape, object, "");
        known
    }

    /// Leaves out what is empty as Go's types leave it out: nulls, lists and maps. Nulls in maps of texts are empty texts.
    pub(crate) fn compact(shape: Shape<'_>, value: &mut Value) {
        match (shape.form(Some(value)), value) {
            (Form::Map(map), Value::Object(fields)) => {
                fields.retain(|name, value| {
                    let text = !map.names(name) && map.texts();
                    if text && value.is_null() {
                        *value = json!("");
                    }
                    let Some(shape) = map.field(name) else { return true };
                    Self::compact(shape, value);
                    !(value.is_null() || map.names(name) && shape.empty(value))
                });
            }
            (Form::List(list), Value::Array(items)) => {
                items.iter_mut().for_each(|item| Self::compact(list.item, item));
            }
            _ => {}
        }
    }

    /// Leaves out nulls, as the decoder of custom resources does.
    pub(crate) fn denull(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|_, value| !value.is_null());
                fields.values_mut().for_each(Self::denull);
            }
            Value::Array(items) => items.iter_mut().for_each(Self::denull),
            _ => {}
        }
    }

    /// Fills in the defaults of a custom resource.
    pub(crate) fn complete(shape: Shape<'_>, value: &mut Value) {
        match (shape.form(Some(value)), value) {
            (Form::Map(map), Value::Object(fields)) => {
                for (name, default) in map.defaults() {
                    if fields.get(name).is_none_or(Value::is_null) {
                        fields.insert(name.clone(), default.clone());
                    }
                }
                for (name, value) in fields {
                    if let Some(shape) = map.field(name) {
                        Self::complete(shape, value);
                    }
                }
            }
            (Form::List(list), Value::Array(items)) => {
                items.iter_mut().for_each(|item| Self::complete(list.item, item));
            }
            _ => {}
        }
    }

    /// The nulls of an object whose type has none: their paths, and what they should be.
    pub(crate) fn nulls(shape: Shape<'_>, value: &Value) -> Vec<(String, &'static str)> {
        let mut found = Vec::new();
        nulls(shape, value, "", &mut found);
        found
    }

    fn walk(&mut self, shape: Shape<'_>, value: &mut Value, path: &str) {
        match (shape.form(Some(value)), value) {
            (Form::Map(map), Value::Object(fields)) => {
                fields.retain(|name, value| {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    let Some(shape) = map.field(name) else {
                        self.warnings.push(format!("unknown field \"{path}\""));
                        return false;
                    };
                    self.walk(shape, value, &path);
                    true
                });
            }
            (Form::List(_), Value::Object(fields)) => {
                // what is no list has no fields either
                let names = std::mem::take(fields).into_iter().map(|(name, _)| name);
                self.warnings
                    .extend(names.map(|name| format!("unknown field \"{path}.{name}\"")));
            }
            (Form::List(list), Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.walk(list.item, item, &format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
    }
}

fn nulls(shape: Shape<'_>, value: &Value, path: &str, found: &mut Vec<(String, &'static str)>) {
    match (shape.form(Some(value)), value) {
        _ if !shape.known() => {}
        (form, Value::Null) => {
            let wanted = match form {
                Form::Scalar(Scalar::Number) => "integer",
                Form::Scalar(Scalar::Flag) => "boolean",
                Form::Scalar(_) => "string",
                Form::List(_) => "array",
                Form::Map(_) => "object",
            };
            found.push((path.to_owned(), wanted));
        }
        (Form::Map(map), Value::Object(fields)) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                if let Some(shape) = map.field(name) {
                    nulls(shape, value, &path, found);
                }
            }
        }
        (Form::List(list), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                nulls(list.item, item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

/// Adds what the real server's types have even when it is empty, so that nobody counts as having added it.
pub(super) fn fill(shape: Shape<'_>, value: &mut Value) {
    match (shape.form(Some(value)), value) {
        (Form::Map(map), Value::Object(fields)) => {
            for (name, empty) in map.always() {
                let inner = fields.entry(name.as_str()).or_insert_with(|| empty.clone());
                if inner.is_null() {
                    *inner = empty.clone();
                }
            }
            for (name, value) in fields {
                if let Some(shape) = map.field(name) {
                    fill(shape, value);
                }
            }
        }
        (Form::List(list), Value::Array(items)) => items.iter_mut().for_each(|item| fill(list.item, item)),
        _ => {}
    }
}
