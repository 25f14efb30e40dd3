//! What a reply means: the registry's own answers, its errors, and those of everything that stands before it.

use http::StatusCode;
use kf_mcp_core::backend::{Address, Reply};
use kf_mcp_core::kube::KubeError;
use kf_mcp_core::kube::error::{Cause, Status};
use kf_mcp_core::text::{bounded, clean};
use kf_mcp_core::{ErrorCode, ToolError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// How to name another registry.
const ELSEWHERE: &str =
    "set hub.url (KUBEFLOW_MCP_HUB_URL) to the registry's address, or hub.namespace and hub.service";

/// An error of the registry. Its `code` is the status in words, so only the message is read.
#[derive(Debug, Deserialize)]
struct Said {
    message: String,
}

/// An error of the API server: it answers itself when it cannot reach the Service.
#[derive(Debug, Deserialize)]
struct Refused {
    kind: String,
    #[serde(flatten)]
    status: Status,
}

/// Whether the server does not know this dialect: it has no such route, or had it once.
pub(crate) fn is_other_dialect(reply: &Reply) -> bool {
    match reply.status {
        StatusCode::GONE => true,
        StatusCode::NOT_FOUND => {
            serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&reply.body).is_err()
        }
        _ => false,
    }
}

/// Whether it was the registry that answered, and in this dialect.
pub(crate) fn is_own(reply: &Reply) -> bool {
    reply.status.is_success() || said(reply).is_some()
}

/// The body of a good reply, or why it is none.
pub(crate) fn read<T: DeserializeOwned>(reply: &Reply, asked: &str, of: &Address) -> Result<T, ToolError> {
    if let (Address::Service { namespace, .. }, Some(status)) = (of, refused(reply)) {
        return Err(from_api_server(status, asked, of, namespace));
    }
    if !reply.status.is_success() {
        return Err(from_registry(reply, asked, of));
    }
    if is_page(reply) {
        return Err(login(asked, of));
    }
    serde_json::from_slice(&reply.body).map_err(|_| no_registry(asked, of, "answers, but not as a Model Registry does"))
}

/// The error of an address where neither dialect is known.
pub(crate) fn no_registry(asked: &str, of: &Address, why: &str) -> ToolError {
    ToolError::new(ErrorCode::Unsupported, asked, format!("{} {why}", of.words())).fix(format!(
        "check that the address is that of a Kubeflow Model Registry (v1 or v1alpha3); {ELSEWHERE}"
    ))
}

fn said(reply: &Reply) -> Option<String> {
    let said: Said = serde_json::from_slice(&reply.body).ok()?;
    refused(reply).is_none().then_some(said.message)
}

fn refused(reply: &Reply) -> Option<Status> {
    let refused: Refused = serde_json::from_slice(&reply.body).ok()?;
    (refused.kind == "Status" && refused.status.code >= 400).then_some(refused.status)
}

fn is_page(reply: &Reply) -> bool {
    reply.body.trim_ascii_start().first() == Some(&b'<')
}

fn login(asked: &str, of: &Address) -> ToolError {
    let why = format!(
        "{} answered with a web page, probably a login: the address goes through a gateway",
        of.words()
    );
    ToolError::new(ErrorCode::Unauthenticated, asked, why)
        .fix("use an address behind the gateway, or leave hub.url unset to go through the API server")
}

fn from_api_server(status: Status, asked: &str, of: &Address, namespace: &str) -> ToolError {
    match status.code {
        404 => ToolError::new(
            ErrorCode::NotInstalled,
            asked,
            format!("there is no {}: {}", of.words(), status.message),
        )
        .fix(format!(
            "install the Kubeflow Model Registry; if it is elsewhere, {ELSEWHERE}"
        ))
        .tool("health_check"),
        502..=504 => ToolError::new(
            ErrorCode::Unreachable,
            asked,
            format!(
                "the API server cannot reach {}: {}",
                of.words(),
                without_places(&status.message)
            ),
        )
        .fix(format!(
            "check that the registry's pods run and that the Service has a port of that name; or {ELSEWHERE}"
        )),
        _ => {
            // The request for the right names the resource, which the tool's words do not.
            let words = format!("get services/proxy of {}", of.words());
            let error = KubeError {
                asked: words,
                server: "the API server".into(),
                namespace: Some(namespace.to_owned()),
                cause: Cause::Status(status),
            };
            ToolError::from(error)
        }
    }
}

fn from_registry(reply: &Reply, asked: &str, of: &Address) -> ToolError {
    let status = reply.status;
    let message = said(reply).unwrap_or_else(|| bounded(&clean(&String::from_utf8_lossy(&reply.body)), 300));
    let message = message.trim();
    let error = |code, why: String| ToolError::new(code, asked, why);
    let place = of.words();
    match status.as_u16() {
        300..=399 => login(asked, of),
        401 => error(ErrorCode::Unauthenticated, format!("{place} wants a login: {message}"))
            .fix("use an address behind the gateway, or leave hub.url unset to go through the API server"),
        403 => error(ErrorCode::Forbidden, format!("{place} refuses: {message}")).fix(
            "the mesh or proxy before the registry refuses, not Kubernetes: ask for an AuthorizationPolicy that lets this server in",
        ),
        404 if said(reply).is_none() => no_registry(asked, of, "has no such route"),
        404 => error(ErrorCode::NotFound, plain(message, ": not found")),
        405 | 410 => no_registry(asked, of, &format!("answered {status}")),
        400 | 422 if message.contains("nextPageToken") => {
            ToolError::argument("cursor", "the registry does not know this cursor").fix("start without a cursor")
        }
        400 | 422 => error(ErrorCode::InvalidArgument, plain(message, ": bad request")).fix("change what the message names"),
        429 => error(ErrorCode::RateLimited, format!("{place} asks to slow down")).fix("try again in a moment"),
        503 => error(ErrorCode::Unreachable, format!("{place} is not ready: {}", without_places(message)))
            .fix("try again in a moment; the registry waits for its database"),
        500..=599 => error(ErrorCode::Unreachable, format!("{place} failed with {status}: {}", without_places(message)))
            .fix("try again; if it stays, look at the registry's database and log"),
        _ => no_registry(asked, of, &format!("answered {status}")),
    }
}

/// The registry ends its messages with the kind of error, which the code says already.
fn plain(message: &str, tail: &str) -> String {
    message.strip_suffix(tail).unwrap_or(message).to_owned()
}

/// A driver's message without the hosts and paths in it: they are the platform's business.
fn without_places(message: &str) -> String {
    let is_place = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/');
        let port = word
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()));
        word.contains('/') || word.contains('@') || port || word.parse::<std::net::IpAddr>().is_ok()
    };
    let words = message
        .split_whitespace()
        .map(|word| if is_place(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn service() -> Address {
        Address::Service {
            namespace: "kubeflow".into(),
            name: "model-registry-service".into(),
            port: "http-api".into(),
        }
    }

    fn reply(status: u16, body: &str) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            body: body.as_bytes().to_vec().into(),
        }
    }

    fn status(code: u16, reason: &str, message: &str) -> String {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}).to_string()
    }

    fn error(of: &Address, code: u16, body: &str) -> ToolError {
        read::<Value>(&reply(code, body), "list models", of).unwrap_err()
    }

    #[test]
    fn errors_of_the_registry_are_told_by_their_status() {
        let url = Address::Url("http://registry:8080".into());
        for (code, body, want, says) in [
            (
                404,
                include_str!("../tests/fixtures/model_get_unknown.json"),
                ErrorCode::NotFound,
                "no registered model found for id 999",
            ),
            (404, "404 page not found\n", ErrorCode::Unsupported, "no such route"),
            (410, "", ErrorCode::Unsupported, "410"),
            (405, "", ErrorCode::Unsupported, "405"),
            (
                400,
                include_str!("../tests/fixtures/page_bad_token.json"),
                ErrorCode::InvalidArgument,
                "does not know this cursor",
            ),
            (
                422,
                r#"{"code": "Bad Request", "message": "name: bad request"}"#,
                ErrorCode::InvalidArgument,
                "name",
            ),
            (403, "RBAC: access denied", ErrorCode::Forbidden, "RBAC: access denied"),
            (
                401,
                r#"{"code": "Unauthorized", "message": "no token"}"#,
                ErrorCode::Unauthenticated,
                "no token",
            ),
            (302, "", ErrorCode::Unauthenticated, "login"),
            (200, "<!doctype html><html>", ErrorCode::Unauthenticated, "login"),
            (200, "hello", ErrorCode::Unsupported, "not as a Model Registry"),
            (
                503,
                "Datastore service is down or unavailable",
                ErrorCode::Unreachable,
                "not ready",
            ),
            (429, "", ErrorCode::RateLimited, "slow down"),
            (
                500,
                r#"{"code": "Internal Server Error", "message": "dial tcp 10.1.2.3:3306: connect: connection refused"}"#,
                ErrorCode::Unreachable,
                "failed with 500 Internal Server Error: dial tcp … connect: connection refused",
            ),
        ] {
            let error = error(&url, code, body);
            assert_eq!(error.code, want, "{code} {body}");
            assert!(error.answered.contains(says), "{}", error.answered);
        }
    }

    #[test]
    fn errors_of_the_api_server_are_told_from_those_of_the_registry() {
        for (code, reason, message, want, fix) in [
            (
                404,
                "NotFound",
                "services \"model-registry-service\" not found",
                ErrorCode::NotInstalled,
                "KUBEFLOW_MCP_HUB_URL",
            ),
            (
                503,
                "ServiceUnavailable",
                "no endpoints available for service",
                ErrorCode::Unreachable,
                "pods run",
            ),
            (
                403,
                "Forbidden",
                "User \"u\" cannot get resource \"services/proxy\"",
                ErrorCode::Forbidden,
                "services/proxy",
            ),
            (
                401,
                "Unauthorized",
                "Unauthorized",
                ErrorCode::Unauthenticated,
                "log in again",
            ),
        ] {
            let error = error(&service(), code, &status(code, reason, message));
            assert_eq!(error.code, want);
            assert!(error.fix.contains(fix), "{}", error.fix);
        }
        let json = status(404, "NotFound", "services not found");
        assert!(!is_other_dialect(&reply(404, &json)) && !is_own(&reply(404, &json)));
    }

    #[test]
    fn a_missing_dialect_is_told_from_a_missing_model() {
        for (code, body, other) in [
            (404, "404 page not found\n", true),
            (410, "{}", true),
            (404, include_str!("../tests/fixtures/model_get_unknown.json"), false),
            (
                404,
                include_str!("../tests/fixtures/model_find_wildcard_many.json"),
                false,
            ),
            (503, "down", false),
            (200, "{}", false),
        ] {
            assert_eq!(is_other_dialect(&reply(code, body)), other, "{code} {body}");
        }
    }

    #[test]
    fn places_are_kept_out_of_drivers_messages() {
        for (message, safe) in [
            (
                "dial unix /var/run/mysqld/mysqld.sock: connect: no such file",
                "dial unix … connect: no such file",
            ),
            ("user=pg@db.kubeflow failed on 10.0.0.7", "… failed on …"),
            (
                "Data too long for column 'name' at row 1",
                "Data too long for column 'name' at row 1",
            ),
        ] {
            assert_eq!(without_places(message), safe);
        }
    }
}
