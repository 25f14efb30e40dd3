//! [`Finding`]: one thing that was looked at.

use kf_mcp_core::{Answer, ToolError, redact};
use serde::Serialize;
use serde_json::Value;

/// The most lines of a tool's answer that are shown.
const LINES: usize = 40;
/// Characters of a text in a tool's answer.
const TEXT: usize = 2000;

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Some answers will say what they could not see, or some calls will be refused.
    Less,
    /// Something will not work.
    Failed,
    /// Not asked; why.
    Skipped,
}

/// One thing that was looked at. It holds no secrets.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    check: String,
    pub(super) state: State,
    /// What was found, for people.
    lines: Vec<String>,
    /// What a tool answered.
    #[serde(skip_serializing_if = "Value::is_null")]
    answer: Value,
}

impl Finding {
    pub(super) fn new(check: impl Into<String>, state: State, lines: Vec<String>) -> Self {
        Self {
            check: check.into(),
            state,
            lines: lines.iter().map(|line| redact::secrets(line)).collect(),
            answer: Value::Null,
        }
    }

    pub(super) fn skipped(check: impl Into<String>, why: &str) -> Self {
        Self::new(check, State::Skipped, vec![format!("not asked: {why}")])
    }

    pub(super) fn failed(check: impl Into<String>, error: impl Into<ToolError>) -> Self {
        let lines = error.into().to_string().lines().map(str::to_owned).collect();
        Self::new(check, State::Failed, lines)
    }

    /// A tool's answer.
    pub(super) fn of(tool: &str, holds: fn(&Value) -> bool, answer: &Answer) -> Self {
        let state = if answer.is_error || !holds(&answer.structured) {
            State::Failed
        } else if answer.structured.get("not_seen").is_some() {
            State::Less
        } else {
            State::Ok
        };
        let all = answer.text.lines().count();
        let mut lines: Vec<String> = answer.text.lines().take(LINES).map(str::to_owned).collect();
        if all > LINES {
            lines.push(format!("… {} more lines", all - LINES));
        }
        Self {
            answer: redact::json(&answer.structured, TEXT),
            ..Self::new(tool, state, lines)
        }
    }

    /// Its lines for people.
    pub(super) fn text(&self) -> String {
        let state = match self.state {
            State::Ok => "ok",
            State::Less => "less",
            State::Failed => "FAILED",
            State::Skipped => "-",
        };
        let mut text = format!("{state:7} {}", self.check);
        for line in &self.lines {
            text.push_str("\n          ");
            text.push_str(line);
        }
        text
    }
}
