//! `run_container_training`: submits a training job that runs an image of the caller's on the nodes of a runtime.

use std::collections::BTreeMap;

use kf_mcp_core::{Access, Change, Cx, Namespace, Next, ObjectName, Phase, ToolError, ToolSpec};
use kf_mcp_trainjob::{CALLER_LABEL, JobName, MANAGED_BY_LABEL, MANAGED_BY_VALUE, PodOptions, devices};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::plan::{Pinned, Submit, Submitted, Summary};
use crate::container::{self, Checked, Wishes};
use crate::runtimes;

/// The runtime of jobs that name none, as for the Kubeflow SDK.
const DEFAULT_RUNTIME: &str = "torch-distributed";

/// Submit a training job that runs your container image on one or more nodes. Without confirmed=true it only shows the
/// plan, tried by the API server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunContainerTraining {
    /// Container image.
    image: String,
    /// Command; the image's own by default.
    #[serde(default)]
    command: Vec<String>,
    /// Arguments of the command.
    #[serde(default)]
    args: Vec<String>,
    /// Job name; made from the image by default.
    name: Option<JobName>,
    /// Runtime; torch-distributed by default.
    runtime: Option<ObjectName>,
    /// Namespace; yours by default.
    namespace: Option<Namespace>,
    /// Nodes.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    num_nodes: u32,
    /// NVIDIA GPUs per node, 0 for CPU; resources_per_node, where given, decides alone.
    #[schemars(range(max = 1024), extend("default" = 1))]
    gpu_per_node: Option<u32>,
    /// Limits of a node, like {"cpu": 4, "memory": "16Gi", "gpu": 1}; mig-<profile>, tpu and full names too.
    resources_per_node: Option<Map<String, Value>>,
    /// Variables by name: text, or {"secretKeyRef": {"name": …, "key": …}} for secrets.
    #[serde(default)]
    env: Map<String, Value>,
    /// Node labels to run on.
    #[serde(default)]
    node_selector: BTreeMap<String, String>,
    /// Kubernetes tolerations.
    #[serde(default)]
    tolerations: Vec<Map<String, Value>>,
    /// Kubernetes volumes.
    #[serde(default)]
    volumes: Vec<Map<String, Value>>,
    /// Kubernetes volumeMounts of the training container.
    #[serde(default)]
    volume_mounts: Vec<Map<String, Value>>,
    /// Kubernetes affinity.
    #[serde(default)]
    affinity: Map<String, Value>,
    /// ServiceAccount of the pods.
    service_account_name: Option<ObjectName>,
    /// Pull secrets, like [{"name": "my-registry"}].
    #[serde(default)]
    image_pull_secrets: Vec<Map<String, Value>>,
    /// Labels of the job.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Annotations of the job.
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// Processes per node; by default one per GPU, else per CPU.
    #[schemars(range(min = 1, max = 1024))]
    num_proc_per_node: Option<u32>,
    /// End the job after this time.
    #[schemars(range(min = 1))]
    active_deadline_seconds: Option<i64>,
    /// Create it paused.
    #[serde(default)]
    suspend: bool,
}

fn one() -> u32 {
    1
}

impl RunContainerTraining {
    fn wishes(&self) -> Wishes<'_> {
        let selector = self
            .node_selector
            .iter()
            .map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        Wishes {
            image: self.image.trim(),
            command: &self.command,
            args: &self.args,
            name: self.name.as_deref(),
            num_nodes: self.num_nodes,
            gpu_per_node: self.gpu_per_node,
            resources_per_node: self.resources_per_node.as_ref(),
            env: &self.env,
            pods: PodOptions {
                node_selector: selector.collect(),
                tolerations: self.tolerations.clone(),
                affinity: self.affinity.clone(),
                volumes: self.volumes.clone(),
                volume_mounts: self.volume_mounts.clone(),
                service_account_name: self.service_account_name.as_ref().map(ToString::to_string),
                image_pull_secrets: self.image_pull_secrets.clone(),
            },
            labels: &self.labels,
            annotations: &self.annotations,
            num_proc_per_node: self.num_proc_per_node,
            active_deadline_seconds: self.active_deadline_seconds,
            suspend: self.suspend,
        }
    }
}

impl Change for RunContainerTraining {
    type Plan = Submit;
    type Output = Submitted;
    const SPEC: ToolSpec = ToolSpec::write("run_container_training", Phase::Training)
        .access(&[
            // Without the namespace's own runtimes the cluster's are enough; lists are for the error about a wrong name.
            Access::new("trainer.kubeflow.org", "trainingruntimes", &["get", "list"]).degrades(),
            Access::new("trainer.kubeflow.org", "clustertrainingruntimes", &["get", "list"])
                .cluster()
                .degrades(),
            Access::new("trainer.kubeflow.org", "trainjobs", &["get", "create"]),
        ])
        .next(&[
            Next::to("get_training_job", "the job is submitted"),
            Next::to("list_runtimes", "you do not know which runtime to name"),
            Next::to("get_cluster_resources", "you want to know whether it fits"),
        ]);

    async fn plan(&self, cx: &Cx) -> Result<Submit, ToolError> {
        let wishes = self.wishes();
        let checked: Checked = container::of_arguments(&wishes)?;
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let name = self.runtime.as_deref().unwrap_or(DEFAULT_RUNTIME);
        let Some(found) = runtimes::find(cx, &namespace, name).await? else {
            return Err(runtimes::missing(cx, &namespace, name, "runtime").await);
        };
        let runtime = found.runtime;
        container::of_runtime(&wishes, &runtime)?;
        let mut warnings = container::warnings(&wishes, &checked, &runtime);
        warnings.extend(found.not_seen.iter().map(|what| format!("not looked at: {what}")));
        let effective = checked.resources.clone();
        let mut job = container::submission(&wishes, checked, &runtime, &namespace, cx.seed());
        job.labels.insert(MANAGED_BY_LABEL.into(), MANAGED_BY_VALUE.into());
        job.labels.insert(CALLER_LABEL.into(), cx.caller().mark());
        let summary = Summary {
            name: job.name.clone(),
            namespace,
            image: job.image.clone(),
            num_nodes: job.num_nodes,
            devices: devices(&effective).or_else(|| runtime.devices()),
            command: job.command.iter().chain(&job.args).cloned().collect(),
        };
        Submit::new(summary, Pinned::of(&runtime), job.body(), warnings)
            .tried(cx)
            .await
    }

    async fn apply(plan: Submit, cx: &Cx) -> Result<Submitted, ToolError> {
        plan.carried_out(cx).await
    }
}

kf_mcp_core::register!(change RunContainerTraining);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_image_must_be_given() {
        let call: RunContainerTraining = serde_json::from_value(json!({"image": " i "})).unwrap();
        let wishes = call.wishes();
        assert_eq!((wishes.image, wishes.num_nodes, wishes.gpu_per_node), ("i", 1, None));
        let checked = container::of_arguments(&wishes).unwrap();
        assert_eq!(json!(checked.resources), json!({"nvidia.com/gpu": "1"}));
    }

    #[test]
    fn the_digest_of_a_plan_covers_what_it_hides() {
        let plan = |secret: &str| {
            let summary = Summary {
                name: "a".into(),
                namespace: "b".into(),
                image: "i".into(),
                num_nodes: 1,
                devices: None,
                command: vec!["--api-token".into(), secret.into()],
            };
            let body = json!({"spec": {"trainer": {"args": ["--api-token", secret]}}});
            let runtime = kf_mcp_trainjob::Runtime::default();
            json!(Submit::new(summary, Pinned::of(&runtime), body, Vec::new())).to_string()
        };
        assert!(!plan("abc").contains("abc"));
        assert_ne!(plan("abc"), plan("abd"));
    }
}
