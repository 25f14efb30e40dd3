//! What a training tells about itself, and how a job reads as text.

use kf_mcp_core::{Render, Text, text};
use schemars::JsonSchema;
use serde::Serialize;

use super::get_training_job::TrainingJob;
use crate::pods::outside;

/// Metrics that are told.
const MOST_METRICS: usize = 30;
/// Steps that the text shows.
const MOST_STEPS: usize = 20;

/// The training's own report. Anybody who may write the job's status can write it, so it is bounded and cleaned.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Progress {
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<Metric>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Metric {
    name: String,
    value: String,
}

impl Progress {
    /// The report, none when it says nothing.
    pub(super) fn of(told: &kf_mcp_trainjob::Progress) -> Option<Self> {
        let short = |said: &str| text::bounded(&outside(said), 64);
        let metrics = told.metrics.iter().take(MOST_METRICS);
        let progress = Self {
            percent: told.progress_percentage.map(|percent| percent.clamp(0, 100)),
            remaining_seconds: told.estimated_remaining_seconds.filter(|seconds| *seconds >= 0),
            metrics: metrics
                .map(|metric| Metric {
                    name: short(&metric.name),
                    value: short(&metric.value),
                })
                .collect(),
            updated: told.last_updated_time.map(text::time),
        };
        let says = progress.percent.is_some() || progress.remaining_seconds.is_some() || !progress.metrics.is_empty();
        says.then_some(progress)
    }

    fn line(&self, text: &Text) -> String {
        let mut parts: Vec<String> = self.percent.map(|percent| format!("{percent}%")).into_iter().collect();
        parts.extend(
            self.remaining_seconds
                .filter(|s| *s > 0)
                .map(|seconds| format!("about {seconds} s to go")),
        );
        parts.extend(
            self.metrics
                .iter()
                .map(|metric| format!("{}={}", metric.name, metric.value)),
        );
        parts.extend(
            self.updated
                .as_deref()
                .map(|at| format!("told {} ago", text.age_of(at))),
        );
        parts.join(", ")
    }
}

impl Render for TrainingJob {
    fn render(&self, text: &mut Text) {
        text.line(format!("{} in {}: {}", self.name, self.namespace, self.status.as_str()));
        let why = [self.reason.as_deref(), self.message.as_deref()];
        text.fact("reason", why.into_iter().flatten().collect::<Vec<_>>().join(": "));
        text.fact("runtime", format!("{} ({})", self.runtime.name, self.runtime.kind));
        let devices = self
            .devices
            .as_ref()
            .map(|d| format!(" x {} {}", d.per_node, d.resource))
            .unwrap_or_default();
        let nodes = self
            .nodes
            .map(|nodes| nodes.to_string())
            .unwrap_or_else(|| "as the runtime says".into());
        text.fact("nodes", format!("{nodes}{devices}"));
        text.fact("image", self.image.as_deref().unwrap_or_default());
        let times = [
            ("created", &self.created),
            ("started", &self.started),
            ("finished", &self.finished),
        ];
        let times = times
            .into_iter()
            .filter_map(|(what, at)| Some(format!("{what} {} ago", text.age_of(at.as_deref()?))));
        let times: Vec<String> = times.collect();
        text.fact("times", times.join(", "));
        if let Some(progress) = &self.progress {
            let line = progress.line(text);
            text.fact("progress (as the training tells it)", line);
        }
        if !self.steps.is_empty() {
            let rows = self.steps.iter().take(MOST_STEPS).map(|step| {
                let restarts = if step.restarts > 0 {
                    step.restarts.to_string()
                } else {
                    String::new()
                };
                let place = step.node.clone().unwrap_or_default();
                [
                    step.name.clone(),
                    restarts,
                    place,
                    step.pod.clone().unwrap_or_default(),
                    step.status.clone(),
                ]
            });
            text.table(["step", "restarts", "node", "pod", "status"], rows);
        }
        let more = self.steps.len().saturating_sub(MOST_STEPS) + self.steps_left_out;
        if more > 0 {
            text.line(format!("… and {more} more steps"));
        }
        for (what, notes) in [("note", &self.notes), ("not seen", &self.not_seen)] {
            for note in notes {
                text.fact(what, note);
            }
        }
        if let Some(object) = &self.object {
            text.line(format!("object: {object}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_bounded_and_an_empty_one_is_none() {
        let told = |value| serde_json::from_value::<kf_mcp_trainjob::Progress>(value).unwrap();
        assert!(Progress::of(&told(json!({}))).is_none());
        let long =
            json!({"progressPercentage": 140, "metrics": [{"name": "loss\u{1b}[31m", "value": "x".repeat(500)}]});
        let progress = Progress::of(&told(long)).unwrap();
        assert_eq!(progress.percent, Some(100));
        assert!(progress.metrics[0].name == "loss" && progress.metrics[0].value.chars().count() < 100);
    }
}
