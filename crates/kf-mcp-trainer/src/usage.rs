//! What pods use of CPU and memory, by metrics-server.

use std::collections::BTreeMap;

use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::kube::{KubeError, Meta, Page};
use serde::Deserialize;

use crate::quantity::Quantity;
use crate::refusal::said;

/// What one pod uses: all its containers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) cpu: Quantity,
    pub(crate) memory: Quantity,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodMetrics {
    metadata: Meta,
    #[serde(deserialize_with = "null_is_empty")]
    containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    #[serde(deserialize_with = "null_is_empty")]
    usage: BTreeMap<String, Quantity>,
}

/// What is used, by the pods' names.
pub(crate) fn of(page: &Page) -> BTreeMap<String, Used> {
    let (pods, _) = page.decode::<PodMetrics>();
    pods.into_iter()
        .map(|pod| {
            let sum = |of: &str| pod.containers.iter().filter_map(|c| c.usage.get(of).copied()).sum();
            let used = Used {
                cpu: sum("cpu"),
                memory: sum("memory"),
            };
            (pod.metadata.name, used)
        })
        .collect()
}

/// What stands between the answer and the figures.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Without {
    /// Nobody measures here.
    Server(String),
    /// They could not be read.
    Sight(String),
}

/// What a refused request means: a cluster without metrics-server is nothing that went wrong.
pub(crate) fn without(error: KubeError) -> Without {
    if error.is_not_served() || error.code() == 503 {
        return Without::Server(
            "CPU and memory use: the cluster has no metrics-server that answers (metrics.k8s.io)".into(),
        );
    }
    Without::Sight(format!("CPU and memory use of the pods: {}", said(error)))
}
