//! Tables: what `kubectl get` prints, which the API server and not the client makes of objects.

mod age;
mod batch;
mod core;
mod custom;
mod event;
mod node;
mod path;
mod pod;
mod selector;

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::store::{Store, text};
use custom::Custom;

/// The columns of built-in kinds as kube-apiserver 1.36 describes them.
static COLUMNS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("columns.json")).unwrap_or_default());

/// Makes rows of the objects of one kind.
#[derive(Debug)]
pub(crate) struct Printer {
    kind: &'static Kind,
    /// The columns of a custom kind.
    custom: Option<Custom>,
}

/// One row.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    /// One value a column.
    pub(crate) cells: Vec<Value>,
    /// Conditions of the row, which say that a pod has run to its end.
    pub(crate) conditions: Option<Value>,
}

impl Printer {
    /// The printer of a kind; custom kinds have the columns that their CustomResourceDefinition names.
    pub(crate) fn new(store: &Store, kind: &'static Kind) -> Self {
        let custom = kind.custom().then(|| Custom::new(store, kind));
        Self { kind, custom }
    }

    /// The column definitions.
    pub(crate) fn columns(&self) -> &Value {
        match &self.custom {
            Some(custom) => custom.columns(),
            // kinds without a printer of their own show what all objects have
            None => COLUMNS
                .get(self.kind.kind)
                .unwrap_or(&COLUMNS["CustomResourceDefinition"]),
        }
    }

    /// The row of an object at a time.
    pub(crate) fn row(&self, object: &Value, now: Timestamp) -> Row {
        let cells = match (&self.custom, self.kind.kind) {
            (Some(custom), _) => custom.cells(object, now),
            (None, "ConfigMap") => core::config_map(object, now),
            (None, "Deployment") => batch::deployment(object, now),
            (None, "Event") => event::cells(object, now),
            (None, "Job") => batch::job(object, now),
            (None, "Namespace") => core::namespace(object, now),
            (None, "Node") => node::cells(object, now),
            (None, "PersistentVolumeClaim") => core::claim(object, now),
            (None, "Pod") => pod::cells(object, now),
            (None, "ResourceQuota") => core::quota(object, now),
            (None, "Secret") => core::secret(object, now),
            (None, "Service") => core::service(object, now),
            (None, "ServiceAccount") => vec![name(object), age::of(object, now)],
            (None, _) => vec![name(object), object["metadata"]["creationTimestamp"].clone()],
        };
        let conditions = (self.kind.kind == "Pod").then(|| pod::conditions(object)).flatten();
        Row { cells, conditions }
    }
}

/// The first cell of most rows.
fn name(object: &Value) -> Value {
    json!(text(object, "/metadata/name"))
}

/// A string inside an object.
fn at<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A number inside an object, zero when it is not there.
fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The elements of a list inside an object.
fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// How many entries a map inside an object has.
fn entries(object: &Value, field: &str) -> usize {
    object[field].as_object().map_or(0, serde_json::Map::len)
}

/// What stands in a cell that would be empty.
fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// Whether an object has a condition that is true.
fn holds(object: &Value, condition: &str) -> bool {
    list(object, "/status/conditions")
        .iter()
        .find(|c| c["type"] == condition)
        .is_some_and(|c| c["status"] == "True")
}

/// Names and images of a pod template's containers.
fn containers(object: &Value) -> [Value; 2] {
    let containers = list(object, "/spec/template/spec/containers");
    ["/name", "/image"].map(|of| {
        let texts: Vec<&str> = containers.iter().map(|container| at(container, of)).collect();
        json!(texts.join(","))
    })
}

#[cfg(test)]
mod tests;
