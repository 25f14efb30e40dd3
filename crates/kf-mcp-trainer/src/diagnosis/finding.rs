//! What a diagnosis finds: what is wrong, who says so, and what to do about it.

use jiff::Timestamp;
use kf_mcp_core::{Text, text};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::events::Event;
use crate::pods::outside;

/// As much evidence as one finding has.
const MOST: usize = 4;

/// One thing that is wrong. They come in the order of cause: the first is why the others are.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// One word: `OOMKilled`, `Unschedulable`, `QuotaExceeded`, …
    pub(crate) code: String,
    /// In words.
    pub(crate) what: String,
    /// It happened, but the job goes on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) passed: bool,
    /// Who says so.
    #[schemars(with = "Vec<Value>")]
    pub(crate) evidence: Vec<Evidence>,
    /// What would help.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Value>")]
    pub(crate) fix: Option<Fix>,
    /// When it first happened, for the order.
    #[serde(skip)]
    pub(crate) at: Option<Timestamp>,
}

/// The words of an object of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Evidence {
    /// Like `Pod/bert-node-0-0-abcde`.
    pub(crate) object: String,
    pub(crate) said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
}

/// What would help: a sentence, and a call where there is one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Fix {
    #[serde(rename = "do")]
    pub(crate) say: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) arguments: Option<Value>,
}

impl Finding {
    pub(crate) fn new(code: impl Into<String>, what: impl AsRef<str>) -> Self {
        Self {
            code: outside(&code.into()),
            what: outside(what.as_ref()),
            passed: false,
            evidence: Vec::new(),
            fix: None,
            at: None,
        }
    }

    /// With the words of an object.
    pub(crate) fn says(mut self, object: &str, said: impl AsRef<str>, at: Option<Timestamp>) -> Self {
        self.quote(object, said.as_ref(), at);
        self
    }

    /// With an event.
    pub(crate) fn happened(mut self, event: &Event, times: u64) -> Self {
        let times = if times > 1 {
            format!(" ({times} times)")
        } else {
            String::new()
        };
        let said = format!("{}: {}{times}", event.reason, event.message);
        self.quote(&event.object(), &said, event.time());
        self
    }

    /// Adds the words of an object, unless there is enough already.
    pub(crate) fn quote(&mut self, object: &str, said: &str, at: Option<Timestamp>) {
        self.at = match (self.at, at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let evidence = Evidence {
            object: outside(object),
            said: outside(said),
            at: at.map(text::time),
        };
        if self.evidence.len() < MOST && !self.evidence.contains(&evidence) {
            self.evidence.push(evidence);
        }
    }

    /// The finding in lines.
    pub(crate) fn render(&self, number: usize, text: &mut Text) {
        let passed = if self.passed { " (passed)" } else { "" };
        text.line(format!("{number}. {}{passed}: {}", self.code, self.what));
        for Evidence { object, said, at } in &self.evidence {
            let age = at.as_deref().map(|at| format!(" ({} ago)", text.age_of(at)));
            text.line(format!("   {object}{}: {said}", age.unwrap_or_default()));
        }
        if let Some(Fix { say, tool, arguments }) = &self.fix {
            let call = tool.map(|tool| {
                let arguments = arguments.as_ref().map(|arguments| format!(" {arguments}"));
                format!(": {tool}{}", arguments.unwrap_or_default())
            });
            text.line(format!("   do: {say}{}", call.unwrap_or_default()));
        }
    }
}
