//! [`TrainJob`] as the API server stores it, read leniently.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lenient;
use crate::progress::Progress;
use crate::resources::{Devices, devices, extended};

/// A training job.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TrainJob {
    /// Name, labels, times.
    #[serde(deserialize_with = "lenient::null")]
    pub metadata: ObjectMeta,
    /// What was asked for.
    #[serde(deserialize_with = "lenient::null")]
    pub spec: JobSpec,
    /// What became of it.
    #[serde(deserialize_with = "lenient::null")]
    pub status: JobStatus,
}

/// `metadata`, as far as it is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Object name.
    pub name: String,
    /// Namespace, empty for cluster-scoped objects.
    pub namespace: String,
    /// Unique id.
    pub uid: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// When it was created.
    #[serde(deserialize_with = "lenient::time")]
    pub creation_timestamp: Option<Timestamp>,
    /// Set while the object is being deleted.
    #[serde(deserialize_with = "lenient::time")]
    pub deletion_timestamp: Option<Timestamp>,
    /// Labels.
    #[serde(deserialize_with = "lenient::null")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(deserialize_with = "lenient::null")]
    pub annotations: BTreeMap<String, String>,
}

/// `spec`, as far as it is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobSpec {
    /// The runtime.
    #[serde(deserialize_with = "lenient::null")]
    pub runtime_ref: RuntimeRefSpec,
    /// The training containers.
    pub trainer: Option<Trainer>,
    /// What is fetched before the training.
    pub initializer: Option<Initializer>,
    /// Whether the job is told to pause.
    #[serde(deserialize_with = "lenient::null")]
    pub suspend: bool,
    /// After how many seconds the job is ended.
    pub active_deadline_seconds: Option<i64>,
    /// Who reconciles the job.
    #[serde(deserialize_with = "lenient::null")]
    pub managed_by: String,
}

/// `spec.runtimeRef`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeRefSpec {
    /// Name of the runtime.
    #[serde(deserialize_with = "lenient::null")]
    pub name: String,
    /// `ClusterTrainingRuntime` or `TrainingRuntime`.
    #[serde(deserialize_with = "lenient::null")]
    pub kind: String,
}

/// `spec.trainer`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Trainer {
    /// Image of the training container.
    #[serde(deserialize_with = "lenient::null")]
    pub image: String,
    /// Its command.
    #[serde(deserialize_with = "lenient::null")]
    pub command: Vec<String>,
    /// Its arguments.
    #[serde(deserialize_with = "lenient::null")]
    pub args: Vec<String>,
    /// Its variables.
    #[serde(deserialize_with = "lenient::null")]
    pub env: Vec<EnvVar>,
    /// How many nodes.
    pub num_nodes: Option<i64>,
    /// What each node asks for.
    #[serde(deserialize_with = "lenient::null")]
    pub resources_per_node: Resources,
    /// Processes on each node; a word such as `auto` in older versions.
    #[serde(deserialize_with = "lenient::int_or_text")]
    pub num_proc_per_node: Option<String>,
}

/// One variable.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value, if it is written there.
    pub value: Option<String>,
    /// Where the value comes from, if it is not.
    pub value_from: Option<Value>,
}

/// Limits and requests.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// At most this much.
    #[serde(deserialize_with = "lenient::quantities")]
    pub limits: BTreeMap<String, String>,
    /// At least this much.
    #[serde(deserialize_with = "lenient::quantities")]
    pub requests: BTreeMap<String, String>,
}

impl Resources {
    /// The accelerators, which Kubernetes wants in the limits.
    pub fn devices(&self) -> Option<Devices> {
        devices(&self.limits).or_else(|| devices(&self.requests))
    }

    /// The extended resources of a node.
    pub fn extended(&self) -> BTreeMap<String, u64> {
        let mut all = extended(&self.requests);
        all.extend(extended(&self.limits));
        all
    }
}

/// `spec.initializer`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Initializer {
    /// The dataset that is fetched.
    pub dataset: Option<Value>,
    /// The model that is fetched.
    pub model: Option<Value>,
}

/// `status`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobStatus {
    /// What holds: `Suspended`, `Complete`, `Failed`.
    #[serde(deserialize_with = "lenient::null")]
    pub conditions: Vec<Condition>,
    /// Counters of the job's parts.
    #[serde(deserialize_with = "lenient::null")]
    pub jobs_status: Vec<JobCounts>,
    /// What the training itself tells, if the cluster lets it. Untrusted: any pod of the namespace may write it.
    pub trainer_status: Option<Progress>,
}

/// A condition.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// When it last changed.
    #[serde(deserialize_with = "lenient::time")]
    pub last_transition_time: Option<Timestamp>,
}

/// How the batch Jobs of one part are doing: counts of Jobs, which are 0 or 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(default)]
pub struct JobCounts {
    /// The part: `node`, `launcher`, `dataset-initializer`, `model-initializer`.
    pub name: String,
    /// All its pods are ready.
    pub ready: i64,
    /// It has pods that have not ended.
    pub active: i64,
    /// It has ended well.
    pub succeeded: i64,
    /// It has failed for good.
    pub failed: i64,
    /// It is paused.
    pub suspended: i64,
}

impl TrainJob {
    /// Reads a job from JSON. A part that makes no sense is left empty and told; the rest is still read.
    pub fn read(json: &str) -> (Self, Option<String>) {
        match serde_json::from_str::<Self>(json) {
            Ok(job) if job.spec.runtime_ref.name.is_empty() => (job, Some("names no runtime".into())),
            Ok(job) => (job, None),
            Err(_) => match serde_json::from_str::<Value>(json) {
                Ok(value) => Self::from_value(&value),
                Err(error) => (Self::default(), Some(format!("is no JSON: {error}"))),
            },
        }
    }

    /// Reads a job from a JSON value, part by part.
    pub fn from_value(value: &Value) -> (Self, Option<String>) {
        let mut problems = Vec::new();
        let mut job = Self {
            metadata: part(value, "metadata", &mut problems),
            spec: part(value, "spec", &mut problems),
            status: part(value, "status", &mut problems),
        };
        if job.metadata.name.is_empty() {
            // What identifies the object is worth a second look.
            job.metadata.name = lenient::text(value, "/metadata/name").to_owned();
            job.metadata.namespace = lenient::text(value, "/metadata/namespace").to_owned();
        }
        if problems.is_empty() && job.spec.runtime_ref.name.is_empty() {
            problems.push("names no runtime".to_owned());
        }
        let problems = problems.join("; ");
        (job, (!problems.is_empty()).then_some(problems))
    }

    /// A condition, if it is there, whatever its status.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// A condition that holds.
    pub fn holds(&self, kind: &str) -> Option<&Condition> {
        self.condition(kind).filter(|condition| condition.status == "True")
    }

    /// How many nodes the job asks for; none when it leaves that to its runtime.
    pub fn nodes(&self) -> Option<i64> {
        self.spec.trainer.as_ref().and_then(|trainer| trainer.num_nodes)
    }

    /// Whether the job fetches a dataset or model before it trains, which it does on a volume of its own.
    pub fn has_initializers(&self) -> bool {
        self.spec.initializer.is_some()
            || self
                .status
                .jobs_status
                .iter()
                .any(|part| part.name.ends_with("-initializer"))
    }

    /// Whether the job has a launcher, as MPI jobs do.
    pub fn has_launcher(&self) -> bool {
        self.status.jobs_status.iter().any(|part| part.name == "launcher")
    }
}

fn part<T: DeserializeOwned + Default>(value: &Value, name: &str, problems: &mut Vec<String>) -> T {
    match value.get(name).filter(|part| !part.is_null()) {
        None => T::default(),
        Some(part) => T::deserialize(part).unwrap_or_else(|error| {
            problems.push(format!("{name} is not readable: {error}"));
            T::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_broken_part_does_not_hide_the_others() {
        let odd = json!({"metadata": {"name": "a", "labels": null}, "spec": {"runtimeRef": "x"}, "status": {"conditions": null}});
        let (job, note) = TrainJob::read(&odd.to_string());
        assert_eq!(job.metadata.name, "a");
        assert!(note.unwrap().starts_with("spec is not readable"));
        let (job, note) =
            TrainJob::read(r#"{"metadata": {"name": "b", "labels": {"a": 1}}, "spec": {"runtimeRef": {"name": "r"}}}"#);
        assert_eq!((job.metadata.name.as_str(), note.is_some()), ("b", true));
        assert!(TrainJob::read("nonsense").1.is_some());
    }

    #[test]
    fn quantities_may_be_numbers_and_processes_words() {
        let job = json!({"spec": {"runtimeRef": {"name": "r"}, "trainer": {"numNodes": 2, "numProcPerNode": "auto",
            "resourcesPerNode": {"limits": {"nvidia.com/gpu": 1.0, "memory": "1Gi"}, "requests": null}}}});
        let (job, note) = TrainJob::from_value(&job);
        assert_eq!(note, None);
        let trainer = job.spec.trainer.unwrap();
        assert_eq!(trainer.num_proc_per_node.as_deref(), Some("auto"));
        assert_eq!(trainer.resources_per_node.devices().map(|d| d.per_node), Some(1));
    }
}
