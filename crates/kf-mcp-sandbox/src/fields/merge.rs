//! An object and what is applied to it, as one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value};

use super::step::Step;
use super::types::{Form, Listed, Mapped, Shape};

/// Lays an applied value over a live one. Nothing goes away; lists that merge take the order of the applied one for what
/// both have.
pub(super) fn merge(shape: Shape<'_>, live: Option<&Value>, applied: Option<&Value>) -> Option<Value> {
    match shape.form(applied.or(live)) {
        Form::Scalar(_) => applied.or(live).cloned(),
        Form::List(list) => {
            let (old, new) = (live.and_then(Value::as_array), applied.and_then(Value::as_array));
            if list.atomic() || [old, new].iter().all(|side| side.is_none_or(Vec::is_empty)) {
                return applied.or(live).cloned();
            }
            let merged = elements(list, old.map_or(&[], Vec::as_slice), new.map_or(&[], Vec::as_slice));
            (!merged.is_empty()).then_some(Value::Array(merged))
        }
        Form::Map(map) => {
            let (old, new) = (live.and_then(Value::as_object), applied.and_then(Value::as_object));
            if map.atomic || [old, new].iter().all(|side| side.is_none_or(Map::is_empty)) {
                return applied.or(live).cloned();
            }
            let merged = fields(map, old, new);
            (!merged.is_empty()).then_some(Value::Object(merged))
        }
    }
}

fn fields(map: Mapped<'_>, old: Option<&Map<String, Value>>, new: Option<&Map<String, Value>>) -> Map<String, Value> {
    let names: BTreeSet<&String> = old.into_iter().chain(new).flat_map(Map::keys).collect();
    let mut merged = Map::new();
    for name in names {
        let value = |side: Option<&'_ Map<String, Value>>| side.and_then(|side| side.get(name)).cloned();
        let Some(shape) = map.field(name) else {
            // what the type does not have stays as it is
            merged.extend(value(new).or_else(|| value(old)).map(|value| (name.clone(), value)));
            continue;
        };
        let both = merge(
            shape,
            old.and_then(|old| old.get(name)),
            new.and_then(|new| new.get(name)),
        );
        merged.extend(both.map(|value| (name.clone(), value)));
    }
    merged
}

fn index<'v>(list: Listed<'_>, items: &'v [Value]) -> Vec<(Step, &'v Value)> {
    let step = |item| Step::to(list, item).ok().map(|step| (step, item));
    items.iter().filter_map(step).collect()
}

fn elements(list: Listed<'_>, old: &[Value], new: &[Value]) -> Vec<Value> {
    let (old, new) = (index(list, old), index(list, new));
    let mut live: BTreeMap<&Step, Option<&Value>> = BTreeMap::new();
    for (step, item) in &old {
        // what is there twice is not merged with anything
        live.entry(step).and_modify(|item| *item = None).or_insert(Some(item));
    }
    let applied: BTreeSet<&Step> = new.iter().map(|(step, _)| step).collect();
    let mut shared: VecDeque<&Step> = new
        .iter()
        .map(|(step, _)| step)
        .filter(|step| live.contains_key(step))
        .collect();
    let mut next = shared.pop_front();
    let mut done: BTreeSet<&Step> = BTreeSet::new();
    let mut merged = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < old.len() || r < new.len() {
        if let (Some((was, _)), Some((is, item))) = (old.get(l), new.get(r)) {
            if was == is {
                done.insert(is);
                merged.extend(merge(list.item, live.get(is).copied().flatten(), Some(item)));
                (l, r) = (l + 1, r + 1);
                next = shared.pop_front();
                continue;
            }
            if applied.contains(was) && next.is_some_and(|next| next != was) {
                // both have it, but its turn comes later
                l += 1;
                continue;
            }
        }
        if let Some((was, item)) = old.get(l) {
            if !applied.contains(was) {
                merged.extend(merge(list.item, Some(item), None));
                l += 1;
                continue;
            }
            if done.contains(was) {
                l += 1;
            }
        }
        if let Some((is, item)) = new.get(r) {
            done.insert(is);
            merged.extend(merge(list.item, live.get(is).copied().flatten(), Some(item)));
            r += 1;
            if next == Some(is) {
                next = shared.pop_front();
            }
        }
    }
    merged
}
