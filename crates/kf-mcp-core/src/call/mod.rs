//! What surrounds every call, from its name and arguments to its answer.

pub(crate) mod change;
mod person;

pub use self::person::{Person, Reply};

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::answer::Answer;
use crate::arguments;
use crate::audit::{self, Audit, Calling, End};
use crate::caller::Caller;
use crate::catalogue::{Catalogue, Catalogues, Listed};
use crate::cx::{Clock, Cx, ProgressSink};
use crate::error::{ErrorCode, ToolError};
use crate::kube::Cluster;
use crate::kube::gate::{Asked, Gate};
use crate::names::nearest;
use crate::telemetry::{self, ServerLog};
use crate::tool::{Confirmation, ToolSpec};

/// What all calls of a process share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) catalogues: Catalogues,
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) clock: Clock,
    pub(crate) settings: Map<String, Value>,
    pub(crate) log: ServerLog,
    pub(crate) audit: Audit,
    pub(crate) backends: crate::backend::Backends,
}

/// What an engine is made of.
#[derive(Debug)]
pub struct EngineOptions {
    /// The tools, for each kind of caller.
    pub catalogues: Catalogues,
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// Where time comes from.
    pub clock: Clock,
    /// The configuration's sections.
    pub settings: Map<String, Value>,
    /// What the server logs.
    pub log: ServerLog,
    /// Where audit lines go.
    pub audit: Audit,
}

/// The call pipeline of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// What comes with a call besides its arguments.
#[derive(Debug, Clone)]
pub struct CallMeta {
    /// Who calls.
    pub caller: Caller,
    /// Cancelled when the client gives the call up.
    pub cancelled: CancellationToken,
    /// Where progress goes, if the client wants it.
    pub progress: Option<ProgressSink>,
    /// The person behind the client.
    pub person: Person,
    /// What tells this request from others, in the audit log and in the server's own.
    pub request_id: String,
    /// The session it belongs to, if it belongs to one.
    pub session: Option<String>,
    /// Whether it came over a network, where what is in between may end a call that takes long.
    pub remote: bool,
}

impl CallMeta {
    /// A call of the local user that nobody cancels.
    pub fn local() -> Self {
        Self {
            caller: Caller::Local,
            cancelled: CancellationToken::new(),
            progress: None,
            person: Person::Unreachable,
            request_id: request_id(),
            session: None,
            remote: false,
        }
    }
}

/// A new name for a request: 16 hex digits.
pub fn request_id() -> String {
    format!("{:016x}", random())
}

/// A number that is another one each time, for names that must differ; no secret is made of it.
fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0u8)
}

/// The answer of a call, and what it cost.
#[derive(Debug, Clone)]
pub struct Called {
    /// The answer.
    pub answer: Answer,
    /// Requests to the API server.
    pub requests: u32,
    /// What they asked for.
    pub asked: Vec<Asked>,
}

impl Engine {
    /// An engine.
    pub fn new(options: EngineOptions) -> Self {
        let EngineOptions {
            catalogues,
            cluster,
            clock,
            settings,
            log,
            audit,
        } = options;
        Self {
            shared: Arc::new(Shared {
                catalogues,
                cluster,
                clock,
                settings,
                log,
                audit,
                backends: Default::default(),
            }),
        }
    }

    /// The tools of callers that come without a persona of their own, as the policy is now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.shared.catalogues.default()
    }

    /// The tools for each kind of caller.
    pub fn catalogues(&self) -> &Catalogues {
        &self.shared.catalogues
    }

    /// The tools of a caller.
    pub fn catalogue_of(&self, caller: &Caller) -> Arc<Catalogue> {
        match caller.persona() {
            None => self.catalogue(),
            Some(persona) => self.catalogues().of_or_none(persona),
        }
    }

    /// The same cluster with other tools. Its calls are not audited.
    pub fn with_catalogues(&self, catalogues: Catalogues) -> Self {
        let Shared {
            cluster,
            clock,
            settings,
            log,
            ..
        } = &*self.shared;
        Self::new(EngineOptions {
            catalogues,
            cluster: Arc::clone(cluster),
            clock: clock.clone(),
            settings: settings.clone(),
            log: log.clone(),
            audit: Audit::default(),
        })
    }

    /// Waits until the audit lines so far are written, unless that takes too long. For the end of a process.
    pub async fn flush_audit(&self) {
        self.shared.audit.flush().await;
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The cluster.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.shared.cluster
    }

    /// MCP's `openWorldHint`: whether a tool asks others than the cluster, as this server is configured.
    pub fn opens(&self, tool: &ToolSpec) -> bool {
        tool.opens.is_some_and(|when| when(&self.shared.settings))
    }

    /// The time: the system's, or the sandbox's.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Calls a tool. Every failure, a panic of the tool too, is an answer; only an unknown name is none.
    ///
    /// The order: may this caller see the tool; are the arguments right (all of them told at once); then the tool, within
    /// its deadline and until the client gives up. The deadline of a tool starts after its arguments are known to be good.
    pub async fn call(&self, name: &str, given: Map<String, Value>, meta: CallMeta) -> Option<Called> {
        let span = telemetry::span(&meta.caller);
        self.called(name, given, meta).instrument(span).await
    }

    async fn called(&self, name: &str, given: Map<String, Value>, meta: CallMeta) -> Option<Called> {
        let catalogue = self.catalogue_of(&meta.caller);
        let found = match (catalogue.get(name), catalogue.hidden(name)) {
            (Some(tool), _) => Ok(tool),
            (None, Some(hidden)) => Err(hidden),
            (None, None) => return None,
        };
        let spec = found.map_or_else(|hidden| &hidden.spec, |tool| &tool.spec);
        let audit = &self.shared.audit;
        let calling = audit
            .is_on()
            .then(|| Arc::new(calling(&catalogue, spec, &given, &meta)));
        let request_id = meta.request_id.clone();
        let (result, requests, asked) = match found {
            Ok(tool) => self.run(tool, given, meta, &catalogue, calling.clone()).await,
            Err(hidden) => (Err(hidden.refusal.clone().error(format!("call {name}"))), 0, Vec::new()),
        };
        let (answer, code) = match result {
            Ok(answer) => {
                tracing::debug!(tool = name, requests, request_id, "answered");
                (answer, "ok")
            }
            Err(error) => {
                let error = visible(&catalogue, error);
                let code = error.code.as_str();
                tracing::info!(tool = name, requests, code, request_id, answered = %error.answered, "failed");
                (Answer::error(&error), code)
            }
        };
        if let Some(calling) = calling {
            let end = End {
                result: code,
                requests,
                asked: &asked,
                answer: &answer.structured,
            };
            audit.ended(&calling, &end);
        }
        Some(Called {
            answer,
            requests,
            asked,
        })
    }

    /// Notes a call that was refused before it began: who made it with a reply to a question that nobody asked, for example.
    pub fn refused(&self, name: &str, given: &Map<String, Value>, meta: &CallMeta, why: &str) {
        let _span = telemetry::span(&meta.caller).entered();
        tracing::warn!(tool = name, request_id = meta.request_id, why, "refused");
        let catalogue = self.catalogue_of(&meta.caller);
        if let Some(spec) = catalogue.spec(name).filter(|_| self.shared.audit.is_on()) {
            let end = End {
                result: ErrorCode::InvalidArgument.as_str(),
                requests: 0,
                asked: &[],
                answer: &Value::Null,
            };
            self.shared.audit.ended(&calling(&catalogue, spec, given, meta), &end);
        }
    }

    /// Runs a tool that the caller may use; the outcome, how many requests it made, and what for.
    async fn run(
        &self,
        tool: &Listed,
        given: Map<String, Value>,
        meta: CallMeta,
        catalogue: &Arc<Catalogue>,
        calling: Option<Arc<Calling>>,
    ) -> (Result<Answer, ToolError>, u32, Vec<Asked>) {
        let gate = Arc::new(Gate::new(
            Arc::clone(&self.shared.cluster),
            Arc::clone(catalogue),
            &tool.spec,
            meta.caller,
            meta.cancelled,
        ));
        let result = match prepare(tool, given) {
            Ok((arguments, mut confirmation)) => {
                confirmation.person = meta.person;
                let cx = Cx::new(
                    Arc::clone(&self.shared),
                    Arc::clone(&gate),
                    meta.progress,
                    calling,
                    meta.remote,
                );
                run(tool, arguments, confirmation, cx, &gate).await
            }
            Err(error) => Err(error),
        };
        (result, gate.requests(), gate.trace())
    }

    /// The nearest name to one that does not exist, of the tools that the caller sees, for the protocol's error.
    pub fn nearest(&self, name: &str, caller: &Caller) -> Option<&'static str> {
        let catalogue = self.catalogue_of(caller);
        nearest(name, catalogue.tools().iter().map(|tool| tool.spec.name))
    }
}

/// A call, as the audit log tells it.
fn calling(catalogue: &Catalogue, spec: &ToolSpec, given: &Map<String, Value>, meta: &CallMeta) -> Calling {
    Calling {
        request_id: meta.request_id.clone(),
        session: meta.session.clone(),
        caller: meta.caller.as_str().to_owned(),
        persona: catalogue.persona().to_owned(),
        tool: spec.name,
        risk: spec.risk,
        arguments: audit::arguments(given),
        started: Instant::now(),
        decided: Default::default(),
    }
}

/// An error does not send a caller to a tool that it cannot see.
fn visible(catalogue: &Catalogue, mut error: ToolError) -> ToolError {
    error.tool = error.tool.filter(|tool| catalogue.get(tool).is_some());
    error
}

fn prepare(tool: &Listed, given: Map<String, Value>) -> Result<(Map<String, Value>, Confirmation), ToolError> {
    let weights: Vec<usize> = given.iter().map(|(name, value)| name.len() + weight(value)).collect();
    if weights.iter().sum::<usize>() > arguments::MAX_BYTES {
        let heaviest = given.keys().zip(weights).max_by_key(|(_, weight)| *weight);
        let field = heaviest.map(|(name, _)| arguments::join("", name)).unwrap_or_default();
        let why = format!(
            "is too large: all arguments may have {} MiB",
            arguments::MAX_BYTES >> 20
        );
        return Err(ToolError::argument(field, why));
    }
    let mut arguments = arguments::prepare(tool.spec.name, tool.rules.schema(), given)?;
    let mut confirmation = Confirmation::default();
    if tool.change {
        confirmation.confirmed = arguments.remove("confirmed").and_then(|v| v.as_bool()).unwrap_or(false);
        confirmation.plan_id = arguments.remove("plan_id").and_then(|v| v.as_str().map(str::to_owned));
    }
    Ok((arguments, confirmation))
}

/// About how many bytes a value is as JSON, without writing it.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + 2,
        Value::Object(map) => {
            map.iter()
                .map(|(name, value)| name.len() + weight(value))
                .sum::<usize>()
                + 2
        }
        _ => 8,
    }
}

/// Runs the tool: a panic is an error of this call and of no other, and nothing runs past the deadline or after the client
/// has gone (a tool that waits for something else than the API server, too).
async fn run(
    tool: &Listed,
    arguments: Map<String, Value>,
    confirmation: Confirmation,
    cx: Cx,
    gate: &Gate,
) -> Result<Answer, ToolError> {
    let asked = || format!("call {}", tool.spec.name);
    let work = AssertUnwindSafe((tool.entry.0.call)(arguments, confirmation, cx)).catch_unwind();
    // The gate's own deadline is told in the words of the request that was waited for: give it the first say.
    let late = gate.deadline() + std::time::Duration::from_millis(200);
    tokio::select! {
        biased;
        done = work => done.unwrap_or_else(|panic| {
            let what = panic.downcast_ref::<String>().cloned();
            let what = what.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default();
            tracing::error!(tool = tool.spec.name, panic = %what, "a tool panicked");
            Err(ToolError::new(ErrorCode::Internal, asked(), "the tool failed in an unexpected way; other calls are not affected")
                .fix("report this as a defect of kubeflow-mcp; get_server_logs has the details")
                .tool("get_server_logs"))
        }),
        () = gate.cancelled().cancelled() => Err(ToolError::new(ErrorCode::Cancelled, asked(), "the call was cancelled")),
        () = tokio::time::sleep_until(late) => Err(ToolError::new(
            ErrorCode::Timeout,
            asked(),
            format!("no answer within {} s (the cluster is {})", tool.spec.deadline.as_secs(), gate.server()),
        )),
    }
}
