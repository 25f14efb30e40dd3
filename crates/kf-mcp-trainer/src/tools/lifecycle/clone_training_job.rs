//! `clone_training_job`: submits a new training job that is like an existing one, with changes.

use kf_mcp_core::caller::CALLER_LABEL;
use kf_mcp_core::kube::KubeError;
use kf_mcp_core::kube::resources::TRAIN_JOBS;
use kf_mcp_core::{Change, Cost, Cx, Namespace, Next, Phase, Render, Text, ToolError, ToolSpec, redact};
use kf_mcp_trainjob::{
    JobName, JobState, MANAGED_BY_LABEL, MANAGED_BY_VALUE, Runtime, RuntimeRefSpec, TrainJob, generated_name, image,
    max_name_length,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::reality;
use crate::copy::{Changes, called, copied};
use crate::differences::{Difference, bounded};
use crate::pods::outside;
use crate::refusal::{CHECK_TRAINJOB, of_job};
use crate::runtimes;
use crate::submit::{self, Checked, JobOptions, Problems, Program, ProgramOptions, Wishes, is_clear_secret};
use crate::tools::training::plan::{self, ACCESS, Pinned, Submit, Submitted, Summary};

/// As many words as Trainer takes in a command.
const MOST_WORDS: usize = 128;

/// Submit a copy of a training job, failed ones too, with changes such as more memory. Without confirmed=true it only
/// shows what would differ.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloneTrainingJob {
    /// Job to copy.
    name: JobName,
    /// Default yours.
    namespace: Option<Namespace>,
    /// Default made from its name.
    new_name: Option<JobName>,
    /// Changes like {"memory": "64Gi"} or {"gpu": 2}; others stay.
    resources_per_node: Option<Map<String, Value>>,
    /// Nodes.
    #[schemars(range(min = 1, max = 10_000))]
    num_nodes: Option<u32>,
    /// Image.
    image: Option<String>,
    /// All new arguments.
    args: Option<Vec<String>>,
    /// Variables to set: text, or {"secretKeyRef": {"name", "key"}}.
    #[schemars(extend("x-nulls" = true))]
    env: Option<Map<String, Value>>,
    /// Other runtime.
    runtime: Option<String>,
    /// End it then.
    active_deadline_seconds: Option<i64>,
    /// Create it paused.
    #[serde(default)]
    suspend: bool,
}

/// A copy that would be created.
#[derive(Debug, Serialize)]
pub struct Cloning {
    #[serde(flatten)]
    submit: Submit,
    /// The job it is made from.
    from: String,
    changes: Vec<Difference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// What the old job does at the moment, which is no part of the plan's identity.
    #[serde(skip)]
    at_the_moment: Option<String>,
}

impl Render for Cloning {
    fn render(&self, text: &mut Text) {
        self.submit.summarise(text);
        if self.changes.is_empty() {
            text.line(format!("the same as {}, nothing changed", self.from));
        } else {
            text.line(format!("the same as {}, but:", self.from));
            self.changes.iter().for_each(|change| text.line(change.line()));
        }
        text.fact("not taken over", self.left_out.join(", "));
        text.fact("now", self.at_the_moment.as_deref().unwrap_or_default());
    }
}

impl Change for CloneTrainingJob {
    type Plan = Cloning;
    type Output = Submitted;
    const SPEC: ToolSpec = ToolSpec::write("clone_training_job", Phase::Lifecycle)
        .access(&ACCESS)
        .next(&[
            Next::to("wait_for_training", "the copy is submitted"),
            Next::to("delete_training_job", "the old job is no longer needed"),
        ]);

    async fn plan(&self, cx: &Cx) -> Result<Cloning, ToolError> {
        let wish = self.wish();
        let own = self.own();
        let checked = submit::of_arguments(&self.wishes(&wish, &own), self.problems())?;
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let source = cx.kube().get::<Value>(&TRAIN_JOBS, Some(&namespace), &self.name).await;
        let source = source.map_err(|error| of_job(error, &self.name, &namespace, CHECK_TRAINJOB))?;
        let job = TrainJob::from_value(&source).0;
        let runtime = self.find_runtime(cx, &job, &namespace).await?;
        let nodes = self.nodes(&job, &runtime);
        self.fits(&wish, &own, &runtime, nodes)?;

        let ours = job.metadata.labels.contains_key(MANAGED_BY_LABEL);
        let generated = || generated_name(called(&self.name, ours), cx.seed(), max_name_length(&runtime, nodes));
        let name = self.new_name.as_ref().map_or_else(generated, ToString::to_string);
        let mut copy = copied(&source, &self.changes(&runtime, &checked), &name, &namespace);
        copy.body["metadata"]["labels"][MANAGED_BY_LABEL] = json!(MANAGED_BY_VALUE);
        copy.body["metadata"]["labels"][CALLER_LABEL] = json!(cx.mark().await?);

        let new = TrainJob::from_value(&copy.body).0;
        let mut warnings = self.warnings(&new, &runtime, nodes);
        warnings.extend(self.of_torchtune(&job, &new));
        let (changes, more) = bounded(copy.changes);
        warnings.extend(more);
        let submit = Submit::new(
            summary(&new, &runtime, nodes),
            Pinned::of(&runtime),
            copy.body,
            warnings,
        );
        let status = JobState::of(&job);
        let holds = || format!("{} is {} and keeps what it holds", self.name, status.as_str());
        Ok(Cloning {
            submit: submit.tried(cx).await?,
            from: self.name.to_string(),
            changes,
            left_out: copy.left_out,
            at_the_moment: (!status.is_final() && status != JobState::Suspended).then(holds),
        })
    }

    fn cost(plan: &Cloning) -> Cost {
        plan.submit.cost()
    }

    async fn apply(plan: Cloning, cx: &Cx) -> Result<Submitted, ToolError> {
        plan.submit.carried_out(cx).await
    }
}

kf_mcp_core::register!(change CloneTrainingJob);

impl CloneTrainingJob {
    /// The changes as the arguments of a new job, for the checks that all share.
    fn wish(&self) -> JobOptions {
        JobOptions {
            num_nodes: self.num_nodes.unwrap_or(1),
            resources_per_node: self.resources_per_node.clone(),
            active_deadline_seconds: self.active_deadline_seconds,
            suspend: self.suspend,
            ..JobOptions::default()
        }
    }

    fn own(&self) -> ProgramOptions {
        ProgramOptions {
            // No device is added where none is asked for.
            gpu_per_node: self.resources_per_node.as_ref().is_none_or(Map::is_empty).then_some(0),
            env: self.env.clone(),
            num_proc_per_node: None,
        }
    }

    fn wishes<'a>(&'a self, job: &'a JobOptions, own: &'a ProgramOptions) -> Wishes<'a> {
        Wishes {
            tool: Self::SPEC.name,
            // A name that is too long is told by us, because the argument is called otherwise.
            name: None,
            runtime: self.runtime.as_deref(),
            job,
            own: Some(own),
        }
    }

    fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        if let Some(Err(why)) = self.image.as_deref().map(str::trim).map(image) {
            problems.add("image", why);
        }
        let words = self.args.as_ref().map_or(0, Vec::len);
        if words > MOST_WORDS {
            problems.add("args", format!("has {words} items, at most {MOST_WORDS} are possible"));
        }
        submit::long_words("args", self.args.as_deref().unwrap_or_default(), &mut problems);
        problems
    }

    /// The runtime that is named, else that of the job.
    async fn find_runtime(&self, cx: &Cx, job: &TrainJob, namespace: &str) -> Result<Runtime, ToolError> {
        if let Some(name) = &self.runtime {
            return Ok(plan::runtime(cx, namespace, name).await?.runtime);
        }
        let RuntimeRefSpec { name, .. } = &job.spec.runtime_ref;
        match reality::runtime(cx, job, namespace).await {
            Ok(runtime) => Ok(runtime),
            Err(error) if error.is_not_found() => {
                let mut error = runtimes::missing(cx, namespace, name, "runtime").await;
                error.fix = outside(&format!("the runtime of the job is gone: name another; {}", error.fix));
                Err(error)
            }
            Err(error) => Err(KubeError::into(error)),
        }
    }

    fn nodes(&self, job: &TrainJob, runtime: &Runtime) -> u32 {
        let of_job = || job.nodes().unwrap_or(runtime.num_nodes);
        self.num_nodes
            .unwrap_or_else(|| u32::try_from(of_job()).unwrap_or(1).max(1))
    }

    /// What the runtime decides.
    fn fits(&self, wish: &JobOptions, own: &ProgramOptions, runtime: &Runtime, nodes: u32) -> Result<(), ToolError> {
        let mut problems = Problems::default();
        let most = max_name_length(runtime, nodes);
        if let Some(name) = self.new_name.as_deref().filter(|name| name.len() > most) {
            let why = format!(
                "has {} characters; on `{}` with {nodes} nodes at most {most} leave room for the names of the pods",
                name.len(),
                runtime.name
            );
            problems.add("new_name", why);
        }
        if self.new_name.as_deref() == Some(&*self.name) {
            problems.add("new_name", "is the name of the job itself");
        }
        if self.suspend && runtime.claims_block_suspension {
            problems.add("suspend", "is not possible: jobs of this runtime cannot be resumed");
        }
        submit::of_runtime(&self.wishes(wish, own), runtime, problems)
    }

    fn changes(&self, runtime: &Runtime, checked: &Checked) -> Changes {
        Changes {
            runtime: self.runtime.as_ref().map(|_| (runtime.scope, runtime.name.clone())),
            image: self.image.as_deref().map(|image| image.trim().to_owned()),
            args: self.args.clone(),
            env: checked.env.clone(),
            num_nodes: self.num_nodes,
            resources: checked.resources.clone(),
            active_deadline_seconds: self.active_deadline_seconds,
            suspend: self.suspend,
        }
    }

    /// What surprises about the new job, as about one that is submitted with all its arguments.
    fn warnings(&self, new: &TrainJob, runtime: &Runtime, nodes: u32) -> Vec<String> {
        let trainer = new.spec.trainer.clone().unwrap_or_default();
        let mut resources = trainer.resources_per_node.requests;
        resources.extend(trainer.resources_per_node.limits);
        let job = JobOptions {
            num_nodes: nodes,
            active_deadline_seconds: new.spec.active_deadline_seconds,
            suspend: new.spec.suspend,
            ..JobOptions::default()
        };
        let own = ProgramOptions {
            gpu_per_node: Some(0),
            num_proc_per_node: trainer.num_proc_per_node.and_then(|processes| processes.parse().ok()),
            // All variables of the copy are looked at below.
            env: None,
        };
        let program = Program {
            command: trainer.command,
            args: trainer.args,
            ..Program::default()
        };
        let checked = Checked {
            resources,
            env: Vec::new(),
        };
        let mut warnings = submit::warnings(&self.wishes(&job, &own), &program, &checked, runtime);
        let clear: Vec<&str> = trainer
            .env
            .iter()
            .filter(|variable| {
                let value = variable.value.as_deref().unwrap_or_default();
                is_clear_secret(&variable.name, value) || redact::secrets(value) != value
            })
            .map(|variable| variable.name.as_str())
            .collect();
        if !clear.is_empty() {
            warnings.push(format!(
                "env {} holds a secret in clear text, which everybody who may read the job can see: set a secretKeyRef instead",
                outside(&clear.join(", "))
            ));
        }
        warnings
    }
}

impl CloneTrainingJob {
    /// What a copy of a fine-tuning loses: its arguments are made for one model, and the recipe's own stand for those that lack.
    fn of_torchtune(&self, old: &TrainJob, new: &TrainJob) -> Vec<String> {
        let words = |job: &TrainJob| job.spec.trainer.clone().unwrap_or_default();
        let (old, new) = (words(old), words(new));
        if !old.command.starts_with(&["tune".to_owned(), "run".to_owned()]) {
            return Vec::new();
        }
        let key = |word: &String| word.split('=').next().unwrap_or_default().to_owned();
        let has: Vec<String> = new.args.iter().chain(&new.command).map(key).collect();
        let said = old.args.iter().chain(&old.command).map(key);
        let is_setting = |word: &String| word.contains('.') || word == "dataset";
        let lost: Vec<String> = said.filter(|word| is_setting(word) && !has.contains(word)).collect();
        let mut warnings = Vec::new();
        if !lost.is_empty() {
            let mut then = vec!["its recipe's own values"];
            if lost.iter().any(|word| word.starts_with("dataset")) {
                then.push("with them another dataset or place of it");
            }
            if lost.iter().any(|word| word == "model.lora_attn_modules") {
                then.push("and the whole model instead of LoRA");
            }
            warnings.push(outside(&format!(
                "args lack {} of the job that is copied: torchtune then takes {}. Give all arguments, or use fine_tune",
                lost.join(", "),
                then.join(", ")
            )));
        }
        if self.runtime.is_some() && self.args.is_none() {
            warnings.push(
                "the arguments are made for the model of the old runtime; fine_tune chooses those of another"
                    .to_owned(),
            );
        }
        warnings
    }
}

/// The new job in one line.
fn summary(job: &TrainJob, runtime: &Runtime, nodes: u32) -> Summary {
    let trainer = job.spec.trainer.clone().unwrap_or_default();
    let own_image = || runtime.node().map(|node| node.image.clone()).unwrap_or_default();
    Summary {
        name: job.metadata.name.clone(),
        namespace: job.metadata.namespace.clone(),
        image: Some(trainer.image)
            .filter(|image| !image.is_empty())
            .unwrap_or_else(own_image),
        num_nodes: nodes,
        devices: trainer.resources_per_node.devices().or_else(|| runtime.devices()),
        extended: runtime.extended_with(trainer.resources_per_node.extended()),
        command: trainer.command.into_iter().chain(trainer.args).collect(),
        told: Default::default(),
    }
}
