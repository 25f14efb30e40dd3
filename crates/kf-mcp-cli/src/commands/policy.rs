//! `policy check`: what a policy leaves of the tools, without a cluster.

use std::process::ExitCode;
use std::sync::Arc;

use kf_mcp_core::Policy;
use kf_mcp_core::policy::Allowance;
use kf_mcp_core::tool::ToolSpec;
use serde_json::{Value, json};

use crate::open;
use crate::options::{Format, PolicyCheckOptions};
use crate::settings::Unusable;

pub(crate) fn check(options: &PolicyCheckOptions) -> anyhow::Result<ExitCode> {
    let policy = Policy::read(&options.file).map_err(|error| Unusable(error.to_string()))?;
    let odd = open::oddities(&policy)?;
    let tools = open::all_tools()?;
    let specs: Vec<&ToolSpec> = tools.specs().collect();
    let policy = Arc::new(policy);
    let names: Vec<&str> = match &options.persona {
        Some(name) => vec![name],
        None => policy.persona_names().collect(),
    };
    let mut rows = Vec::new();
    for name in names {
        let role = policy.role(name).map_err(Unusable)?;
        let allowance = policy.allowance(role);
        match options.format {
            Format::Json => rows.extend(specs.iter().map(|spec| row(&allowance, spec))),
            Format::Table => super::print(&table(&allowance, &specs))?,
        }
    }
    match options.format {
        Format::Json => super::print(&serde_json::to_string_pretty(&json!({"tools": rows, "warnings": odd}))?)?,
        Format::Table => {
            for odd in odd {
                super::print(&format!("warning: {odd}"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a tool is allowed, and by which rule.
fn decided(allowance: &Allowance, spec: &ToolSpec) -> (bool, String) {
    match allowance.tool(spec) {
        Ok(by) => (true, by),
        Err(refusal) => (false, refusal.why),
    }
}

fn row(allowance: &Allowance, spec: &ToolSpec) -> Value {
    let (allowed, by) = decided(allowance, spec);
    json!({
        "persona": allowance.role().name(), "tool": spec.name, "category": spec.phase.as_str(), "risk": spec.risk.as_str(),
        "allowed": allowed, "own_only": allowed && allowance.only_own(spec), "by": by,
    })
}

fn table(allowance: &Allowance, specs: &[&ToolSpec]) -> String {
    let width = specs.iter().map(|spec| spec.name.len()).max().unwrap_or_default();
    let all: Vec<_> = specs.iter().map(|spec| (spec, decided(allowance, spec))).collect();
    let allowed = all.iter().filter(|(_, (allowed, _))| *allowed).count();
    let mut text = format!(
        "persona {}: {allowed} of {} tools",
        allowance.role().name(),
        specs.len()
    );
    for (spec, (allowed, by)) in all {
        let word = match (allowed, allowance.only_own(spec)) {
            (true, false) => "yes",
            (true, true) => "own",
            (false, _) => "no",
        };
        text.push_str(&format!("\n  {:width$}  {word:3}  {by}", spec.name));
    }
    text
}
