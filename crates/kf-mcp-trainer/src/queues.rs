//! Queues that hold jobs back until there is room: Kueue's of a namespace, and Volcano's of the cluster.

use std::collections::BTreeMap;

use kf_mcp_core::Cx;
use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::kube::{Condition, Groups, KubeError, ListQuery, Meta, Page, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::capacity::Amounts;
use crate::pods::outside;
use crate::quantity::Quantity;
use crate::quota::written;
use crate::refusal::said;

/// Kueue's group, and the versions of it that are understood, the best first.
const KUEUE: (&str, [&str; 2]) = ("kueue.x-k8s.io", ["v1beta2", "v1beta1"]);
/// Volcano's.
const VOLCANO: (&str, [&str; 1]) = ("scheduling.volcano.sh", ["v1beta1"]);
/// Queues of one kind that are read.
const MOST: u32 = 100;

/// A queue that a job may be put into.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Queue {
    /// kueue or volcano.
    system: &'static str,
    name: String,
    /// Kueue's queue of the cluster behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_queue: Option<String>,
    waiting: i64,
    running: i64,
    /// Why it takes no jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<Limit>,
}

/// One resource of a queue.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Limit {
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    flavor: Option<String>,
    used: String,
    hard: String,
    left: String,
}

impl Limit {
    fn new(resource: &str, flavor: Option<&str>, used: Quantity, hard: Quantity) -> Self {
        Self {
            resource: outside(resource),
            flavor: flavor.map(outside),
            used: written(resource, used),
            hard: written(resource, hard),
            left: written(resource, (hard - used).or_none()),
        }
    }
}

impl Queue {
    /// Why it takes no jobs, if it does not.
    pub(crate) fn closed(&self) -> Option<&str> {
        self.closed.as_deref()
    }

    /// The queue in one line.
    pub(crate) fn words(&self) -> String {
        let behind = self.cluster_queue.as_ref().map(|queue| format!(" of {queue}"));
        let closed = self.closed.as_ref().map(|why| format!(", CLOSED: {why}"));
        let mut words = format!(
            "{} {}{}: {} waiting, {} running{}",
            self.system,
            self.name,
            behind.unwrap_or_default(),
            self.waiting,
            self.running,
            closed.unwrap_or_default()
        );
        for limit in &self.limits {
            let flavor = limit.flavor.as_ref().map(|flavor| format!(" ({flavor})"));
            words.push_str(&format!(
                "; {}{} {} left of {}",
                limit.resource,
                flavor.unwrap_or_default(),
                limit.left,
                limit.hard
            ));
        }
        words
    }
}

/// The queues of systems that the cluster has. What could not be read is told.
pub(crate) async fn read(cx: &Cx, groups: &Groups, namespace: &str, not_seen: &mut Vec<String>) -> Vec<Queue> {
    let kueue = async {
        let (group, versions) = KUEUE;
        let version = groups.first(group, &versions)?;
        let (own, shared) = (
            Resource::new(group, version, "localqueues"),
            Resource::new(group, version, "clusterqueues").cluster(),
        );
        Some(futures::join!(list(cx, &own, Some(namespace)), list(cx, &shared, None)))
    };
    let volcano = async {
        let (group, versions) = VOLCANO;
        let version = groups.first(group, &versions)?;
        Some(list(cx, &Resource::new(group, version, "queues").cluster(), None).await)
    };
    let (kueue, volcano) = futures::join!(kueue, volcano);
    let mut or_told = |what: &str, page: Result<Page, KubeError>| match page {
        Ok(page) => {
            if page.next.is_some() {
                not_seen.push(format!("{what} beyond the first {MOST}"));
            }
            Some(page)
        }
        Err(error) => {
            not_seen.push(format!("{what}: {}", said(error)));
            None
        }
    };
    let mut queues = Vec::new();
    if let Some((own, shared)) = kueue {
        let own = or_told("Kueue's queues of the namespace", own).map(|page| page.decode().0);
        let own: Vec<LocalQueue> = own.unwrap_or_default();
        // What is behind queues matters only where there are some.
        let shared = if own.is_empty() {
            None
        } else {
            or_told("Kueue's queues of the cluster", shared)
        };
        let shared: Vec<ClusterQueue> = shared.map(|page| page.decode().0).unwrap_or_default();
        queues.extend(own.iter().map(|queue| queue.with(&shared)));
    }
    let volcano = volcano.and_then(|page| or_told("Volcano's queues", page));
    let volcano: Vec<VolcanoQueue> = volcano.map(|page| page.decode().0).unwrap_or_default();
    queues.extend(volcano.iter().map(VolcanoQueue::queue));
    queues
}

/// A queue of Kueue by its name; none when Kueue is not there.
pub(crate) async fn find(cx: &Cx, namespace: &str, name: &str) -> Result<Option<Queue>, KubeError> {
    let (group, versions) = KUEUE;
    for version in versions {
        let queues = Resource::new(group, version, "localqueues");
        match cx.kube().get::<LocalQueue>(&queues, Some(namespace), name).await {
            Err(error) if error.is_not_served() => {}
            answer => return answer.map(|queue| Some(queue.with(&[]))),
        }
    }
    Ok(None)
}

async fn list(cx: &Cx, of: &Resource, namespace: Option<&str>) -> Result<Page, KubeError> {
    let query = ListQuery {
        limit: Some(MOST),
        ..ListQuery::default()
    };
    cx.kube().list(of, namespace, &query).await
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LocalQueue {
    metadata: Meta,
    spec: LocalSpec,
    status: KueueStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LocalSpec {
    cluster_queue: String,
    stop_policy: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KueueStatus {
    pending_workloads: i64,
    admitted_workloads: i64,
    #[serde(deserialize_with = "null_is_empty")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "null_is_empty")]
    flavors_reservation: Vec<FlavorUse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FlavorUse {
    name: String,
    resources: Vec<ResourceUse>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceUse {
    name: String,
    total: Quantity,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ClusterQueue {
    metadata: Meta,
    spec: ClusterSpec,
    status: KueueStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClusterSpec {
    stop_policy: String,
    #[serde(deserialize_with = "null_is_empty")]
    resource_groups: Vec<ResourceGroup>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceGroup {
    flavors: Vec<FlavorQuota>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FlavorQuota {
    name: String,
    resources: Vec<ResourceLimit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceLimit {
    name: String,
    nominal_quota: Quantity,
}

/// Why a queue of Kueue takes no jobs.
fn stopped(policy: &str, conditions: &[Condition]) -> Option<String> {
    let active = conditions.iter().find(|condition| condition.kind == "Active");
    match active {
        _ if !matches!(policy, "" | "None") => Some(format!("stopped ({})", outside(policy))),
        Some(active) if !active.is_true() => Some(outside(&format!("{} {}", active.reason, active.message))),
        _ => None,
    }
}

impl LocalQueue {
    fn with(&self, shared: &[ClusterQueue]) -> Queue {
        let behind = shared
            .iter()
            .find(|queue| queue.metadata.name == self.spec.cluster_queue);
        let closed = stopped(&self.spec.stop_policy, &self.status.conditions);
        let behind_closed = || behind.and_then(|queue| stopped(&queue.spec.stop_policy, &queue.status.conditions));
        Queue {
            system: "kueue",
            name: outside(&self.metadata.name),
            cluster_queue: Some(outside(&self.spec.cluster_queue)),
            waiting: self.status.pending_workloads,
            running: self.status.admitted_workloads,
            closed: closed.or_else(behind_closed),
            limits: behind.map(ClusterQueue::limits).unwrap_or_default(),
        }
    }
}

impl ClusterQueue {
    fn limits(&self) -> Vec<Limit> {
        let used: BTreeMap<(&str, &str), Quantity> = self
            .status
            .flavors_reservation
            .iter()
            .flat_map(|flavor| {
                let of = flavor.resources.iter();
                of.map(|resource| ((flavor.name.as_str(), resource.name.as_str()), resource.total))
            })
            .collect();
        let flavors = self.spec.resource_groups.iter().flat_map(|group| &group.flavors);
        flavors
            .flat_map(|flavor| flavor.resources.iter().map(move |limit| (flavor.name.as_str(), limit)))
            .map(|(flavor, limit)| {
                let used = used.get(&(flavor, limit.name.as_str())).copied().unwrap_or_default();
                Limit::new(&limit.name, Some(flavor), used, limit.nominal_quota)
            })
            .collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VolcanoQueue {
    metadata: Meta,
    spec: VolcanoSpec,
    status: VolcanoStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VolcanoSpec {
    #[serde(deserialize_with = "null_is_empty")]
    capability: Amounts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VolcanoStatus {
    state: String,
    pending: i64,
    inqueue: i64,
    running: i64,
    #[serde(deserialize_with = "null_is_empty")]
    allocated: Amounts,
}

impl VolcanoQueue {
    fn queue(&self) -> Queue {
        let Self { metadata, spec, status } = self;
        let limits = spec.capability.iter().map(|(resource, hard)| {
            let used = status.allocated.get(resource).copied().unwrap_or_default();
            Limit::new(resource, None, used, *hard)
        });
        Queue {
            system: "volcano",
            name: outside(&metadata.name),
            cluster_queue: None,
            waiting: status.pending + status.inqueue,
            running: status.running,
            closed: (!matches!(status.state.as_str(), "" | "Open")).then(|| outside(&status.state)),
            limits: limits.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn decoded<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_queue_of_kueue_tells_what_is_left_behind_it() {
        let own: LocalQueue = decoded(
            json!({"metadata": {"name": "research"}, "spec": {"clusterQueue": "gpus"},
            "status": {"pendingWorkloads": 3, "admittedWorkloads": 2, "conditions": [{"type": "Active", "status": "True"}]}}),
        );
        let behind = json!({"metadata": {"name": "gpus"}, "spec": {"resourceGroups": [{"flavors": [{"name": "h100", "resources": [
            {"name": "nvidia.com/gpu", "nominalQuota": 8}, {"name": "memory", "nominalQuota": "64Gi"}]}]}]},
            "status": {"flavorsReservation": [{"name": "h100", "resources": [{"name": "nvidia.com/gpu", "total": "6"}]}]}});
        let words = own.with(&[decoded(behind.clone())]).words();
        assert_eq!(
            words,
            "kueue research of gpus: 3 waiting, 2 running; nvidia.com/gpu (h100) 2 left of 8; memory (h100) 64Gi left of 64Gi"
        );
        let mut stopped = behind;
        stopped["spec"]["stopPolicy"] = json!("Hold");
        assert!(own.with(&[decoded(stopped)]).words().contains("CLOSED: stopped (Hold)"));
        assert_eq!(own.with(&[]).words(), "kueue research of gpus: 3 waiting, 2 running");
        let lost: LocalQueue = decoded(json!({"status": {"conditions": [
            {"type": "Active", "status": "False", "reason": "ClusterQueueDoesNotExist", "message": "no"}]}}));
        assert!(lost.with(&[]).words().contains("CLOSED: ClusterQueueDoesNotExist no"));
    }

    #[test]
    fn a_queue_of_volcano_tells_what_is_left_of_it() {
        let queue: VolcanoQueue = decoded(
            json!({"metadata": {"name": "q"}, "spec": {"capability": {"nvidia.com/gpu": "8"}},
            "status": {"state": "Closed", "running": 2, "pending": 1, "allocated": {"nvidia.com/gpu": "9"}}}),
        );
        assert_eq!(
            queue.queue().words(),
            "volcano q: 1 waiting, 2 running, CLOSED: Closed; nvidia.com/gpu 0 left of 8"
        );
    }
}
