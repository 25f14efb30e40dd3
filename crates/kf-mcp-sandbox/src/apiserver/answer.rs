//! Answers of the API server and how they become HTTP responses.

use std::collections::HashSet;
use std::pin::Pin;

use bytes::Bytes;
use futures::Stream;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WARNING};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use serde::Serialize;
use tower::BoxError;

use crate::status::Status;

/// The body of a response.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

/// Chunks that come over time.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

/// What is sent after the headers.
pub(crate) enum Payload {
    /// All of it at once.
    Whole(Bytes),
    /// Piece by piece, for watches and logs.
    Chunks(Chunks),
}

/// An answer before it is HTTP.
pub(crate) struct Answer {
    pub(crate) code: StatusCode,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) payload: Payload,
}

impl Answer {
    /// Something as JSON.
    pub(crate) fn json<T: Serialize + ?Sized>(code: StatusCode, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => Self::whole(code, "application/json", bytes),
            Err(error) => Self::whole(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
        }
    }

    /// A complete body.
    pub(crate) fn whole(code: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            code,
            content_type: Some(content_type),
            headers: Vec::new(),
            payload: Payload::Whole(body.into()),
        }
    }

    /// No body at all.
    pub(crate) fn empty(code: StatusCode) -> Self {
        Self {
            code,
            content_type: None,
            headers: Vec::new(),
            payload: Payload::Whole(Bytes::new()),
        }
    }

    /// A body that comes over time.
    pub(crate) fn chunks(content_type: &'static str, chunks: Chunks) -> Self {
        let payload = Payload::Chunks(chunks);
        Self {
            code: StatusCode::OK,
            content_type: Some(content_type),
            headers: Vec::new(),
            payload,
        }
    }

    /// How a Go server says that it knows no such path.
    pub(crate) fn unknown_path() -> Self {
        Self::whole(
            StatusCode::NOT_FOUND,
            "text/plain; charset=utf-8",
            "404 page not found\n",
        )
    }

    /// A refusal.
    pub(crate) fn status(status: &Status) -> Self {
        let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = Self::json(code, &status.body());
        if let Some(seconds) = status.details.as_ref().and_then(|d| d["retryAfterSeconds"].as_u64()) {
            answer.headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
        }
        answer.warnings(&status.warnings)
    }

    /// Adds `Warning` headers, each text once.
    pub(crate) fn warnings(mut self, warnings: &[String]) -> Self {
        let mut said = HashSet::new();
        for warning in warnings.iter().filter(|w| said.insert(w.as_str())) {
            let quoted = warning
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace(['\n', '\r'], " ");
            if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
                self.headers.push((WARNING, value));
            }
        }
        self
    }

    /// The HTTP response; with `cut`, the body breaks off with an error after so many bytes.
    pub(crate) fn into_response(self, cut: Option<usize>) -> Response<Body> {
        let body = match (self.payload, cut) {
            (Payload::Whole(bytes), None) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
            (Payload::Chunks(chunks), None) => stream_body(chunks),
            (Payload::Whole(bytes), Some(cut)) => stream_body(cut_after(Box::pin(once(bytes)), cut)),
            (Payload::Chunks(chunks), Some(cut)) => stream_body(cut_after(chunks, cut)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.code;
        if let Some(content_type) = self.content_type {
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

fn once(bytes: Bytes) -> impl Stream<Item = Result<Bytes, BoxError>> {
    futures::stream::once(async move { Ok(bytes) })
}

fn stream_body(chunks: Chunks) -> Body {
    use futures::StreamExt;
    BodyExt::boxed_unsync(StreamBody::new(chunks.map(|chunk| chunk.map(Frame::data))))
}

/// The first `limit` bytes, then an error as of a broken connection.
fn cut_after(chunks: Chunks, limit: usize) -> Chunks {
    use futures::StreamExt;
    Box::pin(futures::stream::unfold(Some((chunks, limit)), async |state| {
        let (mut chunks, left) = state?;
        match chunks.next().await {
            Some(Ok(chunk)) if left > 0 => {
                let head = chunk.slice(..chunk.len().min(left));
                let left = left - head.len();
                Some((Ok(head), Some((chunks, left))))
            }
            _ => {
                let broken = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "connection reset by peer");
                Some((Err(broken.into()), None))
            }
        }
    }))
}
