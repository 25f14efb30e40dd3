//! What the API server says of a cluster's nodes, pods and quotas, in bounded pages.

use std::collections::BTreeMap;

use kf_mcp_core::Cx;
use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::kube::resources::{NODES, PODS, QUOTAS};
use kf_mcp_core::kube::{KubeError, ListQuery, Meta};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capacity::{Capacity, Load, Node, PodLoad, capacity};
use crate::platform::{self, Platform};
use crate::refusal::said;

/// Nodes of one page.
const NODE_PAGE: u32 = 500;
/// Pods of one page.
const POD_PAGE: u32 = 2000;
/// Pages of each.
const PAGES: usize = 4;
/// The most nodes that are read.
const MOST_NODES: usize = PAGES * NODE_PAGE as usize;
/// The most pods that are counted.
const MOST_PODS: usize = PAGES * POD_PAGE as usize;

/// One resource of one quota, as Kubernetes writes it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Quota {
    pub(super) name: String,
    pub(super) resource: String,
    pub(super) used: String,
    pub(super) hard: String,
}

/// What the nodes have, and what of it is free.
pub(super) struct Counted {
    pub(super) sums: Capacity,
    /// Nodes, of all kinds.
    pub(super) nodes: usize,
    /// Which product the nodes are of, if they say.
    pub(super) platform: Option<Platform>,
    /// What could not be counted.
    pub(super) not_seen: Vec<String>,
}

/// Counts the cluster. It needs the nodes; without the pods it does not know what is free.
pub(super) async fn count(cx: &Cx) -> Result<Counted, KubeError> {
    let (nodes, load) = futures::join!(nodes(cx), load(cx));
    let (nodes, more_nodes) = nodes?;
    let mut not_seen = Vec::new();
    let load = match load {
        Ok((load, more)) => {
            if more {
                not_seen.push(format!(
                    "pods beyond the first {MOST_PODS}: less may be free than is said"
                ));
            }
            Some(load)
        }
        Err(error) => {
            not_seen.push(format!("what pods use, and so what is free: {}", said(error)));
            None
        }
    };
    if more_nodes {
        not_seen.push(format!("nodes beyond the first {MOST_NODES}"));
    }
    Ok(Counted {
        sums: capacity(&nodes, load.as_ref()),
        nodes: nodes.len(),
        platform: platform::of_nodes(nodes.iter().map(Node::labels)),
        not_seen,
    })
}

/// All nodes, and whether there are more than were read.
async fn nodes(cx: &Cx) -> Result<(Vec<Node>, bool), KubeError> {
    let mut nodes = Vec::new();
    let mut query = ListQuery {
        limit: Some(NODE_PAGE),
        ..ListQuery::default()
    };
    for _ in 0..PAGES {
        let page = cx.kube().list(&NODES, None, &query).await?;
        nodes.extend(page.decode::<Node>().0);
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok((nodes, false));
        }
    }
    Ok((nodes, true))
}

/// What the pods that have not ended request, and whether there are more than were counted. Pages are counted one at a
/// time, so that the pods of a large cluster are never held.
async fn load(cx: &Cx) -> Result<(Load, bool), KubeError> {
    let mut load = Load::default();
    let mut query = ListQuery {
        fields: Some("status.phase!=Succeeded,status.phase!=Failed".into()),
        limit: Some(POD_PAGE),
        ..ListQuery::default()
    };
    for _ in 0..PAGES {
        let page = cx.kube().list(&PODS, None, &query).await?;
        for pod in page
            .items
            .iter()
            .filter_map(|item| serde_json::from_str::<PodLoad>(item.get()).ok())
        {
            load.add(&pod);
        }
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok((load, false));
        }
    }
    Ok((load, true))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceQuota {
    metadata: Meta,
    status: QuotaStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct QuotaStatus {
    #[serde(deserialize_with = "null_is_empty")]
    hard: BTreeMap<String, String>,
    #[serde(deserialize_with = "null_is_empty")]
    used: BTreeMap<String, String>,
}

/// The quotas of a namespace, one row for each resource.
pub(super) async fn quotas(cx: &Cx, namespace: &str) -> Result<Vec<Quota>, KubeError> {
    let query = ListQuery {
        limit: Some(100),
        ..ListQuery::default()
    };
    let page = cx.kube().list(&QUOTAS, Some(namespace), &query).await?;
    let rows = page.decode::<ResourceQuota>().0.into_iter().flat_map(|quota| {
        let QuotaStatus { hard, mut used } = quota.status;
        let name = quota.metadata.name;
        hard.into_iter().map(move |(resource, hard)| Quota {
            name: name.clone(),
            used: used.remove(&resource).unwrap_or_else(|| "0".into()),
            resource,
            hard,
        })
    });
    Ok(rows.collect())
}
