//! Logs to stderr (standard output is MCP's), and into the ring of `get_server_logs`.

use kf_mcp_core::telemetry::ServerLog;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::settings::{LogFormat, Settings};

/// Starts logging. Libraries only tell warnings: at lower levels rmcp prints whole messages, arguments included.
pub(crate) fn start(settings: &Settings) -> ServerLog {
    let log = ServerLog::default();
    let level = |ours: tracing::Level| {
        Targets::new().with_default(tracing::Level::WARN).with_targets(
            [
                "kf_mcp_core",
                "kf_mcp_server",
                "kf_mcp_trainer",
                "kf_mcp_optimizer",
                "kf_mcp_hub",
                "kf_mcp_sandbox",
                "kubeflow_mcp",
            ]
            .map(|t| (t, ours)),
        )
    };
    let stderr = match settings.log_format {
        LogFormat::Console => fmt::layer().with_writer(std::io::stderr).with_ansi(false).boxed(),
        LogFormat::Json => fmt::layer().json().with_writer(std::io::stderr).boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(stderr.with_filter(level(settings.log_level)))
        .with(
            log.layer()
                .with_filter(level(settings.log_level.max(tracing::Level::DEBUG))),
        )
        .try_init();
    debug_assert!(started.is_ok());
    for variable in &settings.unknown_variables {
        tracing::warn!("environment variable {variable} is not known and has no effect");
    }
    log
}
