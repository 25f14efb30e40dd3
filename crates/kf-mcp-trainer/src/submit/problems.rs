//! [`Problems`]: all that is wrong with a call, told at once.

use kf_mcp_core::{ErrorCode, ToolError};

/// As many problems as one error tells.
const MOST: usize = 20;

/// All that is wrong with a call.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<(String, String)>,
    fixes: Vec<String>,
}

impl Problems {
    /// A field and what is wrong with it, as the end of a sentence that begins with the field.
    pub(crate) fn add(&mut self, field: impl Into<String>, why: impl Into<String>) {
        self.found.push((field.into(), why.into()));
    }

    /// What to do, where the problem does not say it.
    pub(crate) fn fix(&mut self, fix: &str) {
        if !self.fixes.iter().any(|known| known == fix) {
            self.fixes.push(fix.to_owned());
        }
    }

    /// An error when anything is wrong with the call of `tool`.
    pub(crate) fn settle(self, tool: &str) -> Result<(), ToolError> {
        let Some((first, _)) = self.found.first() else {
            return Ok(());
        };
        let told: Vec<String> = self
            .found
            .iter()
            .take(MOST)
            .map(|(field, why)| format!("`{field}` {why}"))
            .collect();
        let mut error = ToolError::new(
            ErrorCode::InvalidArgument,
            format!("call of {tool}"),
            format!("{}.", told.join("; ")),
        );
        error.field = first.split(['.', '[']).next().map(str::to_owned);
        Err(if self.fixes.is_empty() {
            error
        } else {
            error.fix(self.fixes.join("; "))
        })
    }
}
