//! [`Submission`]: the body of a new training job.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::API_VERSION;
use crate::dialect::Dialect;
use crate::runtime::RuntimeScope;

/// The label of everything that we create, the same as the peer's.
pub const MANAGED_BY_LABEL: &str = "kubeflow-mcp/managed-by";
/// Its value.
pub const MANAGED_BY_VALUE: &str = "mcp";
/// The annotation that says by which plan we created it.
pub const PLAN_ANNOTATION: &str = "kubeflow-mcp/plan-id";

/// The runtime of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeRef {
    /// Its name.
    pub name: String,
    /// Its scope.
    pub scope: RuntimeScope,
}

/// What the pods of the training get beside what their runtime says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PodOptions {
    /// Labels of the nodes they may run on.
    pub node_selector: Map<String, Value>,
    /// Taints they bear.
    pub tolerations: Vec<Map<String, Value>>,
    /// Where they would rather run.
    pub affinity: Map<String, Value>,
    /// Volumes of the pods.
    pub volumes: Vec<Map<String, Value>>,
    /// Where the training container has them.
    pub volume_mounts: Vec<Map<String, Value>>,
    /// As whom they run.
    pub service_account_name: Option<String>,
    /// Secrets for pulling their images.
    pub image_pull_secrets: Vec<Map<String, Value>>,
}

impl PodOptions {
    /// The pod part of a runtime patch, none when nothing is asked for. The mounts are those of one container.
    fn pod_spec(&self, container: &str) -> Option<Value> {
        let mut spec = Map::new();
        let mut put = |name: &str, value: Value| {
            let empty = match &value {
                Value::Array(items) => items.is_empty(),
                Value::Object(map) => map.is_empty(),
                other => other.is_null(),
            };
            if !empty {
                spec.insert(name.to_owned(), value);
            }
        };
        put("nodeSelector", json!(self.node_selector));
        put("tolerations", json!(self.tolerations));
        put("affinity", json!(self.affinity));
        put("volumes", json!(self.volumes));
        put("serviceAccountName", json!(self.service_account_name));
        put("imagePullSecrets", json!(self.image_pull_secrets));
        if !self.volume_mounts.is_empty() {
            put(
                "containers",
                json!([{"name": container, "volumeMounts": self.volume_mounts}]),
            );
        }
        (!spec.is_empty()).then_some(Value::Object(spec))
    }
}

/// A part of a runtime whose pods get the pod options, and the container of theirs that gets the mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchedPart {
    /// The part, `node` for example.
    pub name: String,
    /// The container.
    pub container: String,
}

impl PatchedPart {
    /// A part that trains: its container is called `node`, also where the part is not.
    pub fn trains(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            container: "node".to_owned(),
        }
    }

    /// Whether it is a part that trains.
    fn is_training(&self) -> bool {
        self.container == "node"
    }

    /// A part that fetches a dataset or model: its container has its name.
    pub fn fetches(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            container: name.to_owned(),
        }
    }
}

/// A claim of the namespace that the training container mounts to read from, and no other container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimMount {
    /// The claim.
    pub claim: String,
    /// The part of it, empty for all.
    pub sub_path: String,
    /// Where it is mounted.
    pub at: String,
}

impl ClaimMount {
    /// Adds the volume and the mount. The volume is called after where it is mounted.
    fn add_to(&self, pods: &mut PodOptions) {
        let name = format!("claim-{}", self.at.rsplit('/').next().unwrap_or_default());
        let mut mount = json!({"name": name, "mountPath": self.at, "readOnly": true});
        if !self.sub_path.is_empty() {
            mount["subPath"] = json!(self.sub_path);
        }
        let volume = json!({"name": name, "persistentVolumeClaim": {"claimName": self.claim, "readOnly": true}});
        pods.volumes.extend(volume.as_object().cloned());
        pods.volume_mounts.extend(mount.as_object().cloned());
    }
}

/// A job that runs a program on the nodes of a runtime.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its runtime.
    pub runtime: RuntimeRef,
    /// The image, none for the runtime's.
    pub image: Option<String>,
    /// The command, empty for the runtime's or the image's own.
    pub command: Vec<String>,
    /// The arguments.
    pub args: Vec<String>,
    /// The variables, each as Kubernetes writes it.
    pub env: Vec<Value>,
    /// How many nodes. Always sent: without `spec.trainer` the nodes would not be told of each other.
    pub num_nodes: u32,
    /// What each node asks for, as limits and requests alike.
    pub resources: BTreeMap<String, String>,
    /// Processes on each node, where Trainer shall not derive them.
    pub num_proc_per_node: Option<u32>,
    /// `spec.initializer`: what is fetched before the training.
    pub initializer: Option<Value>,
    /// What the pods get.
    pub pods: PodOptions,
    /// Claims that the training containers read from.
    pub claims: Vec<ClaimMount>,
    /// The parts of the runtime whose pods get it.
    pub parts: Vec<PatchedPart>,
    /// Labels of the job. They do not reach its pods.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the job.
    pub annotations: BTreeMap<String, String>,
    /// After how many seconds the job is ended.
    pub active_deadline_seconds: Option<i64>,
    /// Whether the job waits to be resumed.
    pub suspend: bool,
}

impl Submission {
    /// The body for the API server, as Trainer takes it since v2.2. Quantities are texts, as Kubernetes writes them.
    pub fn body(&self) -> Value {
        self.body_in(Dialect::RuntimePatches)
    }

    /// The body for an API server whose TrainJobs are of this dialect.
    pub fn body_in(&self, dialect: Dialect) -> Value {
        let mut trainer = json!({"numNodes": self.num_nodes});
        if let Some(image) = &self.image {
            trainer["image"] = json!(image);
        }
        if !self.command.is_empty() {
            trainer["command"] = json!(self.command);
        }
        if !self.args.is_empty() {
            trainer["args"] = json!(self.args);
        }
        if !self.env.is_empty() {
            trainer["env"] = json!(self.env);
        }
        if !self.resources.is_empty() {
            trainer["resourcesPerNode"] = json!({"limits": self.resources, "requests": self.resources});
        }
        if let Some(processes) = self.num_proc_per_node {
            trainer["numProcPerNode"] = json!(processes);
        }
        let mut spec = json!({
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": self.runtime.scope.kind(), "name": self.runtime.name},
            "trainer": trainer,
        });
        if let Some(initializer) = &self.initializer {
            spec["initializer"] = initializer.clone();
        }
        let mut training = self.pods.clone();
        self.claims.iter().for_each(|claim| claim.add_to(&mut training));
        let options = |part: &PatchedPart| if part.is_training() { &training } else { &self.pods };
        let parts: Vec<(&str, Value)> = self
            .parts
            .iter()
            .filter_map(|part| Some((part.name.as_str(), options(part).pod_spec(&part.container)?)))
            .collect();
        if !parts.is_empty() {
            spec[dialect.field()] = dialect.written(parts);
        }
        if let Some(seconds) = self.active_deadline_seconds {
            spec["activeDeadlineSeconds"] = json!(seconds);
        }
        if self.suspend {
            spec["suspend"] = json!(true);
        }
        let mut metadata = json!({"name": self.name, "namespace": self.namespace});
        if !self.labels.is_empty() {
            metadata["labels"] = json!(self.labels);
        }
        if !self.annotations.is_empty() {
            metadata["annotations"] = json!(self.annotations);
        }
        json!({"apiVersion": API_VERSION, "kind": "TrainJob", "metadata": metadata, "spec": spec})
    }
}
