//! Whole objects, made fit to show: without the server's bookkeeping and without secrets.

use kf_mcp_core::{redact, text};
use serde_json::Value;

use crate::script;

/// Annotations that repeat the whole object.
const COPIES: [&str; 1] = ["kubectl.kubernetes.io/last-applied-configuration"];

/// The object without managed fields, with the values of secret-looking variables replaced, and other texts cleaned.
pub(crate) fn shown(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|name, _| !COPIES.contains(&name.as_str()));
        }
    }
    hide(&mut object);
    object
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let secret = map
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(redact::is_secret_name);
            for (key, inner) in map.iter_mut() {
                if secret && key == "value" {
                    *inner = Value::from("***");
                } else {
                    hide(inner);
                }
            }
        }
        Value::Array(items) => {
            script::shorten(items);
            hide_following(items);
            items.iter_mut().for_each(hide);
        }
        Value::String(said) => {
            let safe = redact::secrets(&text::visible(said));
            if safe != *said {
                *said = safe;
            }
        }
        _ => {}
    }
}

/// `["--api-token", "abc"]`: the value after an option that names a secret.
fn hide_following(items: &mut [Value]) {
    let names_secret = |item: &Value| {
        let option = item
            .as_str()
            .filter(|said| said.starts_with('-') && !said.contains(['=', ' ']));
        option.is_some_and(|said| redact::is_secret_name(said.trim_start_matches('-')))
    };
    for at in 1..items.len() {
        let follows = names_secret(&items[at - 1]);
        if follows && items[at].as_str().is_some_and(|said| !said.starts_with('-')) {
            items[at] = Value::from("***");
        }
    }
}

/// The object as YAML, which takes fewer words than JSON.
pub(crate) fn yaml(object: &Value) -> String {
    let mut out = String::new();
    write(object, 0, &mut out);
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                out.push_str(&format!("{indent}{}:", scalar(&Value::from(key.as_str()))));
                nested(inner, depth + 1, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                // The dash takes the place of the first two blanks of what it introduces.
                let mut text = String::new();
                write(item, depth + 1, &mut text);
                out.push_str(&format!("{indent}- {}", text.trim_start()));
            }
        }
        plain => out.push_str(&format!("{indent}{}\n", scalar(plain))),
    }
}

fn nested(value: &Value, depth: usize, out: &mut String) {
    let simple = |items: &[Value]| items.iter().all(|item| !item.is_object() && !item.is_array());
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            write(value, depth, out);
        }
        Value::Array(items) if !simple(items) => {
            out.push('\n');
            write(value, depth, out);
        }
        other => out.push_str(&format!(" {}\n", scalar(other))),
    }
}

/// A plain word as it is, anything else as JSON, which is YAML too.
fn scalar(value: &Value) -> String {
    let plain = |text: &&str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.' | b'/'))
            && !matches!(
                text.to_ascii_lowercase().as_str(),
                "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
            )
    };
    match value.as_str().filter(plain) {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_and_bookkeeping_are_left_out() {
        let object = json!({
            "metadata": {"name": "a", "managedFields": [{}], "annotations": {COPIES[0]: "{}", "note": "fine"}},
            "spec": {"trainer": {
                "args": ["--api-token", "abc", "--epochs", "3", "--password=hunter2"],
                "env": [{"name": "HF_TOKEN", "value": "x"}, {"name": "EPOCHS", "value": "3"},
                    {"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "secret"}}}],
            }},
        });
        assert_eq!(
            shown(object),
            json!({
                "metadata": {"name": "a", "annotations": {"note": "fine"}},
                "spec": {"trainer": {
                    "args": ["--api-token", "***", "--epochs", "3", "--password=***"],
                    "env": [{"name": "HF_TOKEN", "value": "***"}, {"name": "EPOCHS", "value": "3"},
                        {"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "secret"}}}],
                }},
            })
        );
    }

    #[test]
    fn yaml_is_what_kubectl_reads() {
        let object = json!({
            "kind": "TrainJob",
            "metadata": {"labels": {"a/b": "1"}, "name": "x"},
            "spec": {"args": ["a b", "1"], "empty": {}, "env": [{"name": "A", "value": "yes"}, {"name": "B"}], "nodes": 2},
        });
        let want = "kind: TrainJob\nmetadata:\n  labels:\n    a/b: \"1\"\n  name: x\nspec:\n  args: [\"a b\",\"1\"]\n  \
                    empty: {}\n  env:\n    - name: A\n      value: \"yes\"\n    - name: B\n  nodes: 2\n";
        assert_eq!(yaml(&object), want);
    }
}
