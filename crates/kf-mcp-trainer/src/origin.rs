//! Whose a training job is, by the labels that this server puts on what it creates. They are advisory: whoever may edit an
//! object may edit its labels.

use std::collections::BTreeMap;

use kf_mcp_core::caller::CALLER_LABEL;
use kf_mcp_trainjob::{MANAGED_BY_LABEL, MANAGED_BY_VALUE};
use serde::Serialize;

use crate::pods::outside;

/// Who created a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Origin {
    /// In words, with the label's value.
    #[serde(rename = "created_by")]
    by: String,
    /// What a caller who is about to change the job must know.
    #[serde(skip)]
    pub(crate) warning: Option<String>,
}

impl Origin {
    /// The words for a text that shows warnings too: none when a warning says the same.
    pub(crate) fn line(&self) -> &str {
        if self.warning.is_some() { "" } else { &self.by }
    }

    /// Reads the labels of a job; `mine` is the caller's own mark.
    pub(crate) fn of(labels: &BTreeMap<String, String>, mine: &str) -> Self {
        if labels.get(MANAGED_BY_LABEL).map(String::as_str) != Some(MANAGED_BY_VALUE) {
            return Self {
                by: format!("not this server: no label {MANAGED_BY_LABEL}={MANAGED_BY_VALUE}"),
                warning: Some(format!(
                    "it was not created through this server (it has no label {MANAGED_BY_LABEL}={MANAGED_BY_VALUE}): somebody \
                     else may rely on it"
                )),
            };
        }
        match labels.get(CALLER_LABEL).map(|caller| outside(caller)) {
            Some(caller) if caller == mine => Self {
                by: format!("this server, for you ({CALLER_LABEL}={caller})"),
                warning: None,
            },
            Some(caller) => Self {
                by: format!("this server, for another caller ({CALLER_LABEL}={caller})"),
                warning: Some(format!(
                    "it was created through this server for another caller ({CALLER_LABEL}={caller}): somebody else may rely \
                     on it"
                )),
            },
            None => Self {
                by: format!("this server, for whom is not known: no label {CALLER_LABEL}"),
                warning: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_say_whose_a_job_is() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        for (pairs, by, warned) in [
            (&[][..], "not this server", true),
            (&[(MANAGED_BY_LABEL, "helm")], "not this server", true),
            (&[(CALLER_LABEL, "me")], "not this server", true),
            (
                &[(MANAGED_BY_LABEL, "mcp"), (CALLER_LABEL, "me")],
                "this server, for you (kubeflow-mcp/caller=me)",
                false,
            ),
            (
                &[(MANAGED_BY_LABEL, "mcp"), (CALLER_LABEL, "you")],
                "this server, for another caller (kubeflow-mcp/caller=you)",
                true,
            ),
            (
                &[(MANAGED_BY_LABEL, "mcp")],
                "this server, for whom is not known",
                false,
            ),
        ] {
            let origin = Origin::of(&labels(pairs), "me");
            assert!(origin.by.starts_with(by), "{origin:?}");
            assert_eq!(origin.warning.is_some(), warned, "{origin:?}");
        }
    }
}
