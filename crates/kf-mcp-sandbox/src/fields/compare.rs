//! What differs between two versions of a value.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::set::Set;
use super::step::{Item, Step};
use super::types::{Form, Listed, Mapped, Shape};

/// The fields in which two versions differ. None is in more than one of the sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) removed: Set,
    pub(super) modified: Set,
    pub(super) added: Set,
}

impl Comparison {
    /// Compares two versions of a value.
    pub(super) fn of(shape: Shape<'_>, old: &Value, new: &Value) -> Self {
        let mut walk = Walk {
            found: Self::default(),
            path: Vec::new(),
        };
        walk.compare(shape, Some(old), Some(new));
        walk.found
    }

    /// Without these fields and what is below them.
    pub(super) fn without(&self, fields: &Set) -> Self {
        Self {
            removed: self.removed.without(fields),
            modified: self.modified.without(fields),
            added: self.added.without(fields),
        }
    }
}

/// Equality as Kubernetes sees it: `1` and `1.0` are the same.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (Value::Number(_), Value::Number(_)) => Item(a.clone()) == Item(b.clone()),
        _ => a == b,
    }
}

struct Walk {
    found: Comparison,
    path: Vec<Step>,
}

type Side<'v> = Option<&'v Value>;

impl Walk {
    fn compare(&mut self, shape: Shape<'_>, old: Side<'_>, new: Side<'_>) {
        let leaf = match (old, new) {
            (_, None) => self.inside(&shape.form(old), old, new),
            (None, _) => self.inside(&shape.form(new), old, new),
            _ => {
                let (was, is) = (shape.form(old), shape.form(new));
                if !was.like(&is) {
                    self.inside(&was, old, new);
                }
                self.inside(&is, old, new)
            }
        };
        if !leaf {
            if old.is_none() {
                self.found.added.insert(&self.path);
            } else if new.is_none() {
                self.found.removed.insert(&self.path);
            }
        }
    }

    /// Says whether the value was looked at as a whole.
    fn inside(&mut self, form: &Form<'_>, old: Side<'_>, new: Side<'_>) -> bool {
        match form {
            Form::Scalar(_) => self.leaf(old, new),
            Form::List(list) => {
                let (was, is) = (old.and_then(Value::as_array), new.and_then(Value::as_array));
                if list.atomic() || [was, is].iter().all(|side| side.is_none_or(Vec::is_empty)) {
                    return self.leaf(old, new);
                }
                self.elements(*list, was, is);
                false
            }
            Form::Map(map) => {
                let (was, is) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
                if map.atomic || [was, is].iter().all(|side| side.is_none_or(Map::is_empty)) {
                    return self.leaf(old, new);
                }
                self.fields(*map, was, is);
                false
            }
        }
    }

    fn leaf(&mut self, old: Side<'_>, new: Side<'_>) -> bool {
        let into = match (old, new) {
            (None, _) => &mut self.found.added,
            (_, None) => &mut self.found.removed,
            (Some(old), Some(new)) if !same(old, new) => &mut self.found.modified,
            _ => return true,
        };
        into.insert(&self.path);
        true
    }

    fn fields(&mut self, map: Mapped<'_>, old: Option<&Map<String, Value>>, new: Option<&Map<String, Value>>) {
        let mut both: BTreeMap<&str, (Side<'_>, Side<'_>)> = BTreeMap::new();
        for (name, value) in old.into_iter().flatten() {
            both.entry(name).or_default().0 = Some(value);
        }
        for (name, value) in new.into_iter().flatten() {
            both.entry(name).or_default().1 = Some(value);
        }
        for (name, (old, new)) in both {
            if let Some(shape) = map.field(name) {
                self.path.push(Step::field(name));
                self.compare(shape, old, new);
                self.path.pop();
            }
        }
    }

    fn elements(&mut self, list: Listed<'_>, old: Option<&Vec<Value>>, new: Option<&Vec<Value>>) {
        let mut both: BTreeMap<Step, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
        for item in old.into_iter().flatten() {
            if let Ok(step) = Step::to(list, item) {
                both.entry(step).or_default().0.push(item);
            }
        }
        for item in new.into_iter().flatten() {
            if let Ok(step) = Step::to(list, item) {
                both.entry(step).or_default().1.push(item);
            }
        }
        for (step, (old, new)) in both {
            self.path.push(step);
            self.element(list, &old, &new);
            self.path.pop();
        }
    }

    /// Compares what has the same key. What is there more than once is compared as a whole.
    fn element(&mut self, list: Listed<'_>, old: &[&Value], new: &[&Value]) {
        match (old, new) {
            ([] | [_], [] | [_]) => self.compare(list.item, old.first().copied(), new.first().copied()),
            ([_, _, ..], [_, _, ..]) => {
                if old.len() != new.len() || old.iter().zip(new).any(|(old, new)| !same(old, new)) {
                    self.found.modified.insert(&self.path);
                }
            }
            ([_, _, ..], _) => {
                if let Some(new) = new.first() {
                    self.compare(list.item, None, Some(new));
                }
                self.found.removed.insert(&self.path);
            }
            _ => {
                if let Some(old) = old.first() {
                    self.compare(list.item, Some(old), None);
                }
                self.found.added.insert(&self.path);
            }
        }
    }
}
