//! The gate: the one place that every request of a call passes.
//!
//! It refuses what the tool's `SPEC.access` does not declare, counts, and holds the deadline and the cancellation. What is
//! not allowed does not leave the process, whatever a tool's code says. It is a value that [`super::Kube`] cannot be made
//! without, rather than a tower layer: the connection pool behind it is shared by all calls, and a layer per call would
//! cost a buffer task each.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connect::{Cluster, Connected};
use super::error::{Cause, KubeError};
use crate::caller::Caller;
use crate::tool::{Access, ToolSpec};

/// What one request asks for, in Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Asked {
    /// get, list, watch, create, update, patch, delete.
    pub verb: &'static str,
    /// API group.
    pub group: String,
    /// Plural, with the subresource after a slash.
    pub resource: String,
    /// Namespace, none at the cluster scope.
    pub namespace: Option<String>,
    /// Object name, if it is about one; empty for what has none and is in no namespace: a list of nodes, the version.
    pub name: Option<String>,
}

impl Asked {
    /// A request that is about no object of a kind: it needs no declared access.
    pub(super) fn about(verb: &'static str, what: &str) -> Self {
        Self {
            verb,
            group: String::new(),
            resource: what.into(),
            namespace: None,
            name: Some(String::new()),
        }
    }

    /// The request in words: "list trainjobs in namespace `team-a`".
    pub fn words(&self) -> String {
        let mut words = format!("{} {}", self.verb, self.resource);
        if self.name.as_deref() == Some("") {
            return words;
        }
        if let Some(name) = &self.name {
            words.push_str(&format!(" `{name}`"));
        }
        match &self.namespace {
            Some(namespace) => words.push_str(&format!(" in namespace `{namespace}`")),
            None if self.name.is_none() => words.push_str(" in all namespaces"),
            None => {}
        }
        words
    }
}

/// One call's gate.
#[derive(Debug)]
pub struct Gate {
    pub(super) cluster: Arc<Cluster>,
    tool: &'static str,
    access: &'static [Access],
    /// Who the call acts for. Requests carry the identity of the process until identities are forwarded.
    pub caller: Caller,
    deadline: Instant,
    allowed: Duration,
    cancelled: CancellationToken,
    count: AtomicU32,
    trace: Mutex<Vec<Asked>>,
}

/// How many requests of a call are remembered by their kind, for tests and the audit line.
const TRACE: usize = 64;

impl Gate {
    pub(crate) fn new(cluster: Arc<Cluster>, spec: &ToolSpec, caller: Caller, cancelled: CancellationToken) -> Self {
        Self {
            cluster,
            tool: spec.name,
            access: spec.access,
            caller,
            deadline: Instant::now() + spec.deadline,
            allowed: spec.deadline,
            cancelled,
            count: AtomicU32::new(0),
            trace: Mutex::new(Vec::new()),
        }
    }

    /// How many requests the call has made.
    pub fn requests(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// What the call has asked for so far (the first of it, when it asked a lot).
    pub fn trace(&self) -> Vec<Asked> {
        self.trace
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    /// The server in words, for messages.
    pub fn server(&self) -> String {
        self.cluster.describe()
    }

    /// When the call must have ended.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The token that is cancelled when the client gives the call up.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// The server behind the gate, connecting on first use.
    pub(super) async fn connected(&self, asked: &Asked) -> Result<Arc<Connected>, KubeError> {
        self.within(asked, self.cluster.describe(), self.cluster.connect(asked))
            .await
    }

    /// Lets a request through, or says why not.
    pub(super) fn admit(&self, asked: &Asked) -> Result<(), KubeError> {
        let declared = self.access.iter().any(|access| {
            access.group == asked.group
                && access.resource == asked.resource
                && access.verbs.contains(&asked.verb)
                && (access.cluster || asked.namespace.is_some())
        });
        if !declared {
            tracing::error!(tool = self.tool, request = %asked.words(), "the tool does not declare this access");
            return Err(self.error(asked, Cause::Undeclared));
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut trace = self.trace.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if trace.len() < TRACE {
            trace.push(asked.clone());
        }
        Ok(())
    }

    /// Runs a piece of a request within the call's deadline and until it is cancelled.
    pub(super) async fn within<T>(
        &self,
        asked: &Asked,
        server: String,
        work: impl Future<Output = Result<T, KubeError>>,
    ) -> Result<T, KubeError> {
        let fail = |cause| KubeError {
            asked: asked.words(),
            server,
            namespace: asked.namespace.clone(),
            cause,
        };
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => Err(fail(Cause::Cancelled)),
            () = tokio::time::sleep_until(self.deadline) => Err(fail(Cause::Timeout(self.allowed.as_secs()))),
            done = work => done,
        }
    }

    pub(super) fn error(&self, asked: &Asked, cause: Cause) -> KubeError {
        KubeError {
            asked: asked.words(),
            server: self.cluster.describe(),
            namespace: asked.namespace.clone(),
            cause,
        }
    }
}
