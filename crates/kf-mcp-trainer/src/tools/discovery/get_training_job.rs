//! `get_training_job`: one training job: its status, why it does not run, its steps and its progress. Two requests.

use std::collections::BTreeMap;

use kf_mcp_core::kube::resources::{PODS, TRAIN_JOBS};
use kf_mcp_core::kube::{KubeError, ListQuery, Page};
use kf_mcp_core::{Access, Cx, Namespace, Next, Phase, Tool, ToolError, ToolSpec, text};
use kf_mcp_trainjob::{Devices, JobCounts, JobName, JobState, TrainJob, devices, suspend_trap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pods::{self, Pod, outside};
use crate::refusal::{CHECK, of_job, said};
use crate::reported::Reported;
use crate::steps::{Step, steps, training_pods};
use crate::{manifest, reason};

/// Pods that are read: as many as one page may have.
const MOST_PODS: u32 = 500;
/// Labels that are told.
const MOST_LABELS: usize = 32;

/// Show one training job: status, why it does not run, steps with their pods, devices, times and progress.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetTrainingJob {
    /// Training job name.
    name: JobName,
    /// Namespace; yours by default.
    namespace: Option<Namespace>,
    /// Also give the whole object, with secrets hidden.
    #[serde(default)]
    include_spec: bool,
}

/// What `get_training_job` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TrainingJob {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) status: JobState,
    /// One word for why the job does not run well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    pub(super) runtime: RuntimeName,
    /// Whether its pods are paused.
    pub(super) suspended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nodes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) devices: Option<Devices>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finished: Option<String>,
    pub(super) steps: Vec<Step>,
    /// Steps that are well and not told.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) steps_left_out: usize,
    /// Trainer's counters of the job's parts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) jobs_status: Vec<JobCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) progress: Option<Reported>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) not_seen: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object: Option<Value>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RuntimeName {
    pub(super) name: String,
    pub(super) kind: String,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Tool for GetTrainingJob {
    type Output = TrainingJob;
    const SPEC: ToolSpec = ToolSpec::read("get_training_job", Phase::Discovery)
        .access(&[
            Access::new("trainer.kubeflow.org", "trainjobs", &["get"]),
            Access::new("", "pods", &["list"]).degrades(),
        ])
        .next(&[
            Next::to("get_training_logs", "a step has started"),
            Next::to("get_training_events", "it does not run and the reason does not suffice"),
            Next::to("list_training_jobs", "there is no such job"),
        ]);

    async fn run(self, cx: &Cx) -> Result<TrainingJob, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let query = ListQuery {
            labels: Some(format!("{}={}", pods::JOB, self.name)),
            limit: Some(MOST_PODS),
            ..ListQuery::default()
        };
        let (object, page) = futures::join!(
            cx.kube().get::<Value>(&TRAIN_JOBS, Some(&namespace), &self.name),
            cx.kube().list(&PODS, Some(&namespace), &query),
        );
        let object = object.map_err(|error| of_job(error, &self.name, &namespace, CHECK))?;
        let mut told = tell(cx, &object, page)?;
        told.object = self.include_spec.then(|| manifest::shown(object));
        Ok(told)
    }
}

kf_mcp_core::register!(GetTrainingJob);

fn tell(cx: &Cx, object: &Value, page: Result<Page, KubeError>) -> Result<TrainingJob, ToolError> {
    let (mut notes, mut not_seen) = (Vec::new(), Vec::new());
    let (job, problem) = TrainJob::from_value(object);
    notes.extend(problem);
    let page = match page {
        Ok(page) => Some(page),
        Err(error) if error.is_forbidden() => {
            not_seen.push(format!("pods: {}", said(error)));
            None
        }
        Err(error) => return Err(error.into()),
    };
    let pods = page.as_ref().map(|page| page.decode::<Pod>().0).unwrap_or_default();
    if page.as_ref().is_some_and(|page| page.next.is_some()) {
        not_seen.push(format!("pods beyond the first {MOST_PODS}"));
    }
    let newest: Vec<&Pod> = pods::steps(&pods).into_values().collect();
    let (training, running) = training_pods(&newest);
    let status = JobState::with_pods(&job, training, running);
    let why = reason::of(&job, status, page.is_some().then_some(&newest), cx.now());
    let (steps, steps_left_out) = steps(&job, status, &pods);
    if job.metadata.deletion_timestamp.is_some() {
        notes.push("it is being deleted".into());
    }
    let trainer = job.spec.trainer.as_ref();
    let of_pods = || page.as_ref().and_then(pod_devices);
    let labels = job.metadata.labels.iter().take(MOST_LABELS);
    Ok(TrainingJob {
        name: outside(&job.metadata.name),
        namespace: outside(&job.metadata.namespace),
        status,
        reason: why.as_ref().map(|why| outside(&why.code)),
        message: why.map(|why| why.message).filter(|message| !message.is_empty()),
        runtime: RuntimeName {
            name: outside(&job.spec.runtime_ref.name),
            kind: outside(&job.spec.runtime_ref.kind),
        },
        suspended: status == JobState::Suspended && suspend_trap(&job).is_none(),
        nodes: job.nodes().or((training > 0).then_some(training as i64)),
        devices: trainer
            .and_then(|trainer| trainer.resources_per_node.devices())
            .or_else(of_pods),
        image: trainer
            .map(|trainer| outside(&trainer.image))
            .filter(|image| !image.is_empty()),
        created: job.metadata.creation_timestamp.map(text::time),
        started: newest
            .iter()
            .filter_map(|pod| pod.status.start_time)
            .min()
            .map(text::time),
        finished: finished(&job),
        steps,
        steps_left_out,
        progress: job.status.trainer_status.as_ref().and_then(Reported::of),
        jobs_status: job.status.jobs_status.iter().take(MOST_LABELS).map(cleaned).collect(),
        labels: labels.map(|(name, value)| (outside(name), outside(value))).collect(),
        notes: notes.iter().map(|note| outside(note)).collect(),
        not_seen,
        object: None,
    })
}

fn cleaned(counts: &JobCounts) -> JobCounts {
    JobCounts {
        name: outside(&counts.name),
        ..counts.clone()
    }
}

fn finished(job: &TrainJob) -> Option<String> {
    let end = job.holds("Failed").or_else(|| job.holds("Complete"))?;
    end.last_transition_time.map(text::time)
}

/// The devices of a training pod, for jobs that leave them to their runtime.
fn pod_devices(page: &Page) -> Option<Devices> {
    let pods = page
        .items
        .iter()
        .filter_map(|item| serde_json::from_str::<Value>(item.get()).ok());
    let of = |pod: Value| {
        let containers = pod.pointer("/spec/containers")?.as_array()?;
        let node = containers.iter().find(|container| container["name"] == "node")?;
        let limits = node.pointer("/resources/limits")?.as_object()?;
        let amounts = limits
            .iter()
            .filter_map(|(name, amount)| Some((name.clone(), amount.as_str()?.to_owned())));
        devices(&amounts.collect())
    };
    pods.filter(|pod| pod["metadata"]["labels"][pods::REPLICATED_JOB] == "node")
        .take(1)
        .find_map(of)
}
