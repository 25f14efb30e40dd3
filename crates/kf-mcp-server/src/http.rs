//! MCP over HTTP at `/mcp`, with `/health` (this process lives) and `/ready` (the API server answers).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::BodyExt;
use kf_mcp_core::{Caller, ToolError};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::auth::{self, Auth};
use crate::owners::{self, Owners};
use crate::tls::Tls;
use crate::{Server, listener, request_id};

/// How to serve HTTP.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Serve legacy clients without sessions, so that any replica can answer any request.
    pub stateless: bool,
    /// `Host` values that are served, besides loopback names. Others are refused: a page in a browser cannot rebind a name
    /// to this server.
    pub allowed_hosts: Vec<String>,
    /// `Origin` values that are served, besides loopback ones.
    pub allowed_origins: Vec<String>,
    /// Whose requests are served; without it everybody's, as the local user's.
    pub auth: Option<Arc<Auth>>,
    /// What the listener shows clients; without it they are spoken to in the clear.
    pub tls: Option<Arc<Tls>>,
    /// Legacy sessions at one time, in all.
    pub max_sessions: usize,
    /// How long calls that run may still take when the server is told to end.
    pub drain: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            stateless: false,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            auth: None,
            tls: None,
            max_sessions: 1000,
            drain: Duration::from_secs(10),
        }
    }
}

/// The largest request body: that of the largest arguments, with its frame.
pub(crate) const MAX_BODY: usize = 4 << 20;
/// How long connections may take to close after the last call has ended.
const CLOSE: Duration = Duration::from_secs(2);
/// A legacy session that says nothing this long is closed.
const IDLE_SESSION: Duration = Duration::from_secs(300);

/// The header that names a session.
const SESSION: &str = "mcp-session-id";

/// What the routes share.
#[derive(Debug)]
struct Gatekeeper {
    server: Server,
    sessions: Arc<LocalSessionManager>,
    stateless: bool,
    max_sessions: usize,
    owners: Owners,
    ending: AtomicBool,
    running: AtomicUsize,
    idle: Notify,
}

impl Server {
    /// Serves HTTP until `shutdown` resolves, then lets running calls end (bounded by `drain`) and closes what is left.
    pub async fn serve_http(
        &self,
        listener: TcpListener,
        options: HttpOptions,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let cancel = CancellationToken::new();
        let (router, keeper) = self.router(listener.local_addr()?, &options, cancel.clone());
        let drain = options.drain;
        let gone = cancel.clone();
        let ended = async move {
            shutdown.await;
            keeper.ending.store(true, Ordering::SeqCst);
            keeper.server.handler().ending().cancel();
            tracing::info!(running = keeper.running.load(Ordering::SeqCst), "ending");
            // First the calls that run, then the streams: the other way round calls would end as errors.
            if tokio::time::timeout(drain, keeper.until_idle()).await.is_err() {
                tracing::warn!("calls still run after {} s and are cut off", drain.as_secs());
            }
            cancel.cancel();
        };
        let served = listener::serve(listener, options.tls.clone(), router, ended);
        let overdue = async move {
            gone.cancelled().await;
            tokio::time::sleep(CLOSE).await;
        };
        tokio::select! {
            () = served => {}
            // A connection that never finishes its request would otherwise keep the process for ever.
            () = overdue => {}
        }
        Ok(())
    }

    fn router(&self, addr: SocketAddr, options: &HttpOptions, cancel: CancellationToken) -> (Router, Arc<Gatekeeper>) {
        let mut sessions = LocalSessionManager::default();
        // Priming events have no data, and older clients take them for broken JSON.
        sessions.session_config.sse_retry = None;
        sessions.session_config.keep_alive = Some(IDLE_SESSION);
        let sessions = Arc::new(sessions);
        let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        hosts.push(addr.ip().to_string());
        hosts.extend(options.allowed_hosts.iter().cloned());
        hosts.extend(options.auth.as_ref().and_then(|auth| auth.host()));
        let mut origins: Vec<String> = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"]
            .map(str::to_owned)
            .to_vec();
        origins.extend(options.allowed_origins.iter().cloned());
        let config = StreamableHttpServerConfig::default()
            .with_json_response(true)
            .with_sse_retry(None)
            .with_legacy_session_mode(!options.stateless)
            .with_allowed_hosts(hosts)
            .with_allowed_origins(origins)
            .with_max_request_body_bytes(MAX_BODY)
            .with_cancellation_token(cancel);
        let handler = self.handler();
        let service = StreamableHttpService::new(move || Ok(Arc::clone(&handler)), Arc::clone(&sessions), config);
        let keeper = Arc::new(Gatekeeper {
            server: self.clone(),
            sessions,
            stateless: options.stateless,
            max_sessions: options.max_sessions,
            owners: Owners::default(),
            ending: AtomicBool::new(false),
            running: AtomicUsize::new(0),
            idle: Notify::new(),
        });
        let mut mcp = Router::new()
            .route_service("/mcp", service)
            .layer(middleware::from_fn_with_state(Arc::clone(&keeper), admit));
        if let Some(auth) = &options.auth {
            let scheme = if options.tls.is_some() { "https" } else { "http" };
            mcp = auth.protect(mcp, format!("{scheme}://{addr}/mcp"));
        }
        let mcp = mcp.layer(middleware::from_fn(request_id::named));
        let router = Router::new()
            .route("/health", get(|| async { "ok\n" }))
            .route("/ready", get(ready).with_state(Arc::clone(&keeper)))
            .merge(mcp);
        (router, keeper)
    }
}

impl Gatekeeper {
    async fn until_idle(&self) {
        loop {
            let notified = self.idle.notified();
            if self.running.load(Ordering::SeqCst) == 0 {
                return;
            }
            notified.await;
        }
    }
}

/// Counts a running request, also when its client leaves.
struct Running(Arc<Gatekeeper>);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

/// Bounds the sessions, and counts the calls that run.
async fn admit(State(keeper): State<Arc<Gatekeeper>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let caller = auth::of_request(&request);
    let session = headers.get(SESSION).and_then(|id| id.to_str().ok());
    if session.is_some_and(|session| !keeper.owners.may(session, &caller)) {
        let text = "this session is somebody else's: begin one of your own with initialize\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let may_open_session = request.method() == Method::POST
        && !keeper.stateless
        && session.is_none()
        && headers.get("mcp-method").is_none_or(|method| method == "initialize");
    if may_open_session && keeper.sessions.sessions.read().await.len() >= keeper.max_sessions {
        let text = "too many sessions: try again later, or use a client that speaks MCP 2026-07-28, which needs none\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "30")], text).into_response();
    }
    if may_open_session && caller != Caller::Local {
        let live = keeper.sessions.sessions.read().await;
        let own = keeper.owners.count(&caller, |session| live.contains_key(session));
        if own >= owners::MOST {
            let text = "you have too many sessions: end one with DELETE, or use a client that speaks MCP 2026-07-28, which needs none\n";
            return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "30")], text).into_response();
        }
    }
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    keeper.running.fetch_add(1, Ordering::SeqCst);
    let running = Running(Arc::clone(&keeper));
    let response = next.run(request).await;
    // where all are one caller, nobody's session is another's
    let opened = response.headers().get(SESSION).and_then(|id| id.to_str().ok());
    if let Some(session) = opened.filter(|_| may_open_session && caller != Caller::Local) {
        keeper.owners.opened(session, &caller);
    }
    let streams = response.headers().get(header::CONTENT_TYPE);
    if !streams.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        return response;
    }
    // The head of a streamed answer comes at once: the call runs until its body has ended.
    let (head, body) = response.into_parts();
    let body = body.map_frame(move |frame| {
        let _until_the_end = &running;
        frame
    });
    Response::from_parts(head, Body::new(body))
}

/// Ready when the API server answers and the process is not ending.
async fn ready(State(keeper): State<Arc<Gatekeeper>>) -> Response {
    if keeper.ending.load(Ordering::SeqCst) {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n").into_response();
    }
    match keeper.server.engine().cluster().answers().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            let error = ToolError::from(error);
            let text = format!("{}\n{}\n", error.answered, error.fix);
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}
