//! `get_training_job`: one training job: its status, why it does not run, its steps, outputs and progress. Two requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kf_mcp_core::kube::resources::{PODS, TRAIN_JOBS};
use kf_mcp_core::kube::{KubeError, ListQuery, Page};
use kf_mcp_core::{Access, Cx, Namespace, Next, Phase, Tool, ToolError, ToolSpec, text};
use kf_mcp_trainjob::{Devices, JobCounts, JobName, JobState, ObjectMeta, TrainJob, devices, suspend_trap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::legacy_job::tell_legacy;
use crate::legacy::{self, JobKind, LegacyJob, LegacyKind, Replica, RunPolicy, with_legacy};
use crate::outputs::{self, Output};
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
    /// Like PyTorchJob.
    kind: Option<JobKind>,
    /// Also give the whole object, with secrets hidden.
    #[serde(default)]
    include_spec: bool,
}

/// What `get_training_job` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TrainingJob {
    /// Of a job of the training operator v1; a TrainJob does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) status: JobState,
    /// One word for why the job does not run well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// Of a TrainJob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runtime: Option<RuntimeName>,
    /// Whether its pods are paused.
    pub(super) suspended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nodes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) devices: Option<Devices>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<String>,
    /// Replica types of a v1 job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) replicas: Vec<Replica>,
    /// Of a v1 job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_policy: Option<RunPolicy>,
    /// Where its outputs lie, as far as that is certain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) outputs: Vec<Output>,
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
        .access(with_legacy![["get"].degrades();
            Access::new("trainer.kubeflow.org", "trainjobs", &["get"]),
            Access::new("", "pods", &["list"]).degrades(),
        ])
        .next(&[
            Next::to("get_training_logs", "a step has started"),
            Next::to(
                "diagnose_training_job",
                "it failed, or does not run and the reason does not suffice",
            ),
            Next::to("list_training_jobs", "there is no such job"),
        ]);

    async fn run(self, cx: &Cx) -> Result<TrainingJob, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        if let Some(kind) = self.kind.and_then(JobKind::legacy) {
            let (object, page) = futures::join!(
                legacy::get(cx, kind, &namespace, &self.name),
                self.pods(cx, &namespace, legacy::JOB_LABEL),
            );
            let object = object.map_err(|error| of_job(error, &self.name, &namespace, CHECK))?;
            return self.of_legacy(cx, kind, object, page);
        }
        let (object, page) = futures::join!(
            cx.kube().get::<Value>(&TRAIN_JOBS, Some(&namespace), &self.name),
            self.pods(cx, &namespace, pods::JOB),
        );
        match object {
            Ok(object) => {
                let mut told = tell(cx, &object, page)?;
                told.object = self.include_spec.then(|| manifest::shown(object));
                Ok(told)
            }
            Err(error) => {
                let missed = of_job(error, &self.name, &namespace, CHECK);
                let found = legacy::instead(cx, &namespace, &self.name, self.kind, missed).await?;
                let page = self.pods(cx, &namespace, legacy::JOB_LABEL).await;
                self.of_legacy(cx, found.kind, found.object, page)
            }
        }
    }
}

impl GetTrainingJob {
    /// The pods that carry the job's name in a label.
    async fn pods(&self, cx: &Cx, namespace: &str, label: &str) -> Result<Page, KubeError> {
        let query = ListQuery {
            labels: Some(format!("{label}={}", self.name)),
            limit: Some(MOST_PODS),
            ..ListQuery::default()
        };
        cx.kube().list(&PODS, Some(namespace), &query).await
    }

    fn of_legacy(
        &self,
        cx: &Cx,
        kind: &'static LegacyKind,
        object: Value,
        page: Result<Page, KubeError>,
    ) -> Result<TrainingJob, ToolError> {
        let mut told = tell_legacy(cx, &LegacyJob::read(kind, &object), page)?;
        told.object = self.include_spec.then(|| manifest::shown(object));
        Ok(told)
    }
}

kf_mcp_core::register!(GetTrainingJob);

/// The page of pods, none for a caller who may not list them; and what is not seen for that.
pub(super) fn seen(page: Result<Page, KubeError>) -> Result<(Option<Page>, Vec<String>), ToolError> {
    match page {
        Ok(page) if page.next.is_some() => Ok((Some(page), vec![format!("pods beyond the first {MOST_PODS}")])),
        Ok(page) => Ok((Some(page), Vec::new())),
        Err(error) if error.is_forbidden() => Ok((None, vec![format!("pods: {}", said(error))])),
        Err(error) => Err(error.into()),
    }
}

fn tell(cx: &Cx, object: &Value, page: Result<Page, KubeError>) -> Result<TrainingJob, ToolError> {
    let mut notes = Vec::new();
    let (job, problem) = TrainJob::from_value(object);
    notes.extend(problem);
    let (page, not_seen) = seen(page)?;
    let pods = page.as_ref().map(|page| page.decode::<Pod>().0).unwrap_or_default();
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
    let lead = newest.iter().find(|pod| matches!(pod.part(), "node" | "launcher"));
    let outputs = outputs::of_train_job(object, page.as_ref(), lead.copied());
    Ok(TrainingJob {
        kind: None,
        name: outside(&job.metadata.name),
        namespace: outside(&job.metadata.namespace),
        status,
        reason: why.as_ref().map(|why| outside(&why.code)),
        message: why.map(|why| why.message).filter(|message| !message.is_empty()),
        runtime: Some(RuntimeName {
            name: outside(&job.spec.runtime_ref.name),
            kind: outside(&job.spec.runtime_ref.kind),
        }),
        suspended: status == JobState::Suspended && suspend_trap(&job).is_none(),
        nodes: job.nodes().or((training > 0).then_some(training as i64)),
        devices: trainer
            .and_then(|trainer| trainer.resources_per_node.devices())
            .or_else(of_pods),
        image: trainer
            .map(|trainer| outside(&trainer.image))
            .filter(|image| !image.is_empty()),
        replicas: Vec::new(),
        run_policy: None,
        outputs,
        created: job.metadata.creation_timestamp.map(text::time),
        started: started(&newest).map(text::time),
        finished: finished(&job),
        steps,
        steps_left_out,
        progress: job.status.trainer_status.as_ref().and_then(Reported::of),
        jobs_status: job.status.jobs_status.iter().take(MOST_LABELS).map(cleaned).collect(),
        labels: labels(&job.metadata),
        notes: notes.iter().map(|note| outside(note)).collect(),
        not_seen,
        object: None,
    })
}

/// The labels that are told, made safe to show.
pub(super) fn labels(metadata: &ObjectMeta) -> BTreeMap<String, String> {
    let labels = metadata.labels.iter().take(MOST_LABELS);
    labels.map(|(name, value)| (outside(name), outside(value))).collect()
}

/// When the first of the pods started.
pub(super) fn started(pods: &[&Pod]) -> Option<Timestamp> {
    pods.iter().filter_map(|pod| pod.status.start_time).min()
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
