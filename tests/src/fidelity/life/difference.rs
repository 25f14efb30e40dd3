//! Differences between two pictures, each as one line that says where it is.

use std::collections::BTreeSet;

use serde_json::Value;

use super::picture::Picture;

/// How much of a value a line shows.
const SHOWN: usize = 300;

/// All differences: objects that only one side has, and fields that differ.
pub(super) fn between(real: &Picture, sandbox: &Picture) -> Vec<String> {
    let mut lines = Vec::new();
    let names: BTreeSet<&String> = real.keys().chain(sandbox.keys()).collect();
    for name in names {
        match (real.get(name), sandbox.get(name)) {
            (Some(real), Some(sandbox)) => values(&format!("{name}: "), real, sandbox, &mut lines),
            (Some(_), None) => lines.push(format!("{name}: real only")),
            (None, _) => lines.push(format!("{name}: sandbox only")),
        }
    }
    lines
}

fn values(path: &str, real: &Value, sandbox: &Value, lines: &mut Vec<String>) {
    match (real, sandbox) {
        (Value::Object(a), Value::Object(b)) => {
            let fields: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for field in fields {
                let path = if path.ends_with(": ") {
                    format!("{path}{field}")
                } else {
                    format!("{path}.{field}")
                };
                match (a.get(field), b.get(field)) {
                    (Some(a), Some(b)) => values(&path, a, b, lines),
                    (a, b) => lines.push(line(&path, a, b)),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            for index in 0..a.len().max(b.len()) {
                let path = format!("{path}[{index}]");
                match (a.get(index), b.get(index)) {
                    (Some(a), Some(b)) => values(&path, a, b, lines),
                    (a, b) => lines.push(line(&path, a, b)),
                }
            }
        }
        _ if real == sandbox => {}
        _ => lines.push(line(path, Some(real), Some(sandbox))),
    }
}

fn line(path: &str, real: Option<&Value>, sandbox: Option<&Value>) -> String {
    format!("{path}: real {}, sandbox {}", shown(real), shown(sandbox))
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "(absent)".to_owned();
    };
    let text = value.to_string();
    if text.chars().count() <= SHOWN {
        return text;
    }
    let cut: String = text.chars().take(SHOWN).collect();
    format!("{cut}…")
}
