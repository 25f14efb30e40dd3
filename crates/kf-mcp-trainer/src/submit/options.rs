//! The arguments that tools which submit share: one type for all of them, part of each by `#[serde(flatten)]`, so that an
//! option has one name, one description and one check wherever it appears.

use std::collections::BTreeMap;

use kf_mcp_core::Namespace;
use kf_mcp_trainjob::PodOptions;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What every training job may be given.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct JobOptions {
    /// Default yours.
    pub(crate) namespace: Option<Namespace>,
    /// Nodes.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) num_nodes: u32,
    /// Like {"cpu": 4, "memory": "16Gi", "gpu": 1}.
    pub(crate) resources_per_node: Option<Map<String, Value>>,
    /// Node labels.
    pub(crate) node_selector: Option<BTreeMap<String, String>>,
    /// As in a pod.
    pub(crate) tolerations: Option<Vec<Map<String, Value>>>,
    /// As in a pod.
    pub(crate) volumes: Option<Vec<Map<String, Value>>>,
    /// As in a container.
    pub(crate) volume_mounts: Option<Vec<Map<String, Value>>>,
    /// As in a pod.
    pub(crate) affinity: Option<Map<String, Value>>,
    /// Of the pods.
    pub(crate) service_account_name: Option<String>,
    /// As in a pod.
    pub(crate) image_pull_secrets: Option<Vec<Map<String, Value>>>,
    /// Of the job.
    pub(crate) labels: Option<BTreeMap<String, String>>,
    /// Of the job.
    pub(crate) annotations: Option<BTreeMap<String, String>>,
    /// End it then.
    pub(crate) active_deadline_seconds: Option<i64>,
    /// Create it paused.
    #[serde(default)]
    pub(crate) suspend: bool,
    /// Kueue LocalQueue.
    pub(crate) queue: Option<String>,
    /// Kueue's; needs queue.
    pub(crate) priority_class: Option<String>,
}

fn one() -> u32 {
    1
}

impl JobOptions {
    /// What the pods of the training get.
    pub(crate) fn pods(&self) -> PodOptions {
        let selector = self.node_selector.iter().flatten();
        PodOptions {
            node_selector: selector
                .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
                .collect(),
            tolerations: self.tolerations.clone().unwrap_or_default(),
            affinity: self.affinity.clone().unwrap_or_default(),
            volumes: self.volumes.clone().unwrap_or_default(),
            volume_mounts: self.volume_mounts.clone().unwrap_or_default(),
            service_account_name: self.service_account_name.clone(),
            image_pull_secrets: self.image_pull_secrets.clone().unwrap_or_default(),
        }
    }
}

/// What a job may be given besides when its program is the caller's own.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct ProgramOptions {
    /// NVIDIA GPUs; unused if resources_per_node is given.
    #[schemars(extend("default" = 1))]
    pub(crate) gpu_per_node: Option<u32>,
    /// Text, or {"secretKeyRef": {"name", "key"}}, by name.
    #[schemars(extend("x-nulls" = true))]
    pub(crate) env: Option<Map<String, Value>>,
    /// Default one per GPU, else per CPU.
    pub(crate) num_proc_per_node: Option<u32>,
}
