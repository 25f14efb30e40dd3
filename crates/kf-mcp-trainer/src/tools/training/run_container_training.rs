//! `run_container_training`: submits a training job that runs an image of the caller's on the nodes of a runtime.

use std::collections::BTreeMap;

use kf_mcp_core::{Access, Change, Cx, Namespace, Next, Phase, ToolError, ToolSpec};
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
pub struct RunContainerTraining {
    /// Image.
    image: String,
    /// Command; default the image's.
    command: Option<Vec<String>>,
    /// Its arguments.
    args: Option<Vec<String>>,
    /// Job name; default made from the image.
    name: Option<JobName>,
    /// Default torch-distributed.
    runtime: Option<String>,
    /// Default yours.
    namespace: Option<Namespace>,
    /// Nodes.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 10_000))]
    num_nodes: u32,
    /// NVIDIA GPUs; unused if resources_per_node is given.
    #[schemars(extend("default" = 1))]
    gpu_per_node: Option<u32>,
    /// Like {"cpu": 4, "memory": "16Gi", "gpu": 1}; also mig-PROFILE, tpu, full names.
    resources_per_node: Option<Map<String, Value>>,
    /// Text, or {"secretKeyRef": {"name", "key"}}, by name.
    env: Option<Map<String, Value>>,
    /// Node labels.
    node_selector: Option<BTreeMap<String, String>>,
    /// As in a pod.
    tolerations: Option<Vec<Map<String, Value>>>,
    /// As in a pod.
    volumes: Option<Vec<Map<String, Value>>>,
    /// As in a container.
    volume_mounts: Option<Vec<Map<String, Value>>>,
    /// As in a pod.
    affinity: Option<Map<String, Value>>,
    /// Of the pods.
    service_account_name: Option<String>,
    /// Like [{"name": "registry"}].
    image_pull_secrets: Option<Vec<Map<String, Value>>>,
    /// Of the job.
    labels: Option<BTreeMap<String, String>>,
    /// Of the job.
    annotations: Option<BTreeMap<String, String>>,
    /// Default one per GPU, else per CPU.
    num_proc_per_node: Option<u32>,
    /// End it then.
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
        let selector = self.node_selector.iter().flatten();
        let selector = selector.map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        Wishes {
            image: self.image.trim(),
            command: self.command.as_deref().unwrap_or_default(),
            args: self.args.as_deref().unwrap_or_default(),
            name: self.name.as_deref(),
            runtime: self.runtime.as_deref().unwrap_or(DEFAULT_RUNTIME),
            num_nodes: self.num_nodes,
            gpu_per_node: self.gpu_per_node,
            resources_per_node: self.resources_per_node.as_ref(),
            env: self.env.as_ref(),
            pods: PodOptions {
                node_selector: selector.collect(),
                tolerations: self.tolerations.clone().unwrap_or_default(),
                affinity: self.affinity.clone().unwrap_or_default(),
                volumes: self.volumes.clone().unwrap_or_default(),
                volume_mounts: self.volume_mounts.clone().unwrap_or_default(),
                service_account_name: self.service_account_name.clone(),
                image_pull_secrets: self.image_pull_secrets.clone().unwrap_or_default(),
            },
            labels: self.labels.as_ref(),
            annotations: self.annotations.as_ref(),
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
        let name = wishes.runtime;
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
