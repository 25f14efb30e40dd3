//! What a tool is: a type whose fields are the arguments, whose `SPEC` holds the facts, and whose `run` does the work.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use crate::access::{Access, Need, Place};
use crate::answer::{Answer, Render};
use crate::call::{Person, change};
use crate::cx::Cx;
use crate::error::ToolError;

/// A read tool. Its doc comment is the description that a model reads, its fields' doc comments those of the arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool yet",
    note = "implement `kf_mcp_core::Tool` for it: `Output`, `SPEC` and `run`"
)]
pub trait Tool: DeserializeOwned + JsonSchema + Send + 'static {
    /// What a successful call answers.
    type Output: Serialize + JsonSchema + Render + Send;
    /// The facts: name, phase, risk, access, hints.
    const SPEC: ToolSpec;
    /// Does the work.
    fn run(self, cx: &Cx) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;
}

/// A tool that alters the cluster. It has no `run`, so it cannot skip its preview: the core shows the plan, and applies
/// it only when the call is confirmed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a change yet",
    note = "implement `kf_mcp_core::Change` for it: `Plan`, `Output`, `SPEC`, `plan` and `apply`"
)]
pub trait Change: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// What would happen: shown to the person, then handed to [`Change::apply`]. Its JSON is what a plan id digests, so it
    /// holds nothing that differs between two plans of the same thing (no resourceVersion, no age).
    type Plan: Serialize + Render + Send + Sync;
    /// What has happened.
    type Output: Serialize + JsonSchema + Render + Send;
    /// The facts: name, phase, risk, access, hints.
    const SPEC: ToolSpec;
    /// Reads, validates everything, and asks the server to try it (dry run). Writes nothing.
    fn plan(&self, cx: &Cx) -> impl Future<Output = Result<Self::Plan, ToolError>> + Send;
    /// What the plan would take. Changes that start pods say it; what a policy does not allow is never shown as a plan.
    fn cost(_plan: &Self::Plan) -> Cost {
        Cost::default()
    }
    /// What the plan tells in short, and a person who is asked has to see: each with its name.
    fn spelled_out(&self, _plan: &Self::Plan) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// Does exactly the plan.
    fn apply(plan: Self::Plan, cx: &Cx) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;
}

/// What a plan would take of the cluster at once. A policy bounds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cost {
    /// Nodes of the job.
    pub nodes: u64,
    /// Accelerators over all nodes, by their resource name: `nvidia.com/gpu`.
    pub accelerators: BTreeMap<String, u64>,
}

impl Cost {
    /// Accelerators of all kinds.
    pub fn devices(&self) -> u64 {
        self.accelerators.values().sum()
    }
}

/// Where in the life of a training a tool belongs. The order is the order of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before a job: what is there, what fits, what would fail.
    Planning,
    /// Which jobs, runtimes, experiments and models exist.
    Discovery,
    /// Submitting training jobs.
    Training,
    /// Submitting hyperparameter searches.
    Optimization,
    /// Registering models.
    Registration,
    /// Watching what runs.
    Monitoring,
    /// Suspending, resuming, cloning, deleting.
    Lifecycle,
    /// Runtimes and controllers: the platform team's part.
    Platform,
    /// This server itself.
    Health,
}

impl Phase {
    /// All phases, in their order.
    pub const ALL: [Self; 9] = [
        Self::Planning,
        Self::Discovery,
        Self::Training,
        Self::Optimization,
        Self::Registration,
        Self::Monitoring,
        Self::Lifecycle,
        Self::Platform,
        Self::Health,
    ];

    /// The phase as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Discovery => "discovery",
            Self::Training => "training",
            Self::Optimization => "optimization",
            Self::Registration => "registration",
            Self::Monitoring => "monitoring",
            Self::Lifecycle => "lifecycle",
            Self::Platform => "platform",
            Self::Health => "health",
        }
    }
}

/// How much a call can break. The one source of the MCP hints, of the personas and of the confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Changes nothing.
    Read,
    /// Creates or changes something.
    Write,
    /// Removes something.
    Destructive,
}

impl Risk {
    /// All risks, from the least.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Destructive];

    /// The risk as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

/// A tool that usually comes next, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Next {
    /// The other tool's name.
    pub tool: &'static str,
    /// In which case.
    pub when: &'static str,
}

impl Next {
    /// A hint to another tool.
    pub const fn to(tool: &'static str, when: &'static str) -> Self {
        Self { tool, when }
    }
}

/// The facts about a tool that do not depend on a call.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ToolSpec {
    /// Wire name, `^[a-z][a-z0-9_]{2,39}$`, verb first.
    pub name: &'static str,
    /// Where it belongs.
    pub phase: Phase,
    /// How much it can break.
    pub risk: Risk,
    /// What it may ask of the API server.
    pub access: &'static [Access],
    /// What usually comes next.
    pub next: &'static [Next],
    /// How long a call may take in all.
    #[serde(skip)]
    pub deadline: Duration,
    /// Whether a second call with the same arguments changes nothing more.
    pub idempotent: bool,
    /// Whether it asks others than the cluster, by the sections of the configuration.
    #[serde(skip)]
    pub opens: Option<Opens>,
}

impl ToolSpec {
    const fn new(name: &'static str, phase: Phase, risk: Risk, deadline: u64, idempotent: bool) -> Self {
        Self {
            name,
            phase,
            risk,
            access: &[],
            next: &[],
            deadline: Duration::from_secs(deadline),
            idempotent,
            opens: None,
        }
    }

    /// A tool that changes nothing: 10 seconds in all.
    pub const fn read(name: &'static str, phase: Phase) -> Self {
        Self::new(name, phase, Risk::Read, 10, true)
    }

    /// A tool that creates or changes something: 30 seconds in all.
    pub const fn write(name: &'static str, phase: Phase) -> Self {
        Self::new(name, phase, Risk::Write, 30, false)
    }

    /// A tool that removes something: 30 seconds in all.
    pub const fn destructive(name: &'static str, phase: Phase) -> Self {
        Self::new(name, phase, Risk::Destructive, 30, true)
    }

    /// What the tool may ask of the API server.
    pub const fn access(mut self, access: &'static [Access]) -> Self {
        self.access = access;
        self
    }

    /// What usually comes next.
    pub const fn next(mut self, next: &'static [Next]) -> Self {
        self.next = next;
        self
    }

    /// When it asks others than the cluster: MCP's `openWorldHint`.
    pub const fn opens(mut self, when: Opens) -> Self {
        self.opens = Some(when);
        self
    }

    /// Another deadline, for tools that wait.
    pub const fn deadline(mut self, seconds: u64) -> Self {
        self.deadline = Duration::from_secs(seconds);
        self
    }

    /// The title for people: `get_training_logs` is "Get training logs".
    pub fn title(&self) -> String {
        let mut title = self.name.replace('_', " ");
        if let Some(first) = title.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        title
    }
}

/// Whether a tool asks others than the cluster, by the sections of the configuration.
pub type Opens = fn(&Map<String, Value>) -> bool;

type Call = fn(Map<String, Value>, Confirmation, Cx) -> BoxFuture<'static, Result<Answer, ToolError>>;

/// A tool with its types erased: what the catalogue holds and `inventory` collects.
#[derive(Clone, Copy)]
pub struct Entry {
    /// `module_path!()` of the file that registered it.
    pub home: &'static str,
    /// Its facts.
    pub spec: ToolSpec,
    /// Whether it is a change, and so takes `confirmed` and `plan_id`.
    pub change: bool,
    pub(crate) input: fn() -> schemars::Schema,
    pub(crate) output: fn() -> schemars::Schema,
    pub(crate) call: Call,
}

impl Entry {
    /// The entry of a read tool.
    pub const fn tool<T: Tool>(home: &'static str) -> Self {
        Self {
            home,
            spec: T::SPEC,
            change: false,
            input: crate::schema::arguments::<T>,
            output: crate::schema::output::<T::Output>,
            call: |arguments, _, cx| Box::pin(run_tool::<T>(arguments, cx)),
        }
    }

    /// The entry of a change.
    pub const fn change<C: Change>(home: &'static str) -> Self {
        Self {
            home,
            spec: C::SPEC,
            change: true,
            input: crate::schema::arguments::<C>,
            output: crate::schema::change_output::<C::Output>,
            call: |arguments, confirmation, cx| Box::pin(change::run::<C>(arguments, confirmation, cx)),
        }
    }
}

inventory::collect!(Entry);

/// What the caller said about going ahead with a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// `confirmed=true` was given.
    pub confirmed: bool,
    /// The plan that is confirmed, if the caller names it.
    pub plan_id: Option<String>,
    /// The person behind the caller.
    pub person: Person,
}

async fn run_tool<T: Tool>(arguments: Map<String, Value>, cx: Cx) -> Result<Answer, ToolError> {
    let tool: T = crate::parse::of(arguments)?;
    let output = tool.run(&cx).await?;
    Answer::of(&output, cx.now())
}

/// Registers a tool, so that the binaries that link its crate can offer it: `register!(GetRuntime);`, or
/// `register!(change DeleteTrainingJob);` for a change.
#[macro_export]
macro_rules! register {
    (change $tool:ty) => {
        $crate::__private::inventory::submit! { $crate::Entry::change::<$tool>(module_path!()) }
    };
    ($tool:ty) => {
        $crate::__private::inventory::submit! { $crate::Entry::tool::<$tool>(module_path!()) }
    };
}
