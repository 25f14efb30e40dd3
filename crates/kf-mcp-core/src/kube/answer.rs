//! What an answer of the API server says besides its object: why it refuses, and what it warns of.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::error::{Cause, Status};

/// A whole answer.
pub(super) struct Whole {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Whole {
    /// What it means as an error.
    pub(super) fn refusal(&self) -> Cause {
        from_refusal(self.status, &self.headers, &self.body)
    }

    /// The server's warnings, in its words.
    pub(super) fn warnings(&self) -> Vec<String> {
        let headers = self.headers.get_all(http::header::WARNING).iter();
        headers.filter_map(|w| w.to_str().ok()).map(warning).collect()
    }
}

/// What an error answer means. Bodies that are no `Status` (a proxy's page, `404 page not found`) become one.
pub(super) fn from_refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Cause {
    if status == StatusCode::TOO_MANY_REQUESTS {
        let wait = headers
            .get(http::header::RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        return Cause::TooMany(wait);
    }
    let mut parsed: Status = serde_json::from_slice(body).unwrap_or_default();
    if parsed.code == 0 {
        parsed.code = status.as_u16();
    }
    if parsed.message.is_empty() {
        parsed.message = crate::text::bounded(&crate::text::clean(&String::from_utf8_lossy(body)), 300);
    }
    Cause::Status(parsed)
}

/// `299 - "the text"` without its frame.
fn warning(header: &str) -> String {
    let text = header
        .split_once('"')
        .map_or(header, |(_, rest)| rest.rsplit_once('"').map_or(rest, |(text, _)| text));
    text.replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_lose_their_frame() {
        assert_eq!(
            warning("299 - \"unknown field \\\"spec.nope\\\"\""),
            "unknown field \"spec.nope\""
        );
    }
}
