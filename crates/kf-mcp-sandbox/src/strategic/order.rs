//! The order of merged lists: what the patch says goes before the order that was there.

use serde_json::Value;

use super::list::{self, one_type};
use super::{DIRECTIVE, Fields, ORDER, Unpatchable, elements, undirected};
use crate::fields::{Mapped, plain};

/// Merges the lists whose order a patch gives, and takes them and their orders out of the patch.
pub(super) fn lists(original: &mut Fields, patch: &mut Fields, map: Mapped<'_>) -> Result<(), Unpatchable> {
    let orders: Vec<String> = patch
        .keys()
        .filter(|name| name.starts_with("$setElementOrder"))
        .cloned()
        .collect();
    for directive in orders {
        let Some(order) = patch.remove(&directive) else {
            continue;
        };
        let Value::Array(order) = order else {
            return Err(Unpatchable::ElementOrder);
        };
        let name = directive.strip_prefix(ORDER).ok_or(Unpatchable::ElementOrder)?;
        if map.field(name).is_none() {
            return Err(Unpatchable::unknown(name));
        }
        let (live, wanted) = (array(original.get(name))?, array(patch.get(name))?);
        let patching = map.patching(name);
        consistent(wanted.as_deref().unwrap_or_default(), &order, &patching.key)?;
        let mut stood = live.clone().unwrap_or_default();
        let merged = match (live.clone(), wanted.clone()) {
            (Some(live), None) => live,
            (None, Some(wanted)) => wanted.into_iter().filter_map(undirected).collect(),
            (Some(live), Some(wanted)) if patching.merge => {
                stood = overwritten(&live, &wanted, &patching.key);
                list::merge(live, wanted, elements(map, name), &patching.key)?
            }
            (Some(_), Some(wanted)) => wanted,
            (None, None) => continue,
        };
        one_type([&live.unwrap_or_default(), &wanted.unwrap_or_default()])?;
        let arranged = arrange(merged, &order, &stood, &patching.key)?;
        original.insert(name.to_owned(), Value::Array(arranged));
        patch.remove(name);
    }
    Ok(())
}

/// The live list as a real server looks at it when it puts the merged one in order: what the patch deletes has made room,
/// in place, for what it adds.
fn overwritten(live: &[Value], wanted: &[Value], key: &str) -> Vec<Value> {
    if key.is_empty() {
        return live.to_vec();
    }
    let directive = |element: &Value| element.get(DIRECTIVE).cloned();
    let deleted = |old: &Value| {
        let gone = |element: &&Value| directive(element).is_some_and(|what| what == "delete");
        wanted
            .iter()
            .filter(gone)
            .any(|element| element.get(key) == old.get(key))
    };
    let mut stood: Vec<Value> = live.iter().filter(|old| !deleted(old)).cloned().collect();
    if wanted
        .iter()
        .any(|element| directive(element).is_some_and(|what| what == "replace"))
    {
        return stood;
    }
    for element in wanted.iter().filter(|element| directive(element).is_none()) {
        let new = stood.iter().all(|old| old.get(key) != element.get(key));
        if new && stood.len() < live.len() {
            stood.push(element.clone());
        }
    }
    stood
}

fn array(value: Option<&Value>) -> Result<Option<Vec<Value>>, Unpatchable> {
    match value {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items.clone())),
        Some(other) => {
            let what = match other {
                Value::Object(_) => "map",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                _ => "nil",
            };
            Err(Unpatchable::Other(format!("expected a slice, but received a {what}")))
        }
    }
}

/// Refuses an order that leaves out elements of the patch or has them in another order.
fn consistent(patch: &[Value], order: &[Value], key: &str) -> Result<(), Unpatchable> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let stays = |element: &&Value| element.get(DIRECTIVE).is_none_or(|what| what != "delete");
    let mut elements = patch.iter().filter(stays).peekable();
    let mut rest = order.iter();
    // a directive that comes after the last element is one too many
    while !rest.as_slice().is_empty()
        && let Some(element) = elements.peek()
    {
        if element.get(DIRECTIVE).is_some() {
            elements.next();
        } else if let Some(next) = rest.next()
            && named(element, key)? == named(next, key)?
        {
            elements.next();
        }
    }
    if elements.peek().is_none() {
        return Ok(());
    }
    let shown = |list: &[Value]| plain(&Value::Array(list.to_vec()));
    Err(Unpatchable::Other(format!(
        "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
        shown(patch),
        shown(order)
    )))
}

fn named<'v>(element: &'v Value, key: &str) -> Result<&'v Value, Unpatchable> {
    if key.is_empty() {
        return Ok(element);
    }
    element.get(key).ok_or_else(|| Unpatchable::no_key(element, key))
}

/// Puts a merged list in order: what `wanted` names stands as it does there, everything else as it did in `live`.
pub(super) fn arrange(
    merged: Vec<Value>,
    wanted: &[Value],
    live: &[Value],
    key: &str,
) -> Result<Vec<Value>, Unpatchable> {
    let place = |list: &[Value], element: &Value| {
        let value = named(element, key).ok();
        list.iter().position(|other| named(other, key).ok() == value)
    };
    for element in &merged {
        named(element, key)?;
    }
    let (mut first, mut rest): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|element| place(wanted, element).is_some());
    first.sort_by_key(|element| place(wanted, element));
    rest.sort_by_key(|element| place(live, element).unwrap_or(usize::MAX));
    let (mut first, mut rest) = (first.into_iter().peekable(), rest.into_iter().peekable());
    let mut arranged = Vec::new();
    while let (Some(one), Some(other)) = (first.peek(), rest.peek()) {
        let before = matches!((place(live, other), place(live, one)), (Some(other), Some(one)) if other < one);
        arranged.extend(if before { rest.next() } else { first.next() });
    }
    arranged.extend(first.chain(rest));
    Ok(arranged)
}
