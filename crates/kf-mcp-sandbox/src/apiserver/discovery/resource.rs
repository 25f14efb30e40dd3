//! One resource, as both ways of discovery tell of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::OWN_GROUPS;
use crate::kinds::Kind;

/// What can be done with objects. The two lists differ in their order, as a real server's do.
const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];
const CUSTOM_VERBS: [&str; 8] = [
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];

/// A resource and its subresources.
pub(super) struct Resource {
    pub(super) plural: &'static str,
    singular: String,
    kind: &'static str,
    namespaced: bool,
    verbs: Vec<&'static str>,
    short: &'static [&'static str],
    categories: &'static [&'static str],
    /// A digest of the stored version, for those that are stored.
    hash: Option<String>,
    /// Name, kind and verbs of subresources.
    subresources: Vec<(&'static str, &'static str, &'static [&'static str])>,
}

impl Resource {
    /// An ordinary resource.
    pub(super) fn of(kind: &'static Kind) -> Self {
        let mut verbs = if kind.custom() { CUSTOM_VERBS } else { VERBS }.to_vec();
        let mut subresources: Vec<(_, _, &'static [&'static str])> = Vec::new();
        let categories: &[&str] = match kind.kind {
            "Pod" | "Service" | "Deployment" | "Job" => &["all"],
            "CustomResourceDefinition" => &["api-extensions"],
            "Experiment" | "Trial" | "Suggestion" => &["all", "kubeflow", "katib"],
            _ => &[],
        };
        match kind.kind {
            "Namespace" => verbs.retain(|verb| *verb != "deletecollection"),
            "Pod" => subresources.push(("log", "Pod", &["get"])),
            "Service" => subresources.push((
                "proxy",
                "ServiceProxyOptions",
                &["create", "delete", "get", "patch", "update"],
            )),
            _ => {}
        }
        if kind.status {
            subresources.push(("status", kind.kind, &["get", "patch", "update"]));
        }
        // definitions have been stored in their first version ever since
        let stored = if kind.kind == "CustomResourceDefinition" {
            "v1beta1"
        } else {
            kind.version
        };
        let stored = format!("{}/{stored}/{}", kind.group, kind.kind);
        let hash = Sha256::digest(stored).get(..8).map(|start| STANDARD.encode(start));
        Self {
            plural: kind.plural,
            singular: kind.kind.to_lowercase(),
            kind: kind.kind,
            namespaced: kind.namespaced,
            verbs,
            short: kind.short,
            categories,
            hash,
            subresources,
        }
    }

    /// A resource that only answers questions.
    pub(super) fn review(plural: &'static str, kind: &'static str) -> Self {
        Self {
            plural,
            singular: kind.to_lowercase(),
            kind,
            namespaced: false,
            verbs: vec!["create"],
            short: &[],
            categories: &[],
            hash: None,
            subresources: Vec::new(),
        }
    }

    /// Entries of an `APIResourceList`: the resource, and each subresource as one of its own.
    pub(super) fn listed(&self) -> Vec<Value> {
        let mut main = json!({
            "name": self.plural, "singularName": self.singular, "namespaced": self.namespaced, "kind": self.kind,
            "verbs": self.verbs,
        });
        self.names(&mut main);
        if let Some(hash) = &self.hash {
            main["storageVersionHash"] = json!(hash);
        }
        let subresources = self.subresources.iter().map(|(name, kind, verbs)| {
            json!({
                "name": format!("{}/{name}", self.plural), "singularName": "", "namespaced": self.namespaced,
                "kind": kind, "verbs": verbs,
            })
        });
        std::iter::once(main).chain(subresources).collect()
    }

    /// The entry of an `APIGroupDiscoveryList`.
    pub(super) fn aggregated(&self, group: &str, version: &str) -> Value {
        // kinds of the API server itself are told without their group
        let response = |kind: &str| {
            if OWN_GROUPS.contains(&group) {
                json!({"group": "", "version": "", "kind": kind})
            } else {
                json!({"group": group, "version": version, "kind": kind})
            }
        };
        let mut main = json!({
            "resource": self.plural, "responseKind": response(self.kind),
            "scope": if self.namespaced { "Namespaced" } else { "Cluster" },
            "singularResource": self.singular, "verbs": self.verbs,
        });
        self.names(&mut main);
        let subresources: Vec<Value> = self
            .subresources
            .iter()
            .map(|(name, kind, verbs)| json!({"subresource": name, "responseKind": response(kind), "verbs": verbs}))
            .collect();
        if !subresources.is_empty() {
            main["subresources"] = json!(subresources);
        }
        main
    }

    fn names(&self, entry: &mut Value) {
        let lists = [("shortNames", self.short), ("categories", self.categories)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let lists: Map<String, Value> = lists.map(|(field, list)| (field.to_owned(), json!(list))).collect();
        if let Some(entry) = entry.as_object_mut() {
            entry.extend(lists);
        }
    }
}
