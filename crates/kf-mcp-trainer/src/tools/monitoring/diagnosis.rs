//! The answer of `diagnose_training_job`: the findings in the order of cause, the log of what failed first, and what was
//! looked at.

use kf_mcp_core::{Render, Text};
use kf_mcp_trainjob::JobState;
use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnosis::Finding;

/// What `diagnose_training_job` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Diagnosis {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) status: JobState,
    /// Whether nothing is wrong now.
    pub(super) healthy: bool,
    /// The first cause, or that there is none.
    pub(super) summary: String,
    /// Causes before what follows from them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) findings: Vec<Finding>,
    /// The end of the log of the first container that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log: Option<LogEnd>,
    /// What was looked at.
    pub(super) checked: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) not_seen: Vec<String>,
    pub(super) note: &'static str,
}

/// The end of a log.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LogEnd {
    pub(super) pod: String,
    pub(super) container: String,
    /// Whether the lines are of the run before the last restart.
    pub(super) previous: bool,
    pub(super) lines: Vec<String>,
}

impl Render for Diagnosis {
    fn render(&self, text: &mut Text) {
        let (name, namespace, status) = (&self.name, &self.namespace, self.status.as_str());
        text.line(format!(
            "training job {name} in {namespace} ({status}): {}",
            self.summary
        ));
        for (at, finding) in self.findings.iter().enumerate() {
            finding.render(at + 1, text);
        }
        if let Some(log) = &self.log {
            let run = if log.previous {
                ", run before the last restart"
            } else {
                ""
            };
            text.line(format!(
                "last lines of {} container {}{run} ({}):",
                log.pod, log.container, self.note
            ));
            log.lines.iter().for_each(|line| text.line(format!("| {line}")));
        }
        text.fact("checked", self.checked.join(", "));
        text.facts("note", &self.notes);
        text.facts("not seen", &self.not_seen);
    }
}
