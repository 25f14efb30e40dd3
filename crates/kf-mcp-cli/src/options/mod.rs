//! The command line.

mod auth;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kf_mcp_core::rbac::Reach;
use serde_json::{Value, json};

pub(crate) use self::auth::AuthOptions;

/// An MCP server for Kubeflow: people and their AI agents plan, submit, watch, tune and register ML training on
/// Kubernetes through it.
///
/// Every option below has a twin in the environment (KUBEFLOW_MCP_ and its name in capitals, - as _, where it names no
/// other) and a key in the file that --config names. The command line wins over the environment, the environment over the file.
#[derive(Debug, Parser)]
#[command(name = "kubeflow-mcp", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve MCP over standard input and output, or over HTTP.
    Serve(Box<ServeOptions>),
    /// List the tools that a set of clients and a persona give.
    Tools(ToolsOptions),
    /// Call one tool and print its answer.
    Call(CallOptions),
    /// Print the rights that the chosen tools need, as Kubernetes roles and bindings: kubeflow-mcp rbac | kubectl apply -f -
    Rbac(RbacOptions),
    /// Find out whether a server with these options would work: the cluster, the components, the rights, the callers.
    Doctor(Box<DoctorOptions>),
    /// Look at a policy file before it is used.
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Walk through a training job on the sandbox, as an MCP client would.
    #[cfg(feature = "sandbox")]
    Demo(DemoOptions),
    /// Serve the sandbox as a Kubernetes API server on loopback, for kubectl and other clients.
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxOptions),
}

/// Which tools, for whom, on which cluster.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Components to offer, separated by commas: trainer, optimizer, hub [default: trainer].
    #[arg(long, value_name = "NAMES")]
    pub(crate) clients: Option<String>,
    /// Who it is for: readonly, data-scientist, ml-engineer, platform-admin, or one of the policy [default: readonly].
    #[arg(long, value_name = "PERSONA")]
    pub(crate) persona: Option<String>,
    /// File that says what agents may do (YAML) [default: ~/.kf-mcp-policy.yaml if it is there].
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Use the cluster in this binary instead of a real one [scenarios: showcase, healthy-empty, no-trainer, no-rbac, legacy, thousand].
    #[arg(long, value_name = "SCENARIO", num_args = 0..=1, require_equals = true, default_missing_value = "showcase")]
    pub(crate) sandbox: Option<String>,
    /// How fast the sandbox's time goes: 60 is a minute a second [default: 1].
    #[arg(long, value_name = "FACTOR")]
    pub(crate) sandbox_speed: Option<f64>,
    /// Kubeconfig file [default: $KUBECONFIG, ~/.kube/config, or the pod's service account].
    #[arg(long, value_name = "PATH")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current one].
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Namespace of calls that name none [default: the context's, else default].
    #[arg(long, value_name = "NS")]
    pub(crate) namespace: Option<String>,
    /// Let tools take tokens in clear text, which all who may read a job then read; otherwise only Secrets by name.
    #[arg(long)]
    pub(crate) allow_clear_text_secrets: bool,
    /// Let estimate_resources ask the Hugging Face Hub about models that it does not know [key: trainer.hub_lookup].
    #[arg(long)]
    pub(crate) hub_lookup: bool,
    /// Prometheus that scrapes NVIDIA's DCGM exporter, for GPU use in get_training_progress
    /// [key: trainer.prometheus_url].
    #[arg(long, value_name = "URL")]
    pub(crate) prometheus_url: Option<String>,
    /// Configuration file (YAML).
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What goes to stderr: error, warn, info or debug [default: info for serve, warn for other commands].
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// How it is written: console or json [default: console].
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<String>,
}

impl Common {
    /// What was said on the command line, as configuration keys.
    pub(crate) fn flags(&self) -> BTreeMap<String, Value> {
        let path = |path: &PathBuf| json!(path.display().to_string());
        let said = [
            ("clients", self.clients.as_ref().map(|v| json!(v))),
            ("persona", self.persona.as_ref().map(|v| json!(v))),
            ("policy", self.policy.as_ref().map(path)),
            ("sandbox", self.sandbox.as_ref().map(|v| json!(v))),
            ("sandbox_speed", self.sandbox_speed.map(|v| json!(v))),
            ("kubeconfig", self.kubeconfig.as_ref().map(path)),
            ("context", self.context.as_ref().map(|v| json!(v))),
            ("namespace", self.namespace.as_ref().map(|v| json!(v))),
            (
                "allow_clear_text_secrets",
                self.allow_clear_text_secrets.then_some(json!(true)),
            ),
            ("trainer.hub_lookup", self.hub_lookup.then_some(json!(true))),
            ("trainer.prometheus_url", self.prometheus_url.as_ref().map(|v| json!(v))),
            ("log_level", self.log_level.as_ref().map(|v| json!(v))),
            ("log_format", self.log_format.as_ref().map(|v| json!(v))),
        ];
        said.into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect()
    }
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How much agents are told before their first call: minimal, compact or full [default: compact].
    #[arg(long, value_name = "TIER", alias = "instruction-tier")]
    pub(crate) instructions: Option<String>,
    /// stdio or http [default: stdio].
    #[arg(long, value_name = "TRANSPORT")]
    pub(crate) transport: Option<String>,
    /// Address to listen on [default: 127.0.0.1].
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<IpAddr>,
    /// Port to listen on, 0 for any free one [default: 8000].
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Serve legacy clients without sessions, so that any replica can answer any request.
    #[arg(long)]
    pub(crate) stateless: bool,
    /// Further Host header values to serve, separated by commas.
    #[arg(long, value_name = "HOSTS")]
    pub(crate) allowed_hosts: Option<String>,
    /// Further Origin header values to serve, separated by commas.
    #[arg(long, value_name = "ORIGINS")]
    pub(crate) allowed_origins: Option<String>,
    #[command(flatten)]
    pub(crate) auth: AuthOptions,
    /// Where a line of JSON about each call goes: a file, stderr or none [default: stderr over HTTP, none over stdio; key: audit.log].
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<String>,
    /// Change nothing whose audit line cannot be written [key: audit.required].
    #[arg(long)]
    pub(crate) audit_required: bool,
    /// Seconds that a person has to answer a question about a change [default: 300].
    #[arg(long, value_name = "SECONDS")]
    pub(crate) confirm_within: Option<u64>,
    /// File with what seals questions to people, the same in all replicas: at least 32 bytes [default: made at the start].
    #[arg(long, value_name = "FILE")]
    pub(crate) state_key_file: Option<PathBuf>,
    /// Say nothing on stderr at the start.
    #[arg(long)]
    pub(crate) no_banner: bool,
}

impl ServeOptions {
    /// What was said on the command line, as configuration keys.
    pub(crate) fn flags(&self) -> BTreeMap<String, Value> {
        let mut flags = self.common.flags();
        let said = [
            ("instructions", self.instructions.as_ref().map(|v| json!(v))),
            ("transport", self.transport.as_ref().map(|v| json!(v))),
            ("host", self.host.map(|v| json!(v.to_string()))),
            ("port", self.port.map(|v| json!(v))),
            ("stateless", self.stateless.then_some(json!(true))),
            ("allowed_hosts", self.allowed_hosts.as_ref().map(|v| json!(v))),
            ("allowed_origins", self.allowed_origins.as_ref().map(|v| json!(v))),
            ("audit.log", self.audit_log.as_ref().map(|v| json!(v))),
            ("audit.required", self.audit_required.then_some(json!(true))),
            ("confirm_within", self.confirm_within.map(|v| json!(v))),
            (
                "state_key_file",
                self.state_key_file
                    .as_ref()
                    .map(|path| json!(path.display().to_string())),
            ),
            ("no_banner", self.no_banner.then_some(json!(true))),
        ];
        flags.extend(
            said.into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?))),
        );
        flags.extend(self.auth.flags());
        flags
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ToolsOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How to write the list.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct CallOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Tool to call.
    pub(crate) tool: String,
    /// Arguments: name=value, JSON for lists and objects.
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) arguments: Vec<String>,
    /// All arguments as one JSON object; NAME=VALUE wins over it.
    #[arg(long, value_name = "OBJECT")]
    pub(crate) json: Option<String>,
    /// Print the structured answer instead of the text.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

/// How far rights reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RbacScope {
    Namespace,
    Cluster,
}

impl From<RbacScope> for Reach {
    fn from(scope: RbacScope) -> Self {
        match scope {
            RbacScope::Namespace => Self::Namespace,
            RbacScope::Cluster => Self::Cluster,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RbacOptions {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Rights in the one namespace of --namespace, or in all.
    #[arg(long, value_enum, default_value = "namespace")]
    pub(crate) scope: RbacScope,
    /// Further personas whose tools the server offers, separated by commas: those that its callers come with.
    #[arg(long, value_name = "NAMES")]
    pub(crate) also_for: Option<String>,
    /// As whom the server's calls act. With impersonate and token the tools' rights are for those who call, and the service account
    /// gets what it needs to act as them [default: own].
    #[arg(long, value_name = "IDENTITY")]
    pub(crate) identity: Option<String>,
    /// The same as --identity impersonate.
    #[arg(long, conflicts_with = "identity")]
    pub(crate) impersonate: bool,
    /// Groups that the server hands on with --impersonate-groups; with a wildcard it may hand on any.
    #[arg(long, value_name = "PATTERNS")]
    pub(crate) impersonate_groups: Option<String>,
    /// What it hands on with --impersonate-extra.
    #[arg(long, value_name = "KEYS")]
    pub(crate) impersonate_extra: Option<String>,
    /// For a server with --token-review: the service account may ask whose a token is.
    #[arg(long)]
    pub(crate) token_review: bool,
    /// Who gets them [default: kubeflow-mcp in the namespace].
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub(crate) service_account: Option<String>,
}

impl RbacOptions {
    /// What was said on the command line, as the configuration keys of the server that it is for.
    pub(crate) fn flags(&self) -> BTreeMap<String, Value> {
        let mut flags = self.common.flags();
        let identity = self.identity.as_deref().or(self.impersonate.then_some("impersonate"));
        let said = [
            ("identity", identity.map(|v| json!(v))),
            ("impersonate.groups", self.impersonate_groups.as_ref().map(|v| json!(v))),
            ("impersonate.extra", self.impersonate_extra.as_ref().map(|v| json!(v))),
            ("token_review", self.token_review.then_some(json!(true))),
        ];
        flags.extend(
            said.into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?))),
        );
        flags
    }
}

#[derive(Debug, Args)]
pub(crate) struct DoctorOptions {
    /// How far the tools should reach: whether the rights are there in one namespace, or in all.
    #[arg(long, value_enum, default_value = "namespace")]
    pub(crate) scope: RbacScope,
    /// How to write it.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) serve: ServeOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check a policy, and say of each tool whether it is allowed, and by which rule.
    Check(PolicyCheckOptions),
}

#[derive(Debug, Args)]
pub(crate) struct PolicyCheckOptions {
    /// Policy file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only for this persona [default: all personas].
    #[arg(long, value_name = "PERSONA")]
    pub(crate) persona: Option<String>,
    /// How to write it.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub(crate) struct DemoOptions {}

#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub(crate) struct SandboxOptions {
    /// World to start from: showcase, healthy-empty, healthy-empty?trainer=v2.1, no-trainer, no-rbac, legacy, thousand, thousand?jobs=N.
    #[arg(long, default_value = "showcase")]
    pub(crate) scenario: String,
    /// Port to listen on, 0 for any free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// How fast time goes: 60 is a minute a second.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) speed: f64,
    /// File to write a kubeconfig to.
    #[arg(long, value_name = "FILE")]
    pub(crate) write_kubeconfig: Option<PathBuf>,
}
