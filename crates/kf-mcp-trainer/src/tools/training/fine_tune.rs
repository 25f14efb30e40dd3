//! `fine_tune`: submits a training job that fine-tunes a known model with torchtune.

use std::collections::BTreeMap;

use kf_mcp_core::{Change, Cost, Cx, Next, Phase, ToolError, ToolSpec};
use kf_mcp_trainjob::torchtune::{COMMAND, DATASET_STEP, Data, MODEL_STEP, Recipe, Source, Tuning};
use kf_mcp_trainjob::{Dialect, JobName, PatchedPart, Runtime, generated_name, max_name_length};
use schemars::JsonSchema;
use serde::Deserialize;

use super::plan::{self, Draft, Submit, Submitted};
use crate::finetune::{self, Devices, FetchOptions, Origins, Trained, TuneOptions, Warned};
use crate::runtimes::{self, Found};
use crate::settings::clear_text_allowed;
use crate::submit::{self, Checked, JobOptions, Least, Problems, Program, ProgramOptions, Wishes};

/// The peer's default, which is no runtime: one is chosen by the model.
pub(in crate::tools) const ANY: &str = "torchtune";
/// Runtimes that are looked through for the one that fits.
pub(in crate::tools) const MOST_RUNTIMES: u32 = 500;
/// Ends the names of jobs that are not to be.
const SEED: &str = "aaaaa";

/// Fine-tune a model on a dataset with torchtune. Without confirmed=true only a plan, tried by the API server.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct FineTune {
    /// ORG/NAME, hf://, s3:// or pvc://CLAIM/PATH.
    model: String,
    /// As model.
    dataset: String,
    /// Default by model.
    #[serde(default = "any")]
    runtime: String,
    /// Job name.
    name: Option<String>,
    #[serde(flatten)]
    tune: TuneOptions,
    #[serde(flatten)]
    fetch: FetchOptions,
    #[serde(flatten)]
    job: JobOptions,
}

fn any() -> String {
    ANY.to_owned()
}

/// What is right whatever the runtime.
pub(in crate::tools) struct Asked {
    origins: Origins,
    trained: Trained,
    checked: Checked,
}

impl Asked {
    /// The model.
    pub(in crate::tools) fn model(&self) -> &Source {
        &self.origins.model
    }
}

impl FineTune {
    fn wishes(&self) -> Wishes<'_> {
        Wishes {
            tool: Self::SPEC.name,
            name: self.name.as_deref(),
            runtime: self.runtime(),
            job: &self.job,
            own: None,
        }
    }

    /// The runtime that is named, if one is.
    fn runtime(&self) -> Option<&str> {
        Some(self.runtime.trim()).filter(|name| !name.is_empty() && *name != ANY)
    }

    /// Checks what the runtime does not decide: all that is wrong is told at once.
    pub(in crate::tools) fn asked(&self, clear_text: bool) -> Result<Asked, ToolError> {
        let mut problems = Problems::default();
        if let Some(Err(why)) = self.name.as_deref().map(JobName::new) {
            problems.add("name", why);
        }
        let origins = Origins::read(&self.model, &self.dataset, &mut problems);
        let trained = self.tune.trained(&mut problems);
        // Where the dataset lies is found out later; whatever else is wrong is found out now.
        self.tune.tuning(Data::Dir(String::new()), trained, &mut problems);
        if let Some(origins) = &origins {
            self.fetch.check(origins, clear_text, &mut problems);
        }
        let checked = submit::of_arguments(&self.wishes(), problems)?;
        let Some(origins) = origins else {
            return Err(ToolError::argument("model", "could not be read"));
        };
        Ok(Asked {
            origins,
            trained,
            checked,
        })
    }

    /// The runtime that is named, or the one for the model.
    async fn found(&self, cx: &Cx, namespace: &str, model: &Source) -> Result<Found, ToolError> {
        if let Some(name) = self.runtime() {
            return plan::runtime(cx, namespace, name).await;
        }
        let mut listed = runtimes::list(cx, namespace, MOST_RUNTIMES).await?;
        let mut not_seen = std::mem::take(&mut listed.not_seen);
        if listed.more {
            not_seen.push(format!("runtimes beyond the first {MOST_RUNTIMES}"));
        }
        let runtime = finetune::chosen(model, listed)?;
        Ok(Found { runtime, not_seen })
    }

    /// What each node of the job would ask for, if nothing is wrong with it on this runtime; nothing is sent.
    pub(in crate::tools) fn tried(
        &self,
        asked: Asked,
        runtime: Runtime,
        namespace: &str,
    ) -> Result<BTreeMap<String, String>, ToolError> {
        let found = Found {
            runtime,
            not_seen: Vec::new(),
        };
        let ready = self.drafted(asked, found, namespace.to_owned(), SEED)?;
        let wishes = Wishes {
            own: Some(&ready.own),
            ..self.wishes()
        };
        submit::of_runtime(&wishes, &ready.found.runtime, ready.problems)?;
        Ok(ready.checked.resources)
    }

    /// Warns of a model that cannot be fetched as asked.
    pub(in crate::tools) fn gated(&self, model: &Source) -> Option<String> {
        finetune::gated(model, &self.fetch)
    }

    /// The job on a runtime.
    fn drafted(&self, asked: Asked, found: Found, namespace: String, seed: &str) -> Result<Ready, ToolError> {
        let Asked {
            origins,
            trained,
            mut checked,
        } = asked;
        let runtime = &found.runtime;
        let model = finetune::usable(runtime)?;
        let mut problems = Problems::default();
        let nodes = self.job.num_nodes;
        let devices = finetune::devices(&checked.resources, nodes, trained, model, runtime, &mut problems);
        let recipe = Recipe {
            model,
            layout: devices.layout,
            lora: trained.lora,
            quantised: trained.quantised,
            dora: trained.dora,
        };
        for refusal in recipe.refusals() {
            problems.add(refusal.field(), refusal.to_string());
            problems.fix(refusal.fix());
        }
        if self.job.suspend && runtime.claims_block_suspension {
            problems.add(
                "suspend",
                "would keep the job from ever running: Trainer cannot resume jobs of this runtime",
            );
        }
        let initializer = self.fetch.initializer(&origins, runtime);
        if initializer.is_none() {
            problems.add(
                "model",
                "or `dataset` is a claim, and a part of the runtime that would fetch it has no STORAGE_URI",
            );
        }
        let tuning = self
            .tune
            .tuning(place(&origins.dataset, runtime), trained, &mut problems);
        let called = called(&origins.model);
        let most = max_name_length(runtime, nodes);
        let name = self
            .name
            .as_deref()
            .map_or_else(|| generated_name(&called, seed, most), str::to_owned);
        let mut warnings = finetune::warnings(
            &Warned {
                name: &name,
                origins: &origins,
                fetch: &self.fetch,
                runtime,
                model,
                trained,
                labels: self.job.labels.iter().flatten().map(|(key, _)| key.as_str()).collect(),
            },
            &devices,
        );
        if trained.lora && self.tune.lora_attn_modules.as_ref().is_some_and(Vec::is_empty) {
            warnings.push(
                "lora_attn_modules is empty, with which torchtune would train the whole model: the usual modules are taken".to_owned(),
            );
        }
        let program = Program {
            command: COMMAND.map(str::to_owned).into(),
            args: tuning.args(),
            initializer,
            claims: origins
                .dataset
                .dataset_mount()
                .into_iter()
                .chain(origins.model.model_mount())
                .collect(),
            also: [DATASET_STEP, MODEL_STEP].map(PatchedPart::fetches).into(),
            called,
            in_words: Some(words(recipe, &tuning)),
            // Trainer v2.0 starts the recipe for the whole model whatever the arguments say.
            least: trained.lora.then_some(Least {
                dialect: Dialect::PodTemplateOverrides,
                argument: "peft_method",
                instead: "give peft_method=full",
            }),
            told: self.told(recipe, trained, &devices),
            ..Program::default()
        };
        checked.resources = devices.resources;
        Ok(Ready {
            own: ProgramOptions {
                num_proc_per_node: devices.layout.processes,
                ..ProgramOptions::default()
            },
            checked,
            namespace,
            found,
            program,
            problems,
            warnings,
        })
    }

    fn told(&self, recipe: Recipe, trained: Trained, devices: &Devices) -> Vec<(&'static str, String)> {
        let method = format!(
            "{}, {} with {}",
            trained.method().as_str(),
            recipe.name(),
            recipe.config()
        );
        let memory = finetune::memory(&self.tune, trained, recipe.model, devices);
        let memory = memory.map(|memory| ("memory", memory));
        std::iter::once(("method", method)).chain(memory).collect()
    }
}

/// A job that is ready to be tried.
struct Ready {
    /// The processes of each node, where Trainer cannot count them.
    own: ProgramOptions,
    checked: Checked,
    namespace: String,
    found: Found,
    program: Program,
    problems: Problems,
    warnings: Vec<String>,
}

/// Where the job has the dataset. The authors of the runtime know best where its own dataset has its files.
fn place(dataset: &Source, runtime: &Runtime) -> Data {
    let own = finetune::storage_uri(runtime, DATASET_STEP).and_then(|uri| Source::dataset(uri).ok());
    let command = runtime.node().map(|node| node.command.iter().chain(&node.args));
    let of = |key: &str| {
        command
            .clone()?
            .find_map(|word| word.strip_prefix(key))
            .map(str::to_owned)
    };
    let own = (own.as_ref() == Some(dataset)).then(|| {
        let directory = of("dataset.data_dir=").map(Data::Dir);
        directory.or_else(|| of("dataset.data_files=").map(Data::Files))
    });
    own.flatten().unwrap_or_else(|| dataset.data())
}

/// What a generated name begins with: the name of the model.
fn called(model: &Source) -> String {
    let name = model.name().trim_end_matches('/');
    let last = name.rsplit('/').next().unwrap_or_default();
    format!("ft-{last}")
}

/// The command as Trainer completes it.
fn words(recipe: Recipe, tuning: &Tuning) -> Vec<String> {
    let config = recipe.config();
    let start = ["tune", "run", recipe.name(), "--config", config.as_str()].map(str::to_owned);
    start.into_iter().chain(tuning.args()).collect()
}

impl Change for FineTune {
    type Plan = Submit;
    type Output = Submitted;
    const SPEC: ToolSpec = ToolSpec::write("fine_tune", Phase::Training)
        .access(&plan::ACCESS)
        .next(&[
            Next::to("get_training_job", "the job is submitted"),
            Next::to("estimate_resources", "you want to know what it needs"),
            Next::to("list_runtimes", "no runtime fits the model"),
        ]);

    async fn plan(&self, cx: &Cx) -> Result<Submit, ToolError> {
        let asked = self.asked(clear_text_allowed(cx)?)?;
        let namespace = cx.namespace(self.job.namespace.as_ref()).await?;
        let found = self.found(cx, &namespace, &asked.origins.model).await?;
        let Ready {
            own,
            checked,
            namespace,
            found,
            program,
            problems,
            warnings,
        } = self.drafted(asked, found, namespace, cx.seed())?;
        Draft {
            wishes: Wishes {
                own: Some(&own),
                ..self.wishes()
            },
            checked,
            namespace,
            found,
            program,
            problems,
            warnings,
        }
        .planned(cx)
        .await
    }

    fn cost(plan: &Submit) -> Cost {
        plan.cost()
    }

    async fn apply(plan: Submit, cx: &Cx) -> Result<Submitted, ToolError> {
        plan.carried_out(cx).await
    }
}

kf_mcp_core::register!(change FineTune);

#[cfg(test)]
#[path = "fine_tune_tests.rs"]
mod tests;
