//! Labels and label selectors as text.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{at, list};

/// `key=value` of all labels, `<none>` when there are none.
pub(super) fn labels(labels: &Value) -> String {
    let labels: BTreeMap<&String, &Value> = labels.as_object().into_iter().flatten().collect();
    let texts: Vec<String> = labels
        .into_iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if texts.is_empty() {
        "<none>".to_owned()
    } else {
        texts.join(",")
    }
}

/// A `metav1.LabelSelector` as it would be written in a query, ordered by key; empty when it selects everything or
/// nothing.
pub(super) fn text(selector: &Value) -> String {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut parts: Vec<(&str, String)> = equal
        .map(|(key, value)| (key.as_str(), format!("{key}={}", value.as_str().unwrap_or_default())))
        .collect();
    for expression in list(selector, "/matchExpressions") {
        let key = at(expression, "/key");
        let mut values: Vec<&str> = list(expression, "/values").iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let part = match at(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return "<invalid>".to_owned(),
        };
        parts.push((key, part));
    }
    parts.sort_by_key(|(key, _)| *key);
    let texts: Vec<String> = parts.into_iter().map(|(_, part)| part).collect();
    texts.join(",")
}
