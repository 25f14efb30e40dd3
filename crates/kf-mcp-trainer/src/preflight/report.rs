//! [`Report`]: what the checks found.

use kf_mcp_core::ToolError;
use schemars::JsonSchema;
use serde::Serialize;

/// Something that would make the next submit fail, or the job never run.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Blocker {
    pub(crate) check: &'static str,
    /// What was asked.
    pub(crate) asked: String,
    /// What answered.
    pub(crate) answered: String,
    pub(crate) fix: String,
    /// A tool that helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool: Option<&'static str>,
    /// The argument that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
}

impl Blocker {
    /// The blocker in one line.
    pub(crate) fn words(&self) -> String {
        let fix = match (&*self.fix, self.tool) {
            ("", None) => String::new(),
            ("", Some(tool)) => format!(" Fix: {tool}"),
            (fix, _) => format!(" Fix: {fix}"),
        };
        format!(
            "{}: {}: {}.{fix}",
            self.check,
            self.asked,
            self.answered.trim_end_matches('.')
        )
    }
}

/// What the checks found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) blockers: Vec<Blocker>,
    pub(crate) warnings: Vec<String>,
    pub(crate) not_seen: Vec<String>,
    /// Checks that found nothing wrong.
    pub(crate) passed: Vec<&'static str>,
}

impl Report {
    /// A blocker.
    pub(crate) fn block(
        &mut self,
        check: &'static str,
        asked: impl Into<String>,
        answered: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.blockers.push(Blocker {
            check,
            asked: asked.into(),
            answered: answered.into(),
            fix: fix.into(),
            tool: None,
            field: None,
        });
    }

    /// A blocker that the submit would answer with this error.
    pub(crate) fn refuse(&mut self, check: &'static str, error: ToolError) {
        self.blockers.push(Blocker {
            check,
            asked: error.asked,
            answered: error.answered,
            fix: error.fix,
            tool: error.tool,
            field: error.field,
        });
    }

    /// Whether a check has found a blocker.
    pub(crate) fn blocks(&self, check: &str) -> bool {
        self.blockers.iter().any(|blocker| blocker.check == check)
    }

    /// Counts a check among those that found nothing wrong, if that is so.
    pub(crate) fn done(&mut self, check: &'static str) {
        if !self.blocks(check) {
            self.passed.push(check);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_passes_when_it_blocks_nothing() {
        let mut report = Report::default();
        report.block("quota", "take 2", "1 is left.", "ask for less");
        report.refuse(
            "runtime",
            ToolError::argument("runtime", "is odd").tool("list_runtimes"),
        );
        for check in ["quota", "runtime", "rights"] {
            report.done(check);
        }
        assert_eq!(report.passed, ["rights"]);
        assert_eq!(
            report.blockers[0].words(),
            "quota: take 2: 1 is left. Fix: ask for less"
        );
        assert_eq!(
            report.blockers[1].words(),
            "runtime: argument `runtime`: is odd. Fix: list_runtimes"
        );
    }
}
