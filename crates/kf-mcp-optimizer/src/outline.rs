//! The pieces of answers that several tools share.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kf_mcp_core::redact::is_secret_name;
use schemars::JsonSchema;
use serde::Serialize;

use crate::api::experiment::{Experiment, Objective};
use crate::api::trial::Trial;
use crate::api::{Metric, Pair, shown};
use crate::best;

/// Parameters by name. The values stay texts, as Katib puts them into the run.
pub(crate) type Parameters = BTreeMap<String, String>;

/// Assignments as a map, without secrets.
pub(crate) fn parameters(pairs: &[Pair]) -> Parameters {
    let value = |pair: &Pair| {
        if is_secret_name(&pair.name) {
            "***".to_owned()
        } else {
            pair.value.shown()
        }
    };
    pairs.iter().map(|pair| (shown(&pair.name), value(pair))).collect()
}

/// `lr=0.01 batch=32`.
pub(crate) fn in_line(parameters: &Parameters) -> String {
    let words: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    words.join(" ")
}

/// Each metric's value by its strategy; those without a usable value are written as Katib has them.
pub(crate) fn metrics(objective: &Objective, measured: &[Metric]) -> Parameters {
    let chosen = |metric: &Metric| {
        let value = match best::strategy(objective, &metric.name) {
            "min" => &metric.min,
            "max" => &metric.max,
            _ => &metric.latest,
        };
        if value.as_str().is_empty() {
            metric.latest.shown()
        } else {
            value.shown()
        }
    };
    measured
        .iter()
        .map(|metric| (shown(&metric.name), chosen(metric)))
        .collect()
}

/// `maximize accuracy`, with the goal where there is one.
pub(crate) fn objective(objective: &Objective) -> String {
    let words = format!("{} {}", shown(&objective.kind), shown(&objective.metric));
    words.trim().to_owned()
}

/// A time as answers write it.
pub(crate) fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(kf_mcp_core::text::time)
}

/// A text, none when it is empty.
pub(crate) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// The best trial in short.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Best {
    pub(crate) trial: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<f64>,
    pub(crate) parameters: Parameters,
}

impl Best {
    /// What Katib holds for best, none until it holds anything.
    pub(crate) fn of_katib(experiment: &Experiment, metric: &str) -> Option<Self> {
        let optimum = &experiment.optimum;
        if optimum.best_trial_name.is_empty() {
            return None;
        }
        let strategy = best::strategy(&experiment.objective, metric);
        Some(Self {
            trial: shown(&optimum.best_trial_name),
            value: best::value(&optimum.observation.metrics, metric, strategy),
            parameters: parameters(&optimum.parameter_assignments),
        })
    }

    /// A trial with the value that ranks it.
    pub(crate) fn of_trial(value: f64, trial: &Trial) -> Self {
        Self {
            trial: trial.meta.name.clone(),
            value: Some(value),
            parameters: parameters(&trial.parameters),
        }
    }

    /// `trial-x 0.93 lr=0.01`.
    pub(crate) fn line(&self) -> String {
        let value = self.value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        format!("{} {value} {}", self.trial, in_line(&self.parameters))
            .trim_end()
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_among_parameters_are_hidden() {
        let pairs: Vec<Pair> = serde_json::from_value(json!([
            {"name": "hf_token", "value": "abc"}, {"name": "lr", "value": 0.1}, {"name": "max_tokens", "value": "5"}
        ]))
        .unwrap();
        assert_eq!(in_line(&parameters(&pairs)), "hf_token=*** lr=0.1 max_tokens=5");
    }

    #[test]
    fn metrics_follow_their_strategy() {
        let goal = Objective {
            kind: "minimize".into(),
            strategies: serde_json::from_value(json!([{"name": "acc", "value": "max"}])).unwrap(),
            ..Objective::default()
        };
        let measured: Vec<Metric> = serde_json::from_value(json!([
            {"name": "loss", "min": "0.1", "max": "0.9", "latest": "0.2"},
            {"name": "acc", "min": "0.1", "max": "0.9", "latest": "0.8"},
            {"name": "odd", "latest": "unavailable"}
        ]))
        .unwrap();
        assert_eq!(in_line(&metrics(&goal, &measured)), "acc=0.9 loss=0.1 odd=unavailable");
    }
}
