//! Strategic merge patches: merge patches that know which lists are merged element by element.

mod error;
mod list;
mod order;

use serde_json::{Map, Value};

pub(crate) use error::Unpatchable;

use crate::fields::{Known, Mapped, Shape};

/// Says what to do with the map that it is in.
const DIRECTIVE: &str = "$patch";
/// Names the only fields of its map that stay.
const RETAIN: &str = "$retainKeys";
/// Names single values that a list loses.
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
/// Gives the order of a list.
const ORDER: &str = "$setElementOrder/";

type Fields = Map<String, Value>;

/// Applies a patch to an object of a type.
pub(crate) fn patch(shape: Shape<'_>, object: Value, patch: Fields) -> Result<Value, Unpatchable> {
    let (Value::Object(fields), Some(map)) = (object, shape.map()) else {
        return Err(Unpatchable::BadDocument);
    };
    merge_map(fields, patch, map).map(Value::Object)
}

/// Merges a patch into a map.
fn merge_map(mut original: Fields, mut patch: Fields, map: Mapped<'_>) -> Result<Fields, Unpatchable> {
    match patch.get(DIRECTIVE) {
        None => {}
        Some(Value::String(what)) if what == "replace" => {
            patch.remove(DIRECTIVE);
            return Ok(patch);
        }
        Some(Value::String(what)) if what == "delete" => return Ok(Fields::new()),
        Some(what) => return Err(Unpatchable::directive(what, &patch)),
    }
    retain(&mut original, &mut patch)?;
    order::lists(&mut original, &mut patch, map)?;
    for (name, value) in patch {
        match name.strip_prefix(DELETE_FROM) {
            Some(list) => delete_from(&mut original, list, value, map)?,
            None if name.starts_with("$deleteFromPrimitiveList") => return Err(Unpatchable::PrimitiveList),
            None => merge_field(&mut original, name, value, map)?,
        }
    }
    Ok(original)
}

/// Merges one field of a patch.
fn merge_field(original: &mut Fields, name: String, value: Value, map: Mapped<'_>) -> Result<(), Unpatchable> {
    if value.is_null() {
        original.remove(&name);
        return Ok(());
    }
    let merged = match (original.remove(&name), value) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            let inner = map
                .field(&name)
                .and_then(Shape::map)
                .ok_or_else(|| Unpatchable::unknown(&name))?;
            Some(Value::Object(merge_map(old, new, inner)?))
        }
        (Some(Value::Array(old)), Value::Array(new)) => {
            let patching = map.patching(&name);
            if patching.merge {
                Some(Value::Array(list::merge(
                    old,
                    new,
                    elements(map, &name),
                    &patching.key,
                )?))
            } else {
                Some(Value::Array(new))
            }
        }
        (Some(old), new) if same_type(&old, &new) => undirected(new),
        (_, mut new) => {
            Known::denull(&mut new);
            undirected(new)
        }
    };
    original.extend(merged.map(|merged| (name, merged)));
    Ok(())
}

/// Takes single values out of a list, which stays as it is when it is no list.
fn delete_from(original: &mut Fields, name: &str, values: Value, map: Mapped<'_>) -> Result<(), Unpatchable> {
    if values.is_null() {
        original.remove(name);
        return Ok(());
    }
    if let (Some(Value::Array(old)), Value::Array(gone)) = (original.get_mut(name), &values) {
        list::one_type([old, gone])?;
        if old.iter().chain(gone).any(Value::is_object) {
            let list = std::mem::take(old);
            *old = list::merge(list, gone.clone(), elements(map, name), &map.patching(name).key)?;
        } else {
            old.retain(|value| !gone.contains(value));
        }
    }
    Ok(())
}

/// Removes the fields that a patch does not want to stay.
fn retain(original: &mut Fields, patch: &mut Fields) -> Result<(), Unpatchable> {
    let Some(keys) = patch.remove(RETAIN) else {
        return Ok(());
    };
    let Value::Array(keys) = keys else {
        return Err(Unpatchable::RetainKeys);
    };
    let stays = |name: &str| keys.iter().any(|key| key == name);
    let extra = patch.iter().any(|(name, value)| {
        let directive = name.starts_with("$deleteFromPrimitiveList") || name.starts_with("$setElementOrder");
        !value.is_null() && !directive && !stays(name)
    });
    if extra {
        return Err(Unpatchable::RetainKeys);
    }
    original.retain(|name, _| stays(name));
    Ok(())
}

/// The type of the elements of a field that is a list.
fn elements<'t>(map: Mapped<'t>, name: &str) -> Option<Shape<'t>> {
    Some(map.field(name)?.list()?.item())
}

fn same_type(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Number(old), Value::Number(new)) => old.is_f64() == new.is_f64(),
        _ => std::mem::discriminant(old) == std::mem::discriminant(new),
    }
}

/// What a part of a patch is where there is nothing to patch; nothing, when it is a directive as a whole.
fn undirected(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => {
            let left = fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, undirected(value)?)));
            Some(Value::Object(left.collect()))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(undirected).collect())),
        single => Some(single),
    }
}

#[cfg(test)]
mod tests;
