//! The service proxy, through which the Model Registry is reached.

use http::StatusCode;

use super::Call;
use super::answer::Answer;
use super::errors::not_found;
use crate::Inner;
use crate::kinds::Kind;
use crate::status::Status;

/// The one Service that has something behind it.
const REGISTRY: &str = "model-registry-service";

/// Answers a request that is meant for a Service.
pub(crate) fn proxy(inner: &Inner, call: &Call, kind: &'static Kind, target: &str) -> Result<Answer, Status> {
    let namespace = call.target.namespace.as_deref().unwrap_or_default();
    let parts: Vec<&str> = target.split(':').collect();
    let (name, port) = match parts.as_slice() {
        [name] => (*name, ""),
        [name, port] | ["http" | "https" | "", name, port] => (*name, *port),
        _ => {
            return Err(super::errors::bad_request(format!(
                "invalid service request \"{target}\""
            )));
        }
    };
    let path = format!("/{}", call.target.rest.as_deref().unwrap_or_default());
    inner.with(|state, now| {
        let service = state
            .store
            .get(kind, namespace, name)
            .ok_or_else(|| not_found(kind, name))?;
        // nothing was ever looked for behind a Service that selects nothing
        if name != REGISTRY
            && service["spec"]["selector"]
                .as_object()
                .is_none_or(serde_json::Map::is_empty)
        {
            return Err(not_found(kind, name));
        }
        let known = service["spec"]["ports"].as_array().is_none_or(|ports| {
            port.is_empty()
                || ports
                    .iter()
                    .any(|p| p["name"] == port || p["port"].as_u64().is_some_and(|n| port.parse() == Ok(n)))
        });
        if name != REGISTRY {
            let message = format!("no endpoints available for service \"{name}\"");
            return Err(Status::new(503, "ServiceUnavailable", message));
        }
        if !known {
            let message = format!("no service port \"{port}\" found for service \"{name}\"");
            return Err(Status::new(503, "ServiceUnavailable", message));
        }
        let answer = state
            .registry
            .handle(&call.method, &path, &call.raw_query, &call.body, now);
        let code = StatusCode::from_u16(answer.code).unwrap_or(StatusCode::BAD_GATEWAY);
        Ok(Answer::whole(code, answer.content_type, answer.body))
    })
}
