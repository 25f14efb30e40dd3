//! Field selectors: which fields a kind can be selected by, and what that selects.

use std::borrow::Cow;

use serde_json::Value;

use crate::apiserver::errors::bad_request;
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::Store;

/// One requirement.
#[derive(Debug, Clone)]
pub(super) struct Field {
    path: String,
    equal: bool,
    value: String,
}

impl Field {
    /// Whether an object meets the requirement.
    pub(super) fn matches(&self, object: &Value) -> bool {
        (value(object, &self.path) == self.value) == self.equal
    }
}

/// Reads a selector.
pub(super) fn parse(text: &str) -> Result<Vec<Field>, Status> {
    let parts = terms(text).into_iter().filter(|part| !part.is_empty());
    parts.map(|part| term(text, part)).collect()
}

/// Refuses fields that objects of a kind cannot be selected by.
pub(super) fn supported(store: &Store, kind: &Kind, fields: &[Field]) -> Result<(), Status> {
    match fields.iter().find(|field| !known(store, kind, &field.path)) {
        Some(field) => Err(bad_request(unsupported(kind, &field.path))),
        None => Ok(()),
    }
}

/// The parts between commas; a backslash takes its meaning from the character after it.
fn terms(text: &str) -> Vec<&str> {
    let (mut parts, mut from, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == ',' && !escaped {
            parts.push(text.get(from..at).unwrap_or_default());
            from = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    parts.push(text.get(from..).unwrap_or_default());
    parts
}

fn term(whole: &str, part: &str) -> Result<Field, Status> {
    let split = part.char_indices().find_map(|(at, _)| {
        let rest = part.get(at..)?;
        let sign = ["!=", "==", "="].into_iter().find(|sign| rest.starts_with(sign))?;
        Some((part.get(..at)?, sign, rest.get(sign.len()..)?))
    });
    let Some((path, sign, value)) = split else {
        return Err(bad_request(format!(
            "invalid selector: '{whole}'; can't understand '{part}'"
        )));
    };
    Ok(Field {
        path: path.to_owned(),
        equal: sign != "!=",
        value: unescape(value).map_err(|why| bad_request(format!("invalid field selector: {why}")))?,
    })
}

fn unescape(value: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                Some(c) => return Err(format!("invalid escape sequence: \\{c}")),
                None => return Err("invalid escape sequence: \\".to_owned()),
            },
            ',' | '=' => return Err(format!("unescaped character in value: {}", u32::from(c))),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn own(kind: &Kind) -> &'static [&'static str] {
    match kind.kind {
        "Pod" => &[
            "spec.host",
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
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
        "Service" => &["spec.clusterIP", "spec.type"],
        "Node" => &["spec.unschedulable"],
        "Job" => &["status.successful"],
        _ => &[],
    }
}

fn known(store: &Store, kind: &Kind, path: &str) -> bool {
    match path {
        "metadata.name" => true,
        // cluster-scoped kinds without fields of their own do not mind
        "metadata.namespace" => kind.namespaced || (!kind.custom() && own(kind).is_empty()),
        _ if kind.custom() => selectable(store, kind, path),
        _ => own(kind).contains(&path),
    }
}

/// Whether the CustomResourceDefinition of a kind lists a field as selectable.
fn selectable(store: &Store, kind: &Kind, path: &str) -> bool {
    let definition =
        Kind::named("CustomResourceDefinition").and_then(|definitions| store.get(definitions, "", &kind.qualified()));
    let versions = definition.and_then(|definition| definition["spec"]["versions"].as_array());
    versions
        .into_iter()
        .flatten()
        .filter(|version| version["name"] == kind.version)
        .flat_map(|version| version["selectableFields"].as_array().into_iter().flatten())
        .any(|field| {
            field["jsonPath"]
                .as_str()
                .is_some_and(|p| p.strip_prefix('.') == Some(path))
        })
}

/// Kinds with selectable fields of their own, and custom resources, word the refusal differently from the rest.
fn unsupported(kind: &Kind, path: &str) -> String {
    match kind.kind {
        "Job" => format!("field label \"{path}\" not supported for Job"),
        _ if kind.custom() || !own(kind).is_empty() => format!("field label not supported: {path}"),
        _ => format!("\"{path}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""),
    }
}

fn value<'a>(object: &'a Value, path: &str) -> Cow<'a, str> {
    let path = match path {
        "source" => {
            // events of the newer shape name their source in another field
            let old = object["source"]["component"].as_str().filter(|s| !s.is_empty());
            let new = || object["reportingComponent"].as_str().unwrap_or_default();
            return Cow::Borrowed(old.unwrap_or_else(new));
        }
        "spec.host" => "spec.nodeName",
        "status.successful" => "status.succeeded",
        // an accepted name that nothing ever has
        "status.podIPs" => return Cow::Borrowed(""),
        path => path,
    };
    match path.split('.').try_fold(object, |at, step| at.get(step)) {
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(Value::Bool(flag)) => Cow::Owned(flag.to_string()),
        Some(Value::Number(number)) => Cow::Owned(number.to_string()),
        _ => Cow::Borrowed(match path {
            "spec.unschedulable" | "spec.hostNetwork" => "false",
            "status.succeeded" => "0",
            _ => "",
        }),
    }
}
