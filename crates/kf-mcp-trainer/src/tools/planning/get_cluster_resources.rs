//! `get_cluster_resources`: which accelerators, CPUs and memory the cluster has, and what of it is free.

use std::collections::BTreeMap;

use kf_mcp_core::{Access, Cx, ErrorCode, Namespace, Next, Phase, Render, Text, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::readings::count;
use crate::capacity::{Accelerator, Capacity, Total};
use crate::platform::Platform;
use crate::quantity::Quantity;
use crate::queues::{self, Queue};
use crate::quota::{Quota, Quotas};
use crate::refusal::said;
use crate::slices;

/// How many nodes that take no pods are named.
const CLOSED: usize = 20;

/// Count the cluster's accelerators (GPU, MIG, TPU, NPU) by product, with what is free in all and on one node, CPU, memory
/// and taints, and what quotas and queues leave a namespace. Use before choosing a job's resources.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetClusterResources {
    /// Whose quotas.
    #[schemars(with = "Option<String>")]
    namespace: Option<Namespace>,
}

/// What `get_cluster_resources` answers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Resources {
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<Nodes>,
    accelerators: Vec<Accelerator>,
    /// Accelerators that pods without a node ask for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    waiting: BTreeMap<String, i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Amount>,
    /// Taints that pods must tolerate, with the number of nodes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    taints: BTreeMap<String, usize>,
    namespace: String,
    /// Absent when they could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    quotas: Option<Vec<Quota>>,
    /// Kueue's of the namespace, Volcano's of the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queues: Vec<Queue>,
    /// Devices that are claimed and not counted as resources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dynamic: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Nodes {
    total: usize,
    /// Nodes that take pods: only these are counted.
    open: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    excluded: Vec<Excluded>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Excluded {
    node: String,
    why: &'static str,
}

/// A sum over the open nodes, as Kubernetes writes it.
#[derive(Debug, Serialize, JsonSchema)]
struct Amount {
    allocatable: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    free: Option<String>,
    /// The most that one node has free.
    #[serde(skip_serializing_if = "Option::is_none")]
    largest_free_block: Option<String>,
    #[serde(skip)]
    shown: String,
}

impl Render for Resources {
    fn render(&self, text: &mut Text) {
        if let Some(nodes) = &self.nodes {
            text.fact("nodes", format!("{} open of {}", nodes.open, nodes.total));
            if self.accelerators.is_empty() {
                text.line("accelerators: none");
            } else {
                let number = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
                let rows = self.accelerators.iter().map(|a| {
                    [
                        a.resource.clone(),
                        a.product.clone().unwrap_or_default(),
                        a.nodes.to_string(),
                        a.allocatable.to_string(),
                        number(a.free),
                        number(a.largest_free_block),
                        a.taints.join(","),
                    ]
                });
                text.table(
                    [
                        "accelerator",
                        "product",
                        "nodes",
                        "total",
                        "free",
                        "free_on_one_node",
                        "taints",
                    ],
                    rows,
                );
            }
            for (resource, count) in &self.waiting {
                text.fact("waiting", format!("pods without a node ask for {count} {resource}"));
            }
            for (name, amount) in [("cpu", &self.cpu), ("memory", &self.memory)] {
                text.fact(
                    name,
                    amount.as_ref().map(|amount| amount.shown.as_str()).unwrap_or_default(),
                );
            }
            for (taint, count) in &self.taints {
                text.fact("taint", format!("{taint} on {count} nodes"));
            }
            for excluded in &nodes.excluded {
                text.fact("excluded", format!("node {}: {}", excluded.node, excluded.why));
            }
        }
        if self.quotas.as_ref().is_some_and(Vec::is_empty) {
            text.fact("quotas", format!("none in namespace {}", self.namespace));
        }
        for quota in self.quotas.iter().flatten() {
            text.fact("quota", format!("{}/{}", self.namespace, quota.words()));
        }
        text.facts("queue", self.queues.iter().map(Queue::words));
        text.facts("dynamic", &self.dynamic);
        if let Some(platform) = &self.platform {
            platform.render(text);
        }
        text.facts("not seen", &self.not_seen);
    }
}

impl Tool for GetClusterResources {
    type Output = Resources;
    const SPEC: ToolSpec = ToolSpec::read("get_cluster_resources", Phase::Planning)
        .access(&[
            Access::new("", "nodes", &["list"]).cluster().degrades(),
            Access::new("", "pods", &["list"]).cluster().degrades().sums(),
            Access::new("", "resourcequotas", &["list"]).degrades(),
            // Only where they are served.
            Access::new("kueue.x-k8s.io", "localqueues", &["list"]).degrades(),
            Access::new("kueue.x-k8s.io", "clusterqueues", &["list"])
                .cluster()
                .degrades(),
            Access::new("scheduling.volcano.sh", "queues", &["list"])
                .cluster()
                .degrades(),
            Access::new("resource.k8s.io", "resourceslices", &["list"])
                .cluster()
                .degrades(),
        ])
        .next(&[
            Next::to("list_runtimes", "to choose what to train on"),
            Next::to("run_container_training", "resources and runtime are chosen"),
        ]);

    async fn run(self, cx: &Cx) -> Result<Resources, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let (counted, quotas, more) = futures::join!(count(cx), Quotas::read(cx, &namespace), more(cx, &namespace));
        let (queues, dynamic, not_seen) = more;
        let mut resources = Resources {
            namespace,
            queues,
            dynamic,
            not_seen,
            ..Resources::default()
        };
        match quotas {
            Ok(quotas) => {
                resources.quotas = Some(quotas.rows());
                if quotas.more {
                    resources.not_seen.push("more quotas than were read".to_owned());
                }
            }
            Err(error) => resources.not_seen.push(format!("quotas: {}", said(error))),
        }
        match counted {
            Ok(counted) => {
                resources.not_seen.extend(counted.not_seen);
                resources.platform = counted.platform;
                resources.count(counted.sums, counted.nodes);
            }
            Err(error) if error.is_forbidden() && resources.quotas.is_some() => {
                resources.not_seen.push(format!("nodes: {}", said(error)));
            }
            Err(error) => {
                let error = ToolError::from(error);
                let forbidden = error.code == ErrorCode::Forbidden;
                return Err(if forbidden { error.fix(RIGHTS) } else { error });
            }
        }
        Ok(resources)
    }
}

kf_mcp_core::register!(GetClusterResources);

const RIGHTS: &str = "ask an administrator of the cluster for a ClusterRole that may list nodes and pods, bound with a \
                      ClusterRoleBinding; or for the right to list resourcequotas in your namespace, which shows its share";

/// What only some clusters have: queues, devices of dynamic resource allocation, and what could not be seen of them.
async fn more(cx: &Cx, namespace: &str) -> (Vec<Queue>, Vec<String>, Vec<String>) {
    let groups = match cx.kube().groups().await {
        Ok(groups) => groups,
        Err(error) => return (Vec::new(), Vec::new(), vec![format!("queues: {}", said(error))]),
    };
    let (mut not_seen, mut of_devices) = (Vec::new(), Vec::new());
    let (queues, dynamic) = futures::join!(
        queues::read(cx, &groups, namespace, &mut not_seen),
        slices::read(cx, &groups, &mut of_devices),
    );
    not_seen.extend(of_devices);
    (queues, dynamic, not_seen)
}

impl Resources {
    fn count(&mut self, sums: Capacity, total: usize) {
        let left_out = sums.closed.len().saturating_sub(CLOSED);
        if left_out > 0 {
            self.not_seen
                .push(format!("the names of {left_out} more nodes that take no pods"));
        }
        let excluded = sums
            .closed
            .into_iter()
            .take(CLOSED)
            .map(|(node, why)| Excluded { node, why });
        self.nodes = Some(Nodes {
            total,
            open: sums.open_nodes,
            excluded: excluded.collect(),
        });
        self.accelerators = sums.accelerators;
        self.waiting = sums.waiting;
        self.taints = sums.taints;
        self.cpu = Some(amount(&sums.cpu, |q| q.to_string(), |q| q.to_string()));
        self.memory = Some(amount(&sums.memory, Quantity::binary, Quantity::gibibytes));
    }
}

fn amount(total: &Total, exact: impl Fn(Quantity) -> String, shown: impl Fn(Quantity) -> String) -> Amount {
    let free = match (total.free, total.largest_free_block) {
        (Some(free), Some(block)) => format!(
            "{} free of {}, {} on one node",
            shown(free),
            shown(total.allocatable),
            shown(block)
        ),
        _ => format!("{} in all", shown(total.allocatable)),
    };
    Amount {
        allocatable: exact(total.allocatable),
        free: total.free.map(&exact),
        largest_free_block: total.largest_free_block.map(&exact),
        shown: free,
    }
}
