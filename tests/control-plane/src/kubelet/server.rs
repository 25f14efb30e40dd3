//! The kubelet's HTTP server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Tls;
use super::listener::TlsListener;
use super::options::{Options, Refusal};
use super::pods::Pods;
use super::run::Run;
use super::session::{Asked, Session, container};

/// How long connections may take to close after the end.
const CLOSE: Duration = Duration::from_secs(1);

/// What the requests share.
struct Shared {
    pods: Arc<dyn Pods>,
    logs: PathBuf,
    closing: CancellationToken,
}

/// Serves until `shutdown`.
pub(crate) async fn serve(
    pods: Arc<dyn Pods>,
    logs: PathBuf,
    listener: TcpListener,
    tls: &Tls,
    shutdown: CancellationToken,
) -> Result<()> {
    let listener = TlsListener::new(listener, tls)?;
    let closing = shutdown.clone();
    let router = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/containerLogs/{namespace}/{pod}/{container}", get(container_logs))
        .fallback(async || (StatusCode::NOT_FOUND, "404 page not found\n"))
        .with_state(Arc::new(Shared { pods, logs, closing }));
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(shutdown.clone().cancelled_owned())
        .into_future();
    let overdue = async move {
        shutdown.cancelled().await;
        tokio::time::sleep(CLOSE).await;
    };
    tokio::select! {
        done = served => done.context("serve logs"),
        // a client that reads no more of a log would otherwise keep the server for ever
        () = overdue => Ok(()),
    }
}

async fn container_logs(
    State(shared): State<Arc<Shared>>,
    Path((namespace, name, container_name)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let options = Options::parse(query.as_deref().unwrap_or_default(), Timestamp::now())?;
    let absent = || Refusal(StatusCode::NOT_FOUND, format!("pod {name:?} does not exist"));
    // these become part of other paths
    if !is_name(&namespace) || !is_name(&name) {
        return Err(absent());
    }
    let found = shared.pods.get(&namespace, &name).await.map_err(broken)?;
    let pod = found.ok_or_else(absent)?;
    if container(&pod, &container_name).is_none() {
        let words = format!("container {container_name:?} not found in pod {name:?}");
        return Err(Refusal(StatusCode::NOT_FOUND, words));
    }
    let run = Run::choose(&pod, &container_name, options.previous)?;
    let changes = (options.follow && run.running).then(|| shared.pods.changes(&pod));
    let asked = Asked {
        dir: shared.logs.join(format!("{namespace}_{name}")).join(&container_name),
        pod,
        container: container_name,
        run,
    };
    let session = Session::open(asked, &options, changes, shared.closing.clone());
    let session = session.await.map_err(broken)?;
    let plain = [(header::CONTENT_TYPE, "text/plain")];
    Ok((plain, Body::from_stream(session.stream())).into_response())
}

/// Whether a name can be that of a pod or a namespace.
fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    name.chars().all(inner) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn broken(error: impl std::fmt::Display) -> Refusal {
    Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
