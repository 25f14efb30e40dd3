//! A job that would be submitted: how it is planned, shown, and created once. The same for all tools that submit.

use std::collections::BTreeMap;

use kf_mcp_core::caller::CALLER_LABEL;
use kf_mcp_core::kube::resources::TRAIN_JOBS;
use kf_mcp_core::kube::{Created, KubeError};
use kf_mcp_core::{Access, Cost, Cx, ErrorCode, Render, Text, ToolError, text};
use kf_mcp_trainjob::{
    Dialect, JobState, MANAGED_BY_LABEL, MANAGED_BY_VALUE, PLAN_ANNOTATION, Runtime, RuntimeScope, TrainJob, devices,
    extended,
};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::trial;
use crate::devices::cost;
use crate::manifest;
use crate::pods::outside;
use crate::runtimes::{self, Found};
use crate::submit::{self, Checked, Problems, Program, Wishes};

/// The runtime of jobs whose program is the caller's and that name none, as for the Kubeflow SDK.
pub(in crate::tools) const DEFAULT_RUNTIME: &str = "torch-distributed";

/// What a tool that submits may ask for. The runtime is got by its name or found in the lists, which are also for the error
/// about a name that is wrong; without the namespace's own runtimes the cluster's are enough.
pub(in crate::tools) const ACCESS: [Access; 3] = [
    Access::new("trainer.kubeflow.org", "trainingruntimes", &["get", "list"]).degrades(),
    Access::new("trainer.kubeflow.org", "clustertrainingruntimes", &["get", "list"])
        .cluster()
        .degrades(),
    Access::new("trainer.kubeflow.org", "trainjobs", &["get", "create"]),
];

/// Characters of the manifest that the text of a preview shows.
const MOST: usize = 6000;

/// A body for the API server, shown without its secrets.
#[derive(Debug, Clone)]
pub(super) struct Manifest(pub(super) Value);

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        manifest::shown(self.0.clone()).serialize(to)
    }
}

/// What a job costs, in one line.
#[derive(Debug, Clone, Serialize)]
pub(in crate::tools) struct Summary {
    pub(in crate::tools) name: String,
    pub(in crate::tools) namespace: String,
    pub(in crate::tools) image: String,
    pub(in crate::tools) num_nodes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::tools) devices: Option<kf_mcp_trainjob::Devices>,
    /// The extended resources of a node.
    #[serde(skip)]
    pub(in crate::tools) extended: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::tools) command: Vec<String>,
    /// What the tool tells of the job besides.
    #[serde(flatten)]
    pub(in crate::tools) told: BTreeMap<&'static str, String>,
}

/// How much of a command a summary tells, in characters.
const COMMAND: usize = 500;

/// A training job that would be created.
#[derive(Debug, Serialize)]
pub struct Submit {
    #[serde(flatten)]
    pub(super) summary: Summary,
    pub(super) runtime: Pinned,
    pub(super) manifest: Manifest,
    /// Stands for what the manifest does not show.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<String>,
    pub(super) warnings: Vec<String>,
    /// What the API server said about the trial. It says it only for a new job, so it is no part of the plan.
    #[serde(skip)]
    pub(super) server_warnings: Vec<String>,
    /// The job of this very plan, if it exists already.
    #[serde(skip)]
    pub(super) existing: Option<Submitted>,
    /// The queue that decides when it starts.
    #[serde(skip)]
    queue: Option<String>,
}

/// The runtime as it is now: a plan made on another one is stale.
#[derive(Debug, Serialize)]
pub(in crate::tools) struct Pinned {
    name: String,
    scope: RuntimeScope,
    uid: String,
    generation: i64,
}

impl Pinned {
    pub(in crate::tools) fn of(runtime: &Runtime) -> Self {
        Self {
            name: runtime.name.clone(),
            scope: runtime.scope,
            uid: runtime.uid.clone(),
            generation: runtime.generation,
        }
    }
}

/// A training job that was created.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Submitted {
    name: String,
    namespace: String,
    status: JobState,
    #[serde(skip_serializing_if = "String::is_empty")]
    uid: String,
    /// This plan had been carried out before; nothing was created now.
    already_submitted: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Render for Submitted {
    fn render(&self, text: &mut Text) {
        let done = if self.already_submitted {
            "was submitted before"
        } else {
            "submitted"
        };
        text.line(format!(
            "training job {} in {} {done}: {}",
            self.name,
            self.namespace,
            self.status.as_str()
        ));
        text.facts("warning", &self.warnings);
        text.line("get_training_job shows whether it runs, get_training_logs what it prints");
    }
}

impl Render for Submit {
    fn render(&self, text: &mut Text) {
        self.summarise(text);
        text.line(text::bounded(
            &manifest::yaml(&manifest::shown(self.manifest.0.clone())),
            MOST,
        ));
    }
}

impl Submit {
    /// The command, where the summary does not tell all of it.
    pub(super) fn whole_command(&self) -> Option<(&'static str, String)> {
        let command = self.summary.command.join(" ");
        (command.chars().count() > COMMAND).then_some(("command", command))
    }

    /// What is to be decided on: all but the manifest.
    pub(in crate::tools) fn summarise(&self, text: &mut Text) {
        let Summary {
            name,
            namespace,
            image,
            num_nodes,
            devices,
            command,
            told,
            ..
        } = &self.summary;
        if let Some(existing) = &self.existing {
            text.line(format!(
                "training job {name} in {namespace} exists already by this plan: {}",
                existing.status.as_str()
            ));
        } else {
            text.line(format!("create training job {name} in {namespace}"));
        }
        text.fact(
            "runtime",
            format!("{} ({})", self.runtime.name, self.runtime.scope.as_str()),
        );
        let devices = devices
            .as_ref()
            .map(|d| format!(" x {} {}", d.per_node, d.resource))
            .unwrap_or_default();
        text.fact("nodes", format!("{num_nodes}{devices}"));
        text.fact("image", text::bounded(&text::in_line(image), 500));
        text.fact("command", text::bounded(&text::in_line(&command.join(" ")), COMMAND));
        for (what, said) in told {
            text.fact(what, text::bounded(&text::visible(said), 1000));
        }
        for warning in self.warnings.iter().chain(&self.server_warnings) {
            text.fact("warning", warning);
        }
    }
}

/// The runtime of a job by its name, or an error that names those there are.
pub(in crate::tools) async fn runtime(cx: &Cx, namespace: &str, name: &str) -> Result<Found, ToolError> {
    match runtimes::find(cx, namespace, name).await? {
        Some(found) => Ok(found),
        None => Err(runtimes::missing(cx, namespace, name, "runtime").await),
    }
}

/// What a tool hands on once it knows the runtime and has made its program for it.
pub(super) struct Draft<'a> {
    /// The arguments that all share.
    pub(super) wishes: Wishes<'a>,
    /// What [`submit::of_arguments`] made of them.
    pub(super) checked: Checked,
    /// Where the job goes.
    pub(super) namespace: String,
    /// On what it runs.
    pub(super) found: Found,
    /// What runs.
    pub(super) program: Program,
    /// What the tool found wrong with the arguments on this runtime.
    pub(super) problems: Problems,
    /// What the tool warns of.
    pub(super) warnings: Vec<String>,
}

impl Draft<'_> {
    /// The plan, after the last checks, tried by the API server.
    pub(super) async fn planned(self, cx: &Cx) -> Result<Submit, ToolError> {
        let Self {
            wishes,
            checked,
            namespace,
            found: Found { runtime, not_seen },
            program,
            problems,
            mut warnings,
        } = self;
        submit::of_runtime(&wishes, &runtime, problems)?;
        warnings.extend(submit::warnings(&wishes, &program, &checked, &runtime));
        warnings.extend(not_seen.iter().map(|what| format!("not looked at: {what}")));
        let (in_words, told) = (program.in_words.clone(), program.told.iter().cloned().collect());
        let least = program.least;
        let mut job = submit::submission(&wishes, program, checked, &runtime, &namespace, cx.seed());
        job.labels.insert(MANAGED_BY_LABEL.into(), MANAGED_BY_VALUE.into());
        job.labels.insert(CALLER_LABEL.into(), cx.mark().await?);
        let own_image = || runtime.node().map(|node| node.image.clone()).unwrap_or_default();
        let summary = Summary {
            name: job.name.clone(),
            namespace,
            image: job.image.clone().unwrap_or_else(own_image),
            num_nodes: job.num_nodes,
            devices: devices(&job.resources).or_else(|| runtime.devices()),
            extended: runtime.extended_with(extended(&job.resources)),
            command: in_words.unwrap_or_else(|| job.command.iter().chain(&job.args).cloned().collect()),
            told,
        };
        let plan = |dialect: Dialect| {
            let mut warnings = warnings.clone();
            warnings.extend(submit::told_of(dialect));
            Submit::new(summary.clone(), Pinned::of(&runtime), job.body_in(dialect), warnings)
        };
        trial::tried(cx, least, plan).await
    }
}

impl Submit {
    /// A plan for a body.
    pub(in crate::tools) fn new(mut summary: Summary, runtime: Pinned, body: Value, warnings: Vec<String>) -> Self {
        // The summary repeats what the manifest shows, with the same care.
        if let Value::Array(words) = manifest::shown(json!(summary.command)) {
            summary.command = words.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        let hides = manifest::shown(body.clone()) != body;
        let hidden = hides.then(|| {
            let digest = Sha256::digest(body.to_string().as_bytes());
            digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
        });
        Self {
            summary,
            runtime,
            queue: submit::waits_in(&body),
            manifest: Manifest(body),
            hidden,
            warnings,
            server_warnings: Vec::new(),
            existing: None,
        }
    }

    /// What the job would take, unless it exists already.
    pub(in crate::tools) fn cost(&self) -> Cost {
        if self.existing.is_some() {
            return Cost::default();
        }
        cost(u64::from(self.summary.num_nodes), &self.summary.extended)
    }

    /// What becomes of the job in its queue, by whether the server made it a suspended one.
    pub(super) fn fate(&self, suspended: bool) -> Option<String> {
        self.queue.as_ref().map(|queue| submit::fate(queue, suspended))
    }

    /// Lets the server try it as it is.
    pub(in crate::tools) async fn tried(self, cx: &Cx) -> Result<Self, ToolError> {
        trial::once(cx, self).await
    }

    /// Creates the job, unless this plan has done so before.
    pub(in crate::tools) async fn carried_out(self, cx: &Cx) -> Result<Submitted, ToolError> {
        if let Some(existing) = self.existing {
            return Ok(existing);
        }
        let mut body = self.manifest.0.clone();
        if let Some(id) = cx.plan_id() {
            body["metadata"]["annotations"][PLAN_ANNOTATION] = json!(id);
        }
        let namespace = Some(self.summary.namespace.as_str());
        let created: Created<Value> = match cx.kube().create(&TRAIN_JOBS, namespace, &body, false).await {
            Ok(created) => created,
            Err(error) if error.is_already_exists() => return self.existing(cx, error).await,
            Err(error) => return Err(self.refused(error)),
        };
        let job = TrainJob::from_value(&created.object).0;
        let fate = self.fate(job.spec.suspend);
        let mut warnings = self.warnings;
        warnings.extend(created.warnings.iter().map(|warning| outside(warning)));
        warnings.extend(fate);
        let Summary { name, namespace, .. } = self.summary;
        Ok(Submitted {
            name,
            namespace,
            status: JobState::of(&job),
            uid: outside(&job.metadata.uid),
            already_submitted: false,
            warnings,
        })
    }

    /// The job that has the name, if this plan made it; else the name is taken.
    pub(super) async fn existing(&self, cx: &Cx, taken: KubeError) -> Result<Submitted, ToolError> {
        let Summary { name, namespace, .. } = &self.summary;
        let job = cx.kube().get::<Value>(&TRAIN_JOBS, Some(namespace), name).await;
        let job = match job {
            Ok(job) => TrainJob::from_value(&job).0,
            Err(error) if error.is_not_found() || error.is_forbidden() => return Err(self.refused(taken)),
            Err(error) => return Err(error.into()),
        };
        let status = JobState::of(&job);
        let same =
            cx.plan_id().is_some() && job.metadata.annotations.get(PLAN_ANNOTATION).map(String::as_str) == cx.plan_id();
        if !same {
            let answered = format!("a training job of that name exists and is {}", status.as_str());
            return Err(ToolError::new(ErrorCode::AlreadyExists, self.asked(), answered)
                .fix("choose another name, or give none and one is made")
                .tool("get_training_job"));
        }
        Ok(Submitted {
            name: name.clone(),
            namespace: namespace.clone(),
            status,
            uid: outside(&job.metadata.uid),
            already_submitted: true,
            warnings: Vec::new(),
        })
    }

    /// What is asked of the server, in words.
    pub(super) fn asked(&self) -> String {
        let Summary { name, namespace, .. } = &self.summary;
        format!("create training job `{name}` in namespace `{namespace}`")
    }

    /// What the server refused, in the words of the tool.
    pub(super) fn refused(&self, error: KubeError) -> ToolError {
        let missing = error.is_not_found();
        let error = ToolError::from(error).asked(self.asked());
        if missing {
            return error
                .fix("list_namespaces shows the namespaces that you may use")
                .tool("list_namespaces");
        }
        error
    }
}
