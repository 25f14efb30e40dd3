//! One cluster's side of a case.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use http::Request;
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::case::{Case, Step};
use crate::fidelity::normal::{normal, normal_text};
use crate::place::{Place, Reply};

/// The headers that clients look at.
const HEADERS: [&str; 3] = ["content-type", "retry-after", "warning"];

/// A cluster and what the steps so far have told of it.
pub(in crate::fidelity) struct Run<'a> {
    place: &'a Place,
    words: BTreeMap<String, String>,
}

/// How often an answer is looked at that takes time, and how many times.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: usize = 120;
/// How many times a request is sent again that waits for something. What never comes shows as a difference.
const PATIENCE: usize = 900;

/// A new name for a namespace that both clusters use, so that it is the same in all messages.
pub(in crate::fidelity) fn namespace() -> String {
    format!("fidelity-{:010x}", RandomState::new().hash_one(()) >> 24)
}

impl<'a> Run<'a> {
    /// Makes the namespace and waits until pods can be created in it.
    pub(in crate::fidelity) async fn begin(place: &'a Place, namespace: &str) -> Self {
        let core = format!("/api/v1/namespaces/{namespace}");
        place.make_namespace(namespace).await;
        let words = [
            ("ns", namespace.to_owned()),
            ("core", core),
            (
                "trainjobs",
                format!("/apis/trainer.kubeflow.org/v1alpha1/namespaces/{namespace}/trainjobs"),
            ),
            ("jobs", format!("/apis/batch/v1/namespaces/{namespace}/jobs")),
        ];
        Self {
            place,
            words: words.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    /// Deletes the namespace and does not wait for it.
    pub(super) async fn end(self) {
        self.place
            .ask("DELETE", &self.filled("/api/v1/namespaces/{ns}"), "", None)
            .await;
    }

    /// Sends a step's request; the answer as it is compared.
    pub(super) async fn step(&mut self, case: &Case, step: &Step) -> Value {
        let mut reply = self.send(case, step).await;
        for _ in 0..PATIENCE {
            if reply.as_ref().is_none_or(|reply| came(reply, step)) {
                break;
            }
            match self.place {
                Place::Sandbox(sandbox) => sandbox.advance(SignedDuration::from_secs(1)),
                Place::Real(_) => tokio::time::sleep(LOOK).await,
            }
            reply = self.send(case, step).await;
        }
        let Some(reply) = reply else {
            return json!({"endless": true});
        };
        let body = reply.json();
        for (name, pointer) in &step.save {
            let value = match body.pointer(pointer) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            };
            self.words.insert(name.clone(), value);
        }
        compared(&reply, step)
    }

    /// The answer; nothing when it does not end.
    async fn send(&self, case: &Case, step: &Step) -> Option<Reply> {
        ended(self.place, self.request(case, step)).await
    }

    #[allow(clippy::expect_used, reason = "a test's data is part of the test")]
    fn request(&self, case: &Case, step: &Step) -> Request<Vec<u8>> {
        let (method, path) = step.ask.split_once(' ').expect("a method and a path");
        let body = match (&step.raw, &step.body, &step.object) {
            (Some(raw), _, _) => Some(raw.clone()),
            (None, Some(body), _) => Some(body.to_string()),
            (None, None, Some(name)) => {
                let mut object = case.objects.get(name).expect("an object of the file").clone();
                merge(&mut object, step.merge.as_ref().unwrap_or(&Value::Null));
                Some(object.to_string())
            }
            (None, None, None) => None,
        };
        let mut request = Request::builder().method(method).uri(self.filled(path));
        let content = match step.r#type.as_deref() {
            None if body.is_none() => None,
            None => Some("application/json"),
            Some("none") => None,
            Some("merge") => Some("application/merge-patch+json"),
            Some("json-patch") => Some("application/json-patch+json"),
            Some("strategic") => Some("application/strategic-merge-patch+json"),
            Some("apply") => Some("application/apply-patch+yaml"),
            Some(other) => Some(other),
        };
        if let Some(content) = content {
            request = request.header("content-type", content);
        }
        if !step.headers.contains_key("accept") {
            request = request.header("accept", "application/json");
        }
        for (name, value) in &step.headers {
            request = request.header(name, self.filled(value));
        }
        let body = body.map(|body| self.filled(&body).into_bytes()).unwrap_or_default();
        request.body(body).expect("a request")
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.words {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}

/// Whether the answer is the one that a step waits for.
fn came(reply: &Reply, step: &Step) -> bool {
    let body = reply.json();
    step.until
        .iter()
        .all(|(pointer, wanted)| body.pointer(pointer).unwrap_or(&Value::Null) == wanted)
}

/// The answer to a request; nothing when it does not end.
pub(in crate::fidelity) async fn ended(place: &Place, request: Request<Vec<u8>>) -> Option<Reply> {
    let mut asked = std::pin::pin!(place.send(request));
    for _ in 0..LOOKS {
        tokio::select! {
            reply = &mut asked => return Some(reply),
            () = tokio::time::sleep(LOOK) => {
                // streams end by the sandbox's time, which moves only by hand
                if let Place::Sandbox(sandbox) = place {
                    sandbox.advance(SignedDuration::from_millis(500));
                }
            }
        }
    }
    None
}

fn compared(reply: &Reply, step: &Step) -> Value {
    let headers: Map<String, Value> = HEADERS
        .iter()
        .filter_map(|name| {
            let values = reply.headers.get_all(*name).iter();
            let mut values: Vec<String> = values.filter_map(|v| v.to_str().ok()).map(normal_text).collect();
            values.sort();
            (!values.is_empty()).then(|| ((*name).to_owned(), json!(values)))
        })
        .collect();
    json!({"code": reply.code.as_u16(), "headers": headers, "body": body(reply, step)})
}

/// JSON, or JSON lines as of a watch, or text.
fn body(reply: &Reply, step: &Step) -> Value {
    if let Ok(body) = serde_json::from_str::<Value>(&reply.text)
        && !is_event(&body)
    {
        let owners = owners(&body["metadata"]["managedFields"]);
        let mut body = normal(&body);
        if step.owners {
            body["owners"] = owners;
        }
        for pointer in &step.sorted {
            if let Some(Value::Array(items)) = body.pointer_mut(pointer) {
                items.sort_by_key(|item| (item["name"].to_string(), item.to_string()));
            }
        }
        if step.only.is_empty() {
            return body;
        }
        let parts = step
            .only
            .iter()
            .map(|at| (at.clone(), body.pointer(at).cloned().unwrap_or_default()));
        return parts.collect::<Map<_, _>>().into();
    }
    let lines: Result<Vec<Value>, _> = reply.text.lines().map(serde_json::from_str).collect();
    match lines {
        Ok(lines) => lines.iter().filter(|line| !is_by_chance(line)).map(normal).collect(),
        _ => Value::String(normal_text(&reply.text)),
    }
}

/// Who owns what, by name: the server orders them by the second of their last write, which is chance.
fn owners(managed: &Value) -> Value {
    let mut owners = normal(managed);
    if let Some(owners) = owners.as_array_mut() {
        owners.sort_by_key(|owner| ["manager", "operation", "subresource"].map(|field| owner[field].to_string()));
    }
    owners
}

/// Whether JSON is one line of a watch.
fn is_event(body: &Value) -> bool {
    body["type"].is_string() && body["object"].is_object()
}

/// Bookmarks come at moments of the server's choice; only that at the end of what there was at the beginning is certain.
fn is_by_chance(event: &Value) -> bool {
    event["type"] == "BOOKMARK" && event["object"]["metadata"]["annotations"].is_null()
}

/// RFC 7396, for making bodies.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.as_object_mut().map(|map| map.remove(name));
            }
            Value::Object(_) => merge(&mut target[name], value),
            other => target[name] = other.clone(),
        }
    }
}
