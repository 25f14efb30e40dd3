//! The answer of `get_training_logs`: lines, where they are from, and what is missing.

use kf_mcp_core::kube::KubeError;
use kf_mcp_core::{Render, Text, ToolError};
use schemars::JsonSchema;
use serde::Serialize;

use crate::loglines::Dropped;
use crate::pods::outside;

/// The most lines that are asked for, and that a pattern searches.
pub(super) const MOST: usize = 5000;

/// What `get_training_logs` answers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Logs {
    /// Of a job of the training operator v1; a TrainJob does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) step: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<String>,
    /// Pod phase, and what the container is at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) restarts: Option<u32>,
    /// Whether the lines are of the run before the last restart.
    pub(super) previous: bool,
    pub(super) lines: Vec<String>,
    /// How many lines the pattern was tried on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) searched: Option<usize>,
    /// What was left out, and how to get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) truncated: Option<String>,
    /// Why there are no lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hints: Vec<String>,
    pub(super) note: &'static str,
}

impl Render for Logs {
    fn render(&self, text: &mut Text) {
        let kind = self.kind.map(|kind| format!("{kind} ")).unwrap_or_default();
        let mut head = vec![format!(
            "log of {kind}{}/{} step {}",
            self.namespace, self.name, self.step
        )];
        head.extend(self.pod.as_ref().map(|pod| format!("pod {pod}")));
        head.extend(
            self.container
                .as_ref()
                .map(|container| format!("container {container}")),
        );
        head.extend(self.state.clone());
        head.extend(self.restarts.filter(|n| *n > 0).map(|n| format!("{n} restarts")));
        head.extend(self.previous.then(|| "run before the last restart".to_owned()));
        head.extend(
            self.searched
                .map(|n| format!("{} of {n} lines match", self.lines.len())),
        );
        text.line(format!("{} ({})", head.join(", "), self.note));
        for line in &self.lines {
            text.line(line);
        }
        text.fact("why", self.why.as_deref().unwrap_or_default());
        text.fact("truncated", self.truncated.as_deref().unwrap_or_default());
        text.facts("hint", &self.hints);
    }
}

/// What to say when earlier lines are missing: how to get them.
pub(super) fn truncated(dropped: Dropped, filtered: bool, searched: usize, asked: usize) -> Option<String> {
    match dropped {
        Dropped::Size => Some("older lines do not fit into one answer: search them with pattern".into()),
        Dropped::Lines if asked < MOST => {
            let what = if filtered { "matches" } else { "lines" };
            Some(format!(
                "older {what} were left out: raise tail_lines (now {asked}, at most {MOST})"
            ))
        }
        Dropped::Lines => Some("older lines were left out: search them with pattern".into()),
        Dropped::Nothing if filtered && searched > MOST => Some(format!("only the last {MOST} lines were searched")),
        Dropped::Nothing => None,
    }
}

/// A log that does not exist is an answer: its pod or container is not there yet, or no longer.
pub(super) fn no_log(error: KubeError) -> Result<String, ToolError> {
    match error.code() {
        400 | 404 if !error.message().is_empty() => Ok(outside(error.message())),
        _ => Err(error.into()),
    }
}
