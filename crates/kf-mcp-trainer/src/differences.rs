//! What differs between an object as it is and as it would be: path by path, without secrets, bounded.

use std::collections::BTreeSet;

use kf_mcp_core::text;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::manifest;

/// The most differences that are told one by one.
const MOST: usize = 40;
/// The longest value that is told, in characters.
const LONGEST: usize = 300;
/// What the server keeps for itself, and changes at every write.
const BOOKKEEPING: [&str; 5] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "uid",
];

/// One place where two objects differ. `was` is absent for what is new, `now` for what goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Difference {
    /// Like `spec.template.spec.replicatedJobs[node].replicas`: elements of lists by their name, where they have one.
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) was: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) now: Option<String>,
    /// Whether it is inside a list, which a merge patch replaces whole.
    #[serde(skip)]
    in_list: bool,
}

impl Difference {
    /// On one line.
    pub(crate) fn line(&self) -> String {
        match (&self.was, &self.now) {
            (Some(was), Some(now)) => format!("~ {}: {was} -> {now}", self.path),
            (None, Some(now)) => format!("+ {}: {now}", self.path),
            (Some(was), None) => format!("- {}: {was}", self.path),
            (None, None) => self.path.clone(),
        }
    }

    /// Whether something inside a list goes.
    pub(crate) fn leaves_a_list(&self) -> bool {
        self.now.is_none() && self.in_list
    }
}

/// All differences but those of the server's bookkeeping, in the order of their paths.
pub(crate) fn differences(was: &Value, now: &Value) -> Vec<Difference> {
    let (was, now) = (bare(was), bare(now));
    let shown = (manifest::shown(was.clone()), manifest::shown(now.clone()));
    let mut found = Vec::new();
    walk(
        "",
        Side::of(Some(&was), Some(&shown.0)),
        Side::of(Some(&now), Some(&shown.1)),
        false,
        &mut found,
    );
    found
}

/// The first of the differences, and a sentence about the others.
pub(crate) fn bounded(mut found: Vec<Difference>) -> (Vec<Difference>, Option<String>) {
    let more = found.len().saturating_sub(MOST);
    found.truncate(MOST);
    (
        found,
        (more > 0).then(|| format!("{more} more differences are not shown")),
    )
}

fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| !BOOKKEEPING.contains(&name.as_str()));
    }
    object
}

/// A value, and the same as it may be shown.
#[derive(Clone, Copy)]
struct Side<'a> {
    value: Option<&'a Value>,
    shown: Option<&'a Value>,
}

impl<'a> Side<'a> {
    const fn of(value: Option<&'a Value>, shown: Option<&'a Value>) -> Self {
        Self { value, shown }
    }

    fn key(self, key: &str) -> Self {
        Self::of(
            self.value.and_then(|value| value.get(key)),
            self.shown.and_then(|value| value.get(key)),
        )
    }

    fn at(self, at: Option<usize>) -> Self {
        let inside = |list: Option<&'a Value>| at.and_then(|at| list?.get(at));
        Self::of(inside(self.value), inside(self.shown))
    }

    fn text(self) -> Option<String> {
        self.value?;
        Some(
            self.shown
                .map_or_else(|| "***".to_owned(), |shown| text::bounded(&shown.to_string(), LONGEST)),
        )
    }
}

fn walk(path: &str, was: Side<'_>, now: Side<'_>, in_list: bool, found: &mut Vec<Difference>) {
    if was.value == now.value {
        return;
    }
    match (was.value, now.value) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                walk(&below(path, key), was.key(key), now.key(key), in_list, found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => match (names(a), names(b)) {
            (Some(a), Some(b)) => {
                let added = b.iter().filter(|name| !a.contains(name));
                for name in a.iter().chain(added) {
                    let index = |names: &[&str]| names.iter().position(|known| known == name);
                    walk(
                        &format!("{path}[{}]", text::clean(name)),
                        was.at(index(&a)),
                        now.at(index(&b)),
                        true,
                        found,
                    );
                }
            }
            _ if a.len() == b.len() => {
                for at in 0..a.len() {
                    let place = format!("{path}[{at}]");
                    walk(&place, was.at(Some(at)), now.at(Some(at)), true, found);
                }
            }
            _ => found.push(one(path, was, now, in_list)),
        },
        _ => found.push(one(path, was, now, in_list)),
    }
}

fn one(path: &str, was: Side<'_>, now: Side<'_>, in_list: bool) -> Difference {
    Difference {
        in_list,
        path: path.to_owned(),
        was: was.text(),
        now: now.text(),
    }
}

fn below(path: &str, key: &str) -> String {
    let key = text::bounded(&text::clean(key), 120);
    if key.contains('.') {
        return format!("{path}[{key}]");
    }
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The names of a list's elements, when all have one of their own.
fn names(list: &[Value]) -> Option<Vec<&str>> {
    let names: Option<Vec<&str>> = list.iter().map(|item| item.get("name")?.as_str()).collect();
    names.filter(|names| names.iter().collect::<BTreeSet<_>>().len() == names.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(was: Value, now: Value) -> Vec<String> {
        differences(&was, &now).iter().map(Difference::line).collect()
    }

    #[test]
    fn lists_of_named_things_are_compared_by_name() {
        let was = json!({"metadata": {"generation": 1, "labels": {"a/b.c": "1"}}, "spec": {"jobs": [
            {"name": "node", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}, {"name": "gone"}], "args": ["x"]}});
        let now = json!({"metadata": {"generation": 2}, "spec": {"jobs": [
            {"name": "new"}, {"name": "node", "env": [{"name": "B", "value": "3"}]}], "args": ["x", "y"]}});
        assert_eq!(
            lines(was, now),
            [
                "- metadata.labels: {\"a/b.c\":\"1\"}",
                "~ spec.args: [\"x\"] -> [\"x\",\"y\"]",
                "- spec.jobs[node].env[A]: {\"name\":\"A\",\"value\":\"1\"}",
                "~ spec.jobs[node].env[B].value: \"2\" -> \"3\"",
                "- spec.jobs[gone]: {\"name\":\"gone\"}",
                "+ spec.jobs[new]: {\"name\":\"new\"}",
            ]
        );
    }

    #[test]
    fn what_leaves_a_list_is_told_from_a_key_with_dots() {
        let was = json!({"labels": {"a.b/c": "1", "d": "2"}, "env": [{"name": "A"}, {"name": "B", "value": "1"}]});
        let now = json!({"labels": {"d": "2"}, "env": [{"name": "B"}]});
        let found = differences(&was, &now);
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.path.as_str(), one.leaves_a_list()))
            .collect();
        assert_eq!(
            told,
            [("env[A]", true), ("env[B].value", true), ("labels[a.b/c]", false)]
        );
    }

    #[test]
    fn a_changed_secret_is_told_without_its_value() {
        let env = |value: &str| json!({"spec": {"env": [{"name": "HF_TOKEN", "value": value}]}});
        assert_eq!(
            lines(env("abc"), env("abd")),
            ["~ spec.env[HF_TOKEN].value: \"***\" -> \"***\""]
        );
    }

    #[test]
    fn only_so_many_are_told() {
        let many: Value = (0..50)
            .map(|n| (format!("k{n:02}"), json!(n)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let (told, more) = bounded(differences(&json!({}), &many));
        assert_eq!(
            (told.len(), more.as_deref()),
            (40, Some("10 more differences are not shown"))
        );
    }
}
