//! What was asked of the API server, for tests that count.

use std::collections::VecDeque;

use crate::apiserver::Call;

/// How many requests are remembered.
const LIMIT: usize = 10_000;

/// One request and the code of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// HTTP method.
    pub method: String,
    /// Path, as sent.
    pub path: String,
    /// Query, as sent, without the question mark.
    pub query: String,
    /// Kubernetes verb, for example `list`.
    pub verb: String,
    /// API group, empty for the core group.
    pub group: String,
    /// Plural of the resource, empty for paths outside of the API.
    pub resource: String,
    /// Subresource, empty for the resource itself.
    pub subresource: String,
    /// Namespace, if the path has one.
    pub namespace: Option<String>,
    /// Object's name, if the path has one.
    pub name: Option<String>,
    /// Who asked.
    pub user: String,
    /// HTTP status code.
    pub code: u16,
}

impl Recorded {
    pub(crate) fn of(call: &Call, path: &str, code: u16) -> Self {
        Self {
            method: call.method.to_string(),
            path: path.to_owned(),
            query: call.raw_query.clone(),
            verb: call.verb.to_owned(),
            group: call.target.group.clone(),
            resource: call.target.resource.clone(),
            subresource: call.target.subresource.clone(),
            namespace: call.target.namespace.clone(),
            name: call.target.name.clone(),
            user: call.user.clone(),
            code,
        }
    }
}

/// The last requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recorder(VecDeque<Recorded>);

impl Recorder {
    pub(crate) fn push(&mut self, recorded: Recorded) {
        if self.0.len() >= LIMIT {
            self.0.pop_front();
        }
        self.0.push_back(recorded);
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.0.iter().cloned().collect()
    }

    pub(crate) fn take(&mut self) -> Vec<Recorded> {
        std::mem::take(&mut self.0).into()
    }
}
