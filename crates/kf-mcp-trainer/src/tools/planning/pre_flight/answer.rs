//! What `pre_flight` answers.

use std::collections::BTreeMap;

use kf_mcp_core::{Render, Text};
use kf_mcp_trainjob::Runtime;
use schemars::JsonSchema;
use serde::Serialize;

use super::PreFlight;
use crate::pods::outside;
use crate::preflight::{Blocker, Report};
use crate::quota::{Demand, written};

/// What `pre_flight` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Flight {
    /// Whether nothing blocks.
    ready: bool,
    blockers: Vec<Blocker>,
    warnings: Vec<String>,
    /// Checks that could not be made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
    /// Checks that found nothing wrong.
    passed: Vec<&'static str>,
    namespace: String,
    /// The tool that the checks are for.
    #[serde(skip_serializing_if = "Option::is_none")]
    submit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<String>,
    num_workers: u32,
    /// What each training pod asks for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    each: BTreeMap<String, String>,
    /// Its version, where there was room to ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<String>,
}

impl Flight {
    pub(super) fn new(
        call: &PreFlight,
        namespace: String,
        runtime: Option<&Runtime>,
        demand: Option<&Demand>,
        report: Report,
        kubernetes: Option<String>,
    ) -> Self {
        let each = demand.into_iter().flat_map(|demand| &demand.each);
        let tool = |runtime: &Runtime| {
            if runtime.is_torchtune() {
                "fine_tune"
            } else {
                "run_custom_training"
            }
        };
        Self {
            ready: report.blockers.is_empty(),
            blockers: report.blockers,
            warnings: report.warnings,
            not_seen: report.not_seen,
            passed: report.passed,
            namespace,
            submit: runtime.map(tool),
            runtime: runtime.map(|runtime| outside(&runtime.name)),
            num_workers: call.num_workers,
            each: each
                .map(|(resource, amount)| (outside(resource), written(resource, *amount)))
                .collect(),
            kubernetes,
        }
    }
}

impl Render for Flight {
    fn render(&self, text: &mut Text) {
        text.fact("ready", if self.ready { "yes" } else { "NO" });
        let each: Vec<String> = self
            .each
            .iter()
            .map(|(resource, amount)| format!("{amount} {resource}"))
            .collect();
        let each = if each.is_empty() {
            String::new()
        } else {
            format!(" with {}", each.join(", "))
        };
        text.fact(
            "job",
            format!(
                "{} on {} in {}: {} node{}{each}",
                self.submit.unwrap_or("any"),
                self.runtime.as_deref().unwrap_or("no runtime"),
                self.namespace,
                self.num_workers,
                if self.num_workers == 1 { "" } else { "s" }
            ),
        );
        text.facts("BLOCKER", self.blockers.iter().map(Blocker::words));
        text.facts("warning", &self.warnings);
        text.facts("not seen", &self.not_seen);
        text.fact("passed", self.passed.join(", "));
        text.fact("Kubernetes", self.kubernetes.as_deref().unwrap_or_default());
    }
}
