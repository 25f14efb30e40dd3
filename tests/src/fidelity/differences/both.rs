//! One request to both places.

use http::Request;
use serde_json::Value;

use crate::fidelity::api::{Run, ended, namespace};
use crate::place::{Place, Reply};

/// Both places, with a namespace of one name in each.
pub(super) struct Both<'a> {
    pub(super) real: &'a Place,
    pub(super) sandbox: &'a Place,
    pub(super) namespace: String,
}

/// What both answered.
pub(super) struct Pair {
    pub(super) real: Reply,
    pub(super) sandbox: Reply,
}

impl<'a> Both<'a> {
    /// Makes the namespace.
    pub(super) async fn begin(real: &'a Place, sandbox: &'a Place) -> Self {
        let namespace = namespace();
        for place in [real, sandbox] {
            Run::begin(place, &namespace).await;
        }
        Self {
            real,
            sandbox,
            namespace,
        }
    }

    /// Deletes the namespace.
    pub(super) async fn end(self) {
        for place in [self.real, self.sandbox] {
            let path = format!("/api/v1/namespaces/{}", self.namespace);
            place.ask("DELETE", &path, "", None).await;
        }
    }

    /// Sends `METHOD path`; `{core}` is the path of the namespace.
    pub(super) async fn ask(&self, ask: &str, body: Option<&Value>) -> Pair {
        let content = if ask.starts_with("PATCH") {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send(ask, &[("content-type", content), ("accept", "application/json")], &body)
            .await
    }

    /// Sends it with these headers and this body.
    pub(super) async fn send(&self, ask: &str, headers: &[(&str, &str)], body: &str) -> Pair {
        Pair {
            real: self.send_to(self.real, ask, headers, body).await,
            sandbox: self.send_to(self.sandbox, ask, headers, body).await,
        }
    }

    /// Sends it to one place.
    ///
    /// # Panics
    /// When the request cannot be written, or its answer does not end.
    #[allow(clippy::expect_used, reason = "a test without an answer cannot go on")]
    pub(super) async fn send_to(&self, place: &Place, ask: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let ask = ask.replace("{core}", &format!("/api/v1/namespaces/{}", self.namespace));
        let ask = ask.replace("{ns}", &self.namespace);
        let (method, path) = ask.split_once(' ').expect("a method and a path");
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.as_bytes().to_vec()).expect("a request");
        ended(place, request).await.expect("an end of the answer")
    }

    /// Asks one place again and again, until the answer is as it should be.
    pub(super) async fn until(&self, place: &Place, path: &str, done: impl Fn(&Reply) -> bool) -> Reply {
        place
            .until(path, async || {
                let ask = format!("GET {path}");
                let reply = self.send_to(place, &ask, &[("accept", "application/json")], "").await;
                done(&reply).then_some(reply)
            })
            .await
    }
}

impl Pair {
    /// The codes: of the real place, and of the sandbox.
    pub(super) fn codes(&self) -> (u16, u16) {
        (self.real.code.as_u16(), self.sandbox.code.as_u16())
    }

    /// A part of both bodies.
    pub(super) fn parts(&self, pointer: &str) -> (Value, Value) {
        let part = |reply: &Reply| reply.json().pointer(pointer).cloned().unwrap_or_default();
        (part(&self.real), part(&self.sandbox))
    }
}
