//! Lists that are merged element by element.

use std::mem::discriminant;

use serde_json::Value;

use super::order;
use super::{DIRECTIVE, Unpatchable, merge_map};
use crate::fields::Shape;

/// Merges a patch into a list. `key` is the field that tells elements apart, empty for lists of single values.
pub(super) fn merge(
    original: Vec<Value>,
    patch: Vec<Value>,
    item: Option<Shape<'_>>,
    key: &str,
) -> Result<Vec<Value>, Unpatchable> {
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    if !one_type([&original, &patch])?.is_object() {
        let mut both: Vec<Value> = Vec::new();
        for value in original.iter().chain(&patch) {
            if !both.contains(value) {
                both.push(value.clone());
            }
        }
        return order::arrange(both, &patch, &original, "");
    }
    if key.is_empty() {
        return Err(Unpatchable::Other(
            "cannot merge lists without merge key for slice".to_owned(),
        ));
    }
    let (original, patch) = directives(original, patch, key)?;
    let mut merged = original.clone();
    for element in &patch {
        let value = element.get(key).ok_or_else(|| Unpatchable::no_key(element, key))?;
        let old = merged.iter_mut().find(|old| old.get(key) == Some(value));
        match (old, element) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                let map = item.and_then(Shape::map).ok_or_else(|| Unpatchable::unknown(key))?;
                *old = merge_map(std::mem::take(old), new.clone(), map)?;
            }
            _ => merged.push(element.clone()),
        }
    }
    order::arrange(merged, &patch, &original, key)
}

/// Does what the directives among the elements of a patch say, and takes them out.
fn directives(mut original: Vec<Value>, patch: Vec<Value>, key: &str) -> Result<(Vec<Value>, Vec<Value>), Unpatchable> {
    let mut plain = Vec::new();
    let mut replace = false;
    for element in patch {
        let Some(what) = element.get(DIRECTIVE) else {
            plain.push(element);
            continue;
        };
        match what.as_str() {
            Some("delete") => {
                let value = element.get(key).ok_or_else(|| Unpatchable::no_key(&element, key))?;
                original.retain(|old| old.get(key) != Some(value));
            }
            Some("replace") => replace = true,
            Some("merge") => {
                let why = "merging lists cannot yet be specified in the patch";
                return Err(Unpatchable::Other(why.to_owned()));
            }
            _ => {
                return Err(Unpatchable::directive(
                    what,
                    &element.as_object().cloned().unwrap_or_default(),
                ));
            }
        }
    }
    Ok(if replace {
        (plain, Vec::new())
    } else {
        (original, plain)
    })
}

/// An element, if all are of one type and none is a list.
pub(super) fn one_type<const N: usize>(lists: [&Vec<Value>; N]) -> Result<&Value, Unpatchable> {
    let mut all = lists.into_iter().flatten();
    let Some(first) = all.next() else {
        return Err(Unpatchable::Other("no elements in any of the given slices".to_owned()));
    };
    if first.is_array() {
        return Err(Unpatchable::ListOfLists);
    }
    if all.any(|other| discriminant(other) != discriminant(first)) {
        let lists: Vec<String> = lists
            .iter()
            .map(|list| crate::fields::plain(&Value::Array((*list).clone())))
            .collect();
        return Err(Unpatchable::Other(format!(
            "list element types are not identical: [{}]",
            lists.join(" ")
        )));
    }
    Ok(first)
}
