//! What the API server says of a cluster's nodes and pods, in bounded pages.

use kf_mcp_core::Cx;
use kf_mcp_core::kube::resources::{NODES, PODS};
use kf_mcp_core::kube::{KubeError, ListQuery};

use crate::capacity::{Capacity, Load, Node, PodLoad, capacity};
use crate::platform::{self, Platform};
use crate::refusal::said;

/// Nodes of one page.
const NODE_PAGE: u32 = 500;
/// Pods of one page.
const POD_PAGE: u32 = 2000;
/// Pages of each, for an answer that is about the cluster.
const PAGES: usize = 4;

/// Nodes, and what pods ask of them.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    /// Absent when the pods could not be read.
    pub(super) load: Option<Load>,
    /// What could not be counted.
    pub(super) not_seen: Vec<String>,
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
    let Cluster { nodes, load, not_seen } = read(cx, PAGES).await?;
    Ok(Counted {
        sums: capacity(&nodes, load.as_ref()),
        nodes: nodes.len(),
        platform: platform::of_nodes(nodes.iter().map(Node::labels)),
        not_seen,
    })
}

/// Reads at most so many pages of nodes, and of pods, at the same time.
pub(super) async fn read(cx: &Cx, pages: usize) -> Result<Cluster, KubeError> {
    let (nodes, load) = futures::join!(nodes(cx, pages), load(cx, pages));
    let (nodes, more_nodes) = nodes?;
    let mut not_seen = Vec::new();
    let load = match load {
        Ok((load, more)) => {
            if more {
                let most = pages * POD_PAGE as usize;
                not_seen.push(format!("pods beyond the first {most}: less may be free than is said"));
            }
            Some(load)
        }
        Err(error) => {
            not_seen.push(format!("what pods use, and so what is free: {}", said(error)));
            None
        }
    };
    if more_nodes {
        not_seen.push(format!("nodes beyond the first {}", pages * NODE_PAGE as usize));
    }
    Ok(Cluster { nodes, load, not_seen })
}

/// The nodes, and whether there are more than were read.
async fn nodes(cx: &Cx, pages: usize) -> Result<(Vec<Node>, bool), KubeError> {
    let mut nodes = Vec::new();
    let mut query = ListQuery {
        limit: Some(NODE_PAGE),
        ..ListQuery::default()
    };
    for _ in 0..pages {
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
async fn load(cx: &Cx, pages: usize) -> Result<(Load, bool), KubeError> {
    let mut load = Load::default();
    let mut query = ListQuery {
        fields: Some("status.phase!=Succeeded,status.phase!=Failed".into()),
        limit: Some(POD_PAGE),
        ..ListQuery::default()
    };
    for _ in 0..pages {
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
