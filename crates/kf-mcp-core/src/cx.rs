//! [`Cx`]: what one call may use.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::allowed::{self, Allowed};
use crate::audit::Calling;
use crate::call::Shared;
use crate::call::change::new_seed;
use crate::caller::Caller;
use crate::catalogue::Catalogue;
use crate::error::{ErrorCode, ToolError};
use crate::kube::Kube;
use crate::kube::gate::Gate;
use crate::names::{Namespace, NamespaceOrAll};
use crate::policy::Allowance;
use crate::telemetry::ServerLog;

/// Where time comes from: the system, or the sandbox's clock.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// Another source of time.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// One progress report of a running call.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Grows with every report.
    pub done: f64,
    /// What `done` grows towards, if that is known.
    pub total: Option<f64>,
    /// What happened.
    pub message: String,
}

/// Where a call's progress goes. Reports that the receiver cannot take at once are dropped: progress never slows a call.
pub type ProgressSink = mpsc::Sender<Progress>;

/// The namespaces of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One namespace.
    One(String),
    /// These, one after the other: all that the policy allows.
    Several(Allowed),
    /// All namespaces, in one request at the cluster scope.
    All,
}

impl Scope {
    /// The namespace for a request, none for more than one.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::One(namespace) => Some(namespace),
            Self::Several(_) | Self::All => None,
        }
    }

    /// Whether rows may be of different namespaces.
    pub fn is_many(&self) -> bool {
        !matches!(self, Self::One(_))
    }

    /// The scope in words.
    pub fn words(&self) -> String {
        match self {
            Self::One(namespace) => format!("namespace `{namespace}`"),
            Self::Several(allowed) => format!("namespaces {}", allowed.names.join(", ")),
            Self::All => "all namespaces".into(),
        }
    }
}

/// What one call may use: the gated API server, the namespace, the clock, progress and cancellation.
#[derive(Debug, Clone)]
pub struct Cx {
    pub(crate) shared: Arc<Shared>,
    kube: Kube,
    progress: Option<ProgressSink>,
    seed: String,
    plan_id: Option<String>,
    calling: Option<Arc<Calling>>,
    remote: bool,
}

impl Cx {
    pub(crate) fn new(
        shared: Arc<Shared>,
        gate: Arc<Gate>,
        progress: Option<ProgressSink>,
        calling: Option<Arc<Calling>>,
        remote: bool,
    ) -> Self {
        Self {
            shared,
            kube: Kube::new(gate),
            progress,
            seed: new_seed(),
            plan_id: None,
            calling,
            remote,
        }
    }

    /// Notes for the audit log what became of a change.
    pub(crate) fn decided(&self, decision: &'static str, plan_id: &str) {
        if let Some(calling) = &self.calling {
            calling.decide(decision, plan_id);
        }
    }

    /// Writes the audit line of a change that is about to be applied; an error when it has to be written and cannot be.
    pub(crate) async fn audited(&self) -> Result<(), ToolError> {
        match &self.calling {
            Some(calling) => self.shared.audit.before(calling, &self.kube.gate().trace()).await,
            None => Ok(()),
        }
    }

    /// Goes by a plan that the call names, or that is about to be applied. The audit log names it too.
    pub(crate) fn set_plan(&mut self, seed: String, id: String) {
        if let Some(calling) = &self.calling {
            calling.name(&id);
        }
        self.seed = seed;
        self.plan_id = Some(id);
    }

    /// The API server, through this call's gate.
    pub fn kube(&self) -> &Kube {
        &self.kube
    }

    /// Who is calling.
    pub fn caller(&self) -> &Caller {
        &self.kube.gate().caller
    }

    /// The label value that marks what the caller creates. It tells callers apart and never changes for one of them.
    pub async fn mark(&self) -> Result<String, ToolError> {
        let process = self.kube.identity().await?;
        Ok(self.caller().identity(&process).mark())
    }

    /// The time: the system's, or the sandbox's.
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The token that is cancelled when the client gives the call up.
    pub fn cancelled(&self) -> &CancellationToken {
        self.kube.gate().cancelled()
    }

    /// When the call must have ended.
    pub fn deadline(&self) -> tokio::time::Instant {
        self.kube.gate().deadline()
    }

    /// Five characters that generated names end with. They travel in the plan id, so that a confirmed plan makes the
    /// object that its preview named.
    pub fn seed(&self) -> &str {
        &self.seed
    }

    /// The plan that is being applied or that the caller confirms; none in a first preview.
    pub fn plan_id(&self) -> Option<&str> {
        self.plan_id.as_deref()
    }

    /// The namespace of a call about one object: the one asked for, else the configured default, else the kubeconfig's. One
    /// that the policy does not allow is an error before anything is asked.
    pub async fn namespace(&self, asked: Option<&Namespace>) -> Result<String, ToolError> {
        let namespace = match asked {
            Some(asked) => asked.to_string(),
            None => self.default_namespace().await?,
        };
        let allowed = self.allowance().namespace(&namespace);
        allowed.map_err(|refusal| refusal.error(format!("use namespace `{namespace}`")))?;
        Ok(namespace)
    }

    /// The namespace of calls that name none, allowed or not.
    pub(crate) async fn default_namespace(&self) -> Result<String, ToolError> {
        match self.shared.cluster.configured_namespace() {
            Some(configured) => Ok(configured.to_owned()),
            None => Ok(self.kube.defaults().await?.0),
        }
    }

    /// What the caller may do.
    pub fn allowance(&self) -> &Allowance {
        self.catalogue().allowance()
    }

    /// The namespaces of a list: as [`Cx::namespace`], or when the caller asks for `*` all, or all that the policy allows.
    pub async fn scope(&self, asked: Option<&NamespaceOrAll>) -> Result<Scope, ToolError> {
        match asked {
            Some(NamespaceOrAll::All) if self.allowance().binds_namespaces() => {
                Ok(Scope::Several(allowed::namespaces(self).await?))
            }
            Some(NamespaceOrAll::All) => Ok(Scope::All),
            Some(NamespaceOrAll::One(one)) => Ok(Scope::One(self.namespace(Some(one)).await?)),
            None => Ok(Scope::One(self.namespace(None).await?)),
        }
    }

    /// Whether the call came over a network, where what is in between may end one that takes long.
    pub fn is_remote(&self) -> bool {
        self.remote
    }

    /// Tells the client how far the call is. Does nothing when the client did not ask for it.
    pub fn progress(&self, done: f64, total: Option<f64>, message: impl Into<String>) {
        if let Some(sink) = &self.progress {
            let message = message.into();
            if sink.try_send(Progress { done, total, message }).is_err() {
                tracing::debug!("a progress report was dropped");
            }
        }
    }

    /// Whether the client listens to progress.
    pub fn has_progress(&self) -> bool {
        self.progress.is_some()
    }

    /// A section of the configuration, as a module's own type; its defaults where nothing is configured.
    pub fn settings<T: serde::de::DeserializeOwned + Default>(&self, section: &str) -> Result<T, ToolError> {
        match self.shared.settings.get(section) {
            None => Ok(T::default()),
            Some(section_value) => serde_json::from_value(section_value.clone()).map_err(|error| {
                ToolError::new(
                    ErrorCode::Internal,
                    format!("read the configuration of `{section}`"),
                    error.to_string(),
                )
                .fix("correct the configuration file or the environment and restart the server")
            }),
        }
    }

    /// The tools of the caller.
    pub fn catalogue(&self) -> &Catalogue {
        self.kube.gate().catalogue()
    }

    /// What tells the calls of this server from those of another one in the same process.
    pub fn server_key(&self) -> usize {
        Arc::as_ptr(&self.shared).addr()
    }

    /// What the server has logged lately.
    pub fn server_log(&self) -> &ServerLog {
        &self.shared.log
    }
}
