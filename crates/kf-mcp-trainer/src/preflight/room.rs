//! Whether the nodes have room for the pods of a job: ever, and now.

use crate::capacity::{Amounts, Load, Node};
use crate::devices::is_accelerator;
use crate::quantity::Quantity;
use crate::quota::written;

use super::Report;

const CHECK: &str = "devices";
/// Labels of nodes that come from a pool which grows and shrinks.
const POOLS: [&str; 5] = [
    "karpenter.sh/nodepool",
    "cloud.google.com/gke-nodepool",
    "eks.amazonaws.com/nodegroup",
    "kubernetes.azure.com/agentpool",
    "cluster.x-k8s.io/deployment-name",
];

/// The pods of a job.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) pods: u32,
    pub(crate) each: &'a Amounts,
}

impl Ask<'_> {
    /// How many of the pods go into these amounts.
    fn fit(&self, has: impl Fn(&str) -> Quantity) -> u32 {
        let each = self.each.iter();
        let times = each.map(|(resource, asked)| has(resource).holds(*asked)).min();
        times.unwrap_or(self.pods).min(self.pods)
    }

    fn words(&self) -> String {
        let each = self.each.iter();
        let each: Vec<String> = each
            .map(|(resource, asked)| format!("{} {resource}", written(resource, *asked)))
            .collect();
        format!("place {} pods with {} each", self.pods, each.join(", "))
    }
}

/// Finds room for the pods. Without a load, what is free is not known. Not all nodes may have been read, and then more may fit.
pub(crate) fn room(nodes: &[Node], load: Option<&Load>, complete: bool, ask: &Ask, report: &mut Report) {
    let (mut ever, mut open, mut now) = (0_u32, 0_u32, 0_u32);
    let mut taints: Vec<String> = Vec::new();
    for node in nodes {
        let has = |resource: &str| node.allocatable().get(resource).copied().unwrap_or_default();
        let fits = ask.fit(has);
        if fits == 0 {
            continue;
        }
        ever = ever.saturating_add(fits);
        let hard: Vec<String> = node.taints().collect();
        if !hard.is_empty() {
            taints.extend(
                hard.into_iter()
                    .filter(|taint| !taints.contains(taint))
                    .collect::<Vec<_>>(),
            );
        } else if node.closed().is_none() {
            open = open.saturating_add(fits);
            let used = load.and_then(|load| load.on(node));
            let used = |resource: &str| used.and_then(|used| used.get(resource)).copied().unwrap_or_default();
            now = now.saturating_add(ask.fit(|resource| has(resource) - used(resource)));
        }
    }
    if ever < ask.pods {
        return never(nodes, ever, complete, ask, report);
    }
    if open < ask.pods {
        let why = if taints.is_empty() {
            "the others are not ready or cordoned".to_owned()
        } else {
            format!(
                "others have the taints {}, which tolerations in the submit must name",
                taints.join(", ")
            )
        };
        report.warnings.push(format!(
            "nodes that take every pod hold {open} of {} pods: {why}",
            ask.pods
        ));
    } else if load.is_some() && now < ask.pods {
        report.warnings.push(format!(
            "{now} of {} pods find room now: the job waits until more is free (get_cluster_resources tells what is)",
            ask.pods
        ));
    }
}

/// Even empty, the nodes cannot hold the pods.
fn never(nodes: &[Node], ever: u32, complete: bool, ask: &Ask, report: &mut Report) {
    let mut short: Vec<String> = Vec::new();
    for (resource, asked) in ask.each {
        let most = nodes.iter().filter_map(|node| node.allocatable().get(resource)).max();
        let most = most.copied().unwrap_or_default();
        if most < *asked {
            let whole = if is_accelerator(resource) {
                most.whole().to_string()
            } else {
                written(resource, most)
            };
            short.push(format!("no node has more than {whole} {resource}"));
        }
    }
    if short.is_empty() {
        short.push(format!("all nodes together hold {ever} of them"));
    }
    let grows = nodes
        .iter()
        .any(|node| POOLS.iter().any(|pool| node.labels().contains_key(*pool)));
    let answered = short.join("; ");
    if grows || !complete {
        let unless = if grows {
            "an autoscaler adds nodes"
        } else {
            "nodes that were not read can"
        };
        report
            .warnings
            .push(format!("cannot {}, unless {unless}: {answered}", ask.words()));
    } else {
        report.block(
            CHECK,
            ask.words(),
            answered,
            "ask for less on each node, or for fewer nodes; get_cluster_resources shows what there is",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn node(name: &str, gpus: u32, labels: Value, taints: Value) -> Node {
        let node = json!({"metadata": {"name": name, "labels": labels}, "spec": {"taints": taints},
            "status": {"allocatable": {"nvidia.com/gpu": gpus.to_string(), "memory": "64Gi"}}});
        serde_json::from_value(node).unwrap()
    }

    fn told(nodes: &[Node], used: &[(&str, u32)], pods: u32, each: Value) -> (Option<String>, String) {
        let mut load = Load::default();
        for (node, gpus) in used {
            let pod = json!({"spec": {"nodeName": node, "containers": [{"resources": {"requests": {"nvidia.com/gpu": gpus}}}]}});
            load.add(&serde_json::from_value(pod).unwrap());
        }
        let each: Amounts = serde_json::from_value(each).unwrap();
        let mut report = Report::default();
        room(nodes, Some(&load), true, &Ask { pods, each: &each }, &mut report);
        (
            report.blockers.pop().map(|blocker| blocker.answered),
            report.warnings.join("; "),
        )
    }

    #[test]
    fn what_no_node_can_hold_blocks() {
        let nodes = [node("a", 4, json!({}), json!([])), node("b", 4, json!({}), json!([]))];
        let four = json!({"nvidia.com/gpu": 4});
        assert_eq!(told(&nodes, &[], 2, four.clone()), (None, String::new()));
        let (blocked, _) = told(&nodes, &[], 3, four.clone());
        assert_eq!(blocked.as_deref(), Some("all nodes together hold 2 of them"));
        let (blocked, _) = told(&nodes, &[], 1, json!({"nvidia.com/gpu": 8, "memory": "1Ti"}));
        assert_eq!(
            blocked.as_deref(),
            Some("no node has more than 64Gi memory; no node has more than 4 nvidia.com/gpu")
        );
        let (blocked, _) = told(&nodes, &[], 1, json!({"amd.com/gpu": 1}));
        assert_eq!(blocked.as_deref(), Some("no node has more than 0 amd.com/gpu"));
        assert_eq!(told(&nodes, &[], 5, json!({})), (None, String::new()));
    }

    #[test]
    fn what_is_not_free_now_is_warned_of() {
        let nodes = [node("a", 4, json!({}), json!([])), node("b", 4, json!({}), json!([]))];
        let (blocked, warned) = told(&nodes, &[("a", 1)], 2, json!({"nvidia.com/gpu": 4}));
        assert_eq!(blocked, None);
        assert!(warned.starts_with("1 of 2 pods find room now"), "{warned}");
        assert_eq!(
            told(&nodes, &[("a", 1)], 2, json!({"nvidia.com/gpu": 3})),
            (None, String::new())
        );
    }

    #[test]
    fn taints_and_pools_that_grow_do_not_block() {
        let tainted = [node("a", 4, json!({}), json!([{"key": "gpu", "effect": "NoSchedule"}]))];
        let (blocked, warned) = told(&tainted, &[], 1, json!({"nvidia.com/gpu": 4}));
        assert_eq!(blocked, None);
        assert!(warned.contains("gpu:NoSchedule"), "{warned}");
        let grows = [node("a", 0, json!({"karpenter.sh/nodepool": "x"}), json!([]))];
        let (blocked, warned) = told(&grows, &[], 1, json!({"nvidia.com/gpu": 4}));
        assert_eq!(blocked, None);
        assert!(warned.contains("autoscaler"), "{warned}");
    }
}
