//! Which trials are best, computed again from what they measured.
//!
//! Katib takes a metric that is no number for zero, so a run that diverged can become its best trial, and the true best
//! stays hidden. Here such a trial has no value at all.

use serde_json::Value;

use crate::api::experiment::Objective;
use crate::api::trial::Trial;
use crate::api::{Metric, number};
use crate::status::of_trial;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Minimize,
    Maximize,
}

impl Direction {
    /// The direction of an objective, none when it has no type that Katib knows.
    pub(crate) fn of(objective: &Objective) -> Option<Self> {
        match objective.kind.as_str() {
            "minimize" => Some(Self::Minimize),
            "maximize" => Some(Self::Maximize),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Minimize => "minimize",
            Self::Maximize => "maximize",
        }
    }
}

/// Which of a metric's values counts: the strategy that the experiment names, else Katib's default for its direction.
pub(crate) fn strategy<'a>(objective: &'a Objective, metric: &str) -> &'a str {
    let named = objective.strategies.iter().find(|pair| pair.name == metric);
    match named.map(|pair| pair.value.as_str()) {
        Some(named @ ("min" | "max" | "latest")) => named,
        _ => match Direction::of(objective) {
            Some(Direction::Minimize) => "min",
            Some(Direction::Maximize) => "max",
            None => "latest",
        },
    }
}

/// The value of a metric by a strategy; none for NaN, `unavailable` and other non-numbers.
pub(crate) fn value(metrics: &[Metric], metric: &str, strategy: &str) -> Option<f64> {
    let measured = metrics.iter().find(|m| m.name == metric)?;
    let chosen = match strategy {
        "min" => &measured.min,
        "max" => &measured.max,
        _ => &measured.latest,
    };
    // Not every collector fills all three.
    let chosen = if chosen.as_str().is_empty() {
        &measured.latest
    } else {
        chosen
    };
    number(&Value::String(chosen.0.clone()))
}

/// The trials with a value, best first; of equal ones the earlier first.
pub(crate) fn ranked<'a>(
    trials: &'a [Trial],
    metric: &str,
    strategy: &str,
    direction: Direction,
) -> Vec<(f64, &'a Trial)> {
    let mut ranked: Vec<(f64, &Trial)> = trials
        .iter()
        .filter(|trial| !matches!(of_trial(trial), "Failed" | "Killed" | "MetricsUnavailable"))
        .filter_map(|trial| Some((value(&trial.metrics, metric, strategy)?, trial)))
        .collect();
    ranked.sort_by(|(a, first), (b, second)| {
        let by_value = match direction {
            Direction::Minimize => a.total_cmp(b),
            Direction::Maximize => b.total_cmp(a),
        };
        by_value.then_with(|| age(first).cmp(&age(second)))
    });
    ranked
}

/// What trials are ordered by: their creation, and the name where that does not tell.
pub(crate) fn age(trial: &Trial) -> (Option<jiff::Timestamp>, &str) {
    (trial.meta.creation_timestamp.or(trial.state.started), &trial.meta.name)
}

/// Whether Katib's best trial is the best one here: the same trial, or another of the same value.
pub(crate) fn agrees(ranked: &[(f64, &Trial)], katib: &str) -> Option<bool> {
    let (best, trial) = ranked.first()?;
    if katib.is_empty() {
        return None;
    }
    let tie = ranked
        .iter()
        .take_while(|(value, _)| value == best)
        .any(|(_, t)| t.meta.name == katib);
    Some(tie || trial.meta.name == katib)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trial(name: &str, created: u8, status: &str, latest: &str, min: &str) -> Trial {
        Trial::of(&json!({
            "metadata": {"name": name, "creationTimestamp": format!("2026-01-01T00:00:{created:02}Z")},
            "status": {
                "conditions": [{"type": status, "status": "True"}],
                "observation": {"metrics": [{"name": "loss", "min": min, "max": latest, "latest": latest}]},
            },
        }))
    }

    fn names(trials: &[Trial], strategy: &str, direction: Direction) -> Vec<String> {
        let ranked = ranked(trials, "loss", strategy, direction);
        ranked.iter().map(|(_, trial)| trial.meta.name.clone()).collect()
    }

    #[test]
    fn trials_without_a_number_are_left_out_and_ties_go_to_the_earlier() {
        let trials = [
            trial("late", 9, "Succeeded", "0.5", "0.2"),
            trial("nan", 1, "Succeeded", "NaN", "nan"),
            trial("empty", 2, "Succeeded", "", ""),
            trial("gone", 3, "MetricsUnavailable", "unavailable", "unavailable"),
            trial("failed", 4, "Failed", "0.0", "0.0"),
            trial("early", 5, "EarlyStopped", "0.4", "0.2"),
            trial("worse", 6, "Running", "0.3", "0.3"),
        ];
        assert_eq!(names(&trials, "min", Direction::Minimize), ["early", "late", "worse"]);
        assert_eq!(
            names(&trials, "latest", Direction::Minimize),
            ["worse", "early", "late"]
        );
        assert_eq!(
            names(&trials, "latest", Direction::Maximize),
            ["late", "early", "worse"]
        );
        assert!(ranked(&trials, "accuracy", "max", Direction::Maximize).is_empty());
    }

    #[test]
    fn katib_agrees_on_the_same_trial_or_the_same_value() {
        let trials = [
            trial("a", 1, "Succeeded", "0.2", "0.2"),
            trial("b", 2, "Succeeded", "0.2", "0.2"),
            trial("c", 3, "Succeeded", "0.3", "0.3"),
        ];
        let ranked = ranked(&trials, "loss", "min", Direction::Minimize);
        for (katib, agreed) in [("a", Some(true)), ("b", Some(true)), ("c", Some(false)), ("", None)] {
            assert_eq!(agrees(&ranked, katib), agreed, "{katib}");
        }
        assert_eq!(agrees(&[], "a"), None);
    }

    #[test]
    fn the_strategy_is_the_named_one_or_follows_the_direction() {
        let objective = |kind: &str| Objective {
            kind: kind.into(),
            strategies: serde_json::from_value(
                json!([{"name": "loss", "value": "latest"}, {"name": "odd", "value": "avg"}]),
            )
            .unwrap(),
            ..Objective::default()
        };
        for (kind, metric, want) in [
            ("minimize", "loss", "latest"),
            ("minimize", "other", "min"),
            ("maximize", "odd", "max"),
            ("", "other", "latest"),
        ] {
            assert_eq!(strategy(&objective(kind), metric), want);
        }
    }
}
