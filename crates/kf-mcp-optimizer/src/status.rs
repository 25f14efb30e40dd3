//! What an experiment and a trial are doing, from Katib's own conditions.
//!
//! Not from pods, as other clients do: an experiment whose pods wait is still running, and one that was once suspended too.

use kf_mcp_core::kube::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::experiment::Experiment;
use crate::api::sentence;
use crate::api::trial::Trial;

/// The status of an experiment, in the words of the Kubeflow SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Status {
    Created,
    Running,
    Complete,
    Failed,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Running => "Running",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }
}

/// The status with its why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: Status,
    /// `Restarting` or `WaitingForSuggestions`.
    pub(crate) detail: Option<&'static str>,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// The status of an experiment.
pub(crate) fn of(experiment: &Experiment) -> Told {
    let holds = |kind: &str| experiment.state.holds(kind);
    let restarting = holds("Restarting");
    let counts = &experiment.counts;
    if let Some(end) = holds("Succeeded") {
        return told(Status::Complete, None, end);
    }
    if let Some(end) = holds("Failed") {
        return told(Status::Failed, None, end);
    }
    if holds("Running").is_some() {
        // Between two trials nothing runs, and the algorithm owes the next parameters.
        let budget = experiment.budget.max.is_none_or(|max| counts.done() < max);
        return going(Status::Running, counts.running + counts.pending == 0 && budget);
    }
    if let Some(restarting) = restarting {
        // Katib never takes this condition back, so it says something only until the experiment runs again.
        let status = if counts.trials > 0 {
            Status::Running
        } else {
            Status::Created
        };
        return told(status, Some("Restarting"), restarting);
    }
    // Without any condition Katib has not looked at it yet.
    going(Status::Created, counts.trials == 0 && holds("Created").is_some())
}

/// An experiment on its way: Katib's own condition says nothing more than the status.
fn going(status: Status, waits: bool) -> Told {
    Told {
        status,
        detail: waits.then_some("WaitingForSuggestions"),
        reason: String::new(),
        message: if waits {
            "no trial runs: the algorithm has not suggested the next parameters".into()
        } else {
            String::new()
        },
    }
}

fn told(status: Status, detail: Option<&'static str>, why: &Condition) -> Told {
    Told {
        status,
        detail,
        reason: sentence(&why.reason),
        message: sentence(&why.message),
    }
}

/// The status of a trial: the most telling of Katib's conditions that holds, `Created` before there is one.
pub(crate) fn of_trial(trial: &Trial) -> &'static str {
    const TELLING: [&str; 6] = [
        "MetricsUnavailable",
        "Failed",
        "Killed",
        "EarlyStopped",
        "Succeeded",
        "Running",
    ];
    TELLING
        .into_iter()
        .find(|kind| trial.state.holds(kind).is_some())
        .unwrap_or("Created")
}

/// Why a trial failed or has no metrics, empty for others.
pub(crate) fn trial_message(trial: &Trial) -> String {
    let status = of_trial(trial);
    if !matches!(status, "Failed" | "MetricsUnavailable" | "Killed") {
        return String::new();
    }
    let condition = trial.state.holds(status);
    condition
        .map(|c| if c.message.is_empty() { &c.reason } else { &c.message })
        .map(|why| sentence(why))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn experiment(conditions: &[(&str, &str)], status: Value) -> Told {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(kind, status)| json!({"type": kind, "status": status, "reason": format!("Experiment{kind}")}))
            .collect();
        let mut status = status;
        status["conditions"] = json!(conditions);
        of(&Experiment::of(
            &json!({"spec": {"maxTrialCount": 4}, "status": status}),
        ))
    }

    #[test]
    fn the_status_is_what_the_conditions_say() {
        let (yes, no) = ("True", "False");
        for (conditions, counts, status, detail) in [
            (&[][..], json!({}), Status::Created, None),
            (
                &[("Created", yes)],
                json!({}),
                Status::Created,
                Some("WaitingForSuggestions"),
            ),
            (
                &[("Created", yes)],
                json!({"trials": 1, "trialsPending": 1}),
                Status::Created,
                None,
            ),
            (
                &[("Created", yes), ("Running", yes)],
                json!({"trials": 2, "trialsRunning": 1}),
                Status::Running,
                None,
            ),
            (
                &[("Created", yes), ("Running", yes)],
                json!({"trials": 2, "trialsSucceeded": 2}),
                Status::Running,
                Some("WaitingForSuggestions"),
            ),
            (
                &[("Created", yes), ("Running", yes)],
                json!({"trials": 4, "trialsSucceeded": 4}),
                Status::Running,
                None,
            ),
            (
                &[("Running", no), ("Succeeded", yes)],
                json!({}),
                Status::Complete,
                None,
            ),
            (&[("Running", no), ("Failed", yes)], json!({}), Status::Failed, None),
            (
                &[("Running", no), ("Restarting", yes)],
                json!({"trials": 4}),
                Status::Running,
                Some("Restarting"),
            ),
            (
                &[("Restarting", yes), ("Running", yes)],
                json!({"trials": 5, "trialsRunning": 1}),
                Status::Running,
                None,
            ),
            (
                &[("Restarting", yes), ("Succeeded", yes)],
                json!({}),
                Status::Complete,
                None,
            ),
        ] {
            let told = experiment(conditions, counts.clone());
            assert_eq!((told.status, told.detail), (status, detail), "{conditions:?} {counts}");
        }
    }

    #[test]
    fn a_trial_is_what_its_most_telling_condition_says() {
        for (conditions, status) in [
            (json!([]), "Created"),
            (
                json!([{"type": "Created", "status": "True"}, {"type": "Running", "status": "True"}]),
                "Running",
            ),
            (
                json!([{"type": "Running", "status": "False"}, {"type": "Succeeded", "status": "True"}]),
                "Succeeded",
            ),
            (
                json!([{"type": "Succeeded", "status": "False"}, {"type": "MetricsUnavailable", "status": "True"}]),
                "MetricsUnavailable",
            ),
            (
                json!([{"type": "EarlyStopped", "status": "True"}, {"type": "Succeeded", "status": "True"}]),
                "EarlyStopped",
            ),
        ] {
            let trial = Trial::of(&json!({"status": {"conditions": conditions}}));
            assert_eq!(of_trial(&trial), status);
        }
    }
}
