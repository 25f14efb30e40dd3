//! The job that the arguments of `pre_flight` speak of, checked by the functions with which a submit checks it.

use std::collections::BTreeMap;

use kf_mcp_core::ToolError;
use kf_mcp_core::names::is_subdomain;
use kf_mcp_trainjob::torchtune::{MODEL_STEP, Source};
use kf_mcp_trainjob::{JobName, Runtime};
use serde_json::{Map, Value, json};

use super::super::estimate_resources::{EstimateResources, weights};
use super::PreFlight;
use crate::finetune;
use crate::pods::outside;
use crate::preflight::Report;
use crate::sizing::Plan;
use crate::sizing::fit::Layout;
use crate::submit::{self, JobOptions, Problems, ProgramOptions, Wishes};
use crate::tools::training::fine_tune::{ANY, FineTune};

/// The check of the arguments.
const CHECK: &str = "arguments";
/// Stands for a dataset that is not named.
const SOME_DATASET: &str = "any/dataset";

impl PreFlight {
    /// The runtime that is named, if one is.
    pub(super) fn named(&self) -> Option<&str> {
        let named = self.runtime.as_deref().map(str::trim);
        named.filter(|name| !name.is_empty() && *name != ANY)
    }

    /// Whether the model chooses the runtime.
    pub(super) fn asks_by_model(&self) -> bool {
        self.named().is_none()
            && (!self.model.trim().is_empty() || self.runtime.as_deref().is_some_and(|name| name.trim() == ANY))
    }

    /// The name of the job, where it is one.
    pub(super) fn job_name(&self) -> Option<&str> {
        self.name.as_deref().filter(|name| JobName::new(*name).is_ok())
    }

    /// The queue that is named, if one is.
    pub(super) fn queued(&self) -> Option<&str> {
        self.queue.as_deref().filter(|name| is_subdomain(name))
    }

    /// The Secrets that are named, with the argument.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let named = [("hf_secret", &self.hf_secret), ("s3_secret", &self.s3_secret)];
        let named = named
            .into_iter()
            .filter_map(|(field, name)| Some((field, name.as_deref()?.trim())));
        named.filter(|(_, name)| is_subdomain(name))
    }

    /// The claims that model and dataset name.
    pub(super) fn claims(&self) -> Vec<String> {
        let sources = [
            Source::model(&self.model).ok(),
            self.dataset
                .as_deref()
                .and_then(|dataset| Source::dataset(dataset).ok()),
        ];
        let claims = sources.into_iter().flatten().filter_map(|source| match source {
            Source::Claim { claim, .. } => Some(claim),
            _ => None,
        });
        let mut claims: Vec<String> = claims.collect();
        claims.dedup();
        claims
    }

    /// The fine-tuning of a model that this would be.
    fn tune(&self, model: &str) -> Result<FineTune, ToolError> {
        let mut arguments = json!({
            "model": model, "dataset": self.dataset.as_deref().unwrap_or(SOME_DATASET), "runtime": self.named().unwrap_or(ANY),
            "name": self.name, "num_nodes": self.num_workers, "batch_size": self.batch_size,
            "resources_per_node": self.resources(), "hf_secret": self.hf_secret, "s3_secret": self.s3_secret,
        });
        let weights = weights(&self.quantization)?;
        if weights.quantised() {
            arguments["peft_method"] = json!("qlora");
        }
        if weights.as_str() == "fp32" {
            arguments["dtype"] = json!("fp32");
        }
        serde_json::from_value(arguments).map_err(|error| ToolError::argument("model", error.to_string()))
    }

    /// What each node of a fine-tuning is to get: it has no other way to say how many GPUs.
    fn resources(&self) -> Option<Map<String, Value>> {
        let named = self.resources_per_node.clone().filter(|named| !named.is_empty());
        named.or_else(|| Some(json!({"gpu": self.gpu_per_node?}).as_object()?.clone()))
    }

    /// The model that chooses the runtime, where none is named. Arguments that are wrong whatever the runtime are told.
    pub(super) fn chooses(&self, report: &mut Report) -> Result<Option<Source>, ToolError> {
        if !self.asks_by_model() {
            return Ok(None);
        }
        match self.tune(&self.model)?.asked(false) {
            Ok(asked) => Ok(Some(asked.model().clone())),
            Err(error) => {
                report.refuse(CHECK, error);
                Ok(None)
            }
        }
    }

    /// Checks the arguments on a runtime as the tools do that submit; the resources of each node.
    pub(super) fn tried(
        &self,
        runtime: &Runtime,
        namespace: &str,
        report: &mut Report,
    ) -> Result<Option<BTreeMap<String, String>>, ToolError> {
        if runtime.deprecated {
            let name = outside(&runtime.name);
            report.warnings.push(format!("the runtime `{name}` is deprecated"));
        }
        report.warnings.extend(self.not_looked_at(runtime));
        let tried = if runtime.is_torchtune() {
            let tune = self.tune(self.model_on(runtime))?;
            tune.asked(false).and_then(|asked| {
                report.warnings.extend(tune.gated(asked.model()));
                tune.tried(asked, runtime.clone(), namespace)
            })
        } else {
            self.program(runtime)
        };
        match tried {
            Ok(resources) => {
                report.done(CHECK);
                Ok(Some(resources))
            }
            Err(error) => {
                report.refuse(CHECK, error);
                Ok(None)
            }
        }
    }

    /// What of the arguments says nothing on this runtime, or is missing there.
    fn not_looked_at(&self, runtime: &Runtime) -> Option<String> {
        let given = self
            .dataset
            .as_deref()
            .is_some_and(|dataset| !dataset.trim().is_empty());
        match (runtime.is_torchtune(), given) {
            (true, false) => Some("dataset is not given, and fine_tune needs one: it was not checked".into()),
            (false, true) => Some(format!(
                "dataset was not looked at: the runtime `{}` fetches none, and only fine_tune takes one",
                outside(&runtime.name)
            )),
            _ => None,
        }
    }

    /// The model; the runtime's own where none is named.
    pub(super) fn model_on<'a>(&'a self, runtime: &'a Runtime) -> &'a str {
        if self.model.trim().is_empty() {
            finetune::storage_uri(runtime, MODEL_STEP).unwrap_or_default()
        } else {
            &self.model
        }
    }

    /// A program of the caller's.
    fn program(&self, runtime: &Runtime) -> Result<BTreeMap<String, String>, ToolError> {
        let job = JobOptions {
            num_nodes: self.num_workers,
            resources_per_node: self.resources_per_node.clone(),
            ..JobOptions::default()
        };
        let own = ProgramOptions {
            gpu_per_node: self.gpu_per_node,
            ..ProgramOptions::default()
        };
        let wishes = Wishes {
            tool: "run_custom_training",
            name: self.name.as_deref(),
            runtime: Some(&runtime.name),
            job: &job,
            own: Some(&own),
        };
        let mut problems = Problems::default();
        if let Some(Err(why)) = self.name.as_deref().map(JobName::new) {
            problems.add("name", why);
        }
        let checked = submit::of_arguments(&wishes, problems)?;
        submit::runs_programs(runtime)?;
        submit::of_runtime(&wishes, runtime, Problems::default())?;
        Ok(checked.resources)
    }

    /// How the model would be trained, where its name tells its size.
    pub(super) fn plan(&self, per_node: u32) -> Option<Plan> {
        let estimate = json!({"model": self.model, "batch_size": self.batch_size, "quantization": self.quantization});
        let estimate: EstimateResources = serde_json::from_value(estimate).ok()?;
        let asked = Layout {
            nodes: self.num_workers,
            per_node,
        };
        estimate.known(asked).ok().map(|(_, plan)| plan)
    }
}
