//! `get_best_hyperparameters`: the best trials of a Katib Experiment, computed again, beside what Katib holds for best.

use kf_mcp_core::kube::KubeError;
use kf_mcp_core::paging::{CHUNK, CHUNKS};
use kf_mcp_core::{Access, Cx, Namespace, Next, ObjectName, Phase, Render, Text, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::experiment::{Experiment, Objective};
use crate::api::trial::Trial;
use crate::api::{Metric, shown};
use crate::best::{self, Direction};
use crate::outline::{Best, Parameters, in_line, parameters, time};
use crate::read;
use crate::status::{self, Status};

/// Get the best parameters a Katib Experiment (hyperparameter search) has found so far; works while it runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetBestHyperparameters {
    /// Experiment to read.
    name: ObjectName,
    /// Its namespace; yours by default.
    namespace: Option<Namespace>,
    /// How many of the best trials.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 50))]
    top_k: usize,
    /// Rank by this metric instead of the objective.
    #[schemars(length(min = 1, max = 200))]
    metric: Option<String>,
}

fn one() -> usize {
    1
}

/// What `get_best_hyperparameters` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BestHyperparameters {
    name: String,
    namespace: String,
    status: Status,
    metric: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    /// Which of the metric's values counts: `min`, `max` or `latest`.
    strategy: String,
    /// The best trials, best first.
    best: Vec<Ranked>,
    /// Trials that have a number for the metric.
    trials_ranked: usize,
    trials_seen: usize,
    /// What Katib holds for the best trial of the objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    katib_best: Option<Best>,
    /// Whether Katib's trial is as good as the first one here.
    #[serde(skip_serializing_if = "Option::is_none")]
    katib_agrees: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Ranked {
    trial: String,
    value: f64,
    status: &'static str,
    parameters: Parameters,
    metrics: Vec<Measured>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Measured {
    name: String,
    min: String,
    max: String,
    latest: String,
}

impl Measured {
    fn of(metric: &Metric) -> Self {
        Self {
            name: shown(&metric.name),
            min: metric.min.shown(),
            max: metric.max.shown(),
            latest: metric.latest.shown(),
        }
    }
}

impl Render for BestHyperparameters {
    fn render(&self, text: &mut Text) {
        let direction = self
            .direction
            .map(|direction| format!("{direction} "))
            .unwrap_or_default();
        text.line(format!(
            "Katib Experiment {}/{} is {}: {direction}{} ({})",
            self.namespace,
            self.name,
            self.status.as_str(),
            self.metric,
            self.strategy
        ));
        if self.best.is_empty() {
            text.line(format!("no trial has a number for {} yet", self.metric));
        } else {
            let rows = self.best.iter().map(|ranked| {
                [
                    ranked.trial.clone(),
                    ranked.value.to_string(),
                    ranked.status.to_owned(),
                    in_line(&ranked.parameters),
                ]
            });
            text.table(["trial", "value", "status", "parameters"], rows);
        }
        text.fact(
            "trials",
            format!("{} seen, {} ranked", self.trials_seen, self.trials_ranked),
        );
        if let Some(katib) = &self.katib_best {
            let agrees = match self.katib_agrees {
                Some(true) => " (agrees)",
                Some(false) => " (disagrees)",
                None => "",
            };
            text.fact("best by Katib", format!("{}{agrees}", katib.line()));
        }
        text.facts("note", &self.notes);
        text.facts("not seen", &self.not_seen);
    }
}

impl Tool for GetBestHyperparameters {
    type Output = BestHyperparameters;
    const SPEC: ToolSpec = ToolSpec::read("get_best_hyperparameters", Phase::Monitoring)
        .access(&[
            Access::new("kubeflow.org", "experiments", &["get"]),
            Access::new("kubeflow.org", "trials", &["list"]).degrades(),
        ])
        .next(&[
            Next::to("get_optimization_job", "no trial has a value yet"),
            Next::to("list_optimization_jobs", "the name is wrong"),
        ]);

    async fn run(self, cx: &Cx) -> Result<BestHyperparameters, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let experiment = read::experiment(cx, &namespace, &self.name);
        let (experiment, trials) = futures::join!(experiment, read_trials(cx, &namespace, &self.name));
        let experiment = experiment?;
        let mut not_seen = Vec::new();
        let trials = match trials {
            Ok((trials, complete)) => {
                if !complete {
                    not_seen.push(format!("trials beyond the first {}", trials.len()));
                }
                trials
            }
            Err(error) => {
                not_seen.push(format!("trials: {}", ToolError::from(error).answered));
                Vec::new()
            }
        };
        let mut answer = rank(&experiment, &trials, self.metric.as_deref(), self.top_k, not_seen)?;
        answer.name = self.name.to_string();
        answer.namespace = namespace;
        Ok(answer)
    }
}

kf_mcp_core::register!(GetBestHyperparameters);

/// The trials of an experiment, and whether these are all.
async fn read_trials(cx: &Cx, namespace: &str, name: &str) -> Result<(Vec<Trial>, bool), KubeError> {
    let mut trials = Vec::new();
    let mut cursor = None;
    for _ in 0..CHUNKS {
        let page = read::trials(cx, namespace, name, CHUNK, cursor).await?;
        trials.extend(page.items.iter().map(|item| Trial::read(item)));
        cursor = page.next;
        if cursor.is_none() {
            return Ok((trials, true));
        }
    }
    Ok((trials, false))
}

/// The answer without the names; pure.
fn rank(
    experiment: &Experiment,
    trials: &[Trial],
    metric: Option<&str>,
    top: usize,
    not_seen: Vec<String>,
) -> Result<BestHyperparameters, ToolError> {
    let objective = &experiment.objective;
    let metric = match metric {
        Some(metric) => known(objective, trials, metric)?,
        None => objective.metric.as_str(),
    };
    let strategy = best::strategy(objective, metric);
    let direction = Direction::of(objective);
    let ranked = direction
        .map(|direction| best::ranked(trials, metric, strategy, direction))
        .unwrap_or_default();
    let own = metric == objective.metric;
    let agrees = best::agrees(&ranked, &experiment.optimum.best_trial_name).filter(|_| own && not_seen.is_empty());
    Ok(BestHyperparameters {
        name: String::new(),
        namespace: String::new(),
        status: status::of(experiment).status,
        metric: shown(metric),
        direction: direction.map(Direction::as_str),
        strategy: strategy.to_owned(),
        best: ranked
            .iter()
            .take(top)
            .map(|(value, trial)| row(*value, trial))
            .collect(),
        trials_ranked: ranked.len(),
        trials_seen: trials.len(),
        katib_best: Best::of_katib(experiment, &objective.metric),
        katib_agrees: agrees,
        notes: notes(experiment, trials, metric, agrees),
        not_seen,
    })
}

fn row(value: f64, trial: &Trial) -> Ranked {
    Ranked {
        trial: trial.meta.name.clone(),
        value,
        status: status::of_trial(trial),
        parameters: parameters(&trial.parameters),
        metrics: trial.metrics.iter().map(Measured::of).collect(),
        completed: time(trial.state.completed),
    }
}

/// What the reader should know about the ranking.
fn notes(experiment: &Experiment, trials: &[Trial], metric: &str, agrees: Option<bool>) -> Vec<String> {
    let mut notes = experiment.notes.clone();
    let objective = &experiment.objective;
    if Direction::of(objective).is_none() {
        notes.push("the objective says neither minimize nor maximize, so nothing is ranked".into());
    } else if metric != objective.metric {
        notes.push(format!(
            "`{}` is ranked in the direction of the objective",
            shown(metric)
        ));
    }
    if agrees == Some(false) {
        notes.push("Katib may lag, or count a metric that is no number as zero: trust the ranking here".into());
    }
    let strategy = best::strategy(objective, metric);
    let blank = trials.iter().filter(|t| status::of_trial(t) == "Succeeded");
    let blank = blank
        .filter(|t| best::value(&t.metrics, metric, strategy).is_none())
        .count();
    if blank > 0 {
        notes.push(format!(
            "{blank} succeeded trials have no number for `{}`",
            shown(metric)
        ));
    }
    notes
}

/// The metric, if the experiment or a trial has it.
fn known<'a>(objective: &Objective, trials: &[Trial], metric: &'a str) -> Result<&'a str, ToolError> {
    let mut names = vec![objective.metric.as_str()];
    names.extend(objective.additional.iter().map(|word| word.as_str()));
    names.extend(trials.iter().flat_map(|trial| &trial.metrics).map(|m| m.name.as_str()));
    if names.contains(&metric) {
        return Ok(metric);
    }
    names.sort_unstable();
    names.dedup();
    let names: Vec<String> = names.into_iter().take(20).map(shown).collect();
    Err(ToolError::argument(
        "metric",
        format!("no trial of the experiment measures `{}`", shown(metric)),
    )
    .fix(format!("metrics are {}", names.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn experiment(optimum: Value) -> Experiment {
        Experiment::of(&json!({
            "metadata": {"name": "tune", "namespace": "a"},
            "spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss", "additionalMetricNames": ["acc"]}},
            "status": {"conditions": [{"type": "Running", "status": "True"}], "currentOptimalTrial": optimum},
        }))
    }

    fn trial(name: &str, loss: &str) -> Trial {
        Trial::of(&json!({
            "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"parameterAssignments": [{"name": "lr", "value": "0.1"}, {"name": "opt", "value": "adam"}]},
            "status": {"conditions": [{"type": "Succeeded", "status": "True"}],
                       "observation": {"metrics": [{"name": "loss", "min": loss, "max": loss, "latest": loss}]}},
        }))
    }

    fn text(answer: &BestHyperparameters) -> String {
        let mut text = Text::new(jiff::Timestamp::UNIX_EPOCH);
        answer.render(&mut text);
        text.finish()
    }

    #[test]
    fn without_a_finished_trial_the_answer_says_so() {
        let answer = rank(&experiment(json!({"observation": {}})), &[], None, 1, Vec::new()).unwrap();
        assert_eq!(
            text(&answer),
            "Katib Experiment / is Running: minimize loss (min)\nno trial has a number for loss yet\ntrials: 0 seen, 0 ranked"
        );
    }

    #[test]
    fn a_diverged_trial_that_katib_holds_for_best_is_told() {
        let optimum = json!({"bestTrialName": "t-a", "parameterAssignments": [{"name": "lr", "value": "9"}],
                             "observation": {"metrics": [{"name": "loss", "min": "", "latest": ""}]}});
        let trials = [trial("t-a", ""), trial("t-b", "0.4"), trial("t-c", "0.3")];
        let answer = rank(&experiment(optimum), &trials, None, 2, Vec::new()).unwrap();
        assert_eq!(
            text(&answer),
            "Katib Experiment / is Running: minimize loss (min)\n\
             trial value status parameters\n\
             t-c 0.3 Succeeded lr=0.1 opt=adam\n\
             t-b 0.4 Succeeded lr=0.1 opt=adam\n\
             trials: 3 seen, 2 ranked\n\
             best by Katib: t-a - lr=9 (disagrees)\n\
             note: Katib may lag, or count a metric that is no number as zero: trust the ranking here\n\
             note: 1 succeeded trials have no number for `loss`"
        );
    }

    #[test]
    fn a_metric_that_nobody_measures_is_refused_with_those_that_are() {
        let trials = [trial("t-b", "0.4")];
        let error = rank(&experiment(json!({})), &trials, Some("accuracy"), 1, Vec::new()).unwrap_err();
        assert_eq!(
            (error.field.as_deref(), &*error.fix),
            (Some("metric"), "metrics are acc, loss")
        );
        let answer = rank(&experiment(json!({})), &trials, Some("acc"), 1, Vec::new()).unwrap();
        assert!(answer.best.is_empty() && answer.katib_agrees.is_none());
    }
}
