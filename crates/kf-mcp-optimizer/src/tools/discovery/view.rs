//! The parts of an experiment as `get_optimization_job` answers them.

use kf_mcp_core::Text;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::experiment as api;
use crate::api::trial::Trial;
use crate::api::{Word, shown};
use crate::best;
use crate::outline::{Parameters, in_line, metrics, parameters, some, time};
use crate::status;

/// Choices of a categorical parameter that are shown.
const CHOICES: usize = 50;

/// What is optimized.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Objective {
    direction: String,
    metric: String,
    /// Which of the metric's values counts: `min`, `max` or `latest`.
    strategy: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    goal: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    additional_metrics: Vec<String>,
}

impl Objective {
    pub(super) fn of(objective: &api::Objective) -> Self {
        Self {
            direction: shown(&objective.kind),
            metric: shown(&objective.metric),
            strategy: best::strategy(objective, &objective.metric).to_owned(),
            goal: objective.goal,
            additional_metrics: objective.additional.iter().map(Word::shown).collect(),
        }
    }

    pub(super) fn words(&self) -> String {
        let mut words = format!("{} {} ({})", self.direction, self.metric, self.strategy);
        if let Some(goal) = self.goal {
            words.push_str(&format!(", goal {goal}"));
        }
        if !self.additional_metrics.is_empty() {
            words.push_str(&format!("; also {}", self.additional_metrics.join(", ")));
        }
        words
    }
}

/// One parameter of the search space. Bounds are texts, as Katib has them.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Range {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<String>,
}

impl Range {
    pub(super) fn of(parameter: &api::Parameter) -> Self {
        let space = &parameter.feasible_space;
        // Katib writes `uniform` on every parameter, whether it is used or not.
        let distribution = some(space.distribution.shown()).filter(|name| name != "uniform");
        Self {
            name: shown(&parameter.name),
            kind: shown(&parameter.parameter_type),
            min: some(space.min.shown()),
            max: some(space.max.shown()),
            step: some(space.step.shown()),
            choices: space.list.iter().take(CHOICES).map(Word::shown).collect(),
            distribution,
        }
    }

    pub(super) fn words(&self) -> String {
        let mut words = format!("{} {}", self.name, self.kind);
        if self.min.is_some() || self.max.is_some() {
            let bound = |bound: &Option<String>| bound.clone().unwrap_or_default();
            words.push_str(&format!(" {}..{}", bound(&self.min), bound(&self.max)));
        }
        if let Some(step) = &self.step {
            words.push_str(&format!(" step {step}"));
        }
        if !self.choices.is_empty() {
            words.push_str(&format!(" {}", self.choices.join(", ")));
        }
        if let Some(distribution) = &self.distribution {
            words.push_str(&format!(" {distribution}"));
        }
        words
    }
}

/// How many trials there may be.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Budget {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_trials: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_trials: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_failed_trials: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_policy: Option<String>,
}

impl Budget {
    pub(super) fn of(experiment: &api::Experiment) -> Self {
        Self {
            max_trials: experiment.budget.max,
            parallel_trials: experiment.budget.parallel,
            max_failed_trials: experiment.budget.max_failed,
            resume_policy: some(shown(&experiment.resume_policy)),
        }
    }

    pub(super) fn words(&self) -> String {
        let max = self
            .max_trials
            .map_or_else(|| "no max".to_owned(), |max| format!("max {max}"));
        let parallel = self.parallel_trials.map(|n| format!("parallel {n}"));
        let failed = self.max_failed_trials.map(|n| format!("failed at most {n}"));
        let resume = self.resume_policy.as_ref().map(|policy| format!("resume {policy}"));
        let words = [Some(max), parallel, failed, resume];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Trials by what became of them.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Counts {
    trials: i64,
    succeeded: i64,
    failed: i64,
    killed: i64,
    running: i64,
    pending: i64,
    early_stopped: i64,
    metrics_unavailable: i64,
}

impl Counts {
    pub(super) fn of(counts: &api::Counts) -> Self {
        Self {
            trials: counts.trials,
            succeeded: counts.succeeded,
            failed: counts.failed,
            killed: counts.killed,
            running: counts.running,
            pending: counts.pending,
            early_stopped: counts.early_stopped,
            metrics_unavailable: counts.metrics_unavailable,
        }
    }

    pub(super) fn words(&self) -> String {
        let parts = [
            (self.succeeded, "succeeded"),
            (self.failed, "failed"),
            (self.killed, "killed"),
            (self.early_stopped, "stopped early"),
            (self.metrics_unavailable, "without metrics"),
            (self.running, "running"),
            (self.pending, "pending"),
        ];
        let mut words = format!("{} in all", self.trials);
        for (count, what) in parts.into_iter().filter(|(count, _)| *count != 0) {
            words.push_str(&format!(", {count} {what}"));
        }
        words
    }
}

/// What a trial runs.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Template {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_map: Option<String>,
}

impl Template {
    pub(super) fn of(template: &api::Template) -> Self {
        Self {
            kind: some(shown(&template.kind)),
            api_version: some(shown(&template.api_version)),
            primary_container: some(shown(&template.primary_container)),
            config_map: some(shown(&template.config_map)),
        }
    }

    pub(super) fn words(&self) -> String {
        let kind = match (&self.kind, &self.api_version) {
            (Some(kind), Some(version)) => Some(format!("{kind} {version}")),
            (kind, _) => kind.clone(),
        };
        let map = self
            .config_map
            .as_ref()
            .map(|name| format!("template of ConfigMap {name}"));
        let container = self.primary_container.as_ref().map(|name| format!("container {name}"));
        [kind, map, container]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// One trial.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TrialRow {
    name: String,
    status: &'static str,
    parameters: Parameters,
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    metrics: Parameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl TrialRow {
    pub(super) fn of(trial: &Trial, objective: &api::Objective) -> Self {
        Self {
            name: trial.meta.name.clone(),
            status: status::of_trial(trial),
            parameters: parameters(&trial.parameters),
            metrics: metrics(objective, &trial.metrics),
            message: some(status::trial_message(trial)),
            created: time(trial.meta.creation_timestamp.or(trial.state.started)),
            completed: time(trial.state.completed),
            note: some(trial.notes.join("; ")),
        }
    }

    pub(super) fn cells(&self, text: &Text) -> [String; 6] {
        let comma = |values: &Parameters| in_line(values).replace(' ', ",");
        let said = [self.message.as_deref(), self.note.as_deref()];
        [
            self.name.clone(),
            self.status.to_owned(),
            self.created.as_deref().map(|at| text.age_of(at)).unwrap_or_default(),
            comma(&self.parameters),
            comma(&self.metrics),
            said.into_iter().flatten().collect::<Vec<_>>().join("; "),
        ]
    }
}
