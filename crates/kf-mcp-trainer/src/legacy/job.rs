//! One v1 job, read leniently: its status, its replicas and what they run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kf_mcp_trainjob::{Condition, Devices, JobState, ObjectMeta, Resources};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::LegacyKind;
use super::policy::RunPolicy;
use crate::outputs::{self, Output};
use crate::pods::outside;

/// Replica types that are read: the operator has five at most.
const MOST_TYPES: usize = 16;

/// A job of the training operator v1.
#[derive(Debug)]
pub(crate) struct LegacyJob {
    pub(crate) kind: &'static LegacyKind,
    /// `kubeflow.org/v1`, or `kubeflow.org/v2beta1` of the MPI operator.
    pub(crate) api_version: String,
    pub(crate) metadata: ObjectMeta,
    /// Whether it is told to pause.
    pub(crate) suspend: bool,
    pub(crate) policy: RunPolicy,
    /// Who reconciles it, empty when it does not say.
    pub(crate) managed_by: String,
    /// Replica types, those that lead first.
    pub(crate) replicas: Vec<Replica>,
    pub(crate) image: String,
    pub(crate) devices: Option<Devices>,
    /// Where its outputs lie, as its leading replica says.
    pub(crate) outputs: Vec<Output>,
    conditions: Vec<Condition>,
    pub(crate) started: Option<Timestamp>,
    completed: Option<Timestamp>,
    /// What could not be read of it.
    pub(crate) problem: Option<String>,
}

/// One replica type, with the operator's counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Replica {
    /// `Master`, `Worker`, `Launcher`, …
    pub(crate) r#type: String,
    /// How many are wanted.
    pub(crate) replicas: i64,
    /// What each of them has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) devices: Option<Devices>,
    #[serde(skip)]
    extended: BTreeMap<String, u64>,
    pub(crate) active: i64,
    pub(crate) succeeded: i64,
    pub(crate) failed: i64,
}

impl Replica {
    /// `Worker 3 x 1 nvidia.com/gpu (2 active)`.
    pub(crate) fn words(&self) -> String {
        let counts = [
            ("active", self.active),
            ("succeeded", self.succeeded),
            ("failed", self.failed),
        ];
        let told = counts
            .iter()
            .filter(|(_, n)| *n > 0)
            .map(|(what, n)| format!("{n} {what}"));
        let told = told.collect::<Vec<_>>().join(", ");
        let counts = if told.is_empty() { told } else { format!(" ({told})") };
        let each = self
            .devices
            .as_ref()
            .map(|each| format!(" x {} {}", each.per_node, outside(&each.resource)));
        format!("{} {}{}{counts}", self.r#type, self.replicas, each.unwrap_or_default())
    }
}

impl LegacyJob {
    /// Reads a job. A part that makes no sense is left empty and told.
    pub(crate) fn read(kind: &'static LegacyKind, object: &Value) -> Self {
        let mut problems = Vec::new();
        let mut metadata = ObjectMeta::deserialize(&object["metadata"]).unwrap_or_else(|error| {
            problems.push(format!("metadata is not readable: {error}"));
            ObjectMeta::default()
        });
        for (known, pointer) in [
            (&mut metadata.name, "/metadata/name"),
            (&mut metadata.namespace, "/metadata/namespace"),
        ] {
            if known.is_empty() {
                *known = text(object, pointer).to_owned();
            }
        }
        let conditions = match object["status"].get("conditions").filter(|list| !list.is_null()) {
            None => Vec::new(),
            Some(list) => Vec::<Condition>::deserialize(list).unwrap_or_else(|error| {
                problems.push(format!("its conditions are not readable: {error}"));
                Vec::new()
            }),
        };
        let specs = sorted(kind, &object["spec"][kind.replicas]);
        if specs.is_empty() {
            problems.push(format!("has no {}", kind.replicas));
        }
        let counts = |name: &str, of: &str| {
            object["status"]["replicaStatuses"][name][of]
                .as_i64()
                .unwrap_or_default()
        };
        let replicas: Vec<Replica> = specs
            .iter()
            .map(|(name, spec)| {
                let resources = main(kind, spec).and_then(|of| Resources::deserialize(&of["resources"]).ok());
                let resources = resources.unwrap_or_default();
                Replica {
                    r#type: outside(name),
                    replicas: spec["replicas"].as_i64().unwrap_or(1).max(0),
                    devices: resources.devices(),
                    extended: resources.extended(),
                    active: counts(name, "active"),
                    succeeded: counts(name, "succeeded"),
                    failed: counts(name, "failed"),
                }
            })
            .collect();
        let image = specs
            .iter()
            .find_map(|(_, spec)| main(kind, spec))
            .map(|container| outside(text(container, "/image")));
        let time = |pointer: &str| text(object, pointer).parse().ok();
        Self {
            kind,
            api_version: text(object, "/apiVersion").to_owned(),
            suspend: object["spec"]["runPolicy"]["suspend"] == true,
            managed_by: text(object, "/spec/runPolicy/managedBy").to_owned(),
            policy: RunPolicy::read(&object["spec"]["runPolicy"]),
            devices: replicas.iter().find_map(|of| of.devices.clone()),
            replicas,
            image: image.unwrap_or_default(),
            outputs: specs
                .first()
                .map(|(_, spec)| outputs::of_spec(&spec["template"]["spec"], kind.container, &metadata.name))
                .unwrap_or_default(),
            conditions,
            started: time("/status/startTime"),
            completed: time("/status/completionTime"),
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
            metadata,
        }
    }

    /// A condition that holds.
    pub(crate) fn holds(&self, kind: &str) -> Option<&Condition> {
        let holds = |condition: &&Condition| condition.kind == kind && condition.status == "True";
        self.conditions.iter().rev().find(holds)
    }

    /// The status in the words of TrainJobs: what v1 calls `Succeeded` is `Complete`, and a job that restarts runs.
    pub(crate) fn state(&self) -> JobState {
        if self.holds("Failed").is_some() {
            return JobState::Failed;
        }
        if self.holds("Succeeded").is_some() {
            return JobState::Complete;
        }
        if self.suspend || self.holds("Suspended").is_some() {
            return JobState::Suspended;
        }
        if self.holds("Running").or_else(|| self.holds("Restarting")).is_some() {
            return JobState::Running;
        }
        JobState::Created
    }

    /// When it ended. The operator writes no completion time for a job that failed.
    pub(crate) fn ended(&self) -> Option<Timestamp> {
        let failed = || {
            self.holds("Failed")
                .and_then(|condition| condition.last_transition_time)
        };
        self.completed.or_else(failed)
    }

    /// How many pods it wants.
    pub(crate) fn nodes(&self) -> i64 {
        self.replicas.iter().fold(0, |sum, of| sum.saturating_add(of.replicas))
    }

    /// The extended resources of all its pods.
    pub(crate) fn extended(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for of in &self.replicas {
            let number = u64::try_from(of.replicas).unwrap_or_default();
            for (resource, each) in &of.extended {
                let sum: &mut u64 = all.entry(resource.clone()).or_default();
                *sum = sum.saturating_add(each.saturating_mul(number));
            }
        }
        all
    }

    /// The devices of all its pods in words, none when it has none. A launcher and parameter servers usually have none.
    pub(crate) fn all_devices(&self) -> Option<String> {
        let resource = &self.devices.as_ref()?.resource;
        let all = self.extended().get(resource).copied().unwrap_or_default();
        Some(format!("{all} {}", outside(resource)))
    }
}

/// The replica specs, those of leading types first.
fn sorted<'a>(kind: &LegacyKind, specs: &'a Value) -> Vec<(&'a str, &'a Value)> {
    let map = specs.as_object().into_iter().flatten();
    let mut specs: Vec<(&str, &Value)> = map.map(|(name, spec)| (name.as_str(), spec)).take(MOST_TYPES).collect();
    let rank = |name: &str| {
        let at = kind.types.iter().position(|of| of.eq_ignore_ascii_case(name));
        at.unwrap_or(kind.types.len())
    };
    specs.sort_by_key(|(name, _)| rank(name));
    specs
}

/// The container of a replica spec that trains: the one with the kind's name, else the first.
fn main<'a>(kind: &LegacyKind, spec: &'a Value) -> Option<&'a Value> {
    let containers = spec.pointer("/template/spec/containers")?.as_array()?;
    let named = containers.iter().find(|container| container["name"] == kind.container);
    named.or_else(|| containers.first())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::kind::KINDS;
    use super::*;
    use serde_json::json;

    fn kind(name: &str) -> &'static LegacyKind {
        KINDS.iter().find(|kind| kind.name == name).unwrap()
    }

    fn spec(container: &str, gpus: u32) -> Value {
        json!({"containers": [{"name": "side", "image": "s"}, {"name": container, "image": format!("example.com/{container}:1"),
            "resources": {"limits": {"nvidia.com/gpu": gpus}}}]})
    }

    #[test]
    fn each_kind_is_read_by_its_own_fields() {
        for (name, types) in [
            ("PyTorchJob", &["Master", "Worker"][..]),
            ("TFJob", &["Chief", "Worker", "PS"]),
            ("MPIJob", &["Launcher", "Worker"]),
            ("XGBoostJob", &["Master", "Worker"]),
            ("JAXJob", &["Worker"]),
            ("PaddleJob", &["Master", "Worker"]),
        ] {
            let kind = kind(name);
            let replicas: serde_json::Map<String, Value> = types
                .iter()
                .map(|of| {
                    (
                        (*of).to_owned(),
                        json!({"replicas": 2, "template": {"spec": spec(kind.container, 4)}}),
                    )
                })
                .collect();
            let job = LegacyJob::read(
                kind,
                &json!({"metadata": {"name": "a"}, "spec": {kind.replicas: replicas},
                "status": {"replicaStatuses": {"Worker": {"active": 1, "failed": 1}}}}),
            );
            assert_eq!(job.problem, None, "{name}");
            let told: Vec<&str> = job.replicas.iter().map(|of| of.r#type.as_str()).collect();
            assert_eq!(told, types, "{name}: the leading type first");
            assert_eq!(job.nodes(), 2 * types.len() as i64);
            assert_eq!(job.image, format!("example.com/{}:1", kind.container));
            assert_eq!(job.devices.as_ref().map(|d| d.per_node), Some(4));
            let workers = job.replicas.iter().find(|of| of.r#type == "Worker").unwrap();
            assert_eq!(workers.words(), "Worker 2 x 4 nvidia.com/gpu (1 active, 1 failed)");
        }
    }

    #[test]
    fn conditions_say_the_status() {
        use JobState::{Complete, Created, Failed, Running, Suspended};
        let read = |suspend: bool, conditions: &[(&str, &str)]| {
            let conditions: Vec<Value> = conditions
                .iter()
                .map(|(of, status)| json!({"type": of, "status": status, "reason": "R"}))
                .collect();
            LegacyJob::read(
                kind("PyTorchJob"),
                &json!({"spec": {"runPolicy": {"suspend": suspend}, "pytorchReplicaSpecs": {"Worker": {}}},
                    "status": {"conditions": conditions}}),
            )
        };
        for (suspend, conditions, state) in [
            (false, &[][..], Created),
            (false, &[("Created", "True")], Created),
            (false, &[("Created", "True"), ("Running", "True")], Running),
            (false, &[("Running", "False"), ("Restarting", "True")], Running),
            (false, &[("Running", "False"), ("Succeeded", "True")], Complete),
            (false, &[("Running", "False"), ("Failed", "True")], Failed),
            (true, &[("Created", "True")], Suspended),
            (true, &[("Running", "False"), ("Suspended", "True")], Suspended),
            (false, &[("Suspended", "False"), ("Running", "True")], Running),
            (true, &[("Succeeded", "True")], Complete),
        ] {
            assert_eq!(read(suspend, conditions).state(), state, "{conditions:?}");
        }
    }

    #[test]
    fn odd_objects_are_told_and_read_as_far_as_they_go() {
        let job = LegacyJob::read(
            kind("MPIJob"),
            &json!({"metadata": {"name": "odd", "labels": 3}, "spec": {"mpiReplicaSpecs": [], "runPolicy": 7},
                "status": {"conditions": "no"}}),
        );
        assert_eq!((job.metadata.name.as_str(), job.state()), ("odd", JobState::Created));
        let problem = job.problem.unwrap();
        assert!(
            problem.contains("metadata is not readable")
                && problem.contains("conditions")
                && problem.contains("mpiReplicaSpecs")
        );
    }

    #[test]
    fn the_run_policy_is_told_in_words() {
        let policy = json!({"cleanPodPolicy": "None", "activeDeadlineSeconds": 3600, "ttlSecondsAfterFinished": 60,
            "backoffLimit": 3, "schedulingPolicy": {"queue": "research"}});
        let job = LegacyJob::read(
            kind("TFJob"),
            &json!({"spec": {"runPolicy": policy, "tfReplicaSpecs": {"Worker": {}}}}),
        );
        assert_eq!(
            job.policy.words(),
            "ended after 3600 s, deleted 60 s after its end, 3 retries, cleans None pods, queue research"
        );
        assert_eq!(RunPolicy::read(&Value::Null).words(), "");
    }

    #[test]
    fn a_launcher_holds_no_devices() {
        let job = LegacyJob::read(
            kind("MPIJob"),
            &json!({"spec": {"mpiReplicaSpecs": {
            "Launcher": {"template": {"spec": {"containers": [{"name": "mpi"}]}}},
            "Worker": {"replicas": 2, "template": {"spec": spec("mpi", 8)}}}}}),
        );
        assert_eq!(job.all_devices().as_deref(), Some("16 nvidia.com/gpu"));
    }
}
