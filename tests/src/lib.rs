//! The world that tests call tools in: a sandbox with a clock that moves by hand, and the whole call pipeline over it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kf_mcp_core::kube::Cluster;
use kf_mcp_core::kube::gate::Asked;
use kf_mcp_core::{Answer, CallMeta, Catalogue, ClientModule, Clock, Persona, Selection};
use kf_mcp_sandbox::{Clock as SandboxClock, Sandbox};
use kf_mcp_server::Server;
use serde_json::{Map, Value};

/// All components.
pub const MODULES: &[&dyn ClientModule] = &[&kf_mcp_trainer::MODULE, &kf_mcp_optimizer::MODULE, &kf_mcp_hub::MODULE];

/// The moment at which every test's world begins.
pub const START: &str = "2026-03-02T09:00:00Z";

/// A sandbox and a server on it.
#[derive(Debug)]
pub struct World {
    /// The cluster.
    pub sandbox: Sandbox,
    /// The server.
    pub server: Server,
}

impl World {
    /// A world from a scenario, for a platform admin with all components.
    ///
    /// # Panics
    /// When there is no such scenario.
    #[must_use]
    pub fn new(scenario: &str) -> Self {
        Self::with(scenario, |settings| settings)
    }

    /// A world with a configuration for the components.
    ///
    /// # Panics
    /// When there is no such scenario.
    #[must_use]
    #[allow(clippy::expect_used, reason = "a test's set-up has nobody to tell")]
    pub fn with(scenario: &str, configure: impl FnOnce(Map<String, Value>) -> Map<String, Value>) -> Self {
        let start: Timestamp = START.parse().expect("a time");
        let sandbox = Sandbox::named(scenario, SandboxClock::manual(start)).expect("a scenario");
        let server = server(&sandbox, Persona::PlatformAdmin, configure(Map::new()));
        Self { sandbox, server }
    }

    /// Calls a tool.
    ///
    /// # Panics
    /// When there is no such tool.
    pub async fn call(&self, tool: &str, arguments: Value) -> Answer {
        self.called(tool, arguments).await.0
    }

    /// Calls a tool; the answer, and what it asked of the API server.
    ///
    /// # Panics
    /// When there is no such tool.
    #[allow(clippy::expect_used, reason = "a test names tools that exist")]
    pub async fn called(&self, tool: &str, arguments: Value) -> (Answer, Vec<Asked>) {
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let called = self
            .server
            .engine()
            .call(tool, arguments, CallMeta::local())
            .await
            .expect("a tool");
        (called.answer, called.asked)
    }

    /// Calls a tool that must succeed; its structured answer.
    ///
    /// # Panics
    /// When the call fails.
    pub async fn good(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments).await;
        assert!(!answer.is_error, "{tool}: {}", answer.text);
        answer.structured
    }

    /// Calls a tool that must fail; its error.
    ///
    /// # Panics
    /// When the call succeeds.
    pub async fn bad(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments).await;
        assert!(answer.is_error, "{tool} should fail: {}", answer.text);
        answer.structured["error"].clone()
    }

    /// Lets the cluster's time go on.
    pub fn pass(&self, seconds: i64) {
        self.sandbox.advance(SignedDuration::from_secs(seconds));
    }
}

/// A server on a sandbox.
///
/// # Panics
/// When the components do not make a catalogue.
#[must_use]
#[allow(clippy::expect_used, reason = "a test's set-up has nobody to tell")]
pub fn server(sandbox: &Sandbox, persona: Persona, settings: Map<String, Value>) -> Server {
    let clients = MODULES.iter().map(|module| module.name().to_owned()).collect();
    let catalogue = Catalogue::new(MODULES, &Selection { clients, persona }).expect("a catalogue");
    let cluster = Cluster::ready(sandbox.client(), sandbox.default_namespace(), "the sandbox");
    let time = sandbox.clone();
    Server::builder()
        .catalogue(catalogue)
        .cluster(Arc::new(cluster))
        .clock(Clock::from_fn(move || time.clock().now()))
        .settings(settings)
        .build()
        .expect("a server")
}
