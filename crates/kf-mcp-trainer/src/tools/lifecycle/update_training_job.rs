//! `update_training_job`: pauses a training job or lets it go on, and tells whether that reached its pods.

use kf_mcp_core::kube::KubeError;
use kf_mcp_core::{Access, Change, Cost, Cx, ErrorCode, Namespace, Next, Phase, Render, Text, ToolError, ToolSpec};
use kf_mcp_trainjob::{JobName, JobState, Runtime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::reality::{devices, pods, runtime, settle, takes};
use super::subject::Subject;
use crate::legacy::{self, JobKind, with_legacy};
use crate::origin::Origin;
use crate::pods::outside;
use crate::refusal::{CHECK, of_job, said};
use crate::suspension::{self, Reach};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    Suspend,
    Resume,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
        }
    }

    fn suspends(self) -> bool {
        self == Self::Suspend
    }
}

/// Suspend a training job (its pods end) or resume it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateTrainingJob {
    /// Job.
    name: JobName,
    /// Which.
    action: Action,
    /// Default yours.
    namespace: Option<Namespace>,
    /// Like PyTorchJob.
    kind: Option<JobKind>,
}

/// What would happen. What pods do at the moment is shown, but is no part of the plan's identity.
#[derive(Debug, Serialize)]
pub struct Update {
    kind: JobKind,
    action: Action,
    name: String,
    namespace: String,
    uid: String,
    generation: i64,
    #[serde(flatten)]
    origin: Origin,
    /// The job was told so before: there is nothing to write.
    unchanged: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    effects: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip)]
    job: Subject,
    #[serde(skip)]
    at_the_moment: Option<String>,
    /// What it takes when it is resumed.
    #[serde(skip)]
    takes: Cost,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

/// What `update_training_job` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Updated {
    kind: &'static str,
    name: String,
    namespace: String,
    action: Action,
    /// Whether anything was written.
    changed: bool,
    /// Whether the pods follow; absent while that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    took_effect: Option<bool>,
    status: JobState,
    message: String,
    #[serde(skip)]
    words: &'static str,
    /// Pods that have not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pods_left: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

impl Render for Update {
    fn render(&self, text: &mut Text) {
        let (action, status) = (self.action.as_str(), self.job.state().as_str());
        let head = format!("{} {} in {} ({status})", self.kind.words(), self.name, self.namespace);
        if self.unchanged {
            text.line(format!("{head}: told to {action} already, nothing would be written"));
        } else {
            text.line(format!("{action} {head}"));
        }
        text.fact("created by", self.origin.line());
        text.facts("effect", &self.effects);
        text.fact("now", self.at_the_moment.as_deref().unwrap_or_default());
        text.facts("warning", &self.warnings);
        text.facts("not seen", &self.not_seen);
    }
}

impl Render for Updated {
    fn render(&self, text: &mut Text) {
        text.line(format!(
            "{} {} in {} {}",
            self.words, self.name, self.namespace, self.message
        ));
        if let Some(pods) = self.pods_left {
            text.fact("pods that have not ended", pods);
        }
        text.facts("warning", &self.warnings);
        text.facts("not seen", &self.not_seen);
    }
}

impl Change for UpdateTrainingJob {
    type Plan = Update;
    type Output = Updated;
    const SPEC: ToolSpec = ToolSpec::write("update_training_job", Phase::Lifecycle)
        .access(with_legacy![["get", "patch"].with_argument("kind");
            Access::new("trainer.kubeflow.org", "trainjobs", &["get", "patch"]),
            Access::new("trainer.kubeflow.org", "trainingruntimes", &["get"]).degrades(),
            Access::new("trainer.kubeflow.org", "clustertrainingruntimes", &["get"])
                .cluster()
                .degrades(),
            Access::new("", "pods", &["list"]).degrades(),
        ])
        .next(&[Next::to("wait_for_training", "it is resumed and shall run")]);

    async fn plan(&self, cx: &Cx) -> Result<Update, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let kind = self.kind.unwrap_or_default();
        let job = match Subject::read(cx, kind, &namespace, &self.name).await {
            Ok(job) => job,
            Err(error) => {
                let missed = of_job(error, &self.name, &namespace, CHECK);
                return Err(legacy::say_which(cx, &namespace, &self.name, self.kind, missed).await);
            }
        };
        let suspend = self.action.suspends();
        let status = job.state();
        if status.is_final() {
            let asked = asked(self.action, kind, &self.name, &namespace);
            let why = format!(
                "it is {}: a job that has ended has nothing to pause or resume",
                status.as_str()
            );
            let again = match kind {
                JobKind::TrainJob => "clone_training_job submits it again",
                JobKind::Legacy(_) => "to run it again, submit it under another name",
            };
            return Err(ToolError::new(ErrorCode::Unsupported, asked, why)
                .fix(format!("its pods hold no devices any more; {again}")));
        }
        let mut plan = Update {
            kind,
            origin: Origin::of(&job.metadata().labels, &cx.mark().await?),
            action: self.action,
            name: self.name.to_string(),
            namespace,
            uid: job.metadata().uid.clone(),
            generation: job.metadata().generation,
            unchanged: job.suspended() == suspend,
            effects: Vec::new(),
            warnings: Vec::new(),
            at_the_moment: None,
            takes: Cost::default(),
            not_seen: Vec::new(),
            job,
        };
        if plan.unchanged {
            if plan.job.reach(suspend) == Reach::Trap {
                plan.warnings.push(suspension::outcome(Reach::Trap, suspend).into());
            }
            return Ok(plan);
        }
        plan.look(cx).await?;
        plan.warnings.extend(plan.origin.warning.clone());
        Ok(plan)
    }

    fn cost(plan: &Update) -> Cost {
        plan.takes.clone()
    }

    async fn apply(plan: Update, cx: &Cx) -> Result<Updated, ToolError> {
        let suspend = plan.action.suspends();
        if plan.unchanged {
            let reach = plan.job.reach(suspend);
            return Ok(plan.told(reach, false));
        }
        let patched = plan.patch(cx, false).await.map_err(|error| plan.refused(error, None))?;
        let (job, reach, problem) = settle(cx, &plan.namespace, suspend, Subject::of(plan.kind, &patched)).await;
        let left = if suspend || reach == Reach::Trap {
            Some(pods(cx, &plan.namespace, &job).await)
        } else {
            None
        };
        let mut told = Update { job, ..plan }.told(reach, true);
        told.not_seen.extend(problem);
        if let Some(left) = left {
            match left {
                Ok((pods, _)) => told.pods_left = Some(pods.len()),
                Err(error) => {
                    let pods = format!("pods: {}", said(error));
                    // the plan may have said so already
                    if !told.not_seen.contains(&pods) {
                        told.not_seen.push(pods);
                    }
                }
            }
        }
        Ok(told)
    }
}

kf_mcp_core::register!(change UpdateTrainingJob);

impl Update {
    /// Tries the patch, and reads what tells the effects: three requests at once.
    async fn look(&mut self, cx: &Cx) -> Result<(), ToolError> {
        let (runtime, pods, tried) = futures::join!(
            self.runtime(cx),
            pods(cx, &self.namespace, &self.job),
            self.patch(cx, true),
        );
        let gone = runtime
            .as_ref()
            .is_some_and(|runtime| runtime.as_ref().is_err_and(KubeError::is_not_found));
        tried.map_err(|error| self.refused(error, Some(gone)))?;
        let runtime = match runtime {
            Some(Ok(runtime)) => Some(runtime),
            Some(Err(error)) if !error.is_not_found() && !error.is_not_served() => {
                self.not_seen.push(format!("runtime: {}", said(error)));
                None
            }
            _ => None,
        };
        match pods {
            Ok((pods, devices)) => {
                let hold = devices.map(|held| format!(", holding {held}")).unwrap_or_default();
                let waiting = pods.iter().filter(|pod| pod.spec.node_name.is_empty()).count();
                let waiting = if waiting > 0 {
                    format!(" ({waiting} of them wait for a node)")
                } else {
                    String::new()
                };
                self.at_the_moment = Some(format!(
                    "{} {}{waiting}{hold}",
                    pods.len(),
                    if pods.len() == 1 { "pod" } else { "pods" }
                ));
            }
            Err(error) => self.not_seen.push(format!("pods: {}", said(error))),
        }
        let suspend = self.action.suspends();
        if !suspend {
            self.takes = takes(&self.job, runtime.as_ref());
        }
        match &self.job {
            Subject::Train(job) => {
                let devices = devices(job, runtime.as_ref());
                self.effects = suspension::effects(job, suspend, runtime.as_ref(), devices.as_deref());
                self.warnings = suspension::warnings(job, suspend, runtime.as_ref());
            }
            Subject::Legacy(job) => {
                let (devices, deadline) = (job.all_devices(), job.policy.active_deadline_seconds);
                self.effects = suspension::effects_on_pods(suspend, devices.as_deref(), deadline);
                self.warnings = suspension::warnings_of_queues(&job.metadata, &job.managed_by);
            }
        }
        Ok(())
    }

    /// The runtime of a TrainJob; other jobs have none.
    async fn runtime(&self, cx: &Cx) -> Option<Result<Runtime, KubeError>> {
        match &self.job {
            Subject::Train(job) => Some(runtime(cx, job, &self.namespace).await),
            Subject::Legacy(_) => None,
        }
    }

    /// Writes the wish and nothing else.
    async fn patch(&self, cx: &Cx, dry_run: bool) -> Result<Value, KubeError> {
        let mut patch = self.job.wish(self.action.suspends());
        // only this very job, should another have taken its name
        patch["metadata"]["uid"] = json!(self.uid);
        let namespace = Some(self.namespace.as_str());
        cx.kube()
            .merge_patch(self.job.resource(), namespace, &self.name, &patch, dry_run)
            .await
    }

    /// What the server refused: a job whose runtime is gone cannot be changed at all.
    fn refused(&self, error: KubeError, runtime_gone: Option<bool>) -> ToolError {
        // Trainer's webhook, about the runtime of the job.
        let orphan = error
            .message()
            .contains("must be created before the TrainJob is created");
        let error = of_job(error, &self.name, &self.namespace, CHECK);
        let error = error.asked(asked(self.action, self.kind, &self.name, &self.namespace));
        let Subject::Train(job) = &self.job else {
            return error;
        };
        if error.code != ErrorCode::AdmissionDenied || !(orphan || runtime_gone == Some(true)) {
            return error;
        }
        let runtime = outside(&job.spec.runtime_ref.name);
        error
            .fix(format!(
                "its runtime {runtime} is gone, and Trainer refuses every change of a job without its runtime: \
                 delete_training_job still works, and once a runtime {runtime} exists again this does too"
            ))
            .tool("delete_training_job")
    }

    /// The answer about the job as it is now.
    fn told(self, reach: Reach, changed: bool) -> Updated {
        let suspend = self.action.suspends();
        let outcome = match self.kind {
            JobKind::TrainJob => suspension::outcome(reach, suspend),
            JobKind::Legacy(_) => suspension::outcome_of_legacy(reach, suspend),
        };
        let message = match (changed, reach) {
            (false, Reach::Done) => format!("was told to {} before: nothing was written", self.action.as_str()),
            (false, _) => format!("{outcome} (nothing was written: it was told before)"),
            (true, _) => outcome.to_owned(),
        };
        Updated {
            took_effect: match reach {
                Reach::Done => Some(true),
                Reach::Trap => Some(false),
                Reach::Open | Reach::Ended => None,
            },
            status: self.job.state(),
            kind: self.kind.name(),
            words: self.kind.words(),
            // What was warned of has come out by now.
            warnings: Vec::new(),
            name: self.name,
            namespace: self.namespace,
            action: self.action,
            changed,
            message,
            pods_left: None,
            not_seen: self.not_seen,
        }
    }
}

fn asked(action: Action, kind: JobKind, name: &str, namespace: &str) -> String {
    format!(
        "{} {} `{name}` in namespace `{namespace}`",
        action.as_str(),
        kind.words()
    )
}
