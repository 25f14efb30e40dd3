//! The fields that a value has.

use std::collections::BTreeMap;

use serde_json::Value;

use super::set::Set;
use super::step::Step;
use super::types::{Form, Shape};

impl Set {
    /// All leaves of a value, the elements of its lists, and the fields of its maps that the type does not list.
    pub(super) fn all(shape: Shape<'_>, value: &Value) -> Self {
        collect(shape, value).1
    }
}

/// Whether the value's own place belongs to the set, and what is below it.
fn collect(shape: Shape<'_>, value: &Value) -> (bool, Set) {
    let mut set = Set::default();
    match shape.form(Some(value)) {
        Form::Scalar(_) => return (true, set),
        Form::List(list) if list.atomic() => return (true, set),
        Form::Map(map) if map.atomic => return (true, set),
        Form::List(list) => {
            let mut count: BTreeMap<Step, (usize, &Value)> = BTreeMap::new();
            for item in value.as_array().into_iter().flatten() {
                if let Ok(step) = Step::to(list, item) {
                    count.entry(step).or_insert((0, item)).0 += 1;
                }
            }
            for (step, (times, item)) in count {
                // of what is there more than once, nobody owns the inside
                let below = if times == 1 {
                    collect(list.item, item).1
                } else {
                    Set::default()
                };
                set.graft(step, true, below);
            }
        }
        Form::Map(map) => {
            for (name, value) in value.as_object().into_iter().flatten() {
                let Some(shape) = map.field(name) else { continue };
                let (itself, below) = collect(shape, value);
                let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
                set.graft(Step::field(name), itself || empty || !map.names(name), below);
            }
        }
    }
    (false, set)
}
