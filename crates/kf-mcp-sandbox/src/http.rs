//! The API server over HTTP, and how clients find it.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::response::IntoResponse;
use axum::serve::ListenerExt;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::apiserver::Service;

/// Serves until `shutdown` is done; open watches are then ended rather than waited for.
pub(crate) async fn serve(
    service: Service,
    closing: CancellationToken,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = tower::service_fn(move |request: http::Request<axum::body::Body>| {
        let service = service.clone();
        async move {
            let response = match service.oneshot(request).await {
                Ok(response) => response.map(axum::body::Body::new),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
            };
            Ok::<_, Infallible>(response)
        }
    });
    // small answers must not wait for each other
    let listener = listener.tap_io(|tcp| {
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
    });
    axum::serve(listener, Router::new().fallback_service(app))
        .with_graceful_shutdown(async move {
            shutdown.await;
            closing.cancel();
        })
        .await
}

/// A kubeconfig with one context, `sandbox`.
pub(crate) fn kubeconfig(addr: SocketAddr, namespace: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: sandbox
  cluster:
    server: http://{addr}
users:
- name: sandbox
  user: {{}}
contexts:
- name: sandbox
  context:
    cluster: sandbox
    user: sandbox
    namespace: {namespace}
current-context: sandbox
"
    )
}
