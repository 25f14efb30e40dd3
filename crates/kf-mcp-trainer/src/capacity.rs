//! What a cluster's nodes have and what its pods leave free, counted node by node.

use std::collections::{BTreeMap, HashMap};

use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::kube::{Condition, Meta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::devices::{is_accelerator, product};
use crate::quantity::Quantity;

/// Amounts by resource.
pub(crate) type Amounts = BTreeMap<String, Quantity>;

/// A node, as far as its capacity goes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Node {
    metadata: Meta,
    spec: NodeSpec,
    status: NodeStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct NodeSpec {
    unschedulable: bool,
    #[serde(deserialize_with = "null_is_empty")]
    taints: Vec<Taint>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct NodeStatus {
    #[serde(deserialize_with = "null_is_empty")]
    allocatable: Amounts,
    #[serde(deserialize_with = "null_is_empty")]
    conditions: Vec<Condition>,
}

impl Node {
    /// What pods can have of it, once nothing else is there.
    pub(crate) fn allocatable(&self) -> &Amounts {
        &self.status.allocatable
    }

    /// What is written on it.
    pub(crate) fn labels(&self) -> &BTreeMap<String, String> {
        &self.metadata.labels
    }

    /// Why nothing can be placed here, none for a node that takes pods.
    pub(crate) fn closed(&self) -> Option<&'static str> {
        let ready = self.status.conditions.iter().find(|c| c.kind == "Ready");
        if ready.is_some_and(|ready| !ready.is_true()) {
            return Some("not ready");
        }
        self.spec.unschedulable.then_some("unschedulable (cordoned)")
    }

    /// Taints that a pod must tolerate.
    pub(crate) fn taints(&self) -> impl Iterator<Item = String> {
        let hard = self
            .spec
            .taints
            .iter()
            .filter(|t| matches!(t.effect.as_str(), "NoSchedule" | "NoExecute"));
        hard.map(|taint| match taint.value.as_str() {
            "" => format!("{}:{}", taint.key, taint.effect),
            value => format!("{}={value}:{}", taint.key, taint.effect),
        })
    }
}

/// A pod, as far as its requests go.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct PodLoad {
    metadata: LoadMeta,
    spec: LoadSpec,
    status: LoadStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadMeta {
    name: String,
    namespace: String,
    #[serde(deserialize_with = "null_is_empty")]
    labels: LoadLabels,
}

/// The labels by which Trainer's controllers are known; a pod's others are not held.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadLabels {
    #[serde(rename = "app.kubernetes.io/name")]
    name: String,
    #[serde(rename = "app.kubernetes.io/component")]
    component: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadStatus {
    #[serde(deserialize_with = "null_is_empty")]
    conditions: Vec<LoadCondition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LoadCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LoadSpec {
    node_name: String,
    #[serde(deserialize_with = "null_is_empty")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "null_is_empty")]
    init_containers: Vec<Container>,
    #[serde(deserialize_with = "null_is_empty")]
    overhead: Amounts,
    #[serde(deserialize_with = "null_is_empty")]
    resources: Requests,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    restart_policy: String,
    #[serde(deserialize_with = "null_is_empty")]
    resources: Requests,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Requests {
    #[serde(deserialize_with = "null_is_empty")]
    requests: Amounts,
}

fn counts(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory") || is_accelerator(resource)
}

fn add(to: &mut Amounts, more: &Amounts) {
    for (resource, amount) in more.iter().filter(|(resource, _)| counts(resource)) {
        *to.entry(resource.clone()).or_default() += *amount;
    }
}

fn raise(to: &mut Amounts, least: &Amounts) {
    for (resource, amount) in least {
        let has = to.entry(resource.clone()).or_default();
        *has = (*has).max(*amount);
    }
}

impl PodLoad {
    /// What the scheduler counts for the pod: its containers with their sidecars, or the largest moment of its
    /// initialization if that is more, and the overhead; requests of the pod as a whole go before both.
    fn requests(&self) -> Amounts {
        let (mut sidecars, mut peak) = (Amounts::new(), Amounts::new());
        for init in &self.spec.init_containers {
            let mut moment = sidecars.clone();
            add(&mut moment, &init.resources.requests);
            raise(&mut peak, &moment);
            if init.restart_policy == "Always" {
                sidecars = moment;
            }
        }
        let mut total = sidecars;
        for container in &self.spec.containers {
            add(&mut total, &container.resources.requests);
        }
        raise(&mut total, &peak);
        let whole = self
            .spec
            .resources
            .requests
            .iter()
            .filter(|(resource, _)| counts(resource));
        total.extend(whole.map(|(resource, amount)| (resource.clone(), *amount)));
        add(&mut total, &self.spec.overhead);
        total
    }
}

/// What pods request, by node.
#[derive(Debug, Default)]
pub(crate) struct Load {
    by_node: HashMap<String, Amounts>,
    waiting: Amounts,
    /// The pods of Trainer's and JobSet's controllers.
    pub(crate) controllers: Vec<ControllerPod>,
}

/// A pod of a controller.
#[derive(Debug)]
pub(crate) struct ControllerPod {
    /// What it says it is.
    pub(crate) of: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) ready: bool,
}

impl Load {
    /// What pods request of a node.
    pub(crate) fn on(&self, node: &Node) -> Option<&Amounts> {
        self.by_node.get(&node.metadata.name)
    }

    /// Counts a pod that has not ended.
    pub(crate) fn add(&mut self, pod: &PodLoad) {
        let LoadMeta {
            name,
            namespace,
            labels,
        } = &pod.metadata;
        if controls(&labels.name, labels.component.as_deref()) {
            let mut conditions = pod.status.conditions.iter();
            self.controllers.push(ControllerPod {
                of: labels.name.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
                ready: conditions.any(|condition| condition.kind == "Ready" && condition.status == "True"),
            });
        }
        let requests = pod.requests();
        if pod.spec.node_name.is_empty() {
            add(&mut self.waiting, &requests);
        } else {
            add(self.by_node.entry(pod.spec.node_name.clone()).or_default(), &requests);
        }
    }
}

/// Whether these labels are those of Trainer's or JobSet's controller: other parts of Trainer have the same name.
pub(crate) fn controls(name: &str, component: Option<&str>) -> bool {
    matches!(name, "trainer" | "kubeflow-trainer" | "jobset")
        && component.is_none_or(|of| matches!(of, "manager" | "controller"))
}

/// The accelerators that pods hold which have a node, by resource.
pub(crate) fn devices(pods: impl Iterator<Item = PodLoad>) -> BTreeMap<String, i64> {
    let mut held = Amounts::new();
    for pod in pods.filter(|pod| !pod.spec.node_name.is_empty()) {
        add(&mut held, &pod.requests());
    }
    held.into_iter()
        .filter(|(resource, _)| is_accelerator(resource))
        .map(|(resource, amount)| (resource, amount.whole()))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// One kind of accelerator.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Accelerator {
    pub(crate) resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) product: Option<String>,
    pub(crate) nodes: usize,
    pub(crate) allocatable: i64,
    /// Absent when the pods could not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) free: Option<i64>,
    /// The most that one node has free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) largest_free_block: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) taints: Vec<String>,
}

/// A resource that every node has, over all open nodes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) allocatable: Quantity,
    pub(crate) free: Option<Quantity>,
    pub(crate) largest_free_block: Option<Quantity>,
}

/// The sums.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) open_nodes: usize,
    pub(crate) cpu: Total,
    pub(crate) memory: Total,
    pub(crate) accelerators: Vec<Accelerator>,
    /// Taints that pods must tolerate, with the number of open nodes that have them.
    pub(crate) taints: BTreeMap<String, usize>,
    /// Nodes that take no pods, with the reason.
    pub(crate) closed: Vec<(String, &'static str)>,
    /// Accelerators that pods without a node ask for.
    pub(crate) waiting: BTreeMap<String, i64>,
}

/// Counts what is there and what is free. Free is counted node by node, so that one overcommitted node takes nothing from
/// the others; without a load, what is free stays unknown.
pub(crate) fn capacity(nodes: &[Node], load: Option<&Load>) -> Capacity {
    let mut sums = Capacity::default();
    let mut kinds: BTreeMap<(&str, Option<String>), Accelerator> = BTreeMap::new();
    for node in nodes {
        if let Some(why) = node.closed() {
            sums.closed.push((node.metadata.name.clone(), why));
            continue;
        }
        sums.open_nodes += 1;
        for taint in node.taints() {
            *sums.taints.entry(taint).or_default() += 1;
        }
        let used = load.map(|load| load.on(node));
        let free = |resource: &str, has: Quantity| {
            used.map(|used| (has - used.and_then(|used| used.get(resource)).copied().unwrap_or_default()).or_none())
        };
        for (resource, &has) in &node.status.allocatable {
            let free = free(resource, has);
            match resource.as_str() {
                "cpu" => sums.cpu.add(has, free),
                "memory" => sums.memory.add(has, free),
                // A device plugin that has gone leaves its resource behind with none of it.
                _ if is_accelerator(resource) && has > Quantity::default() => {
                    let key = (resource.as_str(), product(resource, &node.metadata.labels));
                    kinds
                        .entry(key)
                        .or_default()
                        .add(has.whole(), free.map(Quantity::whole), node.taints());
                }
                _ => {}
            }
        }
    }
    sums.accelerators = kinds
        .into_iter()
        .map(|((resource, product), kind)| Accelerator {
            resource: resource.to_owned(),
            product,
            ..kind
        })
        .collect();
    let waiting = load
        .into_iter()
        .flat_map(|load| &load.waiting)
        .filter(|(resource, _)| is_accelerator(resource));
    sums.waiting = waiting
        .map(|(resource, amount)| (resource.clone(), amount.whole()))
        .filter(|(_, n)| *n > 0)
        .collect();
    sums
}

impl Total {
    fn add(&mut self, has: Quantity, free: Option<Quantity>) {
        self.allocatable += has;
        if let Some(free) = free {
            self.free = Some(self.free.unwrap_or_default() + free);
            self.largest_free_block = self.largest_free_block.max(Some(free));
        }
    }
}

impl Accelerator {
    fn add(&mut self, has: i64, free: Option<i64>, taints: impl Iterator<Item = String>) {
        self.nodes += 1;
        self.allocatable += has;
        if let Some(free) = free {
            self.free = Some(self.free.unwrap_or_default() + free);
            self.largest_free_block = self.largest_free_block.max(Some(free));
        }
        for taint in taints {
            if !self.taints.contains(&taint) {
                self.taints.push(taint);
            }
        }
    }
}

#[cfg(test)]
#[path = "capacity_tests.rs"]
mod tests;
