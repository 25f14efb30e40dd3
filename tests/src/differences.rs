//! What two bodies of training jobs do not have in common, one line each.

use kf_mcp_trainjob::same_quantity;
use serde_json::{Value, json};

/// As many characters of a value as a line shows.
const MOST: usize = 60;

/// A stored job as it was sent: without what the API server adds to it, what it fills in where nothing is said, and our marks.
#[must_use]
pub fn sent(stored: Value) -> Value {
    let mut body = json!({"apiVersion": stored["apiVersion"], "kind": stored["kind"], "spec": stored["spec"]});
    body["metadata"]["name"] = stored["metadata"]["name"].clone();
    for part in ["labels", "annotations"] {
        let mut marks = stored["metadata"][part].clone();
        if let Some(marks) = marks.as_object_mut() {
            marks.retain(|key, _| !key.starts_with("kubeflow-mcp/"));
        }
        body["metadata"][part] = marks;
    }
    for (at, filled_in) in [
        ("/spec/suspend", json!(false)),
        ("/spec/managedBy", json!("trainer.kubeflow.org/trainjob-controller")),
        ("/spec/runtimeRef/apiGroup", json!("trainer.kubeflow.org")),
    ] {
        if let Some(value) = body.pointer_mut(at).filter(|value| **value == filled_in) {
            *value = Value::Null;
        }
    }
    body
}

/// The differences: `path: theirs -> ours`, and `path: - word` or `path: + word` for words of a list that only one has.
///
/// Nothing, null, and an empty list or object are the same; quantities are compared by what they mean.
#[must_use]
pub fn of(theirs: &Value, ours: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk("", theirs, ours, &mut found);
    found
}

fn walk(at: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    if is_nothing(theirs) && is_nothing(ours) {
        return;
    }
    match (theirs, ours) {
        (Value::Object(left), Value::Object(right)) => {
            let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                walk(&format!("{at}/{key}"), &theirs[key], &ours[key], found);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.iter().chain(right).all(Value::is_string) => {
            words(at, left, right, found);
        }
        _ if theirs == ours || at.contains("/resourcesPerNode/") && same_amount(theirs, ours) => {}
        _ => found.push(format!("{at}: {} -> {}", told(theirs), told(ours))),
    }
}

/// Words that only one has, and whether those that both have are in the same order.
fn words(at: &str, theirs: &[Value], ours: &[Value], found: &mut Vec<String>) {
    let only = |of: &[Value], than: &[Value], sign: char, found: &mut Vec<String>| {
        let alone = of.iter().filter(|word| !than.contains(word));
        found.extend(alone.map(|word| format!("{at}: {sign} {}", told(word))));
    };
    only(theirs, ours, '-', found);
    only(ours, theirs, '+', found);
    let common = |of: &[Value], than: &[Value]| -> Vec<Value> {
        of.iter().filter(|word| than.contains(word)).cloned().collect()
    };
    if common(theirs, ours) != common(ours, theirs) {
        found.push(format!("{at}: another order"));
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_nothing),
        _ => false,
    }
}

fn same_amount(theirs: &Value, ours: &Value) -> bool {
    let text = |amount: &Value| amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
    same_quantity(&text(theirs), &text(ours))
}

/// A value in one short line.
fn told(value: &Value) -> String {
    let text = match value {
        _ if is_nothing(value) => "nothing".to_owned(),
        Value::String(text) => text.trim().lines().next().unwrap_or_default().to_owned(),
        other => other.to_string(),
    };
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_found_and_nothing_else() {
        let theirs = json!({"a": [], "b": 1, "c": {"d": "x"}, "e": ["p", "q", "r"], "resourcesPerNode": {"limits": {"cpu": 0.5}}});
        let ours = json!({"b": 1, "c": {"d": "y", "f": {}}, "e": ["q", "p", "s"], "resourcesPerNode": {"limits": {"cpu": "500m"}}, "g": 2});
        assert_eq!(
            of(&theirs, &ours),
            [
                "/c/d: x -> y",
                "/e: - r",
                "/e: + s",
                "/e: another order",
                "/g: nothing -> 2"
            ]
        );
    }

    #[test]
    fn a_stored_job_is_as_it_was_sent() {
        let stored = json!({
            "apiVersion": "v", "kind": "k", "metadata": {"name": "a", "uid": "1", "labels": {"kubeflow-mcp/caller": "x", "b": "c"}},
            "spec": {"suspend": false, "runtimeRef": {"name": "r", "apiGroup": "trainer.kubeflow.org"}}, "status": {},
        });
        let wanted = json!({"apiVersion": "v", "kind": "k", "metadata": {"name": "a", "labels": {"b": "c"}}, "spec": {"runtimeRef": {"name": "r"}}});
        assert_eq!(of(&wanted, &sent(stored)), Vec::<String>::new());
    }
}
