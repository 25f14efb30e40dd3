//! The Model Registry's REST API, as much of it as the hub's tools need.

use http::Method;
use jiff::Timestamp;

/// An answer of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status code.
    pub code: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// The registry's state.
#[derive(Debug, Default, Clone)]
pub struct Registry {}

impl Registry {
    /// Answers one request. `path` begins with `/` and has no query; `query` is the raw query string.
    pub fn handle(&mut self, _method: &Method, _path: &str, _query: &str, _body: &[u8], _now: Timestamp) -> Answer {
        Answer { code: 404, content_type: "text/plain; charset=utf-8", body: b"404 page not found\n".to_vec() }
    }
}
