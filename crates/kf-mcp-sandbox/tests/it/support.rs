//! What all tests begin with.

use jiff::Timestamp;
pub(crate) use kf_mcp_sandbox::Sandbox;
use kf_mcp_sandbox::{Clock, Scenario};
use kube::api::ApiResource;
pub(crate) use kube::api::DynamicObject;
pub(crate) use kube::{Api, Client};
pub(crate) use serde_json::Value;
use serde_json::json;

/// A cluster with the Trainer's definitions and two namespaces. Its custom objects are runtimes, which no controller
/// touches.
pub(crate) fn sandbox() -> Sandbox {
    with(Vec::new())
}

/// The same cluster with more objects.
pub(crate) fn with(more: Vec<Value>) -> Sandbox {
    let mut objects = vec![namespace("team-a"), namespace("team-b")];
    for (plural, group, version) in [
        ("trainjobs", "trainer.kubeflow.org", "v1alpha1"),
        ("trainingruntimes", "trainer.kubeflow.org", "v1alpha1"),
        ("clustertrainingruntimes", "trainer.kubeflow.org", "v1alpha1"),
    ] {
        objects.push(json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {"group": group, "versions": [{"name": version, "served": true, "storage": true}]},
        }));
    }
    objects.extend(more);
    Sandbox::new(
        Scenario {
            objects,
            ..Scenario::default()
        },
        Clock::manual(start()),
    )
}

pub(crate) fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// A scheduled pod that nothing owns.
pub(crate) fn pod(name: &str, labels: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "team-a", "labels": labels},
        "spec": {"nodeName": "node-0", "containers": [{"name": "node", "image": "x"}]},
        "status": {"phase": "Running"},
    })
}

/// An object without any meaning.
pub(crate) fn config_map(name: &str, labels: Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": {"a": "1"},
    }))
    .unwrap()
}

/// A custom resource.
pub(crate) fn runtime(name: &str) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime",
        "metadata": {"name": name},
        "spec": {"mlPolicy": {"numNodes": 1}, "template": {"spec": {"replicatedJobs": []}}},
    }))
    .unwrap()
}

pub(crate) fn resource(kind: &str) -> ApiResource {
    let kind = kf_mcp_sandbox::kinds::Kind::named(kind).unwrap();
    ApiResource {
        group: kind.group.to_owned(),
        version: kind.version.to_owned(),
        api_version: kind.api_version(),
        kind: kind.kind.to_owned(),
        plural: kind.plural.to_owned(),
    }
}

pub(crate) fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), "team-a", &resource(kind))
}

/// The refusal in a result.
pub(crate) fn refused<T: std::fmt::Debug>(result: kube::Result<T>) -> kube::core::Status {
    match result.unwrap_err() {
        kube::Error::Api(status) => *status,
        other => panic!("not an answer of the API server: {other:?}"),
    }
}

/// One raw request: code, the first `Warning` header and the body.
pub(crate) async fn raw(
    client: &Client,
    method: &str,
    path: &str,
    content_type: &str,
    body: &str,
) -> (u16, String, String) {
    use http_body_util::BodyExt;
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content_type);
    let response = client
        .send(request.body(body.as_bytes().to_vec().into()).unwrap())
        .await
        .unwrap();
    let code = response.status().as_u16();
    let warning = response
        .headers()
        .get("warning")
        .map(|w| w.to_str().unwrap().to_owned())
        .unwrap_or_default();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, warning, String::from_utf8(body.to_vec()).unwrap())
}

pub(crate) async fn get(client: &Client, path: &str) -> (u16, String) {
    let (code, _, body) = raw(client, "GET", path, "", "").await;
    (code, body)
}
