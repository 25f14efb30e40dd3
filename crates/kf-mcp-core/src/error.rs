//! [`ToolError`]: what was asked, what answered, and what to do next.

use std::fmt;

use serde::Serialize;

use crate::redact;
use crate::text;

/// The closed list of reasons for which a call fails. Agents may branch on them, so they never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// An argument is missing, unknown, of the wrong type or out of range.
    InvalidArgument,
    /// The thing asked for does not exist.
    NotFound,
    /// A thing of that name exists already.
    AlreadyExists,
    /// Somebody else changed the object in between.
    Conflict,
    /// The plan that was confirmed is no longer what would happen.
    StalePlan,
    /// Kubernetes does not allow it to this caller.
    Forbidden,
    /// Kubernetes does not know this caller.
    Unauthenticated,
    /// The operator of this server does not allow it.
    DeniedByPolicy,
    /// An admission webhook or a validation rule of the cluster refused.
    AdmissionDenied,
    /// A Kubeflow component is not installed.
    NotInstalled,
    /// This server or that cluster version cannot do it.
    Unsupported,
    /// The server could not be reached.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// Too many requests.
    RateLimited,
    /// The list changed too much to go on from this cursor.
    ExpiredCursor,
    /// The person said no.
    Declined,
    /// The client gave the call up.
    Cancelled,
    /// A defect of this server.
    Internal,
}

impl ErrorCode {
    /// The code as it is written in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::StalePlan => "stale_plan",
            Self::Forbidden => "forbidden",
            Self::Unauthenticated => "unauthenticated",
            Self::DeniedByPolicy => "denied_by_policy",
            Self::AdmissionDenied => "admission_denied",
            Self::NotInstalled => "not_installed",
            Self::Unsupported => "unsupported",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::RateLimited => "rate_limited",
            Self::ExpiredCursor => "expired_cursor",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// Why a call failed, in words that help the caller to do something about it.
///
/// Texts from outside (API servers, arguments) are cleaned of control characters, redacted and bounded on the way in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct ToolError {
    /// The machine-readable reason.
    pub code: ErrorCode,
    /// What was asked, for example "read training job `bert` in namespace `team-a`".
    pub asked: String,
    /// What answered, and what it said.
    pub answered: String,
    /// What the caller can do next.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fix: String,
    /// A tool that helps. The catalogue drops names that this caller cannot see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<&'static str>,
    /// The argument that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl ToolError {
    /// An error with a code, what was asked and what answered.
    pub fn new(code: ErrorCode, asked: impl Into<String>, answered: impl Into<String>) -> Self {
        Self {
            code,
            asked: text::bounded(&text::clean(&asked.into()), 400),
            answered: text::bounded(&redact::secrets(&text::clean(&answered.into())), 2000),
            fix: String::new(),
            tool: None,
            field: None,
        }
    }

    /// A bad argument: which, and why.
    pub fn argument(field: impl Into<String>, why: impl Into<String>) -> Self {
        let field = field.into();
        let mut error = Self::new(ErrorCode::InvalidArgument, format!("argument `{field}`"), why);
        error.field = Some(field);
        error
    }

    /// Says what to do next.
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = text::bounded(&text::clean(&fix.into()), 1000);
        self
    }

    /// Names a tool that helps.
    pub fn tool(mut self, tool: &'static str) -> Self {
        self.tool = Some(tool);
        self
    }

    /// Says what was asked, in the tool's words instead of the request's.
    pub fn asked(mut self, asked: impl Into<String>) -> Self {
        self.asked = text::bounded(&text::clean(&asked.into()), 400);
        self
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.code.as_str(), self.asked, self.answered)?;
        let named = |field: &str| self.asked.contains(field) || self.answered.contains(field);
        if let Some(field) = self.field.as_deref().filter(|field| !named(field)) {
            write!(f, "\nargument: {field}")?;
        }
        if !self.fix.is_empty() {
            write!(f, "\nfix: {}", self.fix)?;
        }
        if let Some(tool) = self.tool {
            write!(f, "\nsee: {tool}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ToolError {}
