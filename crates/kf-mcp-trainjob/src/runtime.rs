//! [`Runtime`]: what a training runtime brings, read leniently: users write runtimes, and one odd field hides nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::FRAMEWORK_LABEL;
use crate::lenient::{items, quantity, text, texts};
use crate::resources::{Devices, devices, extended};

const STEP_LABEL: &str = "trainer.kubeflow.org/trainjob-ancestor-step";

/// Who may use a runtime.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeScope {
    /// Everybody.
    #[default]
    Cluster,
    /// Jobs of its namespace.
    Namespace,
}

impl RuntimeScope {
    /// The kind, as a job's reference names it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cluster => "ClusterTrainingRuntime",
            Self::Namespace => "TrainingRuntime",
        }
    }

    /// The scope as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Namespace => "namespace",
        }
    }
}

/// How a runtime makes its nodes work together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// torchrun.
    Torch,
    /// mpirun over ssh.
    Mpi,
    /// JAX distributed.
    Jax,
    /// XGBoost's tracker.
    Xgboost,
    /// Flux.
    Flux,
    /// Nothing is set up.
    #[default]
    Plain,
}

impl Policy {
    /// The policy as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Torch => "torch",
            Self::Mpi => "mpi",
            Self::Jax => "jax",
            Self::Xgboost => "xgboost",
            Self::Flux => "flux",
            Self::Plain => "plain",
        }
    }
}

/// A training runtime.
#[derive(Debug, Clone, Default)]
pub struct Runtime {
    /// Its name.
    pub name: String,
    /// Its namespace, empty at the cluster scope.
    pub namespace: String,
    /// Who may use it.
    pub scope: RuntimeScope,
    /// Its unique id.
    pub uid: String,
    /// Counts its changes.
    pub generation: i64,
    /// The framework it says it is for, empty when it says none.
    pub framework: String,
    /// Whether its authors advise against it.
    pub deprecated: bool,
    /// How its nodes work together.
    pub policy: Policy,
    /// How many nodes a job has that does not say.
    pub num_nodes: i64,
    /// Processes on each node, where the policy says so.
    pub num_proc_per_node: Option<i64>,
    /// The parts of a job.
    pub replicated_jobs: Vec<ReplicatedJob>,
    /// Names of the volumes that each job gets for itself and loses when it is deleted.
    pub claims: Vec<String>,
    /// What these volumes ask for.
    pub claim_templates: Vec<ClaimTemplate>,
    /// Whether some of these volumes do not say what becomes of them when the job is deleted. JobSet fills that in where
    /// Trainer cannot see it, and from then on Trainer can neither pause nor resume the job.
    pub claims_block_suspension: bool,
}

/// One part of the jobs on a runtime.
#[derive(Debug, Clone, Default)]
pub struct ReplicatedJob {
    /// Its name.
    pub name: String,
    /// The step it does: `trainer`, `dataset-initializer`, `model-initializer`, or none of them.
    pub step: String,
    /// How many pods it has, unless the number of nodes says so.
    pub parallelism: u32,
    /// Which parts it waits for.
    pub depends_on: Vec<String>,
    /// Its containers.
    pub containers: Vec<Container>,
    /// Names of the volumes of its pods.
    pub volumes: Vec<String>,
}

impl ReplicatedJob {
    /// Whether this part is the training.
    pub fn trains(&self) -> bool {
        self.step == "trainer"
    }
}

/// A volume that each job gets for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimTemplate {
    /// Its name.
    pub name: String,
    /// How large it is, as a quantity; empty when it does not say.
    pub storage: String,
    /// The StorageClass: none for the cluster's default, empty for a volume that somebody made by hand.
    pub class: Option<String>,
}

/// One container.
#[derive(Debug, Clone, Default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its command.
    pub command: Vec<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its limits, or its requests where it has no limits.
    pub resources: BTreeMap<String, String>,
    /// Its plain variables.
    pub env: BTreeMap<String, String>,
    /// Where it mounts which volume.
    pub mounts: BTreeMap<String, String>,
}

impl Runtime {
    /// Reads a runtime.
    pub fn from_value(value: &Value, scope: RuntimeScope) -> Self {
        let policy = value.pointer("/spec/mlPolicy").unwrap_or(&Value::Null);
        let kinds = [
            ("torch", Policy::Torch),
            ("mpi", Policy::Mpi),
            ("jax", Policy::Jax),
            ("xgboost", Policy::Xgboost),
            ("flux", Policy::Flux),
        ];
        let kind = kinds
            .iter()
            .find(|(key, _)| policy.get(key).is_some_and(|v| !v.is_null()));
        let labels = value.pointer("/metadata/labels").unwrap_or(&Value::Null);
        let label = |name: &str| labels.get(name).and_then(Value::as_str).unwrap_or_default();
        let claims: Vec<ClaimTemplate> = items(value, "/spec/template/spec/volumeClaimPolicies")
            .flat_map(|policy| items(policy, "/templates"))
            .map(claim)
            .filter(|claim| !claim.name.is_empty())
            .collect();
        Self {
            name: text(value, "/metadata/name").to_owned(),
            namespace: text(value, "/metadata/namespace").to_owned(),
            scope,
            uid: text(value, "/metadata/uid").to_owned(),
            generation: value
                .pointer("/metadata/generation")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            framework: label(FRAMEWORK_LABEL).to_owned(),
            deprecated: label("trainer.kubeflow.org/support") == "deprecated",
            policy: kind.map_or(Policy::Plain, |(_, policy)| *policy),
            num_nodes: policy.get("numNodes").and_then(Value::as_i64).unwrap_or(1),
            num_proc_per_node: kind.and_then(|(key, _)| policy.get(key)?.get("numProcPerNode")?.as_i64()),
            replicated_jobs: items(value, "/spec/template/spec/replicatedJobs").map(part).collect(),
            claims: claims.iter().map(|claim| claim.name.clone()).collect(),
            claim_templates: claims,
            claims_block_suspension: items(value, "/spec/template/spec/volumeClaimPolicies")
                .any(|policy| text(policy, "/retentionPolicy/whenDeleted").is_empty()),
        }
    }

    /// The part that trains: the one that says so, else the one called `node`.
    pub fn trainer(&self) -> Option<&ReplicatedJob> {
        let says = self.replicated_jobs.iter().find(|part| part.trains());
        says.or_else(|| self.replicated_jobs.iter().find(|part| part.name == "node"))
    }

    /// The container that trains.
    pub fn node(&self) -> Option<&Container> {
        let containers = &self.trainer()?.containers;
        containers
            .iter()
            .find(|container| container.name == "node")
            .or(containers.first())
    }

    /// The accelerators that each node gets when the job does not say.
    pub fn devices(&self) -> Option<Devices> {
        devices(&self.node()?.resources)
    }

    /// The extended resources of each node of a job that asks for some itself: Trainer adds those of the runtime's container
    /// to the job's, which win.
    pub fn extended_with(&self, own: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        let mut all = self.node().map(|node| extended(&node.resources)).unwrap_or_default();
        all.extend(own);
        all
    }

    /// The parts that fetch a dataset or model before the training.
    pub fn initializers(&self) -> impl Iterator<Item = &ReplicatedJob> {
        self.replicated_jobs
            .iter()
            .filter(|part| part.step.ends_with("-initializer"))
    }

    /// The parts whose pods take part in the training, and so get its volumes, tolerations and so on.
    pub fn training_parts(&self) -> impl Iterator<Item = &str> {
        let main = self.trainer().map(|part| part.name.as_str());
        self.replicated_jobs
            .iter()
            .map(|part| part.name.as_str())
            .filter(move |name| Some(*name) == main || self.policy == Policy::Mpi && *name == "node")
    }

    /// Whether only built-in fine-tuning runs on it.
    pub fn is_torchtune(&self) -> bool {
        self.framework == "torchtune"
    }

    /// Whether it is of no use for jobs: it has no part that trains.
    pub fn note(&self) -> Option<&'static str> {
        if self.node().is_none() {
            Some("has no training container")
        } else if self.framework.is_empty() {
            Some("has no framework label")
        } else {
            None
        }
    }
}

fn part(value: &Value) -> ReplicatedJob {
    let pods = value.pointer("/template/spec/parallelism").and_then(Value::as_u64);
    ReplicatedJob {
        name: text(value, "/name").to_owned(),
        step: value
            .pointer("/template/metadata/labels")
            .and_then(|labels| labels.get(STEP_LABEL)?.as_str())
            .unwrap_or_default()
            .to_owned(),
        parallelism: pods.and_then(|pods| u32::try_from(pods).ok()).unwrap_or(1),
        depends_on: items(value, "/dependsOn")
            .map(|on| text(on, "/name").to_owned())
            .collect(),
        containers: items(value, "/template/spec/template/spec/containers")
            .map(container)
            .collect(),
        volumes: items(value, "/template/spec/template/spec/volumes")
            .map(|volume| text(volume, "/name").to_owned())
            .collect(),
    }
}

fn claim(value: &Value) -> ClaimTemplate {
    let storage = value.pointer("/spec/resources/requests/storage");
    ClaimTemplate {
        name: text(value, "/metadata/name").to_owned(),
        storage: storage.and_then(quantity).unwrap_or_default(),
        class: value
            .pointer("/spec/storageClassName")
            .and_then(Value::as_str)
            .map(str::to_owned),
    }
}

fn container(value: &Value) -> Container {
    let amounts = |of: &str| -> BTreeMap<String, String> {
        let map = value.pointer(of).and_then(Value::as_object).into_iter().flatten();
        map.filter_map(|(name, amount)| Some((name.clone(), quantity(amount)?)))
            .collect()
    };
    let mut resources = amounts("/resources/requests");
    resources.extend(amounts("/resources/limits"));
    Container {
        name: text(value, "/name").to_owned(),
        image: text(value, "/image").to_owned(),
        command: texts(value, "/command"),
        args: texts(value, "/args"),
        resources,
        mounts: items(value, "/volumeMounts")
            .map(|mount| (text(mount, "/mountPath").to_owned(), text(mount, "/name").to_owned()))
            .collect(),
        env: items(value, "/env")
            .filter_map(|env| {
                Some((
                    env.get("name")?.as_str()?.to_owned(),
                    env.get("value")?.as_str()?.to_owned(),
                ))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_odd_runtime_is_still_read() {
        for odd in [
            json!(null),
            json!({}),
            json!({"spec": 1}),
            json!({"spec": {"template": {"spec": {"replicatedJobs": [1, {}]}}}}),
        ] {
            let runtime = Runtime::from_value(&odd, RuntimeScope::Cluster);
            assert_eq!((runtime.policy, runtime.num_nodes), (Policy::Plain, 1));
            assert!(runtime.note().is_some());
        }
    }

    #[test]
    fn claims_that_do_not_say_what_becomes_of_them_block_a_suspension() {
        let blocks = |policies: serde_json::Value| {
            let runtime = json!({"spec": {"template": {"spec": {"volumeClaimPolicies": policies}}}});
            Runtime::from_value(&runtime, RuntimeScope::Cluster).claims_block_suspension
        };
        assert!(!blocks(json!([])));
        assert!(blocks(json!([{"templates": []}])));
        assert!(blocks(json!([{"retentionPolicy": {}}])));
        assert!(!blocks(json!([{"retentionPolicy": {"whenDeleted": "Delete"}}])));
    }

    #[test]
    fn the_volumes_of_a_job_say_their_size_and_class() {
        let claim = |name: &str, spec: Value| json!({"metadata": {"name": name}, "spec": spec});
        let sized = |class: Value| json!({"resources": {"requests": {"storage": "20Gi"}}, "storageClassName": class});
        let runtime = json!({"spec": {"template": {"spec": {"volumeClaimPolicies": [{"templates": [
            claim("a", sized(Value::Null)), claim("b", sized(json!("fast"))), claim("", json!({})), claim("c", json!({}))]}]}}}});
        let runtime = Runtime::from_value(&runtime, RuntimeScope::Cluster);
        assert_eq!(runtime.claims, ["a", "b", "c"]);
        let told = runtime
            .claim_templates
            .iter()
            .map(|claim| (claim.storage.as_str(), claim.class.as_deref()));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [("20Gi", None), ("20Gi", Some("fast")), ("", None)]
        );
    }

    #[test]
    fn the_parts_of_an_mpi_runtime_that_train_are_both() {
        let part = |name: &str, step: &str| {
            json!({"name": name, "template": {"metadata": {"labels": {STEP_LABEL: step}}, "spec": {"template": {"spec": {
                "containers": [{"name": "node", "image": name, "resources": {"limits": {"amd.com/gpu": 2}}}]}}}}})
        };
        let mpi = json!({"metadata": {"labels": {FRAMEWORK_LABEL: "deepspeed"}}, "spec": {"mlPolicy": {"numNodes": 3, "mpi": {"numProcPerNode": 2}},
            "template": {"spec": {"replicatedJobs": [part("node", ""), part("launcher", "trainer")]}}}});
        let mpi = Runtime::from_value(&mpi, RuntimeScope::Namespace);
        assert_eq!(mpi.training_parts().collect::<Vec<_>>(), ["node", "launcher"]);
        assert_eq!(mpi.node().map(|node| node.image.as_str()), Some("launcher"));
        assert_eq!(
            (mpi.policy, mpi.num_nodes, mpi.num_proc_per_node),
            (Policy::Mpi, 3, Some(2))
        );
        assert_eq!(mpi.devices().map(|d| d.resource), Some("amd.com/gpu".into()));
        assert_eq!(mpi.note(), None);
    }
}
