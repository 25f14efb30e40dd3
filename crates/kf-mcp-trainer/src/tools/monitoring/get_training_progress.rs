//! `get_training_progress`: how far a training is, how its metrics go, and what its pods use.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kf_mcp_core::kube::resources::{POD_METRICS, TRAIN_JOBS};
use kf_mcp_core::kube::{KubeError, ListQuery, LogQuery};
use kf_mcp_core::{Access, Cx, Namespace, Next, Phase, Tool, ToolError, ToolSpec, text};
use kf_mcp_trainjob::{JobName, JobState, TrainJob};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::{Telling, gpus};
use super::logs::no_log;
use super::lookup::pods;
use super::progress::{FromLog, Row, TrainingProgress};
use super::read::read;
use super::why;
use crate::gpu_use::Gpu;
use crate::legacy::JobKind;
use crate::pods::{self, JOB, Pod, Run, index_of, outside};
use crate::progress::{Story, chart};
use crate::refusal::{CHECK_TRAINJOB, of_job};
use crate::reported::Reported;
use crate::steps::{stands_in, telling, training_pods};
use crate::usage::Used;

/// Lines that are read from the end of the log.
const LINES: i64 = 3000;
/// How long a running training may print nothing of its progress before that is told.
const SILENT: SignedDuration = SignedDuration::from_mins(10);
/// Steps whose use is told.
const MOST_ROWS: usize = 100;

/// Show how far a training is and how it goes: step, epoch, loss and other metrics with their last points, throughput,
/// time to go; CPU, memory and GPU use of its pods. From what the training reports, else read from its log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetTrainingProgress {
    /// Training job.
    name: JobName,
    /// Its namespace.
    namespace: Option<Namespace>,
    /// Points of each metric, from the end.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 200))]
    points: usize,
    /// Only metrics whose name contains this.
    #[schemars(length(max = 64))]
    metric: Option<String>,
    /// `chart` adds a picture.
    #[serde(default)]
    format: Format,
    /// Step whose log is read.
    #[serde(default = "node_0")]
    #[schemars(length(max = 63))]
    step: String,
}

fn twenty() -> usize {
    20
}

fn node_0() -> String {
    "node-0".into()
}

/// How the metrics are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Format {
    #[default]
    Text,
    Chart,
}

impl Tool for GetTrainingProgress {
    type Output = TrainingProgress;
    const SPEC: ToolSpec = ToolSpec::read("get_training_progress", Phase::Monitoring)
        .access(&[
            Access::new("trainer.kubeflow.org", "trainjobs", &["get"]),
            Access::new("", "pods", &["list"]).degrades(),
            Access::new("", "pods/log", &["get"]).degrades(),
            Access::new("metrics.k8s.io", "pods", &["list"]).degrades(),
        ])
        .next(&[
            Next::to("get_training_logs", "the log has no progress that is recognised"),
            Next::to("get_training_job", "it does not run"),
            Next::to("wait_for_training", "it goes well and shall be waited for"),
        ]);

    async fn run(self, cx: &Cx) -> Result<TrainingProgress, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let query = ListQuery {
            labels: Some(format!("{JOB}={}", self.name)),
            ..ListQuery::default()
        };
        let rest = async {
            let pods = pods(cx, &namespace, JobKind::TrainJob, &self.name, &self.step).await;
            let log = match &pods {
                Ok(pods) => self.log(cx, &namespace, pods).await,
                Err(_) => Ok(Log::default()),
            };
            (pods, log)
        };
        let (job, (pods, log), metrics, gpus) = futures::join!(
            cx.kube().get::<Value>(&TRAIN_JOBS, Some(&namespace), &self.name),
            rest,
            cx.kube().list(&POD_METRICS, Some(&namespace), &query),
            gpus(cx, &namespace, &self.name),
        );
        let object = job.map_err(|error| of_job(error, &self.name, &namespace, CHECK_TRAINJOB))?;
        let mut told = Telling::default();
        let pods = match pods {
            Ok(pods) => pods,
            Err(error) if error.is_forbidden() => told.unseen("pods and their logs", error),
            Err(error) => return Err(error.into()),
        };
        let (job, problem) = TrainJob::from_value(&object);
        told.notes.extend(problem.map(|problem| outside(&problem)));
        let log = self.read(cx, &object, &pods, log?, &mut told);
        let running = pods.iter().any(|pod| pod.status.phase == "Running");
        let used = told.used(metrics, running);
        let gpus = told.gpus(gpus, running);
        Ok(self.answer(namespace, &job, &pods, log, (used, gpus), told))
    }
}

kf_mcp_core::register!(GetTrainingProgress);

/// The end of a log, or why there is none.
#[derive(Debug, Default)]
struct Log {
    step: String,
    pod: Option<String>,
    previous: bool,
    lines: Vec<String>,
    why: Option<String>,
    unseen: Option<KubeError>,
}

impl GetTrainingProgress {
    /// Reads the log of the step. Nothing to read is no error.
    async fn log(&self, cx: &Cx, namespace: &str, pods: &[Pod]) -> Result<Log, ToolError> {
        let steps = pods::steps(pods);
        let step = telling(&self.step, &steps);
        let mut log = Log {
            step: step.clone(),
            ..Log::default()
        };
        let Some(pod) = steps.get(&step) else {
            if steps.is_empty() {
                return Ok(log);
            }
            let launcher = index_of("node-0", pods).is_none();
            let why = why::no_step(&self.name, &step, &steps, launcher);
            // A job may be made of steps of other names: then it has no log to look into, and all the rest.
            let why = if step == node_0() {
                why.or_else(|error| Ok::<_, ToolError>(format!("{}; {}", error.answered, error.fix)))
            } else {
                why
            };
            log.why = Some(why?);
            return Ok(log);
        };
        log.pod = Some(pod.metadata.name.clone());
        let container = pod.container();
        if let Some(reason) = pod.no_log_yet(container) {
            log.why = Some(reason);
            return Ok(log);
        }
        let status = pod.container_status(container);
        let run = status.map_or(Run::Current, |status| status.run(cx.now()));
        let query = LogQuery {
            container: container.to_owned(),
            tail_lines: Some(LINES),
            timestamps: true,
            redraws: true,
            ..LogQuery::default()
        };
        let read = read(cx, namespace, &pod.metadata.name, &query, run).await;
        log.previous = read.previous;
        match read.log {
            Ok(tail) => log.lines = tail.lines,
            Err(error) if error.is_forbidden() => log.unseen = Some(error),
            Err(error) => log.why = Some(no_log(error)?),
        }
        Ok(log)
    }

    /// What the log tells; none when there are no pods to have one, or it may not be read.
    fn read(&self, cx: &Cx, object: &Value, pods: &[Pod], log: Log, told: &mut Telling) -> Option<FromLog> {
        if let Some(error) = log.unseen {
            return told.unseen("the log", error);
        }
        let mut why = log.why;
        if pods.is_empty() && told.not_seen.is_empty() {
            let job = serde_json::from_value::<why::Job>(object.clone()).unwrap_or_default();
            why = Some(job.no_pods(cx.now()));
        }
        if pods.is_empty() && why.is_none() {
            return None;
        }
        told.notes.extend(stands_in(&log.step, &self.step));
        let mut story = Story::new(self.points.clamp(1, 200), self.metric.as_deref());
        let mut at = None;
        for line in &log.lines {
            let (time, line) = stamped(line);
            at = time.or(at);
            story.push(&text::clean(line), at);
        }
        let progress = story.told();
        let runs = {
            let mut of = pods.iter().filter(|pod| Some(&pod.metadata.name) == log.pod.as_ref());
            of.any(|pod| pod.status.phase == "Running") && !log.previous
        };
        if let Some(metric) = &self.metric
            && progress.metrics.is_empty()
            && !progress.others.is_empty()
        {
            let none = format!("no metric's name contains `{}`: see the others", outside(metric));
            told.notes.push(none);
        }
        let silent = progress.updated.filter(|at| cx.now().duration_since(*at) > SILENT);
        if let Some(at) = silent.filter(|_| runs) {
            told.notes.push(format!(
                "nothing of its progress was printed for {}: it evaluates, saves or hangs; get_training_logs shows the last lines",
                text::age(at, cx.now())
            ));
        }
        let mut from = FromLog::of(&log.step, log.pod.map(|pod| outside(&pod)), log.previous, progress);
        if from.matched == 0 && why.is_none() {
            told.notes.push(unknown(&log.step, from.lines, pods));
        }
        from.why = why;
        Some(from)
    }

    fn answer(
        &self,
        namespace: String,
        job: &TrainJob,
        pods: &[Pod],
        log: Option<FromLog>,
        (used, mut gpus): (BTreeMap<String, Used>, BTreeMap<String, Vec<Gpu>>),
        mut told: Telling,
    ) -> TrainingProgress {
        let steps = pods::steps(pods);
        let newest: Vec<&Pod> = steps.values().copied().collect();
        let (training, running) = training_pods(&newest);
        let mut usage: Vec<Row> = Vec::new();
        for (step, pod) in &steps {
            let name = &pod.metadata.name;
            let (used, gpus) = (used.get(name), gpus.remove(name).unwrap_or_default());
            if used.is_some() || !gpus.is_empty() {
                usage.push(Row {
                    step: step.clone(),
                    pod: outside(name),
                    cpu: used.map(|used| used.cpu.to_string()),
                    memory: used.map(|used| used.memory.memory()),
                    gpus,
                });
            }
        }
        usage.sort_by_key(|row| crate::steps::order(&row.step));
        let usage_left_out = usage.len().saturating_sub(MOST_ROWS);
        usage.truncate(MOST_ROWS);
        let reported = job.status.trainer_status.as_ref().and_then(Reported::of);
        let seen = log.as_ref().map(|log| &log.position);
        let by_status = reported
            .as_ref()
            .filter(|told| told.percent.is_some() || told.remaining_seconds.is_some());
        let (percent, remaining_seconds, source) = match (by_status, seen) {
            (Some(told), _) => {
                let remaining = told.remaining_seconds.and_then(|seconds| u64::try_from(seconds).ok());
                (told.percent.map(|percent| percent as f64), remaining, Some("status"))
            }
            (None, Some(seen)) if seen.percent.is_some() || seen.eta_seconds.is_some() => {
                (seen.percent, seen.eta_seconds, Some("log"))
            }
            _ => (None, None, None),
        };
        let chart = log.as_ref().and_then(|log| self.chart(log));
        if self.format == Format::Chart && chart.is_none() {
            told.notes
                .push("no chart: there is no metric with two points or more".into());
        }
        if pods.len() >= 500 {
            told.not_seen.push("pods beyond the first 500".into());
        }
        let status = JobState::with_pods(job, training, running);
        TrainingProgress {
            name: outside(&job.metadata.name),
            namespace,
            status,
            percent,
            // What a log said before the job ended is not true any more.
            remaining_seconds: remaining_seconds.filter(|_| !status.is_final()),
            source,
            reported,
            log,
            usage,
            usage_left_out,
            notes: told.notes,
            not_seen: told.not_seen,
            chart,
        }
    }

    fn chart(&self, log: &FromLog) -> Option<Vec<u8>> {
        if self.format != Format::Chart {
            return None;
        }
        chart::png(&chart::together(&log.metrics))
    }
}

/// What to do about a log without progress.
fn unknown(step: &str, lines: usize, pods: &[Pod]) -> String {
    if lines == 0 {
        return format!("{step} has printed nothing yet");
    }
    let steps = pods::steps(pods);
    let nodes = steps.keys().filter(|step| step.starts_with("node-")).count();
    let last = format!("node-{}", nodes.saturating_sub(1));
    let other = if nodes > 1 && step != last {
        format!("; some frameworks print on the last rank only: step={last}")
    } else {
        String::new()
    };
    format!(
        "the last {lines} lines of {step} have no progress that is recognised (Hugging Face, torchtune, Lightning, Keras, \
         XGBoost, tqdm, or lines such as `step=100 loss=0.5`); get_training_logs shows them{other}"
    )
}

/// A line with the time before it. What follows the first state of a redrawn line has none.
fn stamped(line: &str) -> (Option<Timestamp>, &str) {
    let stamp = line
        .split_once(' ')
        .and_then(|(time, rest)| Some((time.parse().ok()?, rest)));
    match stamp {
        Some((time, rest)) => (Some(time), rest),
        None => (None, line),
    }
}
