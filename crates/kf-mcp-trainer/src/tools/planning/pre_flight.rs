//! `pre_flight`: everything that would make the next submit fail, or its job never run, in one call.
//!
//! What the tools that submit check before they send anything is checked by the same functions; what only the cluster knows is
//! asked in two rounds of concurrent requests ([`super::pre_flight_seen`]), at most ten in all.

use std::collections::BTreeMap;

use kf_mcp_core::{Access, Cx, ErrorCode, Namespace, Next, Phase, Render, Text, Tool, ToolError, ToolSpec};
use kf_mcp_trainjob::torchtune::{MODEL_STEP, Source};
use kf_mcp_trainjob::{JobName, Runtime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::estimate_resources::{EstimateResources, weights};
use super::pre_flight_seen::{First, Second};
use crate::capacity::capacity;
use crate::compatibility::INSTALL;
use crate::finetune;
use crate::preflight::{Ask, Blocker, Report, claims, classes, demand, each, room, secret, size};
use crate::quota::{Demand, Quota};
use crate::sizing::fit::{Layout, Verdict, fit};
use crate::sizing::{Given, facts};
use crate::submit::{self, JobOptions, Problems, ProgramOptions, Wishes};
use crate::tools::training::fine_tune::{ANY, FineTune};

/// Stands for a dataset that is not named.
const SOME_DATASET: &str = "any/dataset";

/// Check what would make the next submit fail: versions, controller, runtime, rights, quota, devices, model, dataset, Secrets,
/// claims, name, volume. Says how to fix it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreFlight {
    /// As in fine_tune; none for your own program.
    #[serde(default)]
    model: String,
    /// As in fine_tune.
    dataset: Option<String>,
    /// Default by model, else torch-distributed.
    runtime: Option<String>,
    /// Nodes.
    #[serde(default = "one")]
    #[schemars(with = "i32")]
    num_workers: u32,
    /// Default 1, or the runtime's.
    #[schemars(with = "Option<i32>")]
    gpu_per_node: Option<u32>,
    /// As in the submit.
    resources_per_node: Option<Map<String, Value>>,
    /// Per GPU.
    #[serde(default = "four")]
    #[schemars(with = "i32")]
    batch_size: u32,
    /// nf4: QLoRA.
    #[serde(default = "bf16")]
    quantization: String,
    /// Job name.
    name: Option<String>,
    /// Default yours.
    pub(super) namespace: Option<Namespace>,
    /// Secret's name.
    hf_secret: Option<String>,
    /// Secret's name.
    s3_secret: Option<String>,
}

fn one() -> u32 {
    1
}

fn four() -> u32 {
    4
}

fn bf16() -> String {
    "bf16".into()
}

/// What `pre_flight` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Flight {
    /// Whether nothing blocks.
    ready: bool,
    blockers: Vec<Blocker>,
    warnings: Vec<String>,
    /// Checks that could not be made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
    /// Checks that found nothing wrong.
    passed: Vec<&'static str>,
    namespace: String,
    /// The tool that the checks are for.
    #[serde(skip_serializing_if = "Option::is_none")]
    submit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<String>,
    num_workers: u32,
    /// What each training pod asks for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    each: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trainer: Option<String>,
}

impl Render for Flight {
    fn render(&self, text: &mut Text) {
        text.fact("ready", if self.ready { "yes" } else { "NO" });
        let each: Vec<String> = self
            .each
            .iter()
            .map(|(resource, amount)| format!("{amount} {resource}"))
            .collect();
        let each = if each.is_empty() {
            String::new()
        } else {
            format!(" with {}", each.join(", "))
        };
        text.fact(
            "job",
            format!(
                "{} on {} in {}: {} nodes{each}",
                self.submit.unwrap_or("any"),
                self.runtime.as_deref().unwrap_or("no runtime"),
                self.namespace,
                self.num_workers
            ),
        );
        text.facts("BLOCKER", self.blockers.iter().map(Blocker::words));
        text.facts("warning", &self.warnings);
        text.facts("not seen", &self.not_seen);
        text.fact("passed", self.passed.join(", "));
        let versions = [("Kubernetes", &self.kubernetes), ("Trainer", &self.trainer)];
        for (of, version) in versions {
            text.fact(of, version.as_deref().unwrap_or_default());
        }
    }
}

impl Tool for PreFlight {
    type Output = Flight;
    const SPEC: ToolSpec = ToolSpec::read("pre_flight", Phase::Planning)
        .access(&[
            Access::new("trainer.kubeflow.org", "trainingruntimes", &["get", "list"]).degrades(),
            Access::new("trainer.kubeflow.org", "clustertrainingruntimes", &["get", "list"])
                .cluster()
                .degrades(),
            Access::new("trainer.kubeflow.org", "trainjobs", &["get"]).degrades(),
            Access::new("authorization.k8s.io", "selfsubjectrulesreviews", &["create"])
                .cluster()
                .degrades(),
            // Only where the rules do not allow to submit.
            Access::new("authorization.k8s.io", "selfsubjectaccessreviews", &["create"])
                .cluster()
                .degrades(),
            Access::new("", "resourcequotas", &["list"]).degrades(),
            // Only where a quota wants what the job does not say.
            Access::new("", "limitranges", &["list"]).degrades(),
            Access::new("", "nodes", &["list"]).cluster().degrades(),
            Access::new("", "pods", &["list"]).cluster().degrades(),
            Access::new("apps", "deployments", &["list"]).cluster().degrades(),
            Access::new("", "secrets", &["get"]).degrades(),
            Access::new("", "persistentvolumeclaims", &["list"]).degrades(),
            Access::new("storage.k8s.io", "storageclasses", &["list"])
                .cluster()
                .degrades(),
            Access::new("", "namespaces", &["get"]).cluster().degrades(),
            Access::new("", "configmaps", &["get"]).degrades(),
        ])
        .next(&[
            Next::to("fine_tune", "it is ready, for a model and a dataset"),
            Next::to("run_custom_training", "it is ready, for a script"),
            Next::to("get_cluster_resources", "devices or quotas are short"),
        ]);

    async fn run(self, cx: &Cx) -> Result<Flight, ToolError> {
        weights(&self.quantization)?;
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let mut report = Report::default();
        let tune = self.tune(&self.model)?;
        let asked = self.asks_by_model().then(|| tune.asked(false));
        let model = asked
            .as_ref()
            .and_then(|asked| asked.as_ref().ok())
            .map(|asked| asked.model().clone());
        let first = First::ask(cx, &namespace, &self, model.as_ref()).await;
        if let Some(Err(error)) = asked {
            report.refuse("arguments", error);
        }
        let mut left = first.left(cx);
        let runtime = match first.runtime(cx, &namespace, &self, &mut left, &mut report).await {
            Ok(runtime) => runtime,
            Err(error) if answers(error.code) => {
                let error = if error.code == ErrorCode::NotInstalled {
                    error.fix(INSTALL)
                } else {
                    error
                };
                report.refuse("runtime", error);
                None
            }
            Err(error) => return Err(error),
        };
        report.done("runtime");
        let resources = match &runtime {
            Some(runtime) => self.job(runtime, &namespace, &mut report)?,
            None => None,
        };
        let demand = runtime
            .as_ref()
            .zip(resources)
            .map(|(runtime, resources)| demand(runtime, self.num_workers, each(runtime, &resources)));
        let second = Second::ask(cx, &namespace, &self, &first, runtime.as_ref(), demand.as_ref(), left).await;
        first.judge_rights(&namespace, &second, &mut report);
        first.judge_controllers(&second, &mut report);
        self.judge_names(&first, &second, &namespace, &mut report);
        if let Some(runtime) = &runtime {
            second.judge_volumes(runtime, &mut report, |classes_seen, report| {
                classes(runtime, classes_seen, report)
            });
            self.judge_size(runtime, &mut report);
        }
        match &demand {
            Some(demand) => {
                self.judge_quota(&first, &second, demand, &namespace, &mut report);
                self.judge_room(&first, demand, &mut report);
            }
            None => report
                .not_seen
                .push("quota and devices: what the job asks for is not known until the rest is right".to_owned()),
        }
        let versions = second.judge_versions(&mut report);
        let each = demand.map(|demand| demand.each).unwrap_or_default();
        Ok(Flight {
            ready: report.blockers.is_empty(),
            blockers: report.blockers,
            warnings: report.warnings,
            not_seen: report.not_seen,
            passed: report.passed,
            namespace,
            submit: runtime.as_ref().map(|runtime| {
                if runtime.is_torchtune() {
                    "fine_tune"
                } else {
                    "run_custom_training"
                }
            }),
            runtime: runtime.map(|runtime| crate::pods::outside(&runtime.name)),
            num_workers: self.num_workers,
            each: each
                .iter()
                .map(|(resource, amount)| (crate::pods::outside(resource), crate::quota::written(resource, *amount)))
                .collect(),
            kubernetes: versions.0,
            trainer: versions.1,
        })
    }
}

kf_mcp_core::register!(PreFlight);

/// Whether an error is about what was asked for, and not about the way there.
fn answers(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotFound
            | ErrorCode::NotInstalled
            | ErrorCode::Unsupported
            | ErrorCode::InvalidArgument
            | ErrorCode::Forbidden
            | ErrorCode::AdmissionDenied
    )
}

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

    /// The Secrets that are named, with the argument.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let named = [("hf_secret", &self.hf_secret), ("s3_secret", &self.s3_secret)];
        let named = named
            .into_iter()
            .filter_map(|(field, name)| Some((field, name.as_deref()?.trim())));
        named.filter(|(_, name)| kf_mcp_core::names::is_subdomain(name))
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

    /// Checks the arguments on a runtime as the tools do that submit; the resources of each node.
    fn job(
        &self,
        runtime: &Runtime,
        namespace: &str,
        report: &mut Report,
    ) -> Result<Option<BTreeMap<String, String>>, ToolError> {
        let tried = if runtime.is_torchtune() {
            // Without a model it is the runtime's own.
            let own = finetune::storage_uri(runtime, MODEL_STEP).unwrap_or_default();
            let model = if self.model.trim().is_empty() { own } else { &self.model };
            let tune = self.tune(model)?;
            tune.asked(false).and_then(|asked| {
                report.warnings.extend(tune.gated(asked.model()));
                tune.tried(asked, runtime.clone(), namespace)
            })
        } else {
            self.program(runtime)
        };
        if runtime.deprecated {
            report.warnings.push(format!(
                "the runtime `{}` is deprecated",
                crate::pods::outside(&runtime.name)
            ));
        }
        match tried {
            Ok(resources) => {
                report.done("arguments");
                Ok(Some(resources))
            }
            Err(error) => {
                // What is wrong whatever the runtime has been told already.
                if !report.blocks("arguments") {
                    report.refuse("arguments", error);
                }
                Ok(None)
            }
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

    fn judge_names(&self, first: &First, second: &Second, namespace: &str, report: &mut Report) {
        for ((field, name), found) in self.secrets().zip(&first.secrets) {
            match found {
                Ok(found) => secret(field, name, namespace, Some(found), report),
                Err(error) if error.is_not_found() => secret(field, name, namespace, None, report),
                Err(error) => report
                    .not_seen
                    .push(super::pre_flight_seen::unseen(&format!("the Secret {name}"), error)),
            }
        }
        let wanted = self.claims();
        match &first.claims {
            Some(Ok((all, more))) => claims(&wanted, all, *more, namespace, self.num_workers, report),
            Some(Err(error)) => report.not_seen.push(super::pre_flight_seen::unseen(
                &format!("the claims {}", wanted.join(", ")),
                error,
            )),
            None => {}
        }
        for check in ["secrets", "claims"] {
            let made = if check == "secrets" {
                !first.secrets.is_empty()
            } else {
                first.claims.is_some()
            };
            if made
                && !report
                    .not_seen
                    .iter()
                    .any(|line| line.starts_with("the Secret") || line.starts_with("the claims"))
            {
                report.done(check);
            }
        }
        second.judge_place(namespace, self.job_name(), report);
    }

    fn judge_size(&self, runtime: &Runtime, report: &mut Report) {
        if !runtime.is_torchtune() {
            return;
        }
        let source = Source::model(&self.model).ok();
        let claimed = matches!(source, Some(Source::Claim { .. }));
        let own = finetune::storage_uri(runtime, MODEL_STEP).unwrap_or_default();
        let name = source.as_ref().map_or(own, Source::name);
        if let Some(facts) = facts(name, &Given::default()).filter(|_| !claimed) {
            size(runtime, facts.model.params, false, report);
        }
    }

    fn judge_quota(&self, first: &First, second: &Second, demand: &Demand, namespace: &str, report: &mut Report) {
        let quotas = match &first.quotas {
            Ok(quotas) => quotas,
            Err(error) => return report.not_seen.push(super::pre_flight_seen::unseen("quotas", error)),
        };
        for short in quotas.short(demand) {
            let Quota { name, resource, .. } = &short.row;
            report.block(
                "quota",
                format!("take {} {resource} of the quota `{name}` in namespace `{namespace}`", short.asked),
                short.row.words(),
                "ask for less, delete or suspend a job that holds it (list_training_jobs), or ask an administrator for more",
            );
        }
        for (name, resource) in quotas.unsaid(demand) {
            match second.fills_in(resource) {
                Some(true) => {}
                Some(false) => report.block(
                    "quota",
                    format!("create pods that do not say how much {resource} they take, in namespace `{namespace}`"),
                    format!("the quota `{name}` refuses them: must specify {resource}"),
                    format!("give resources_per_node with {resource}, for example {{\"cpu\": 4, \"memory\": \"16Gi\", \"gpu\": 1}}"),
                ),
                None => report.not_seen.push(format!(
                    "whether a LimitRange says how much {resource} pods take; else the quota {name} refuses them"
                )),
            }
        }
        let scoped: Vec<String> = quotas.scoped().collect();
        if !scoped.is_empty() {
            report
                .not_seen
                .push(format!("the quotas {}: they count only some pods", scoped.join(", ")));
        }
        if quotas.more {
            report.not_seen.push("more quotas than were read".to_owned());
        }
        report.done("quota");
    }

    fn judge_room(&self, first: &First, demand: &Demand, report: &mut Report) {
        if demand.each.is_empty() {
            return;
        }
        let cluster = match &first.cluster {
            Ok(cluster) => cluster,
            Err(error) => return report.not_seen.push(super::pre_flight_seen::unseen("devices", error)),
        };
        report.not_seen.extend(cluster.not_seen.iter().cloned());
        let complete = !cluster.not_seen.iter().any(|line| line.starts_with("nodes"));
        let ask = Ask {
            pods: demand.pods,
            each: &demand.each,
        };
        room(&cluster.nodes, cluster.load.as_ref(), complete, &ask, report);
        report.done("devices");
        let sums = capacity(&cluster.nodes, cluster.load.as_ref());
        let asked = sums
            .accelerators
            .iter()
            .filter(|device| demand.each.contains_key(&device.resource));
        let Some(per_node) = asked.clone().find_map(|device| demand.each.get(&device.resource)) else {
            return;
        };
        let per_node = u32::try_from(per_node.whole()).unwrap_or(u32::MAX);
        let Some(plan) = self.plan(per_node) else {
            return;
        };
        let layout = Layout {
            nodes: self.num_workers,
            per_node,
        };
        let verdicts: Vec<Option<Verdict>> = asked.map(|device| fit(&plan, layout, device).verdict).collect();
        if !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Some(Verdict::No)) {
            report.warnings.push(format!(
                "no device here likely has the memory for {} on {} x {per_node}: estimate_resources says what would",
                self.model.trim(),
                self.num_workers
            ));
        }
    }

    /// How the model would be trained, where its name tells its size.
    fn plan(&self, per_node: u32) -> Option<crate::sizing::Plan> {
        let estimate = json!({"model": self.model, "batch_size": self.batch_size, "quantization": self.quantization});
        let estimate: EstimateResources = serde_json::from_value(estimate).ok()?;
        let asked = Layout {
            nodes: self.num_workers,
            per_node,
        };
        estimate.plan(asked).ok().map(|(_, plan)| plan)
    }
}
