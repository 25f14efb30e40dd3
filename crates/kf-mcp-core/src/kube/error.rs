//! [`KubeError`]: what a request to the API server (or a backend) came to, before a tool puts it into its own words.

use serde::Deserialize;

use crate::error::{ErrorCode, ToolError};
use crate::policy::Refusal;

/// `metav1.Status` as far as we read it.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason, for example `NotFound`.
    pub reason: String,
    /// The sentence.
    pub message: String,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// There is no usable kubeconfig; the text says what was tried.
    NoConfig(String),
    /// No connection.
    Unreachable(String),
    /// No answer in time; seconds waited.
    Timeout(u64),
    /// The client gave the call up.
    Cancelled,
    /// The server answered with an error.
    Status(Status),
    /// The server asked to slow down; seconds to wait, if it said so.
    TooMany(Option<u64>),
    /// The answer was not what the API promises.
    Malformed(String),
    /// The operator's policy does not allow it; nothing was sent.
    Denied(Refusal),
    /// The tool asked for something that its declared access does not cover: a defect of the tool.
    Undeclared,
}

/// A failed request: what was asked, of which server, and why it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeError {
    /// The request in words, for example "list trainjobs in namespace `team-a`".
    pub asked: String,
    /// The server that was asked.
    pub server: String,
    /// The namespace that was asked about, for right-granting advice.
    pub namespace: Option<String>,
    /// What happened.
    pub cause: Cause,
}

impl KubeError {
    /// The HTTP status code, 0 when there was no answer.
    pub fn code(&self) -> u16 {
        match &self.cause {
            Cause::Status(status) => status.code,
            Cause::TooMany(_) => 429,
            _ => 0,
        }
    }

    /// The server's own sentence, empty when it said nothing.
    pub fn message(&self) -> &str {
        match &self.cause {
            Cause::Status(status) => &status.message,
            Cause::Denied(refusal) => &refusal.why,
            _ => "",
        }
    }

    /// The object does not exist (and the kind is served).
    pub fn is_not_found(&self) -> bool {
        matches!(&self.cause, Cause::Status(s) if s.code == 404 && s.reason == "NotFound")
    }

    /// The whole resource is not served: its CRD or component is not installed.
    pub fn is_not_served(&self) -> bool {
        matches!(&self.cause, Cause::Status(s) if s.code == 404 && s.reason != "NotFound")
    }

    /// Kubernetes does not allow it (RBAC; an admission webhook also answers 403, but says so), or the policy does not.
    pub fn is_forbidden(&self) -> bool {
        match &self.cause {
            Cause::Status(status) => status.code == 403 && !is_admission(&status.message),
            Cause::Denied(_) => true,
            _ => false,
        }
    }

    /// Who says no, as a sentence goes on with `list them`.
    pub fn who_refuses(&self) -> &'static str {
        match &self.cause {
            Cause::Denied(_) => "the policy does not let you",
            _ => "you may not",
        }
    }

    /// An object of that name exists.
    pub fn is_already_exists(&self) -> bool {
        matches!(&self.cause, Cause::Status(s) if s.code == 409 && s.reason == "AlreadyExists")
    }

    /// A continue token or resourceVersion that the server no longer knows.
    pub fn is_expired(&self) -> bool {
        self.code() == 410
    }
}

fn is_admission(message: &str) -> bool {
    // Quotas, admission policies and ending namespaces answer 403 as well: no right would help there.
    [
        "admission webhook",
        "denied the request",
        "denied request",
        "exceeded quota",
        "being terminated",
    ]
    .iter()
    .any(|words| message.contains(words))
}

impl From<KubeError> for ToolError {
    fn from(error: KubeError) -> Self {
        let KubeError {
            asked,
            server,
            namespace,
            cause,
        } = error;
        let binding = match &namespace {
            Some(namespace) => format!("a RoleBinding in namespace `{namespace}`"),
            None => "a ClusterRoleBinding".to_owned(),
        };
        match cause {
            Cause::NoConfig(tried) => ToolError::new(ErrorCode::Unreachable, asked, tried)
                .fix("set KUBECONFIG or --kubeconfig to a kubeconfig file, or start the server with --sandbox to try it out")
                .tool("health_check"),
            Cause::Unreachable(why) => {
                ToolError::new(ErrorCode::Unreachable, asked, format!("no connection to {server}: {why}"))
                    .fix("check that the cluster runs and that the kubeconfig's server address is right")
                    .tool("health_check")
            }
            Cause::Timeout(seconds) => {
                ToolError::new(ErrorCode::Timeout, asked, format!("{server} did not answer within {seconds} s"))
                    .fix("try again, or ask for less at once")
                    .tool("health_check")
            }
            Cause::Cancelled => ToolError::new(ErrorCode::Cancelled, asked, "the call was cancelled"),
            Cause::TooMany(wait) => ToolError::new(ErrorCode::RateLimited, asked, format!("{server} asks to slow down")).fix(
                wait.map_or_else(|| "try again in a moment".to_owned(), |s| format!("try again in {s} s")),
            ),
            Cause::Malformed(why) => ToolError::new(ErrorCode::Internal, asked, format!("{server} sent an answer that makes no sense: {why}")),
            Cause::Denied(refusal) => refusal.error(asked),
            Cause::Undeclared => ToolError::new(ErrorCode::Internal, asked, "the tool does not declare this access")
                .fix("report this as a defect of kubeflow-mcp"),
            Cause::Status(status) => from_status(status, asked, &server, &binding),
        }
    }
}

fn from_status(status: Status, asked: String, server: &str, binding: &str) -> ToolError {
    let said = |code| ToolError::new(code, asked.clone(), status.message.clone());
    match (status.code, status.reason.as_str()) {
        (401, _) => said(ErrorCode::Unauthenticated)
            .fix(format!("{server} does not accept the credentials: log in again or renew the token of the kubeconfig")),
        (403, _) if is_admission(&status.message) => said(ErrorCode::AdmissionDenied).fix("change what the message names and try again"),
        (403, _) => said(ErrorCode::Forbidden).fix(format!(
            "ask an administrator of the cluster for the right to {asked}, for example with {binding}"
        )),
        (404, "NotFound") => said(ErrorCode::NotFound),
        (404, _) => ToolError::new(
            ErrorCode::NotInstalled,
            asked.clone(),
            format!("{server} does not serve this kind of object: the Kubeflow component is not installed, or in another version"),
        )
        .tool("check_compatibility"),
        (409, "AlreadyExists") => said(ErrorCode::AlreadyExists).fix("choose another name, or delete the existing object first"),
        (409, _) => said(ErrorCode::Conflict).fix("somebody changed the object at the same time: read it again and retry"),
        (410, _) => said(ErrorCode::ExpiredCursor).fix("start the list again without a cursor"),
        (400 | 422, _) => said(ErrorCode::AdmissionDenied).fix("change what the message names and try again"),
        (413, _) => said(ErrorCode::InvalidArgument).fix("send less"),
        (503 | 504, _) => ToolError::new(ErrorCode::Unreachable, asked.clone(), format!("{server} is not ready: {}", status.message))
            .fix("try again in a moment")
            .tool("health_check"),
        (code, reason) => ToolError::new(ErrorCode::Internal, asked.clone(), format!("{server} answered {code} {reason}: {}", status.message))
            .fix("try again; if it stays, look at the API server's log"),
    }
}
