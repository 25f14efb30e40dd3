//! `call`: one tool through the same pipeline as the server's.

use std::process::ExitCode;

use kf_mcp_core::audit::Audit;
use kf_mcp_core::kube::ActAs;
use kf_mcp_core::{CallMeta, Caller, Progress};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::options::{CallOptions, Format};
use crate::settings::{Settings, Unusable};
use crate::{open, shutdown};

pub(crate) async fn run(options: CallOptions) -> anyhow::Result<ExitCode> {
    let arguments = arguments(&options)?;
    let settings = Settings::load(&options.common, options.common.flags(), true)?;
    let server = open::server(&settings, Audit::default(), ActAs::Own)?;
    let engine = server.engine();
    let live = arguments
        .get("follow")
        .is_some_and(|v| *v == Value::Bool(true) || v == "true");
    let cancelled = CancellationToken::new();
    let (sink, mut reports) = tokio::sync::mpsc::channel::<Progress>(256);
    let meta = CallMeta {
        cancelled: cancelled.clone(),
        progress: live.then_some(sink),
        // who typed confirmed=true is the person: nobody else is asked
        ..CallMeta::local()
    };
    let call = engine.call(&options.tool, arguments, meta);
    let mut call = std::pin::pin!(call);
    let mut end = std::pin::pin!(shutdown::requested());
    let mut shown = 0_usize;
    let called = loop {
        tokio::select! {
            Some(report) = reports.recv() => {
                super::print(&report.message)?;
                shown += 1;
            }
            // The tool then answers that it was cancelled.
            () = &mut end, if !cancelled.is_cancelled() => cancelled.cancel(),
            called = &mut call => break called,
        }
    };
    while let Ok(report) = reports.try_recv() {
        super::print(&report.message)?;
        shown += 1;
    }
    let Some(called) = called else {
        let near = engine
            .nearest(&options.tool, &Caller::Local)
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        let catalogue = engine.catalogue();
        let have: Vec<&str> = catalogue.tools().iter().map(|tool| tool.spec.name).collect();
        return Err(Unusable(format!(
            "unknown tool `{}`{near} (tools: {})",
            options.tool,
            have.join(", ")
        ))
        .into());
    };
    let answer = called.answer;
    match options.format {
        Format::Json => super::print(&serde_json::to_string_pretty(&answer.structured)?)?,
        // The lines were printed as they came.
        Format::Table if shown > 0 && !answer.is_error => {}
        Format::Table => super::print(&answer.text)?,
    }
    Ok(if answer.is_error {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// NAME=VALUE pairs over the JSON object. Values stay text here: the tool's schema says what they are.
fn arguments(options: &CallOptions) -> Result<Map<String, Value>, Unusable> {
    let mut arguments = match &options.json {
        None => Map::new(),
        Some(json) => match serde_json::from_str(json) {
            Ok(Value::Object(map)) => map,
            Ok(_) => return Err(Unusable("--json is not a JSON object".into())),
            Err(error) => return Err(Unusable(format!("--json: {error}"))),
        },
    };
    for pair in &options.arguments {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Unusable(format!("argument `{pair}` is not of the form NAME=VALUE")));
        };
        arguments.insert(name.to_owned(), Value::String(value.to_owned()));
    }
    Ok(arguments)
}
