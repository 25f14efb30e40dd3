//! `list_runtimes`: the training runtimes a job may name, the namespace's own and the cluster's.

use std::collections::BTreeSet;

use kf_mcp_core::{Access, Cx, Namespace, Next, Phase, Render, Text, Tool, ToolError, ToolSpec};
use kf_mcp_trainjob::{Devices, Runtime, RuntimeScope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pods::outside;
use crate::runtimes;

/// List the training runtimes a job can run on, with framework, default nodes and devices.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRuntimes {
    /// Whose own runtimes to list too; your namespace by default.
    namespace: Option<Namespace>,
    /// At most this many of each kind.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 500))]
    limit: u32,
}

fn hundred() -> u32 {
    100
}

/// What `list_runtimes` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Runtimes {
    runtimes: Vec<Row>,
    /// The namespace whose own runtimes are among them.
    namespace: String,
    has_more: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    name: String,
    scope: RuntimeScope,
    #[serde(skip_serializing_if = "String::is_empty")]
    framework: String,
    /// Nodes of a job that does not say.
    nodes: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<Devices>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deprecated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Render for Runtimes {
    fn render(&self, text: &mut Text) {
        if self.runtimes.is_empty() {
            text.line("no training runtimes: ask the platform team to install some");
        } else {
            let rows = self.runtimes.iter().map(|row| {
                let devices = row.devices.as_ref().map(|d| format!("{}x{}", d.per_node, d.resource));
                let deprecated = row.deprecated.then_some("deprecated");
                let notes: Vec<&str> = deprecated.into_iter().chain(row.note.as_deref()).collect();
                [
                    row.name.clone(),
                    row.scope.as_str().to_owned(),
                    row.framework.clone(),
                    row.nodes.to_string(),
                    devices.unwrap_or_default(),
                    notes.join("; "),
                ]
            });
            text.table(["name", "scope", "framework", "nodes", "devices", "note"], rows);
        }
        if self.has_more {
            text.line("there are more: ask with a larger limit");
        }
        text.facts("not seen", &self.not_seen);
    }
}

impl Tool for ListRuntimes {
    type Output = Runtimes;
    const SPEC: ToolSpec = ToolSpec::read("list_runtimes", Phase::Discovery)
        .access(&[
            Access::new("trainer.kubeflow.org", "clustertrainingruntimes", &["list"])
                .cluster()
                .degrades(),
            Access::new("trainer.kubeflow.org", "trainingruntimes", &["list"]).degrades(),
        ])
        .next(&[
            Next::to("get_runtime", "you want a runtime's image, command and limits"),
            Next::to("run_container_training", "you know which one to use"),
        ]);

    async fn run(self, cx: &Cx) -> Result<Runtimes, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let runtimes::Listed {
            all: found,
            more: has_more,
            not_seen,
            ..
        } = runtimes::list(cx, &namespace, self.limit).await?;
        Ok(Runtimes {
            runtimes: rows(&found),
            namespace,
            has_more,
            not_seen,
        })
    }
}

kf_mcp_core::register!(ListRuntimes);

/// Rows in the order of names; a cluster runtime that a namespaced one hides says so.
fn rows(found: &[Runtime]) -> Vec<Row> {
    let own = found.iter().filter(|runtime| runtime.scope == RuntimeScope::Namespace);
    let own: BTreeSet<&str> = own.map(|runtime| runtime.name.as_str()).collect();
    let mut rows: Vec<Row> = found
        .iter()
        .map(|runtime| {
            let hidden = runtime.scope == RuntimeScope::Cluster && own.contains(runtime.name.as_str());
            let note = hidden
                .then_some("hidden by the namespace's own of that name")
                .or(runtime.note());
            Row {
                name: outside(&runtime.name),
                scope: runtime.scope,
                framework: outside(&runtime.framework),
                nodes: runtime.num_nodes,
                devices: runtime.devices(),
                deprecated: runtime.deprecated,
                note: note.map(str::to_owned),
            }
        })
        .collect();
    rows.sort_by(|a, b| (&a.name, b.scope).cmp(&(&b.name, a.scope)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn odd_runtimes_are_listed_with_a_note() {
        let value = |name: &str| json!({"metadata": {"name": name}, "spec": null});
        let found = [
            Runtime::from_value(&value("b"), RuntimeScope::Cluster),
            Runtime::from_value(&value("a"), RuntimeScope::Cluster),
            Runtime::from_value(&value("b"), RuntimeScope::Namespace),
        ];
        let rows = rows(&found);
        let told: Vec<_> = rows
            .iter()
            .map(|r| (r.name.as_str(), r.scope.as_str(), r.note.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("a", "cluster", Some("has no training container")),
                ("b", "namespace", Some("has no training container")),
                ("b", "cluster", Some("hidden by the namespace's own of that name")),
            ]
        );
    }
}
