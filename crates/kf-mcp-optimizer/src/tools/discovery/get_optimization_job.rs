//! `get_optimization_job`: one Katib Experiment with its search space, progress, best trial and trials.

use kf_mcp_core::kube::Page;
use kf_mcp_core::{Access, Cx, Namespace, Next, ObjectName, Phase, Render, Text, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::{Budget, Counts, Objective, Range, Template, TrialRow};
use crate::api::experiment::Experiment;
use crate::api::shown;
use crate::api::trial::Trial;
use crate::best::{self, Direction};
use crate::outline::{Best, Parameters, in_line, parameters, some, time};
use crate::read;
use crate::status::{self, Status};

/// Trials that the best one is computed from: one request.
const TRIALS_READ: u32 = 500;

/// Read one Katib Experiment (hyperparameter search): status and why, objective, search space, budget, best so far, trials.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetOptimizationJob {
    /// Experiment to read.
    name: ObjectName,
    /// Its namespace; yours by default.
    namespace: Option<Namespace>,
    /// Whether to read its trials.
    #[serde(default = "yes")]
    include_trials: bool,
    /// At most this many trials, newest first.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 500))]
    trial_limit: usize,
}

fn yes() -> bool {
    true
}

fn twenty() -> usize {
    20
}

/// What `get_optimization_job` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OptimizationJob {
    name: String,
    namespace: String,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    objective: Objective,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<String>,
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    algorithm_settings: Parameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    early_stopping: Option<String>,
    search_space: Vec<Range>,
    budget: Budget,
    counts: Counts,
    /// The best trial, computed from what the trials measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    best: Option<Best>,
    /// What Katib holds for the best trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    katib_best: Option<Best>,
    /// Whether the two are equally good.
    #[serde(skip_serializing_if = "Option::is_none")]
    katib_agrees: Option<bool>,
    template: Template,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trials: Vec<TrialRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

impl Render for OptimizationJob {
    fn render(&self, text: &mut Text) {
        let text_of = |value: &Option<String>| value.clone().unwrap_or_default();
        text.line(format!("Katib Experiment {}/{}", self.namespace, self.name));
        let detail = self.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
        text.fact("status", format!("{}{detail}", self.status.as_str()));
        text.fact("reason", text_of(&self.reason));
        text.fact("message", text_of(&self.message));
        text.fact("objective", self.objective.words());
        let settings = in_line(&self.algorithm_settings);
        text.fact("algorithm", format!("{} {settings}", text_of(&self.algorithm)).trim());
        text.fact("early stopping", text_of(&self.early_stopping));
        for range in &self.search_space {
            text.line(format!("parameter {}", range.words()));
        }
        text.fact("budget", self.budget.words());
        text.fact("trials", self.counts.words());
        if let Some(best) = &self.best {
            text.fact("best", best.line());
        }
        if let Some(katib) = &self.katib_best
            && (self.best.is_none() || self.katib_agrees == Some(false))
        {
            text.fact("best by Katib", katib.line());
        }
        text.fact("runs", self.template.words());
        for (name, at) in [
            ("created", &self.created),
            ("started", &self.started),
            ("completed", &self.completed),
        ] {
            text.fact(name, text_of(at));
        }
        if !self.trials.is_empty() {
            let rows: Vec<_> = self.trials.iter().map(|trial| trial.cells(text)).collect();
            text.table(["trial", "status", "age", "parameters", "metrics", "message"], rows);
        }
        text.facts("note", &self.notes);
        text.facts("not seen", &self.not_seen);
    }
}

impl Tool for GetOptimizationJob {
    type Output = OptimizationJob;
    const SPEC: ToolSpec = ToolSpec::read("get_optimization_job", Phase::Discovery)
        .access(&[
            Access::new("kubeflow.org", "experiments", &["get"]),
            Access::new("kubeflow.org", "trials", &["list"]).degrades(),
        ])
        .next(&[
            Next::to("get_best_hyperparameters", "you want the best trials"),
            Next::to("list_optimization_jobs", "the name is wrong"),
        ]);

    async fn run(self, cx: &Cx) -> Result<OptimizationJob, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let experiment = read::experiment(cx, &namespace, &self.name);
        let (experiment, trials) = if self.include_trials {
            let (experiment, trials) =
                futures::join!(experiment, read::trials(cx, &namespace, &self.name, TRIALS_READ, None));
            (experiment, Some(trials))
        } else {
            (experiment.await, None)
        };
        let experiment = experiment?;
        let mut job = describe(&experiment, namespace, self.name.to_string());
        match trials {
            None => {}
            Some(Ok(page)) => add_trials(&mut job, &experiment, &page, self.trial_limit),
            Some(Err(error)) => job
                .not_seen
                .push(format!("trials: {}", ToolError::from(error).answered)),
        }
        Ok(job)
    }
}

kf_mcp_core::register!(GetOptimizationJob);

/// What the experiment alone says.
fn describe(experiment: &Experiment, namespace: String, name: String) -> OptimizationJob {
    let told = status::of(experiment);
    let mut notes = experiment.notes.clone();
    if experiment.nas {
        notes.push("a neural architecture search: its graph is not shown".into());
    }
    OptimizationJob {
        name,
        namespace,
        status: told.status,
        detail: told.detail,
        reason: some(told.reason),
        message: some(told.message),
        objective: Objective::of(&experiment.objective),
        algorithm: some(shown(&experiment.algorithm.algorithm_name)),
        algorithm_settings: parameters(&experiment.algorithm.algorithm_settings),
        early_stopping: some(shown(&experiment.early_stopping.algorithm_name)),
        search_space: experiment.parameters.iter().map(Range::of).collect(),
        budget: Budget::of(experiment),
        counts: Counts::of(&experiment.counts),
        best: None,
        katib_best: Best::of_katib(experiment, &experiment.objective.metric),
        katib_agrees: None,
        template: Template::of(&experiment.template),
        created: time(experiment.meta.creation_timestamp),
        started: time(experiment.state.started),
        completed: time(experiment.state.completed),
        trials: Vec::new(),
        notes,
        not_seen: Vec::new(),
    }
}

/// The trials, newest first, and the best of them.
fn add_trials(job: &mut OptimizationJob, experiment: &Experiment, page: &Page, limit: usize) {
    let mut trials: Vec<Trial> = page.items.iter().map(|item| Trial::read(item)).collect();
    if let Some(direction) = Direction::of(&experiment.objective) {
        let metric = &experiment.objective.metric;
        let strategy = best::strategy(&experiment.objective, metric);
        let ranked = best::ranked(&trials, metric, strategy, direction);
        job.best = ranked.first().map(|(value, trial)| Best::of_trial(*value, trial));
        // Of a part of the trials the best may be another one.
        if page.next.is_none() {
            job.katib_agrees = best::agrees(&ranked, &experiment.optimum.best_trial_name);
        }
    }
    if page.next.is_some() {
        job.not_seen.push(format!("trials beyond the first {TRIALS_READ}"));
    }
    trials.sort_by(|a, b| best::age(b).cmp(&best::age(a)));
    if trials.len() > limit {
        job.notes.push(format!(
            "the newest {limit} of {} trials are shown: see trial_limit",
            trials.len()
        ));
    }
    let shown = trials.iter().take(limit);
    job.trials = shown.map(|trial| TrialRow::of(trial, &experiment.objective)).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    fn page(items: Vec<Value>, next: Option<&str>) -> Page {
        let items = items
            .iter()
            .map(|item| RawValue::from_string(item.to_string()).unwrap());
        Page {
            items: items.collect(),
            next: next.map(str::to_owned),
            remaining: None,
            resource_version: "1".into(),
        }
    }

    fn trial(name: &str, second: u8, accuracy: &str) -> Value {
        json!({
            "metadata": {"name": name, "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z")},
            "spec": {"parameterAssignments": [{"name": "lr", "value": "0.1"}]},
            "status": {"conditions": [{"type": "Succeeded", "status": "True"}],
                       "observation": {"metrics": [{"name": "accuracy", "max": accuracy, "min": "0.1", "latest": accuracy}]}},
        })
    }

    fn experiment() -> Experiment {
        Experiment::of(&json!({
            "metadata": {"name": "tune", "namespace": "a", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {
                "objective": {"type": "maximize", "objectiveMetricName": "accuracy", "goal": 0.99},
                "algorithm": {"algorithmName": "tpe", "algorithmSettings": [{"name": "n_EI_candidates", "value": "24"}]},
                "parameters": [
                    {"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0.01", "max": "0.1", "distribution": "logUniform"}},
                    {"name": "opt", "parameterType": "categorical", "feasibleSpace": {"list": ["sgd", "adam"], "distribution": "uniform"}}
                ],
                "maxTrialCount": 6, "parallelTrialCount": 2,
                "trialTemplate": {"primaryContainerName": "node", "trialSpec": {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob"}},
            },
            "status": {"conditions": [{"type": "Running", "status": "True", "reason": "ExperimentRunning", "message": "Experiment is running"}],
                       "trials": 3, "trialsSucceeded": 3, "trialsRunning": 1,
                       "currentOptimalTrial": {"bestTrialName": "t-nan", "observation": {}}},
        }))
    }

    #[test]
    fn the_text_says_what_is_searched_and_that_katib_disagrees() {
        let experiment = experiment();
        let mut job = describe(&experiment, "a".into(), "tune".into());
        let trials = vec![trial("t-nan", 1, "NaN"), trial("t-b", 2, "0.9"), trial("t-c", 3, "0.8")];
        add_trials(&mut job, &experiment, &page(trials, None), 2);
        let mut text = Text::new("2026-01-01T00:10:00Z".parse().unwrap());
        job.render(&mut text);
        assert_eq!(
            text.finish(),
            "Katib Experiment a/tune\n\
             status: Running\n\
             objective: maximize accuracy (max), goal 0.99\n\
             algorithm: tpe n_EI_candidates=24\n\
             parameter lr double 0.01..0.1 logUniform\n\
             parameter opt categorical sgd, adam\n\
             budget: max 6, parallel 2\n\
             trials: 3 in all, 3 succeeded, 1 running\n\
             best: t-b 0.9 lr=0.1\n\
             best by Katib: t-nan -\n\
             runs: TrainJob trainer.kubeflow.org/v1alpha1, container node\n\
             created: 2026-01-01T00:00:00Z\n\
             trial status age parameters metrics message\n\
             t-c Succeeded 9m57s lr=0.1 accuracy=0.8 -\n\
             t-b Succeeded 9m58s lr=0.1 accuracy=0.9 -\n\
             note: the newest 2 of 3 trials are shown: see trial_limit"
        );
        assert_eq!(job.katib_agrees, Some(false));
    }

    #[test]
    fn a_part_of_the_trials_accuses_nobody() {
        let experiment = experiment();
        let mut job = describe(&experiment, "a".into(), "tune".into());
        add_trials(
            &mut job,
            &experiment,
            &page(vec![trial("t-b", 2, "0.9")], Some("more")),
            20,
        );
        assert_eq!(job.katib_agrees, None);
        assert_eq!(job.not_seen, ["trials beyond the first 500"]);
    }
}
