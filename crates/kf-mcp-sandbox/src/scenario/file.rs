//! The YAML form of a world: plain objects with relative times, pools of nodes, and stories about jobs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ScenarioError;
use crate::controllers::objects::duration;
use crate::kinds::{KINDS, OTHER_GROUPS};
use crate::release::Release;
use crate::store::seconds;

/// One file, or several laid over each other.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct File {
    pub(super) default_namespace: String,
    pub(super) forbidden: Vec<String>,
    pub(super) nodes: Vec<Pool>,
    /// Objects as they are, except `age` at the top and times written `@-1h20m`.
    pub(super) objects: Vec<Value>,
    pub(super) stories: Vec<Story>,
    pub(super) registry: Vec<Entry>,
}

/// Nodes that differ only in their number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pool {
    name: String,
    count: usize,
    allocatable: BTreeMap<String, String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    taints: Vec<Value>,
}

/// A TrainJob and what happened to it. The controllers work out the rest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Story {
    pub(super) age: String,
    pub(super) namespace: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) spec: Value,
    #[serde(default)]
    pub(super) then: Vec<Turn>,
}

/// Something that happens to the job of a story some time after its creation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Turn {
    pub(super) after: String,
    /// Merged into the TrainJob, spec and status alike.
    #[serde(default)]
    pub(super) patch: Option<Value>,
    /// Which pods of the job `annotate` means; all of them when it is missing.
    #[serde(default)]
    pub(super) worker: Option<i64>,
    #[serde(default)]
    pub(super) annotate: BTreeMap<String, String>,
}

/// A write to the Model Registry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) age: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Value,
}

impl File {
    /// Reads one file.
    pub(super) fn parse(yaml: &str) -> Result<Self, ScenarioError> {
        serde_saphyr::from_str(yaml).map_err(|problem| ScenarioError(format!("a built-in scenario: {problem}")))
    }

    /// Lays another file over this one.
    pub(super) fn add(&mut self, other: Self) {
        if !other.default_namespace.is_empty() {
            self.default_namespace = other.default_namespace;
        }
        self.forbidden.extend(other.forbidden);
        self.nodes.extend(other.nodes);
        self.objects.extend(other.objects);
        self.stories.extend(other.stories);
        self.registry.extend(other.registry);
    }

    /// Takes away what a release of Trainer does not bring yet: it tells its version since v2.2.
    pub(super) fn installed(&mut self, trainer: Release) {
        let told = trainer == Release::V2_3;
        self.objects
            .retain(|object| told || object["metadata"]["name"] != "kubeflow-trainer-public");
    }

    /// Takes away what an installation of Trainer brings.
    pub(super) fn without_trainer(&mut self) {
        self.objects.retain(|object| {
            !object["metadata"]["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("kubeflow-trainer"))
        });
    }
}

impl Pool {
    /// The node objects of the pool.
    pub(super) fn nodes(&self) -> Vec<Value> {
        (0..self.count)
            .map(|index| {
                let name = format!("{}-{index}", self.name);
                let mut node = json!({
                    "age": "45d", "apiVersion": "v1", "kind": "Node",
                    "metadata": {"name": name, "labels": self.labels},
                    "spec": {},
                    "status": {
                        "capacity": self.allocatable, "allocatable": self.allocatable,
                        "nodeInfo": {"kubeletVersion": "v1.36.3", "operatingSystem": "linux", "architecture": "amd64"},
                        "addresses": [{"type": "Hostname", "address": name}],
                        "conditions": [{
                            "type": "Ready", "status": "True", "reason": "KubeletReady",
                            "message": "kubelet is posting ready status", "lastTransitionTime": "@-45d",
                            "lastHeartbeatTime": "@-1m",
                        }],
                    },
                });
                node["metadata"]["labels"]["kubernetes.io/hostname"] = json!(name);
                if !self.taints.is_empty() {
                    node["spec"]["taints"] = json!(self.taints);
                }
                node
            })
            .collect()
    }
}

/// The CRDs of Kubeflow's kinds and of those it needs; Trainer's kinds with schemas. Those of the training operator v1 only
/// where it is installed.
pub(super) fn definitions(trainer: Release, legacy: bool) -> Vec<Value> {
    KINDS
        .iter()
        .filter(|kind| kind.custom() && !OTHER_GROUPS.contains(&kind.group))
        .filter(|kind| !kind.legacy() || legacy && kind.version == "v1")
        .map(|kind| {
            let name = kind.qualified();
            let singular = kind.kind.to_lowercase();
            let condition = |of: &str, reason: &str, message: &str| {
                json!({
                    "type": of, "status": "True", "reason": reason, "message": message, "lastTransitionTime": "@-45d",
                })
            };
            let mut version = json!({"name": kind.version, "served": true, "storage": true});
            let other = trainer.schema(kind).cloned();
            if let Some(schema) = other.or_else(|| super::schemas::schema(kind.kind)) {
                version["schema"] = json!({"openAPIV3Schema": schema});
            }
            if kind.status {
                version["subresources"] = json!({"status": {}});
            }
            if let Some(columns) = super::columns::printer_columns(kind.kind) {
                version["additionalPrinterColumns"] = columns;
            }
            let names = json!({
                "kind": kind.kind, "listKind": format!("{}List", kind.kind), "plural": kind.plural,
                "singular": singular,
            });
            json!({
                "age": "45d", "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": name},
                "spec": {
                    "group": kind.group, "names": names, "versions": [version],
                    "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
                },
                "status": {
                    "acceptedNames": names, "storedVersions": [kind.version],
                    "conditions": [
                        condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                        condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
                    ],
                },
            })
        })
        .collect()
}

/// How long ago, as a moment.
pub(super) fn ago(text: &str, now: Timestamp) -> Result<Timestamp, ScenarioError> {
    duration(text)
        .and_then(|age| now.checked_sub(jiff::SignedDuration::try_from(age).ok()?).ok())
        .ok_or_else(|| ScenarioError(format!("a built-in scenario: `{text}` is not an age")))
}

/// Replaces `@-1h20m` by that moment, everywhere.
pub(super) fn absolute(value: &mut Value, now: Timestamp) -> Result<(), ScenarioError> {
    match value {
        Value::String(text) => {
            if let Some(age) = text.strip_prefix("@-") {
                *text = seconds(ago(age, now)?);
            }
        }
        Value::Array(list) => list.iter_mut().try_for_each(|element| absolute(element, now))?,
        Value::Object(map) => map.values_mut().try_for_each(|element| absolute(element, now))?,
        _ => {}
    }
    Ok(())
}
