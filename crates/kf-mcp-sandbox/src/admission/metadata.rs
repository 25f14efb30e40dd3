//! What every object's metadata must be.

use serde_json::{Map, Value, json};

use super::format::{label, label_value, qualified, subdomain};
use super::problem::Problem;
use crate::kinds::Kind;
use crate::store::text;

/// How long all annotations of an object may be together.
const ANNOTATIONS: usize = 256 * 1024;
/// Finalizers without a domain that built-in kinds may have.
const FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// What is wrong with the metadata of an object that is created, or changed from what it was `before`.
pub(super) fn check(kind: &Kind, object: &Value, before: Option<&Value>) -> Vec<Problem> {
    let meta = &object["metadata"];
    let mut problems = Vec::new();
    match before {
        Some(before) => unchanged(meta, &before["metadata"], &mut problems),
        None => names(kind, meta, &mut problems),
    }
    labels(meta, &mut problems);
    annotations(meta, &mut problems);
    owners(meta, &mut problems);
    finalizers(kind, meta, &mut problems);
    problems
}

fn names(kind: &Kind, meta: &Value, problems: &mut Vec<Problem>) {
    let format = match (kind.group, kind.kind) {
        ("", "Namespace" | "Service") => label,
        _ => subdomain,
    };
    let (prefix, name) = (text(meta, "/generateName"), text(meta, "/name"));
    if !prefix.is_empty() {
        // what follows the prefix makes its end a good one
        let shown = match prefix.strip_suffix('-') {
            Some(rest) if !rest.is_empty() => format!("{}a", rest.get(..rest.len() - 1).unwrap_or_default()),
            _ => prefix.clone(),
        };
        let wrong = format(&shown).into_iter();
        problems.extend(wrong.map(|why| Problem::invalid("metadata.generateName", &json!(prefix), &why)));
    }
    if name.is_empty() {
        problems.push(Problem::required("metadata.name", "name or generateName is required"));
        return;
    }
    let wrong = format(&name).into_iter();
    problems.extend(wrong.map(|why| Problem::invalid("metadata.name", &json!(name), &why)));
}

fn unchanged(meta: &Value, before: &Value, problems: &mut Vec<Problem>) {
    if before.get("deletionTimestamp").is_none() {
        return;
    }
    let list = |meta: &Value| -> Vec<String> {
        let finalizers = meta["finalizers"].as_array().into_iter().flatten();
        finalizers.filter_map(|f| f.as_str().map(str::to_owned)).collect()
    };
    let old = list(before);
    let mut new: Vec<String> = list(meta).into_iter().filter(|f| !old.contains(f)).collect();
    new.sort();
    if !new.is_empty() {
        let new: Vec<String> = new.iter().map(|f| format!("{f:?}")).collect();
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            new.join(", ")
        );
        problems.push(Problem::forbidden("metadata.finalizers", &why));
    }
}

fn labels(meta: &Value, problems: &mut Vec<Problem>) {
    let field = "metadata.labels";
    for (key, value) in map(meta, "labels") {
        problems.extend(
            qualified(key)
                .into_iter()
                .map(|why| Problem::invalid(field, &json!(key), &why)),
        );
        let wrong = label_value(value.as_str().unwrap_or_default()).into_iter();
        problems.extend(wrong.map(|why| Problem::invalid(field, value, &why)));
    }
}

fn annotations(meta: &Value, problems: &mut Vec<Problem>) {
    let field = "metadata.annotations";
    let mut size = 0;
    for (key, value) in map(meta, "annotations") {
        let wrong = qualified(&key.to_lowercase()).into_iter();
        problems.extend(wrong.map(|why| Problem::invalid(field, &json!(key), &why)));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS {
        problems.push(Problem::too_long(field, ANNOTATIONS, "bytes"));
    }
}

fn owners(meta: &Value, problems: &mut Vec<Problem>) {
    let list = meta["ownerReferences"].as_array();
    let mut controller = None;
    for owner in list.into_iter().flatten() {
        for (part, why) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if text(owner, &format!("/{part}")).is_empty() {
                let field = format!("metadata.ownerReferences.{part}");
                problems.push(Problem::invalid(field, &json!(""), why));
            }
        }
        if owner["controller"] == true {
            let name = format!("{}/{}", text(owner, "/kind"), text(owner, "/name"));
            match &controller {
                None => controller = Some(name),
                Some(first) => {
                    let why = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} \
                         and {name}"
                    );
                    let shown = Problem::invalid("metadata.ownerReferences", &Value::Null, &why);
                    let all = Value::from(list.cloned().unwrap_or_default());
                    let message = shown.message.replacen("null", &all.to_string(), 1);
                    problems.push(Problem { message, ..shown });
                }
            }
        }
    }
}

fn finalizers(kind: &Kind, meta: &Value, problems: &mut Vec<Problem>) {
    let list = meta["finalizers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let list: Vec<&str> = list.collect();
    for name in &list {
        let wrong = qualified(name).into_iter();
        problems.extend(wrong.map(|why| Problem::invalid("metadata.finalizers", &json!(name), &why)));
    }
    if kind.custom() {
        return;
    }
    for (index, name) in list.iter().enumerate() {
        if !name.contains('/') && !FINALIZERS.contains(name) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            problems.push(Problem::invalid(
                format!("metadata.finalizers[{index}]"),
                &json!(name),
                why,
            ));
        }
    }
}

fn map<'a>(meta: &'a Value, field: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    meta[field].as_object().into_iter().flat_map(Map::iter)
}
