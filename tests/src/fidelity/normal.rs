//! Answers of two clusters made comparable: what no two clusters agree on is replaced by a mark that says what it was.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// What is replaced wherever it stands in a text, in this order.
static WORDS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            "<uid>",
        ),
        (
            r"\b\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})",
            "<time>",
        ),
        (r"\b\d{1,3}(\.\d{1,3}){3}:\d{2,5}\b", "<address>"),
        (r"\b\d{1,3}(\.\d{1,3}){3}\b", "<ip>"),
        // a patched object in a message, whose fields are in no order
        (
            r#"patch: Invalid value: "\{.*\}": |^Invalid value: "\{\\"apiVersion.*\}": "#,
            "patch: Invalid value: <object>: ",
        ),
        // an Event's name is its subject's and a moment in hexadecimal
        (r"\.[0-9a-f]{16}\b", ".<random>"),
        // five letters of the alphabet of generated names; it has no vowels and looks like no word
        (r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-<random>"),
    ]
    .into_iter()
    .filter_map(|(pattern, mark)| Some((Regex::new(pattern).ok()?, mark)))
    .collect()
});

/// Versions in sentences: of objects, of lists, and of what a watch asked for.
static VERSIONS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(resource ?version(?: in record)?:? \(?|current: |(?:ResourceVersion in (?:the )?(?:precondition|record|object meta):? \(?))(\d{2,})|(too old resource version: )\d+ \(\d+\)").ok()
});

/// An answer without what is different in every cluster and in every run: uids, versions, times, addresses, generated
/// names, continue tokens. `managedFields` are taken out, and causes that are told several times are told once. Everything else stays, so answers can be compared with `==`.
#[must_use]
pub fn normal(value: &Value) -> Value {
    match value {
        Value::Object(map) => object(map),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::String(text) => Value::String(normal_text(text)),
        other => other.clone(),
    }
}

/// Like [`normal`], of a text: a message, a log line, a header.
#[must_use]
pub fn normal_text(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, mark) in WORDS.iter() {
        if pattern.is_match(&text) {
            text = pattern.replace_all(&text, *mark).into_owned();
        }
    }
    if let Some(pattern) = VERSIONS.as_ref() {
        let replaced = pattern.replace_all(&text, |found: &Captures<'_>| match (found.get(1), found.get(3)) {
            (Some(before), _) => format!("{}<version>", before.as_str()),
            (None, Some(before)) => format!("{}<version> (<version>)", before.as_str()),
            (None, None) => String::new(),
        });
        text = replaced.into_owned();
    }
    text
}

fn object(map: &Map<String, Value>) -> Value {
    let generated = map
        .get("generateName")
        .and_then(Value::as_str)
        .filter(|prefix| !prefix.is_empty());
    let fields = map.iter().filter(|(name, _)| *name != "managedFields");
    fields
        .map(|(name, value)| {
            let value = match (name.as_str(), value.as_str()) {
                ("uid", Some(text)) if !text.is_empty() => mark("<uid>"),
                // 0 and nothing are the same in every cluster
                ("resourceVersion", Some(text)) if !matches!(text, "" | "0") => mark("<version>"),
                ("continue", Some(text)) if !text.is_empty() => mark("<continue>"),
                ("name", Some(text)) if generated.is_some_and(|prefix| text.starts_with(prefix)) => {
                    Value::String(format!("{}<random>", generated.unwrap_or_default()))
                }
                // cells of tables have ages
                ("cells", None) => match normal(value) {
                    Value::Array(cells) => cells.into_iter().map(age).collect(),
                    other => other,
                },
                // a server that checks an object in several places tells what is wrong in each of them
                ("causes", None) => match normal(value) {
                    Value::Array(mut causes) => {
                        causes.dedup();
                        Value::Array(causes)
                    }
                    other => other,
                },
                _ => normal(value),
            };
            (name.clone(), value)
        })
        .collect::<Map<_, _>>()
        .into()
}

/// An age, as tables write it, as a mark.
fn age(cell: Value) -> Value {
    let is_age = |text: &str| {
        let unit = |c: char| matches!(c, 's' | 'm' | 'h' | 'd' | 'y');
        text.ends_with(unit)
            && text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| unit(c) || c.is_ascii_digit())
    };
    if cell.as_str().is_some_and(is_age) {
        mark("<age>")
    } else {
        cell
    }
}

fn mark(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// Where two normalised answers differ, as `path: left | right`, at most `most` of them.
#[must_use]
pub fn differences(left: &Value, right: &Value, most: usize) -> Vec<String> {
    let mut found = Vec::new();
    compare("", Some(left), Some(right), &mut found);
    let more = found.len().saturating_sub(most);
    found.truncate(most);
    if more > 0 {
        found.push(format!("… and {more} more"));
    }
    found
}

fn compare(path: &str, left: Option<&Value>, right: Option<&Value>, found: &mut Vec<String>) {
    match (left, right) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                compare(&format!("{path}/{name}"), a.get(name), b.get(name), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for at in 0..a.len().max(b.len()) {
                compare(&format!("{path}/{at}"), a.get(at), b.get(at), found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => {
            let shown = |value: Option<&Value>| value.map_or_else(|| "(absent)".to_owned(), Value::to_string);
            found.push(format!("{path}: {} | {}", shown(a), shown(b)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_no_two_clusters_agree_on_becomes_a_mark() {
        let cases = [
            (
                json!({"metadata": {"name": "a", "uid": "0d3e", "resourceVersion": "4711", "generation": 2,
                       "creationTimestamp": "2026-03-02T09:00:00Z", "managedFields": [{"manager": "x"}]}}),
                json!({"metadata": {"name": "a", "uid": "<uid>", "resourceVersion": "<version>", "generation": 2,
                       "creationTimestamp": "<time>"}}),
            ),
            (
                json!({"metadata": {"generateName": "demo-node-0-0-", "name": "demo-node-0-0-k8s2x"}}),
                json!({"metadata": {"generateName": "demo-node-0-0-", "name": "demo-node-0-0-<random>"}}),
            ),
            (
                json!({"metadata": {"resourceVersion": "", "continue": "eyJ2Ijoi", "remainingItemCount": 7}}),
                json!({"metadata": {"resourceVersion": "", "continue": "<continue>", "remainingItemCount": 7}}),
            ),
            (
                json!({"labels": {"batch.kubernetes.io/controller-uid": "5a9db0c5-0000-4000-8000-00000000002a"}}),
                json!({"labels": {"batch.kubernetes.io/controller-uid": "<uid>"}}),
            ),
            (
                json!({"clusterIP": "10.96.12.1", "clusterIPs": ["None"], "serverAddress": "127.0.0.1:6443"}),
                json!({"clusterIP": "<ip>", "clusterIPs": ["None"], "serverAddress": "<address>"}),
            ),
            (
                json!({"eventTime": "2026-03-02T09:00:00.000123Z", "lastTimestamp": null}),
                json!({"eventTime": "<time>", "lastTimestamp": null}),
            ),
        ];
        for (given, wanted) in cases {
            assert_eq!(normal(&given), wanted);
        }
    }

    #[test]
    fn sentences_keep_their_words() {
        let cases = [
            (
                "Created pod: demo-node-0-0-k8s2x",
                "Created pod: demo-node-0-0-<random>",
            ),
            ("torch-distributed of node gpu-0", "torch-distributed of node gpu-0"),
            (
                "pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime",
                "pytorch/pytorch:2.13.0-cuda13.0-cudnn9-runtime",
            ),
            (
                "Too large resource version: 99999, current: 1204",
                "Too large resource version: <version>, current: <version>",
            ),
            (
                "too old resource version: 12 (1204)",
                "too old resource version: <version> (<version>)",
            ),
            (
                "the ResourceVersion in the precondition (17) does not match the ResourceVersion in record (1204).",
                "the ResourceVersion in the precondition (<version>) does not match the ResourceVersion in record \
                 (<version>).",
            ),
            (
                "2026-03-02T09:00:00.5Z step 1 at http://10.1.2.3:8080/x",
                "<time> step 1 at http://<address>/x",
            ),
            (
                "the UID in the precondition (5a9db0c5-0000-4000-8000-00000000002a) does not match",
                "the UID in the precondition (<uid>) does not match",
            ),
            ("demo.18a7f0c2d3e4b5a6", "demo.<random>"),
        ];
        for (given, wanted) in cases {
            assert_eq!(normal_text(given), wanted);
        }
    }

    #[test]
    fn differences_name_the_place() {
        let left = json!({"a": {"b": [1, 2]}, "c": 1});
        let right = json!({"a": {"b": [1, 3, 4]}, "d": 1});
        assert_eq!(
            differences(&left, &right, 3),
            [
                "/a/b/1: 2 | 3",
                "/a/b/2: (absent) | 4",
                "/c: 1 | (absent)",
                "… and 1 more"
            ]
        );
    }
}
