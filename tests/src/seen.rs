//! Waiting until Trainer has seen what was written: its webhook asks its own cache for runtimes, which is behind the API
//! server for a moment, and for a long one on a busy machine.

use serde_json::{Value, json};

use crate::Place;

const ROOT: &str = "/apis/trainer.kubeflow.org/v1alpha1";
/// What the webhook says of a runtime that its cache does not hold.
const UNKNOWN: &str = "not found: specified";

/// A write of runtimes, as its request names it.
pub(crate) struct Write {
    method: http::Method,
    /// `namespaces/NAME/`, or nothing for runtimes of the cluster.
    scope: String,
    /// Nothing in a creation.
    name: Option<String>,
}

impl Write {
    /// The write that a request is; `None` when it is something else, or changes nothing.
    pub(crate) fn of<B>(request: &http::Request<B>) -> Option<Self> {
        let method = request.method();
        let writes = matches!(method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
        let query = request.uri().query().unwrap_or_default();
        let path = request.uri().path().strip_prefix(ROOT)?.strip_prefix('/')?;
        let (scope, rest) = match path.find("trainingruntimes") {
            Some(at) if path.starts_with("namespaces/") => path.split_at(at),
            _ => ("", path),
        };
        let (plural, name) = match rest.split_once('/') {
            Some((plural, name)) => (plural, Some(name.to_owned())),
            None => (rest, None),
        };
        let is_runtime = plural == kind(scope).1;
        (writes && is_runtime && !query.contains("dryRun")).then(|| Self {
            method: method.clone(),
            scope: scope.to_owned(),
            name,
        })
    }

    /// The write that a confirmed call of one of the tools for runtimes is.
    pub(crate) fn by_tool(tool: &str, arguments: &Value) -> Option<Self> {
        let method = match tool {
            "create_runtime" => http::Method::POST,
            "patch_runtime" => http::Method::PATCH,
            "delete_runtime" => http::Method::DELETE,
            _ => return None,
        };
        let namespace = arguments["namespace"].as_str();
        (arguments["confirmed"] == true).then(|| Self {
            method,
            scope: namespace.map(|name| format!("namespaces/{name}/")).unwrap_or_default(),
            name: arguments["name"].as_str().map(str::to_owned),
        })
    }

    /// Waits until Trainer's webhook has seen the write, whose answer was `body`. What is deleted and still there, as jobs
    /// use it, is not waited for.
    pub(crate) async fn seen(&self, place: &Place, body: &Value) {
        let Some(name) = self.name.as_deref().or_else(|| body["metadata"]["name"].as_str()) else {
            return;
        };
        match self.method.as_str() {
            "POST" => self.known(place, name, true).await,
            "DELETE" => {
                if self.get(place, name).await.is_none() {
                    self.known(place, name, false).await;
                }
            }
            // a cache keeps the order of writes: whoever has seen a later one has seen this one
            _ => {
                let Some(mut later) = self.get(place, name).await else {
                    return;
                };
                let probe = format!("{name}-seen");
                later["metadata"] = json!({"name": probe});
                let made = Box::pin(place.ask("POST", &self.path(""), "application/json", Some(&later))).await;
                if made.code.is_success() {
                    Box::pin(place.ask("DELETE", &self.path(&probe), "", None)).await;
                }
            }
        }
    }

    fn path(&self, name: &str) -> String {
        let path = format!("{ROOT}/{}{}/{name}", self.scope, kind(&self.scope).1);
        path.trim_end_matches('/').to_owned()
    }

    async fn get(&self, place: &Place, name: &str) -> Option<Value> {
        let reply = Box::pin(place.ask("GET", &self.path(name), "", None)).await;
        reply.code.is_success().then(|| reply.json())
    }

    /// Waits until the webhook knows a runtime, or knows it no more.
    async fn known(&self, place: &Place, name: &str, known: bool) {
        let scope = if self.scope.is_empty() {
            "namespaces/default/"
        } else {
            &self.scope
        };
        let path = format!("{ROOT}/{scope}trainjobs?dryRun=All");
        let job = json!({
            "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": "seen"},
            "spec": {"runtimeRef": {"name": name, "kind": kind(&self.scope).0}},
        });
        place
            .until(&format!("Trainer's view of the runtime {name}"), async || {
                let reply = Box::pin(place.ask("POST", &path, "application/json", Some(&job))).await;
                (reply.text.contains(UNKNOWN) != known).then_some(())
            })
            .await;
    }
}

/// The kind and plural of the runtimes of a scope.
fn kind(scope: &str) -> (&'static str, &'static str) {
    if scope.is_empty() {
        ("ClusterTrainingRuntime", "clustertrainingruntimes")
    } else {
        ("TrainingRuntime", "trainingruntimes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &str, path: &str) -> Option<(String, Option<String>)> {
        let request = http::Request::builder().method(method).uri(format!("{ROOT}{path}"));
        let write = Write::of(&request.body(()).unwrap())?;
        Some((write.path(""), write.name))
    }

    #[test]
    fn writes_of_runtimes_are_told_from_other_requests() {
        let own = format!("{ROOT}/namespaces/a/trainingruntimes");
        let shared = format!("{ROOT}/clustertrainingruntimes");
        let b = Some("b".to_owned());
        for (method, path, wanted) in [
            ("POST", "/namespaces/a/trainingruntimes", Some((own.clone(), None))),
            ("PATCH", "/namespaces/a/trainingruntimes/b?x=y", Some((own, b.clone()))),
            ("DELETE", "/clustertrainingruntimes/b", Some((shared, b))),
            ("GET", "/clustertrainingruntimes/b", None),
            ("POST", "/clustertrainingruntimes?dryRun=All", None),
            ("POST", "/namespaces/a/trainjobs", None),
        ] {
            assert_eq!(of(method, path), wanted, "{method} {path}");
        }
    }
}
