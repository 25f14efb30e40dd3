//! The person behind a client: whether it can be asked, and what it said.

use crate::error::{ErrorCode, ToolError};

/// What a client can do about the person behind it, and what that person said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Person {
    /// The client cannot ask.
    #[default]
    Unreachable,
    /// The client can ask.
    Reachable,
    /// It has asked.
    Said {
        /// The plan it was asked about.
        plan_id: String,
        /// What it said.
        reply: Reply,
    },
}

/// What a person said to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Yes.
    Accepted,
    /// No.
    Declined,
    /// The question was put away.
    Dismissed,
    /// Nothing, for so many seconds.
    Silent(u64),
}

impl Reply {
    /// Goes on with a yes. Everything else ends the call, and nothing has changed.
    pub(super) fn check(self, tool: &str) -> Result<(), ToolError> {
        let (code, said) = match self {
            Self::Accepted => return Ok(()),
            Self::Declined => (
                ErrorCode::Declined,
                "the person said no; nothing has changed".to_owned(),
            ),
            Self::Dismissed => (
                ErrorCode::Cancelled,
                "the person put the question away; nothing has changed".to_owned(),
            ),
            Self::Silent(seconds) => (
                ErrorCode::Timeout,
                format!("the person did not answer within {seconds} s; nothing has changed"),
            ),
        };
        let error = ToolError::new(code, format!("ask the person about {tool}"), said);
        Err(match self {
            Self::Silent(_) => error.fix("ask the person whether to try again"),
            _ => error.fix("ask the person what they want instead; do not try again on your own"),
        })
    }
}
