//! Logs to stderr (standard output is MCP's), and into the ring of `get_server_logs`. Neither is told secrets.

use std::io::{self, Write};

use kf_mcp_core::redact;
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
    let lines = match settings.log_format {
        LogFormat::Console => fmt::layer().with_writer(stderr).with_ansi(false).boxed(),
        LogFormat::Json => fmt::layer().json().with_writer(stderr).boxed(),
    };
    let started = tracing_subscriber::registry()
        .with(lines.with_filter(level(settings.log_level)))
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

/// Takes the secrets out of what is written. A record comes in one piece.
struct Redacting<W>(W);

fn stderr() -> Redacting<io::Stderr> {
    Redacting(io::stderr())
}

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.0.write_all(redact::secrets(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::fmt::MakeWriter;

    /// A writer whose text can be looked at.
    #[derive(Clone, Default)]
    struct Seen(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl Write for Seen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Seen {
        type Writer = Redacting<Self>;
        fn make_writer(&'a self) -> Self::Writer {
            Redacting(self.clone())
        }
    }

    #[test]
    fn what_is_logged_has_no_secrets_in_either_format() {
        for json in [false, true] {
            let seen = Seen::default();
            let layer = if json {
                fmt::layer().json().with_writer(seen.clone()).boxed()
            } else {
                fmt::layer().with_writer(seen.clone()).with_ansi(false).boxed()
            };
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
                tracing::warn!(
                    answered = "Authorization: Bearer abcdefghijklmnop0123",
                    job = "bert",
                    "failed"
                );
            });
            let text = String::from_utf8(seen.0.lock().unwrap().clone()).unwrap();
            assert!(
                !text.contains("abcdefghijklmnop0123") && text.contains("bert"),
                "{text}"
            );
            if json {
                let line: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(line["fields"]["job"], "bert", "{text}");
            }
        }
    }
}
