//! What a training tells about itself in its job's status.

use kf_mcp_core::{Text, text};
use schemars::JsonSchema;
use serde::Serialize;

use crate::pods::outside;

/// Metrics that are told.
const MOST_METRICS: usize = 30;

/// The training's own report. Anybody who may write the job's status can write it, so it is bounded and cleaned.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Reported {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) percent: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remaining_seconds: Option<i64>,
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

impl Reported {
    /// The report, none when it says nothing.
    pub(crate) fn of(told: &kf_mcp_trainjob::Progress) -> Option<Self> {
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

    /// The report on one line.
    pub(crate) fn line(&self, text: &Text) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_bounded_and_an_empty_one_is_none() {
        let told = |value| serde_json::from_value::<kf_mcp_trainjob::Progress>(value).unwrap();
        assert!(Reported::of(&told(json!({}))).is_none());
        let long =
            json!({"progressPercentage": 140, "metrics": [{"name": "loss\u{1b}[31m", "value": "x".repeat(500)}]});
        let progress = Reported::of(&told(long)).unwrap();
        assert_eq!(progress.percent, Some(100));
        assert!(progress.metrics[0].name == "loss" && progress.metrics[0].value.chars().count() < 100);
    }
}
