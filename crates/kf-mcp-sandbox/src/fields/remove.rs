//! A value without some of its fields.

use serde_json::{Map, Value};

use super::set::Set;
use super::step::Step;
use super::types::{Form, Shape};

/// Takes fields out of a value; none is left when all of it goes. What is emptied deeper down becomes null, as it does on a
/// real server: a decoder of Go's types then leaves it out, and a custom resource is no longer valid.
pub(super) fn remove(shape: Shape<'_>, value: &Value, fields: &Set) -> Option<Value> {
    match shape.form(Some(value)) {
        Form::Scalar(_) => Some(value.clone()),
        Form::List(list) => {
            let items = value.as_array().filter(|items| !items.is_empty() && !list.atomic())?;
            let left = items.iter().filter_map(|item| {
                let Ok(step) = Step::to(list, item) else {
                    return Some(item.clone());
                };
                match fields.below(&step) {
                    _ if fields.has(&step) => None,
                    Some(below) => Some(remove(list.item, item, below).unwrap_or_default()),
                    None => Some(item.clone()),
                }
            });
            let left: Vec<Value> = left.collect();
            (!left.is_empty()).then_some(Value::Array(left))
        }
        Form::Map(map) => {
            let all = value.as_object().filter(|all| !all.is_empty() && !map.atomic)?;
            let left = all.iter().filter_map(|(name, value)| {
                let step = Step::field(name);
                let value = match (fields.below(&step), map.field(name)) {
                    _ if fields.has(&step) => None,
                    (Some(below), Some(shape)) => Some(remove(shape, value, below).unwrap_or_default()),
                    _ => Some(value.clone()),
                };
                Some((name.clone(), value?))
            });
            let left: Map<String, Value> = left.collect();
            (!left.is_empty()).then_some(Value::Object(left))
        }
    }
}
