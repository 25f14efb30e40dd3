//! A cluster that tests work on: the sandbox, whose time moves by hand, or a real control plane, whose time passes by itself.

use std::time::{Duration, Instant};

use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use jiff::SignedDuration;
use kf_mcp_sandbox::Sandbox;
use kube::Client;
use kube::client::Body;
use serde_json::Value;

use crate::seen::Write;

/// How long a test waits for something to happen by itself.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often a real cluster is asked whether it has happened.
const PACE: Duration = Duration::from_millis(100);
/// How far the sandbox's clock moves between two looks.
const STEP: SignedDuration = SignedDuration::from_secs(1);

/// The label of namespaces that tests make.
pub const TEST: &str = "kubeflow-mcp/test";

/// A cluster.
#[derive(Clone)]
pub enum Place {
    /// The embedded one.
    Sandbox(Sandbox),
    /// A real one, through a client with all rights.
    Real(Client),
}

/// What an API server answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub code: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
}

impl Reply {
    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Place {
    /// Which of the two it is, for messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sandbox(_) => "sandbox",
            Self::Real(_) => "control plane",
        }
    }

    /// A client with all rights.
    #[must_use]
    pub fn client(&self) -> Client {
        match self {
            Self::Sandbox(sandbox) => sandbox.client(),
            Self::Real(client) => client.clone(),
        }
    }

    /// Sends a request as it is and reads the whole answer. A runtime is written when Trainer has seen it, too.
    ///
    /// # Panics
    /// When there is no answer.
    #[allow(clippy::expect_used, reason = "a test without an answer cannot go on")]
    pub async fn send(&self, request: Request<Vec<u8>>) -> Reply {
        let write = Write::of(&request);
        let response = self.client().send(request.map(Body::from)).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let bytes = body
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let reply = Reply {
            code: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        };
        if let (Self::Real(_), Some(write), true) = (self, write, reply.code.is_success()) {
            write.seen(self, &reply.json()).await;
        }
        reply
    }

    /// Sends a method, path with query, content type and JSON body.
    ///
    /// # Panics
    /// When the request cannot be written or there is no answer.
    #[allow(clippy::expect_used, reason = "a test without an answer cannot go on")]
    pub async fn ask(&self, method: &str, path: &str, content: &str, body: Option<&Value>) -> Reply {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("accept", "application/json");
        if body.is_some() {
            request = request.header("content-type", content);
        }
        self.send(request.body(bytes).expect("a request")).await
    }

    /// Makes a namespace and waits until pods can be created in it.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn make_namespace(&self, name: &str) {
        let body = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {TEST: "1"}}});
        let made = self
            .ask("POST", "/api/v1/namespaces", "application/json", Some(&body))
            .await;
        assert!(made.code.is_success(), "make the namespace {name}: {}", made.text);
        let account = format!("/api/v1/namespaces/{name}/serviceaccounts/default");
        self.until("the default service account", async || {
            self.ask("GET", &account, "", None)
                .await
                .code
                .is_success()
                .then_some(())
        })
        .await;
    }

    /// Looks until there is something, and lets time pass between the looks.
    ///
    /// # Panics
    /// When nothing comes in three minutes.
    pub async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        let mut looks = 0;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            looks += 1;
            let over = match self {
                Self::Sandbox(sandbox) => {
                    sandbox.advance(STEP);
                    looks > 3600
                }
                Self::Real(_) => {
                    tokio::time::sleep(PACE).await;
                    begun.elapsed() > PATIENCE
                }
            };
            assert!(!over, "waited in vain on the {} for: {what}", self.name());
        }
    }
}
