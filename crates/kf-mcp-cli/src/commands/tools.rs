//! `tools`: the catalogue, without a cluster.

use std::process::ExitCode;

use crate::open;
use crate::options::{Format, ToolsOptions};
use crate::settings::Settings;

pub(crate) fn run(options: &ToolsOptions) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&options.common, options.common.flags(), true)?;
    let catalogue = open::catalogues(&settings)?.default();
    if options.format == Format::Json {
        super::print(&serde_json::to_string_pretty(catalogue.tools())?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let width = catalogue
        .tools()
        .iter()
        .map(|tool| tool.spec.name.len())
        .max()
        .unwrap_or(0);
    for tool in catalogue.tools() {
        let (phase, risk) = (tool.spec.phase.as_str(), tool.spec.risk.as_str());
        let about = tool.description.split(". ").next().unwrap_or_default();
        super::print(&format!("{:width$}  {phase:12}  {risk:11}  {about}", tool.spec.name))?;
    }
    super::print(&format!(
        "{} tools for {}",
        catalogue.tools().len(),
        catalogue.persona()
    ))?;
    Ok(ExitCode::SUCCESS)
}
