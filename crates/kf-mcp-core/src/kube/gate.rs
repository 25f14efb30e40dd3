//! The gate: the one place that every request of a call passes.
//!
//! It refuses what the tool's `SPEC.access` does not declare and what the policy does not allow, makes each request in the name
//! of its caller, counts, and holds the deadline and the cancellation. What is not allowed does not leave the process, whatever a tool's code says. It is a value that
//! [`super::Kube`] cannot be made
//! without, rather than a tower layer: the connection pool behind it is shared by all calls, and a layer per call would
//! cost a buffer task each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use serde_json::Value;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connect::{Cluster, Connected};
use super::error::{Cause, KubeError};
use crate::caller::{CALLER_LABEL, Caller};
use crate::catalogue::Catalogue;
use crate::policy::Refusal;
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
    catalogue: Arc<Catalogue>,
    /// Set when the call may change only what its caller made: whose the objects are that it has read.
    makers: Option<Mutex<HashMap<Object, Option<String>>>>,
    /// Who the call acts for.
    pub caller: Caller,
    deadline: Instant,
    allowed: Duration,
    cancelled: CancellationToken,
    count: AtomicU32,
    trace: Mutex<Vec<Asked>>,
}

/// How many requests of a call are remembered by their kind, for tests and the audit line.
const TRACE: usize = 64;

/// An object that a request is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Object {
    group: String,
    resource: String,
    namespace: String,
    name: String,
}

impl Object {
    fn of(asked: &Asked) -> Option<Self> {
        Some(Self {
            group: asked.group.clone(),
            // a subresource is a part of its object
            resource: asked.resource.split('/').next().unwrap_or_default().to_owned(),
            namespace: asked.namespace.clone()?,
            name: asked.name.clone()?,
        })
    }
}

/// Hands over every image that a body names, wherever it does.
fn images(body: &Value, look: &mut impl FnMut(&str) -> Result<(), Refusal>) -> Result<(), Refusal> {
    match body {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| match value {
            Value::String(image) if key == "image" => look(image),
            // a volume of an image
            Value::Object(of) if key == "image" && of.contains_key("reference") => {
                of["reference"].as_str().map_or(Ok(()), &mut *look)
            }
            value => images(value, look),
        }),
        Value::Array(items) => items.iter().try_for_each(|item| images(item, look)),
        _ => Ok(()),
    }
}

impl Gate {
    pub(crate) fn new(
        cluster: Arc<Cluster>,
        catalogue: Arc<Catalogue>,
        spec: &ToolSpec,
        caller: Caller,
        cancelled: CancellationToken,
    ) -> Self {
        Self {
            cluster,
            tool: spec.name,
            access: spec.access,
            makers: catalogue.allowance().only_own(spec).then(Mutex::default),
            catalogue,
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

    /// The tools of the caller, and what it may do with them.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
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
        let declared = self.access.iter().find(|access| {
            access.group == asked.group
                && access.resource == asked.resource
                && access.verbs.contains(&asked.verb)
                && (access.cluster || asked.namespace.is_some())
        });
        let Some(declared) = declared else {
            tracing::error!(tool = self.tool, request = %asked.words(), "the tool does not declare this access");
            return Err(self.error(asked, Cause::Undeclared));
        };
        self.permit(asked, declared)
            .map_err(|refusal| self.error(asked, Cause::Denied(refusal)))?;
        self.counted(asked);
        Ok(())
    }

    /// Puts on a request as whom it is made. Whatever was on it before is taken off.
    pub(super) fn identify(&self, asked: &Asked, headers: &mut HeaderMap) -> Result<(), KubeError> {
        let acts = self.cluster.acts();
        acts.identify(&self.caller, headers)
            .map_err(|refusal| self.error(asked, Cause::Denied(refusal)))
    }

    /// Counts a request that is let through.
    pub(super) fn counted(&self, asked: &Asked) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut trace = self.trace.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if trace.len() < TRACE {
            trace.push(asked.clone());
        }
    }

    /// What the policy says of a request: no namespace that it does not allow, and nothing changed that is not the caller's
    /// where only that may be.
    fn permit(&self, asked: &Asked, declared: &Access) -> Result<(), Refusal> {
        // who somebody is, and what they may do, is no secret to them
        if matches!(asked.group.as_str(), "authorization.k8s.io" | "authentication.k8s.io") {
            return Ok(());
        }
        let allowance = self.catalogue.allowance();
        match (&asked.namespace, &asked.name) {
            (Some(namespace), _) => allowance.namespace(namespace)?,
            (None, None) if allowance.binds_namespaces() && !(declared.sums && allowance.counts_cluster()) => {
                return Err(Refusal {
                    why: "the policy keeps this to some namespaces, and this asks about all of them".into(),
                    fix: "name one of them with `namespace`: list_namespaces shows them".into(),
                });
            }
            (None, _) => {}
        }
        self.own(asked)
    }

    /// Whether a change is one of the caller's own object, where only that may be: the call must have read it before.
    fn own(&self, asked: &Asked) -> Result<(), Refusal> {
        let changes = matches!(asked.verb, "patch" | "update" | "delete");
        let (true, Some(makers), Some(object)) = (changes, &self.makers, Object::of(asked)) else {
            return Ok(());
        };
        let own = self
            .cluster
            .identity()
            .map(|process| self.caller.identity(&process).mark());
        let makers = makers.lock().unwrap_or_else(PoisonError::into_inner);
        let made_by = match makers.get(&object) {
            Some(Some(maker)) if Some(maker) == own.as_ref() => return Ok(()),
            Some(Some(_)) => "was created by somebody else",
            Some(None) => "does not say who created it",
            None => "was not looked at before",
        };
        let (persona, name) = (self.catalogue.persona(), &object.name);
        Err(Refusal {
            why: format!(
                "the persona `{persona}` may change only what you created through this server; `{name}` {made_by}"
            ),
            fix: "ask whoever created it, or ask the operator for the persona ml-engineer".into(),
        })
    }

    /// Notes whose an object is that was read.
    pub(super) fn saw(&self, asked: &Asked, body: &[u8]) {
        #[derive(serde::Deserialize)]
        struct Labelled {
            metadata: Labels,
        }
        #[derive(serde::Deserialize)]
        struct Labels {
            #[serde(default)]
            labels: HashMap<String, String>,
        }
        let (Some(makers), Some(object)) = (&self.makers, Object::of(asked)) else {
            return;
        };
        let read = serde_json::from_slice::<Labelled>(body).ok();
        let maker = read.and_then(|mut read| read.metadata.labels.remove(CALLER_LABEL));
        let mut makers = makers.lock().unwrap_or_else(PoisonError::into_inner);
        makers.insert(object, maker);
    }

    /// Refuses a body that names an image which the policy does not allow.
    pub(super) fn admit_images(&self, asked: &Asked, body: &impl serde::Serialize) -> Result<(), KubeError> {
        let allowance = self.catalogue.allowance();
        if !allowance.binds_images() {
            return Ok(());
        }
        let body = serde_json::to_value(body);
        let body = body.map_err(|error| self.error(asked, Cause::Malformed(error.to_string())))?;
        images(&body, &mut |image| allowance.image(image)).map_err(|refusal| self.error(asked, Cause::Denied(refusal)))
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
