//! `serve`: MCP over standard input and output, or over HTTP.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use kf_mcp_server::Server;
use kf_mcp_server::http::HttpOptions;
use tokio::net::TcpListener;

use crate::options::ServeOptions;
use crate::settings::{Settings, TransportKind, Unusable};
use crate::{callers, open, shutdown};

/// How many threads serve HTTP when the machine has many cores.
const MOST_THREADS: usize = 8;

pub(crate) fn run(options: &ServeOptions) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&options.common, options.flags(), false)?;
    let threads = match settings.transport {
        // One client, and mostly one call at a time.
        TransportKind::Stdio => 1,
        TransportKind::Http => std::thread::available_parallelism()
            .map_or(2, usize::from)
            .min(MOST_THREADS),
    };
    super::run_on(threads, serve(&settings))
}

async fn serve(settings: &Settings) -> anyhow::Result<ExitCode> {
    let http = settings.transport == TransportKind::Http;
    if let Some(problem) = settings.auth.problem(http) {
        return Err(Unusable(problem.into()).into());
    }
    let server = open::server(settings, open::audit(settings)?, settings.auth.acts.clone())?;
    let engine = server.engine().clone();
    if let Some(file) = &settings.policy {
        open::follow_policy(server.engine().clone(), file.clone());
    }
    match settings.transport {
        TransportKind::Stdio => {
            banner(settings, &server, "stdio");
            tokio::select! {
                done = server.serve_stdio() => done?,
                () = shutdown::requested() => {}
            }
        }
        TransportKind::Http => {
            let auth = callers::of(settings, server.engine())?;
            let tls = settings.auth.tls.as_ref().map(callers::tls).transpose()?;
            if auth.is_none() && !settings.host.is_loopback() {
                tracing::warn!(
                    "nobody is asked who they are: whoever reaches {} acts as this server",
                    settings.host
                );
            }
            let addr = SocketAddr::new(settings.host, settings.port);
            let listener = TcpListener::bind(addr)
                .await
                .with_context(|| format!("listen on {addr}"))?;
            let scheme = if tls.is_some() { "https" } else { "http" };
            banner(settings, &server, &format!("{scheme}://{}/mcp", listener.local_addr()?));
            let options = HttpOptions {
                stateless: settings.stateless,
                allowed_hosts: settings.allowed_hosts.clone(),
                allowed_origins: settings.allowed_origins.clone(),
                auth,
                tls,
                ..HttpOptions::default()
            };
            server.serve_http(listener, options, shutdown::requested()).await?;
        }
    }
    engine.flush_audit().await;
    Ok(ExitCode::SUCCESS)
}

/// One line about what is served, on stderr.
fn banner(settings: &Settings, server: &Server, place: &str) {
    if settings.no_banner {
        return;
    }
    let catalogue = server.engine().catalogue();
    tracing::info!(
        "kubeflow-mcp {} on {place}: {} tools of {} for {}",
        env!("CARGO_PKG_VERSION"),
        catalogue.tools().len(),
        if catalogue.clients().is_empty() {
            "core".to_owned()
        } else {
            catalogue.clients().join(", ")
        },
        catalogue.persona(),
    );
}
