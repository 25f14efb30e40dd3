//! What tells one request from another: in the audit log, the server's own log, the answer, and the HTTP response.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use rmcp::RoleServer;
use rmcp::service::RequestContext;

/// The header in which a proxy hands its name for a request on, and in which the response has it.
const HEADER: &str = "x-request-id";
/// The longest name that is taken over.
const MOST: usize = 128;

/// The name of an HTTP request.
#[derive(Debug, Clone)]
struct RequestId(String);

/// Takes over the name that the request has, or makes one, and puts it on the response.
pub(crate) async fn named(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(HEADER).and_then(|id| id.to_str().ok());
    let id = given
        .filter(|id| is_good(id))
        .map_or_else(kf_mcp_core::call::request_id, str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, id);
    }
    response
}

/// The name of a request, and the session it belongs to.
pub(crate) fn of(cx: &RequestContext<RoleServer>) -> (String, Option<String>) {
    let Some(parts) = cx.extensions.get::<Parts>() else {
        return (kf_mcp_core::call::request_id(), None);
    };
    let id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
    let session = parts.headers.get("mcp-session-id").and_then(|id| id.to_str().ok());
    (
        id.unwrap_or_else(kf_mcp_core::call::request_id),
        session.map(str::to_owned),
    )
}

/// Names are written into logs and headers: letters, digits, and what separates them.
fn is_good(id: &str) -> bool {
    let good = |c: u8| c.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&c);
    !id.is_empty() && id.len() <= MOST && id.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_harm_no_log_are_taken_over() {
        for good in [
            "a",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "req:1/2",
        ] {
            assert!(is_good(good), "{good}");
        }
        for bad in ["", "a b", "a\"b", "a{}", "ä", &"a".repeat(MOST + 1)] {
            assert!(!is_good(bad), "{bad}");
        }
    }
}
