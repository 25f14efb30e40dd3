//! The runtime that a change is about: the cluster's, or with a namespace that namespace's own.

use kf_mcp_core::kube::resources::{CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES};
use kf_mcp_core::kube::{KubeError, Resource};
use kf_mcp_core::text;
use kf_mcp_core::{Cx, ErrorCode, Namespace, ObjectName, ToolError};
use kf_mcp_trainjob::RuntimeScope;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::manifest;
use crate::runtime_object::Problem;

/// What the API server says of a field that may be removed and set, and not changed.
const STAYS: &str = "Value is immutable";
/// How the server begins to name fields that do not exist.
const UNKNOWN: &str = "strict decoding error";

/// Which runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) scope: RuntimeScope,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
}

impl Target {
    /// The runtime that the arguments `name` and `namespace` mean. They are checked here, because patterns in the schema
    /// of each tool would cost every reader of the catalogue.
    pub(super) fn of(name: &str, namespace: Option<&str>) -> Result<Self, ToolError> {
        let name = ObjectName::new(name.trim()).map_err(|why| ToolError::argument("name", why))?;
        let namespace = namespace.map(|namespace| Namespace::new(namespace.trim()));
        let namespace = namespace
            .transpose()
            .map_err(|why| ToolError::argument("namespace", why))?;
        Ok(Self::new(&name, namespace.as_deref()))
    }

    pub(super) fn new(name: &str, namespace: Option<&str>) -> Self {
        let scope = match namespace {
            Some(_) => RuntimeScope::Namespace,
            None => RuntimeScope::Cluster,
        };
        Self {
            name: name.to_owned(),
            scope,
            namespace: namespace.map(str::to_owned),
        }
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    pub(super) const fn resource(&self) -> &'static Resource {
        match self.scope {
            RuntimeScope::Cluster => &CLUSTER_TRAINING_RUNTIMES,
            RuntimeScope::Namespace => &TRAINING_RUNTIMES,
        }
    }

    /// `ClusterTrainingRuntime torch-distributed`, `TrainingRuntime mine in team-a`.
    pub(super) fn words(&self) -> String {
        let place = self
            .namespace()
            .map(|namespace| format!(" in {namespace}"))
            .unwrap_or_default();
        format!("{} {}{place}", self.scope.kind(), self.name)
    }

    /// What was asked, for errors.
    pub(super) fn asked(&self, verb: &str) -> String {
        let place = match self.namespace() {
            Some(namespace) => format!("in namespace `{namespace}`"),
            None => "of the cluster".to_owned(),
        };
        format!("{verb} training runtime `{}` {place}", self.name)
    }

    /// The object as it is.
    pub(super) async fn read(&self, cx: &Cx, verb: &str) -> Result<Value, ToolError> {
        match cx
            .kube()
            .get::<Value>(self.resource(), self.namespace(), &self.name)
            .await
        {
            Ok(object) => Ok(object),
            Err(error) if error.is_not_found() => Err(self.missing(cx, verb).await),
            Err(error) => Err(error.into()),
        }
    }

    /// There is none of that name; perhaps the other scope has one.
    async fn missing(&self, cx: &Cx, verb: &str) -> ToolError {
        let error =
            ToolError::new(ErrorCode::NotFound, self.asked(verb), "there is none of that name").tool("list_runtimes");
        let other = match self.scope {
            RuntimeScope::Namespace => Self::new(&self.name, None),
            RuntimeScope::Cluster => match cx.namespace(None).await {
                Ok(namespace) => Self::new(&self.name, Some(&namespace)),
                Err(_) => return error,
            },
        };
        let there = cx
            .kube()
            .get::<IgnoredAny>(other.resource(), other.namespace(), &self.name)
            .await;
        match (there, other.namespace()) {
            (Ok(_), None) => error.fix("the cluster has a runtime of that name: leave namespace out to mean it"),
            (Ok(_), Some(namespace)) => error.fix(format!("namespace {namespace} has one: give namespace to mean it")),
            (Err(_), _) => error.fix("check the name and the namespace: list_runtimes shows what there is"),
        }
    }

    /// What the server refused, in the words of the tool.
    pub(super) fn refused(&self, verb: &str, error: KubeError) -> ToolError {
        // a namespace that is not there is the only thing that a new object can miss
        let missing = error.is_not_found() && self.namespace.is_some() && verb == "create";
        let conflict = error.code() == 409 && !error.is_already_exists();
        // of a patch the server says so at the end of a message that repeats the whole object
        let unknown = error
            .message()
            .find(UNKNOWN)
            .map(|at| text::clean(&error.message()[at..]));
        let error = ToolError::from(error).asked(self.asked(verb));
        if missing {
            return error
                .fix("list_namespaces shows the namespaces that you may use")
                .tool("list_namespaces");
        }
        if let Some(unknown) = unknown {
            let mut error = ToolError::new(ErrorCode::InvalidArgument, self.asked(verb), unknown);
            error.field = Some(if verb == "create" { "spec" } else { "patch" }.to_owned());
            return error
                .fix("inspect_crd shows which fields there are")
                .tool("inspect_crd");
        }
        if verb == "patch" && error.answered.contains(STAYS) {
            return error.fix(
                "what is there cannot be changed, but it can be removed and set: patch it with null first, then with the new \
                 value; jobs that are submitted in between go without",
            );
        }
        if conflict {
            return error
                .fix("somebody changed it in between: call again without confirmed to see the plan as it is now");
        }
        error
    }
}

/// One error for all problems with the argument of a tool.
pub(super) fn settle(tool: &str, argument: &'static str, problems: &[Problem]) -> Result<(), ToolError> {
    let Some((first, _)) = problems.first() else {
        return Ok(());
    };
    let told: Vec<String> = problems
        .iter()
        .take(20)
        .map(|(field, why)| format!("`{field}` {why}"))
        .collect();
    let mut error = ToolError::new(
        ErrorCode::InvalidArgument,
        format!("call of {tool}"),
        format!("{}.", told.join("; ")),
    );
    error.field = Some(if first == "framework" { "framework" } else { argument }.to_owned());
    Err(error
        .fix("get_runtime and inspect_crd (kind TrainingRuntime, path spec) show what a runtime looks like")
        .tool("inspect_crd"))
}

/// An object for the API server, shown without its secrets; `digest` stands for what is not shown.
#[derive(Debug, Clone)]
pub(super) struct Shown(pub(super) Value);

impl Shown {
    /// Differs whenever the object does, where its secrets are not shown; none where nothing is hidden.
    pub(super) fn digest(&self) -> Option<String> {
        let hides = manifest::shown(self.0.clone()) != self.0;
        hides.then(|| {
            let digest = Sha256::digest(self.0.to_string().as_bytes());
            digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
        })
    }

    /// As YAML, at most `most` characters of it.
    pub(super) fn yaml(&self, most: usize) -> String {
        text::bounded(manifest::yaml(&manifest::shown(self.0.clone())).trim_end(), most)
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        manifest::shown(self.0.clone()).serialize(to)
    }
}

/// The argument, or an error that says that it is needed.
pub(super) fn needed<'a>(
    given: Option<&'a Map<String, Value>>,
    argument: &'static str,
    example: &str,
) -> Result<&'a Map<String, Value>, ToolError> {
    given
        .filter(|given| !given.is_empty())
        .ok_or_else(|| ToolError::argument(argument, "is needed, and not empty").fix(example))
}
