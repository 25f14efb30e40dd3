//! `metav1.Status`: how an API server says no.

use serde_json::{Value, json};

/// An error answer of the API server, with the words a client would see from a real one.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason, for example `NotFound`.
    pub reason: &'static str,
    /// The sentence for people.
    pub message: String,
    /// `details`, where a real server sends them.
    pub details: Option<Value>,
    /// `metadata.continue`: how an expired list can go on after all.
    pub resume: Option<String>,
    /// What is told besides, in `Warning` headers.
    pub warnings: Vec<String>,
}

impl Status {
    /// An answer with a code, a reason and a message.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: None,
            resume: None,
            warnings: Vec::new(),
        }
    }

    /// Adds `details`.
    pub fn details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Adds what was found out before the refusal.
    pub fn warned(mut self, warnings: &[String]) -> Self {
        self.warnings = warnings.to_vec();
        self
    }

    /// The body as JSON.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(details) = &self.details {
            body["details"] = details.clone();
        }
        if let Some(token) = &self.resume {
            body["metadata"]["continue"] = json!(token);
        }
        if self.reason.is_empty() {
            body.as_object_mut().map(|b| b.remove("reason"));
        }
        body
    }
}
