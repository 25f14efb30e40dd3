//! `list_optimization_jobs`: the Katib Experiments of a namespace, with progress and the best value so far.
//!
//! Everything is in the experiments themselves, so a page is one request, whatever the number of trials.

use kf_mcp_core::kube::resources::EXPERIMENTS;
use kf_mcp_core::paging::{Limit, Listed, Scan, filter_words};
use kf_mcp_core::{Access, Cx, NamespaceOrAll, Next, Phase, Render, Text, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::experiment::Experiment;
use crate::api::shown;
use crate::outline::{Best, objective, some, time};
use crate::refusal;
use crate::status::{self, Status};

const NAME: &str = "list_optimization_jobs";

/// List Katib Experiments (hyperparameter searches) with status, progress and best value so far. Not for training jobs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListOptimizationJobs {
    /// Namespace, or `*` for all; yours by default.
    namespace: Option<NamespaceOrAll>,
    /// Only this status.
    status: Option<Status>,
    /// Only this algorithm, for example `tpe`.
    #[schemars(length(max = 100))]
    algorithm: Option<String>,
    /// At most this many.
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before, with the same other arguments.
    cursor: Option<String>,
}

/// What `list_optimization_jobs` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OptimizationJobs {
    jobs: Vec<Row>,
    #[serde(flatten)]
    listed: Listed,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    objective: Option<String>,
    trials_done: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    trials_max: Option<i64>,
    /// The objective of Katib's best trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    best_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// What of the object could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Row {
    fn of(experiment: &Experiment, all: bool) -> Self {
        let told = status::of(experiment);
        let metric = &experiment.objective.metric;
        Self {
            name: experiment.meta.name.clone(),
            namespace: all.then(|| experiment.meta.namespace.clone()),
            status: told.status,
            detail: told.detail,
            algorithm: some(shown(&experiment.algorithm.algorithm_name)),
            objective: some(objective(&experiment.objective)),
            trials_done: experiment.counts.done(),
            trials_max: experiment.budget.max,
            best_value: Best::of_katib(experiment, metric).and_then(|best| best.value),
            created: time(experiment.meta.creation_timestamp),
            note: some(experiment.notes.join("; ")),
        }
    }

    fn cells(&self, text: &Text) -> [String; 7] {
        let max = self.trials_max.map_or_else(|| "?".to_owned(), |max| max.to_string());
        [
            match &self.namespace {
                Some(namespace) => format!("{namespace}/{}", self.name),
                None => self.name.clone(),
            },
            self.status.as_str().to_owned() + &self.detail.map(|d| format!("({d})")).unwrap_or_default(),
            self.algorithm.clone().unwrap_or_default(),
            format!("{}/{max}", self.trials_done),
            self.best_value.map(|value| value.to_string()).unwrap_or_default(),
            self.created.as_deref().map(|at| text.age_of(at)).unwrap_or_default(),
            self.objective.clone().unwrap_or_default(),
        ]
    }
}

impl Render for OptimizationJobs {
    fn render(&self, text: &mut Text) {
        let listed = &self.listed;
        if self.jobs.is_empty() {
            let place = listed.place();
            let more = if listed.has_more {
                " yet, but the list goes on"
            } else {
                ""
            };
            text.line(format!("no matching experiments in {place}{more}"));
        } else {
            let rows: Vec<_> = self.jobs.iter().map(|row| row.cells(text)).collect();
            text.table(
                ["name", "status", "algorithm", "trials", "best", "age", "objective"],
                rows,
            );
        }
        for row in &self.jobs {
            if let Some(note) = &row.note {
                text.line(format!("note on {}: {note}", row.name));
            }
        }
        text.fact("total", listed.total.map(|total| total.to_string()).unwrap_or_default());
        text.fact("next_cursor", listed.next_cursor.as_deref().unwrap_or_default());
        text.facts("not seen", &listed.not_seen);
    }
}

impl Tool for ListOptimizationJobs {
    type Output = OptimizationJobs;
    const SPEC: ToolSpec = ToolSpec::read(NAME, Phase::Discovery)
        .access(&[Access::new("kubeflow.org", "experiments", &["list"]).cluster()])
        .next(&[
            Next::to("get_optimization_job", "you want one experiment's trials"),
            Next::to("get_best_hyperparameters", "you want the parameters that were best"),
        ]);

    async fn run(self, cx: &Cx) -> Result<OptimizationJobs, ToolError> {
        let scope = cx.scope(self.namespace.as_ref()).await?;
        let all = scope.is_many();
        let (wanted, algorithm) = (self.status, self.algorithm.as_deref());
        let scan = Scan {
            list: NAME,
            of: &EXPERIMENTS,
            scope: &scope,
            labels: None,
            filter: &filter_words(&[("status", wanted.map(Status::as_str)), ("algorithm", algorithm)]),
            limit: self.limit.rows(),
            cursor: self.cursor.as_deref(),
        };
        let read = |raw: &serde_json::value::RawValue| {
            let experiment = Experiment::read(raw);
            let fits = algorithm.is_none_or(|name| name == experiment.algorithm.algorithm_name)
                && wanted.is_none_or(|status| status == status::of(&experiment).status);
            fits.then(|| Row::of(&experiment, all))
        };
        let found = scan.page(cx, read).await.map_err(refusal::of_list)?;
        Ok(OptimizationJobs {
            jobs: found.rows,
            listed: found.listed,
        })
    }
}

kf_mcp_core::register!(ListOptimizationJobs);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn jobs(all: bool) -> OptimizationJobs {
        let experiments = [
            json!({
                "metadata": {"name": "tune", "namespace": "a", "creationTimestamp": "2026-01-01T00:00:00Z"},
                "spec": {"algorithm": {"algorithmName": "enas"}, "maxTrialCount": 5, "nasConfig": {},
                         "objective": {"type": "maximize", "objectiveMetricName": "accuracy"}},
                "status": {"conditions": [{"type": "Running", "status": "True"}], "trialsSucceeded": 2, "trialsRunning": 1,
                           "currentOptimalTrial": {"bestTrialName": "tune-x", "observation": {"metrics": [{"name": "accuracy", "max": "0.93"}]}}},
            }),
            json!({"metadata": {"name": "odd", "namespace": "b"}, "spec": {"algorithm": 7}}),
        ];
        OptimizationJobs {
            jobs: experiments.iter().map(|e| Row::of(&Experiment::of(e), all)).collect(),
            listed: Listed {
                namespace: "a".into(),
                has_more: true,
                next_cursor: Some("abc".into()),
                total: Some(7),
                ..Listed::default()
            },
        }
    }

    #[test]
    fn a_row_says_what_an_experiment_does_and_what_could_not_be_read() {
        let mut text = Text::new("2026-01-01T01:00:00Z".parse().unwrap());
        jobs(false).render(&mut text);
        assert_eq!(
            text.finish(),
            "name status algorithm trials best age objective\n\
             tune Running enas 2/5 0.93 60m maximize accuracy\n\
             odd Created - 0/? - - -\n\
             note on odd: spec.algorithm is not readable\n\
             total: 7\n\
             next_cursor: abc"
        );
        let json = serde_json::to_value(jobs(true)).unwrap();
        assert_eq!(
            json["jobs"][1],
            json!({"name": "odd", "namespace": "b", "status": "Created", "trials_done": 0, "note": "spec.algorithm is not readable"})
        );
    }
}
