//! What clients of OAuth 2.1 ask of a resource server: where tokens come from (RFC 9728), and what a refusal says (RFC 6750).

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The address of the metadata, below which the resource's own path may follow.
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The resource that this server is, and who gives tokens for it.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    /// Where the metadata is.
    metadata: String,
    document: Value,
}

impl Resource {
    pub(super) fn new(url: String, issuer: &str, scopes: Vec<&str>) -> Self {
        let start = url.find("://").map_or(0, |at| at + 3);
        let end = url[start..].find('/').map_or(url.len(), |at| start + at);
        let metadata = format!("{}{WELL_KNOWN}{}", &url[..end], url[end..].trim_end_matches('/'));
        let document = json!({
            "resource": url,
            "authorization_servers": [issuer],
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
            "resource_name": "kubeflow-mcp",
        });
        Self { metadata, document }
    }

    /// The document, which anybody may read, pages in browsers too.
    pub(super) fn answer(&self) -> Response {
        let open = [
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (header::CACHE_CONTROL, "max-age=300"),
            (header::CONTENT_TYPE, "application/json"),
        ];
        (open, self.document.to_string()).into_response()
    }

    /// The parameter of a challenge that leads clients to the document.
    fn parameter(&self) -> String {
        format!(", resource_metadata=\"{}\"", self.metadata)
    }
}

/// 401: who calls is not known. `why` is what is wrong with what they said, none when they said nothing.
pub(super) fn unauthenticated(resource: Option<&Resource>, why: Option<&str>, text: &str) -> Response {
    let error = why.map(|why| format!(", error=\"invalid_token\", error_description=\"{}\"", quotable(why)));
    challenge(StatusCode::UNAUTHORIZED, resource, &error.unwrap_or_default(), text)
}

/// 403: the token's scopes are not enough; these would be.
pub(super) fn insufficient(resource: Option<&Resource>, scope: &str, text: &str) -> Response {
    let error = format!(", error=\"insufficient_scope\", scope=\"{}\"", quotable(scope));
    challenge(StatusCode::FORBIDDEN, resource, &error, text)
}

fn challenge(status: StatusCode, resource: Option<&Resource>, error: &str, text: &str) -> Response {
    let metadata = resource.map(Resource::parameter).unwrap_or_default();
    let challenge = format!("Bearer realm=\"kubeflow-mcp\"{error}{metadata}");
    (status, [(header::WWW_AUTHENTICATE, challenge)], format!("{text}\n")).into_response()
}

/// A text between quotes of a header.
fn quotable(text: &str) -> String {
    let fits = |c: &char| matches!(c, ' '..='~') && *c != '"' && *c != '\\';
    text.chars().filter(fits).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_is_where_the_resource_is() {
        for (url, at) in [
            (
                "https://mcp.example/mcp",
                "https://mcp.example/.well-known/oauth-protected-resource/mcp",
            ),
            (
                "https://mcp.example/a/mcp/",
                "https://mcp.example/.well-known/oauth-protected-resource/a/mcp",
            ),
            (
                "https://mcp.example",
                "https://mcp.example/.well-known/oauth-protected-resource",
            ),
        ] {
            let resource = Resource::new(url.into(), "https://i", vec!["kubeflow:read"]);
            assert_eq!(resource.metadata, at);
            let refused = unauthenticated(Some(&resource), Some("a \"b\"\n"), "no");
            let challenge = refused.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
            assert_eq!(
                challenge,
                format!(
                    "Bearer realm=\"kubeflow-mcp\", error=\"invalid_token\", error_description=\"a b\", resource_metadata=\"{at}\""
                )
            );
        }
    }
}
