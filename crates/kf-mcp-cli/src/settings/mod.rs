//! What was configured, from the command line, the environment and the file.

mod auth;
mod files;
mod values;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kf_mcp_core::config::{Config, Sources};
use kf_mcp_core::names::{is_label, nearest};
use kf_mcp_core::{Persona, Setting, Tier};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::auth::RawAuth;
pub(crate) use self::auth::{AuthSettings, TlsFiles};
use self::values::Names;
use crate::clients;
use crate::options::Common;

/// A configuration that cannot be used: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unusable(pub(crate) String);

/// The keys of the binary itself; those of the components come from their modules.
const KEYS: &[Setting] = &[
    Setting::new("clients", "components to offer"),
    Setting::new("persona", "who it is for"),
    Setting::new("policy", "policy file"),
    Setting::new("sandbox", "scenario of the sandbox, or true"),
    Setting::new("sandbox_speed", "how fast the sandbox's time goes"),
    Setting::new("kubeconfig", "kubeconfig file"),
    Setting::new("context", "context of the kubeconfig"),
    Setting::new("namespace", "namespace of calls that name none"),
    Setting::new("config", "configuration file"),
    Setting::new("log_level", "what goes to stderr"),
    Setting::new("log_format", "console or json"),
    Setting::new("instructions", "how much agents are told before their first call"),
    Setting::new("transport", "stdio or http"),
    Setting::new("host", "address to listen on"),
    Setting::new("port", "port to listen on"),
    Setting::new("stateless", "no sessions for legacy clients"),
    Setting::new("allowed_hosts", "further Host header values"),
    Setting::new("allowed_origins", "further Origin header values"),
    Setting::new("no_banner", "say nothing at the start"),
    Setting::new("auth_token", "bearer token that callers over HTTP must have"),
    Setting::new("auth_token_file", "file of bearer tokens"),
    Setting::new("allow_unauthenticated", "serve other machines without asking who calls"),
    Setting::new("auth_personas", "who has which persona"),
    Setting::new("public_url", "URL at which clients know the endpoint"),
    Setting::new("jwks_uri", "keys of the issuer of JSON web tokens"),
    Setting::new("jwt.issuer", "issuer of JSON web tokens"),
    Setting::new("jwt.audience", "whom JSON web tokens must be meant for"),
    Setting::new("jwt.user_claim", "claim with the user's name"),
    Setting::new("jwt.user_prefix", "what is put before it"),
    Setting::new("jwt.groups_claim", "claim with the groups"),
    Setting::new("jwt.groups_prefix", "what is put before their names"),
    Setting::new("jwt.leeway", "seconds that clocks may be apart"),
    Setting::new("token_review", "accept tokens of the cluster"),
    Setting::new("token_review_audience", "whom they must be meant for"),
    Setting::new("trusted_proxy", "proxies that say who calls"),
    Setting::new("trusted_proxy_secret_file", "what such a proxy knows"),
    Setting::new("identity", "as whom calls act on the cluster"),
    Setting::new("impersonate.groups", "groups that are handed on"),
    Setting::new("impersonate.extra", "further facts that are handed on"),
    Setting::new("tls.cert", "certificate of the listener"),
    Setting::new("tls.key", "its private key"),
    Setting::new("tls.client_ca", "authorities of clients' certificates"),
    Setting::new("audit.log", "where audit lines go: a file, stderr or none"),
    Setting::new("audit.required", "change nothing whose audit line cannot be written"),
    Setting::new("confirm_within", "seconds that a person has to answer a question"),
    Setting::new("state_key_file", "key that seals questions to people"),
];

/// How stderr is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Console,
    Json,
}

/// How MCP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransportKind {
    Stdio,
    Http,
}

#[derive(Debug, Serialize, Deserialize)]
struct Raw {
    clients: Names,
    persona: String,
    policy: Option<PathBuf>,
    #[serde(deserialize_with = "values::text_or_switch")]
    sandbox: String,
    sandbox_speed: f64,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    namespace: Option<String>,
    log_level: String,
    log_format: String,
    instructions: String,
    transport: String,
    host: String,
    port: u16,
    stateless: bool,
    allowed_hosts: Names,
    allowed_origins: Names,
    no_banner: bool,
    confirm_within: u64,
    state_key_file: Option<PathBuf>,
    audit: RawAudit,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct RawAudit {
    log: String,
    required: bool,
}

/// Where audit lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuditLog {
    None,
    Stderr,
    File(PathBuf),
}

/// The checked configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) clients: Vec<String>,
    pub(crate) persona: String,
    /// The file that says what agents may do.
    pub(crate) policy: Option<PathBuf>,
    pub(crate) sandbox: Option<String>,
    #[cfg_attr(
        not(feature = "sandbox"),
        expect(dead_code, reason = "read, so that a file for all builds is accepted")
    )]
    pub(crate) sandbox_speed: f64,
    pub(crate) kubeconfig: Option<PathBuf>,
    pub(crate) context: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) log_level: tracing::Level,
    pub(crate) log_format: LogFormat,
    pub(crate) instructions: Tier,
    pub(crate) transport: TransportKind,
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    pub(crate) stateless: bool,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) no_banner: bool,
    /// Seconds that a person has to answer a question.
    pub(crate) confirm_within: u64,
    /// Who may call over HTTP, and as whom they act.
    pub(crate) auth: AuthSettings,
    pub(crate) audit_log: AuditLog,
    /// Whether a change is refused whose audit line cannot be written.
    pub(crate) audit_required: bool,
    /// What seals questions to people.
    pub(crate) state_key: Option<Vec<u8>>,
    /// The components' sections.
    pub(crate) sections: Map<String, Value>,
    /// Variables with our prefix that nothing reads.
    pub(crate) unknown_variables: Vec<String>,
}

impl Settings {
    /// Reads everything. `quiet` commands log less by default.
    pub(crate) fn load(common: &Common, flags: BTreeMap<String, Value>, quiet: bool) -> Result<Self, Unusable> {
        let variables = files::variables();
        let from_environment = variables
            .iter()
            .find(|(name, _)| name == "KUBEFLOW_MCP_CONFIG")
            .map(|(_, v)| PathBuf::from(v));
        let file = common.config.clone().or(from_environment);
        Self::from(file.as_deref(), variables, flags, quiet)
    }

    fn from(
        file: Option<&Path>,
        variables: Vec<(String, String)>,
        flags: BTreeMap<String, Value>,
        quiet: bool,
    ) -> Result<Self, Unusable> {
        let known: Vec<Setting> = KEYS.iter().copied().chain(clients::settings()).collect();
        let unusable = |error: kf_mcp_core::config::ConfigError| Unusable(error.to_string());
        let config = Config::load(Sources {
            known: &known,
            file,
            variables,
            flags,
        })
        .map_err(unusable)?;
        let raw = config.extract(Raw {
            clients: Names(clients::default_clients()),
            persona: Persona::default().to_string(),
            policy: None,
            sandbox: String::new(),
            sandbox_speed: 1.0,
            kubeconfig: None,
            context: None,
            namespace: None,
            log_level: if quiet { "warn" } else { "info" }.into(),
            log_format: "console".into(),
            instructions: Tier::default().to_string(),
            transport: "stdio".into(),
            host: "127.0.0.1".into(),
            port: 8000,
            stateless: false,
            allowed_hosts: Names::default(),
            allowed_origins: Names::default(),
            no_banner: false,
            confirm_within: 300,
            state_key_file: None,
            audit: RawAudit::default(),
        });
        let raw = raw.map_err(unusable)?;
        let auth = config.extract(RawAuth::default()).map_err(unusable)?;
        let mut sections = config.sections().map_err(unusable)?;
        // no component reads it, and what is not there is not shown
        sections.remove("auth_token");
        let mut settings = raw.check(auth.check()?)?;
        settings.sections = sections;
        settings.unknown_variables = config.unknown_variables;
        Ok(settings)
    }
}

impl Raw {
    fn check(self, auth: AuthSettings) -> Result<Settings, Unusable> {
        let instructions: Tier = self.instructions.parse().map_err(Unusable)?;
        let log_level = self.log_level.to_lowercase();
        let log_level = one_of("log level", &log_level, &["error", "warn", "info", "debug"])?;
        let log_format = one_of("log format", &self.log_format, &["console", "json"])?;
        let transport = one_of("transport", &self.transport, &["stdio", "http"])?;
        let host: IpAddr = self
            .host
            .parse()
            .map_err(|_| Unusable(format!("host `{}` is no IP address", self.host)))?;
        if !(host.is_loopback() || auth.authenticates() || auth.allow_unauthenticated) {
            return Err(Unusable(format!(
                "host {host} is not a loopback address, and nobody would be asked who they are: give out tokens with \
                 --auth-token-file, use 127.0.0.1, or say --allow-unauthenticated where something else keeps others away"
            )));
        }
        if let Some(namespace) = self.namespace.as_ref().filter(|namespace| !is_label(namespace)) {
            return Err(Unusable(format!("`{namespace}` is not a namespace name")));
        }
        if !(self.sandbox_speed > 0.0 && self.sandbox_speed <= 100_000.0) {
            return Err(Unusable(format!(
                "sandbox speed {} is not between 0 and 100000",
                self.sandbox_speed
            )));
        }
        let audit_log = match (self.audit.log.as_str(), transport) {
            ("stderr", _) | ("", "http") => AuditLog::Stderr,
            ("none" | "", _) => AuditLog::None,
            (file, _) => AuditLog::File(file.into()),
        };
        if self.audit.required && audit_log == AuditLog::None {
            let why = "audit-required needs an audit log: name a file with --audit-log, or stderr";
            return Err(Unusable(why.into()));
        }
        if !(1..=3600).contains(&self.confirm_within) {
            return Err(Unusable(format!(
                "confirm-within {} is not between 1 and 3600 seconds",
                self.confirm_within
            )));
        }
        Ok(Settings {
            clients: self.clients.0,
            persona: self.persona,
            policy: self.policy.or_else(files::usual_policy),
            sandbox: Some(self.sandbox).filter(|scenario| !scenario.is_empty()),
            sandbox_speed: self.sandbox_speed,
            kubeconfig: self.kubeconfig,
            context: self.context,
            namespace: self.namespace,
            log_level: log_level.parse().unwrap_or(tracing::Level::INFO),
            log_format: if log_format == "json" {
                LogFormat::Json
            } else {
                LogFormat::Console
            },
            instructions,
            transport: if transport == "http" {
                TransportKind::Http
            } else {
                TransportKind::Stdio
            },
            host,
            port: self.port,
            stateless: self.stateless,
            allowed_hosts: self.allowed_hosts.0,
            allowed_origins: self.allowed_origins.0,
            no_banner: self.no_banner,
            confirm_within: self.confirm_within,
            auth,
            audit_log,
            audit_required: self.audit.required,
            state_key: self.state_key_file.as_deref().map(files::state_key).transpose()?,
            sections: Map::new(),
            unknown_variables: Vec::new(),
        })
    }
}

fn one_of<'a>(what: &str, value: &str, choices: &[&'a str]) -> Result<&'a str, Unusable> {
    choices.iter().find(|choice| **choice == value).copied().ok_or_else(|| {
        let near = nearest(value, choices.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
        Unusable(format!(
            "unknown {what} `{value}`: there are {}{}",
            choices.join(", "),
            near.unwrap_or_default()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(flags: &[(&str, Value)]) -> Result<Settings, String> {
        let flags = flags.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        Settings::from(None, Vec::new(), flags, false).map_err(|error| error.0)
    }

    #[test]
    fn nothing_said_is_a_careful_stdio_server() {
        let settings = with(&[]).unwrap();
        assert_eq!(settings.persona, "readonly");
        assert_eq!(settings.transport, TransportKind::Stdio);
        assert_eq!((settings.sandbox, settings.instructions), (None, Tier::Compact));
    }

    #[test]
    fn lists_may_be_comma_texts_and_the_sandbox_a_switch() {
        let settings = with(&[("clients", json!("trainer, hub,")), ("sandbox", json!(true))]).unwrap();
        assert_eq!(settings.clients, ["trainer", "hub"]);
        assert_eq!(settings.sandbox.as_deref(), Some("showcase"));
    }

    #[test]
    fn what_cannot_be_used_is_told_in_a_sentence() {
        let said = [
            with(&[("transport", json!("htp"))]).unwrap_err(),
            with(&[("host", json!("0.0.0.0"))]).unwrap_err(),
            with(&[("namespace", json!("A_b"))]).unwrap_err(),
            with(&[("log_level", json!("loud"))]).unwrap_err(),
            with(&[("instructions", json!("ful"))]).unwrap_err(),
        ];
        assert_eq!(
            said.join("\n"),
            "unknown transport `htp`: there are stdio, http; did you mean `http`?\n\
             host 0.0.0.0 is not a loopback address, and nobody would be asked who they are: give out tokens with --auth-token-file, use 127.0.0.1, or say --allow-unauthenticated where something else keeps others away\n\
             `A_b` is not a namespace name\n\
             unknown log level `loud`: there are error, warn, info, debug\n\
             unknown instructions `ful`: there are minimal, compact, full; did you mean `full`?"
        );
    }
}
