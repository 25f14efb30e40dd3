//! Label and field selectors.

use std::borrow::Cow;

use serde_json::Value;

use super::errors::bad_request;
use super::query::Query;
use crate::kinds::Kind;
use crate::status::Status;

/// What of a collection a request is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    labels: Vec<Label>,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Label {
    Exists(String),
    Missing(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

#[derive(Debug, Clone)]
struct Field {
    path: String,
    equal: bool,
    value: String,
}

impl Selection {
    /// Reads `labelSelector` and `fieldSelector`.
    pub(crate) fn new(kind: &Kind, query: &Query) -> Result<Self, Status> {
        let labels = query.get("labelSelector").map(labels).transpose()?.unwrap_or_default();
        let fields = query
            .get("fieldSelector")
            .map(|text| fields(kind, text))
            .transpose()?
            .unwrap_or_default();
        Ok(Self { labels, fields })
    }

    /// Whether everything is selected.
    pub(crate) fn is_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object is selected.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.fields
            .iter()
            .all(|f| (field(object, &f.path) == f.value) == f.equal)
            && self
                .labels
                .iter()
                .all(|label| label.matches(&object["metadata"]["labels"]))
    }
}

impl Label {
    fn matches(&self, labels: &Value) -> bool {
        let value = |key: &str| labels.get(key).and_then(Value::as_str);
        match self {
            Label::Exists(key) => value(key).is_some(),
            Label::Missing(key) => value(key).is_none(),
            Label::In(key, values) => value(key).is_some_and(|v| values.iter().any(|x| x == v)),
            Label::NotIn(key, values) => value(key).is_none_or(|v| values.iter().all(|x| x != v)),
        }
    }
}

fn labels(text: &str) -> Result<Vec<Label>, Status> {
    let mut parts = Vec::new();
    let (mut depth, mut from) = (0_i32, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(from..).unwrap_or_default());
    parts.into_iter().map(requirement).collect()
}

fn requirement(part: &str) -> Result<Label, Status> {
    let part = part.trim();
    let bad = |found: &str, expected: &str| {
        bad_request(format!(
            "unable to parse requirement: found '{found}', expected: {expected}"
        ))
    };
    let key = |text: &str| {
        let text = text.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if text.is_empty() || !text.chars().all(fine) {
            Err(bad(text, "!, identifier, or 'end of string'"))
        } else {
            Ok(text.to_owned())
        }
    };
    let value = |text: &str| {
        let text = text.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.chars().all(fine) {
            Ok(text.to_owned())
        } else {
            Err(bad(text, "identifier"))
        }
    };
    if let Some(rest) = part.strip_prefix('!') {
        return Ok(Label::Missing(key(rest)?));
    }
    if let Some((head, list)) = part.split_once('(') {
        let list = list.trim_end().strip_suffix(')').ok_or_else(|| bad("", "',' or ')'"))?;
        let values = list.split(',').map(value).collect::<Result<Vec<_>, _>>()?;
        let mut words = head.split_whitespace();
        return match (words.next(), words.next(), words.next()) {
            (Some(name), Some("in"), None) => Ok(Label::In(key(name)?, values)),
            (Some(name), Some("notin"), None) => Ok(Label::NotIn(key(name)?, values)),
            (_, word, _) => Err(bad(word.unwrap_or("("), "in, notin, =, ==, !=, gt, lt")),
        };
    }
    if let Some((name, text)) = part.split_once("!=") {
        return Ok(Label::NotIn(key(name)?, vec![value(text)?]));
    }
    if let Some((name, text)) = part.split_once('=') {
        return Ok(Label::In(
            key(name)?,
            vec![value(text.strip_prefix('=').unwrap_or(text))?],
        ));
    }
    Ok(Label::Exists(key(part)?))
}

fn fields(kind: &Kind, text: &str) -> Result<Vec<Field>, Status> {
    let mut out = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
            (path, false, value)
        } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            (path, true, value)
        } else {
            return Err(bad_request(format!(
                "invalid selector: '{text}'; can't understand '{part}'"
            )));
        };
        if !supported(kind, path) {
            return Err(bad_request(unsupported(kind, path)));
        }
        out.push(Field {
            path: path.to_owned(),
            equal,
            value: value.to_owned(),
        });
    }
    Ok(out)
}

fn supported(kind: &Kind, path: &str) -> bool {
    let own: &[&str] = match kind.kind {
        "Pod" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "Namespace" => &["status.phase"],
        "Secret" => &["type"],
        "Node" => &["spec.unschedulable"],
        "Job" => &["status.successful"],
        _ => &[],
    };
    match path {
        "metadata.name" => true,
        "metadata.namespace" => kind.namespaced || !kind.custom(),
        _ => own.contains(&path),
    }
}

/// Kinds with selectable fields of their own, and custom resources, word the refusal differently from the rest.
fn unsupported(kind: &Kind, path: &str) -> String {
    match kind.kind {
        "Job" => format!("field label \"{path}\" not supported for Job"),
        "Pod" | "Event" | "Namespace" | "Secret" | "Node" => format!("field label not supported: {path}"),
        _ if kind.custom() => format!("field label not supported: {path}"),
        _ => format!("\"{path}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""),
    }
}

fn field<'a>(object: &'a Value, path: &str) -> Cow<'a, str> {
    if path == "source" {
        // events of the new kind name their source in another field
        let old = object["source"]["component"].as_str().filter(|s| !s.is_empty());
        return Cow::Borrowed(
            old.or_else(|| object["reportingComponent"].as_str())
                .unwrap_or_default(),
        );
    }
    match path.split('.').try_fold(object, |at, step| at.get(step)) {
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(Value::Bool(flag)) => Cow::Owned(flag.to_string()),
        Some(Value::Number(number)) => Cow::Owned(number.to_string()),
        _ if path == "spec.unschedulable" || path == "spec.hostNetwork" => Cow::Borrowed("false"),
        _ => Cow::Borrowed(""),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn label_selectors() {
        let object = json!({"metadata": {"labels": {"app": "train", "tier": "gpu"}}});
        for (selector, selected) in [
            ("app=train", true),
            ("app==train,tier!=cpu", true),
            ("app in (serve, train),tier", true),
            ("app notin (serve),!zone", true),
            ("zone notin (a)", true),
            ("zone != a", true),
            ("!app", false),
            ("tier in (cpu)", false),
        ] {
            let labels = labels(selector).unwrap();
            assert_eq!(
                Selection { labels, fields: vec![] }.matches(&object),
                selected,
                "{selector}"
            );
        }
        assert_eq!(labels("app in (a").unwrap_err().code, 400);
        assert_eq!(labels("a b").unwrap_err().code, 400);
    }

    #[test]
    fn field_selectors_know_each_kind() {
        let query = |text: &str| Query::new(&format!("fieldSelector={text}"));
        let kind = |name| Kind::named(name).unwrap();
        let event = json!({"reason": "Started", "involvedObject": {"name": "p"}, "reportingComponent": "kubelet"});
        let chosen = Selection::new(
            kind("Event"),
            &query("involvedObject.name=p,reason!=Killing,source=kubelet"),
        );
        assert!(chosen.unwrap().matches(&event));
        let refused = Selection::new(kind("TrainJob"), &query("spec.suspend=true")).unwrap_err();
        assert_eq!(refused.message, "field label not supported: spec.suspend");
        let refused = Selection::new(kind("ConfigMap"), &query("x=y")).unwrap_err();
        assert!(refused.message.starts_with("\"x\" is not a known field selector"));
    }
}
