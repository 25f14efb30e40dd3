//! A Katib Experiment.

use kf_mcp_core::kube::Meta;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::state::{State, meta};
use super::{Metric, Pair, Word, count, items, number, part};

/// An Experiment, as far as tools read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Experiment {
    pub(crate) meta: Meta,
    pub(crate) objective: Objective,
    pub(crate) algorithm: Algorithm,
    pub(crate) early_stopping: Algorithm,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) budget: Budget,
    pub(crate) resume_policy: String,
    pub(crate) template: Template,
    /// Neural architecture search: there is a graph instead of parameters.
    pub(crate) nas: bool,
    pub(crate) state: State,
    pub(crate) optimum: Optimum,
    pub(crate) counts: Counts,
    /// Parts that could not be read.
    pub(crate) notes: Vec<String>,
}

/// What is to be minimized or maximized.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Objective {
    /// `minimize` or `maximize`; other words are possible, the API server checks nothing.
    pub(crate) kind: String,
    pub(crate) metric: String,
    pub(crate) goal: Option<f64>,
    pub(crate) additional: Vec<Word>,
    pub(crate) strategies: Vec<Pair>,
}

/// The search algorithm, or the early stopping one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Algorithm {
    pub(crate) algorithm_name: String,
    #[serde(deserialize_with = "kf_mcp_core::kube::meta::null_is_empty")]
    pub(crate) algorithm_settings: Vec<Pair>,
}

/// One parameter of the search space.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) parameter_type: String,
    #[serde(deserialize_with = "kf_mcp_core::kube::meta::null_is_empty")]
    pub(crate) feasible_space: Space,
}

/// The values of a parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Space {
    pub(crate) min: Word,
    pub(crate) max: Word,
    pub(crate) step: Word,
    pub(crate) distribution: Word,
    #[serde(deserialize_with = "kf_mcp_core::kube::meta::null_is_empty")]
    pub(crate) list: Vec<Word>,
}

/// How many trials there may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) max: Option<i64>,
    pub(crate) parallel: Option<i64>,
    pub(crate) max_failed: Option<i64>,
}

/// What a trial runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) kind: String,
    pub(crate) api_version: String,
    pub(crate) primary_container: String,
    /// The ConfigMap that holds the template, when it is not written in the experiment.
    pub(crate) config_map: String,
}

/// `status.currentOptimalTrial`: always there, and empty until a trial has a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Optimum {
    pub(crate) best_trial_name: String,
    #[serde(deserialize_with = "kf_mcp_core::kube::meta::null_is_empty")]
    pub(crate) parameter_assignments: Vec<Pair>,
    #[serde(deserialize_with = "kf_mcp_core::kube::meta::null_is_empty")]
    pub(crate) observation: Observation,
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Observation {
    #[serde(deserialize_with = "kf_mcp_core::kube::meta::null_is_empty")]
    pub(crate) metrics: Vec<Metric>,
}

/// Trials by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) trials: i64,
    pub(crate) succeeded: i64,
    pub(crate) failed: i64,
    pub(crate) killed: i64,
    pub(crate) running: i64,
    pub(crate) pending: i64,
    pub(crate) early_stopped: i64,
    pub(crate) metrics_unavailable: i64,
}

impl Counts {
    /// Trials that count against the budget: those that have ended, however they did.
    pub(crate) fn done(&self) -> i64 {
        self.succeeded + self.failed + self.killed + self.early_stopped + self.metrics_unavailable
    }
}

impl Experiment {
    /// Reads an object. What is broken is empty and noted.
    pub(crate) fn read(raw: &RawValue) -> Self {
        let object: Value = serde_json::from_str(raw.get()).unwrap_or_default();
        Self::of(&object)
    }

    /// Reads an object that is parsed already.
    pub(crate) fn of(object: &Value) -> Self {
        let mut notes = Vec::new();
        let n = &mut notes;
        let counter = |name: &str| object["status"].get(name).and_then(count).unwrap_or(0);
        let spec = &object["spec"];
        let template = &spec["trialTemplate"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            meta: meta(object, n),
            objective: Objective {
                kind: part(object, "/spec/objective/type", n),
                metric: part(object, "/spec/objective/objectiveMetricName", n),
                goal: number(&spec["objective"]["goal"]),
                additional: items(object, "/spec/objective/additionalMetricNames", n),
                strategies: items(object, "/spec/objective/metricStrategies", n),
            },
            algorithm: part(object, "/spec/algorithm", n),
            early_stopping: part(object, "/spec/earlyStopping", n),
            parameters: items(object, "/spec/parameters", n),
            budget: Budget {
                max: count(&spec["maxTrialCount"]),
                parallel: count(&spec["parallelTrialCount"]),
                max_failed: count(&spec["maxFailedTrialCount"]),
            },
            resume_policy: text(&spec["resumePolicy"]),
            template: Template {
                kind: text(&template["trialSpec"]["kind"]),
                api_version: text(&template["trialSpec"]["apiVersion"]),
                primary_container: text(&template["primaryContainerName"]),
                config_map: text(&template["configMap"]["configMapName"]),
            },
            nas: spec["nasConfig"].is_object(),
            state: State::of(object, n),
            optimum: part(object, "/status/currentOptimalTrial", n),
            counts: Counts {
                trials: counter("trials"),
                succeeded: counter("trialsSucceeded"),
                failed: counter("trialsFailed"),
                killed: counter("trialsKilled"),
                running: counter("trialsRunning"),
                pending: counter("trialsPending"),
                early_stopped: counter("trialsEarlyStopped"),
                // Katib's own spelling differs here.
                metrics_unavailable: counter("trialMetricsUnavailable"),
            },
            notes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_young_experiment_has_zero_counts_and_no_optimum() {
        let experiment = Experiment::of(&json!({
            "metadata": {"name": "e", "namespace": "a", "labels": null},
            "spec": {
                "objective": {"type": "minimize", "objectiveMetricName": "loss", "goal": "0.1"},
                "algorithm": {"algorithmName": "tpe", "algorithmSettings": null},
                "parameters": [{"name": "lr", "parameterType": "double", "feasibleSpace": {"min": 0.01, "max": "0.1"}}],
                "maxTrialCount": "12",
            },
            "status": {"currentOptimalTrial": {"observation": {}}, "completionTime": null, "trialsRunning": 2},
        }));
        assert!(experiment.notes.is_empty(), "{:?}", experiment.notes);
        assert_eq!(experiment.objective.goal, Some(0.1));
        assert_eq!(experiment.parameters[0].feasible_space.min.as_str(), "0.01");
        assert_eq!((experiment.budget.max, experiment.budget.parallel), (Some(12), None));
        assert_eq!((experiment.counts.running, experiment.counts.done()), (2, 0));
        assert_eq!(experiment.optimum, Optimum::default());
    }

    #[test]
    fn a_broken_object_keeps_its_name_and_says_what_is_broken() {
        let experiment = Experiment::of(&json!({
            "metadata": {"name": "odd", "namespace": "a", "labels": [1]},
            "spec": {"algorithm": "random", "parameters": {"lr": 1}, "objective": {"type": 7}},
            "status": {"conditions": [{"type": "Running", "status": "True"}, "x"]},
        }));
        assert_eq!((&*experiment.meta.name, &*experiment.meta.namespace), ("odd", "a"));
        assert_eq!(experiment.state.conditions.len(), 1);
        assert_eq!(
            experiment.notes,
            [
                "metadata is not readable",
                "spec.objective.type is not readable",
                "spec.algorithm is not readable",
                "spec.parameters is not readable",
                "1 of 2 in status.conditions not readable"
            ]
        );
        assert!(Experiment::of(&json!(7)).meta.name.is_empty());
    }
}
