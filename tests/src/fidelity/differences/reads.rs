//! Differences of what is read.

use serde_json::{Value, json};

use super::both::Both;
use crate::place::Place;

pub(super) async fn yaml(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let pair = both
        .send("GET {core}/configmaps", &[("accept", "application/yaml")], "")
        .await;
    assert_eq!(pair.codes(), (200, 406));
    both.end().await;
}

pub(super) async fn metadata_lists(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}});
    both.ask("POST {core}/configmaps", Some(&map)).await;
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let watch = "GET {core}/configmaps?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Done";
    let pair = both.send(watch, &[("accept", accept)], "").await;
    assert!(!pair.real.text.contains("\"one\""), "{}", pair.real.text);
    assert!(pair.sandbox.text.contains("\"one\""), "{}", pair.sandbox.text);
    both.end().await;
}

pub(super) async fn discovery(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let (real, sandbox) = both.ask("GET /api/v1", None).await.parts("/resources");
    let has = |resources: &Value| {
        resources
            .as_array()
            .is_some_and(|all| all.iter().any(|r| r["name"] == "bindings"))
    };
    assert_eq!((has(&real), has(&sandbox)), (true, false));
    both.end().await;
}

pub(super) async fn openapi(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let pair = both.ask("GET /openapi/v3/apis/batch/v1", None).await;
    assert_eq!(pair.codes(), (200, 200));
    let tells = |text: &str| text.contains("\"backoffLimit\"");
    assert_eq!((tells(&pair.real.text), tells(&pair.sandbox.text)), (true, false));
    both.end().await;
}

pub(super) async fn patch_types(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let pair = both.ask("GET /openapi/v3/api/v1", None).await;
    let tells = |text: &str| text.contains("application/strategic-merge-patch+json");
    assert_eq!((tells(&pair.real.text), tells(&pair.sandbox.text)), (true, false));
    both.end().await;
}

pub(super) async fn health(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let pair = both.ask("GET /livez?verbose", None).await;
    let checks = |text: &str| text.lines().filter(|line| line.starts_with("[+]")).count();
    let (real, sandbox) = (checks(&pair.real.text), checks(&pair.sandbox.text));
    assert!(sandbox > 0 && real > sandbox, "{real} {sandbox}");
    both.end().await;
}

pub(super) async fn other_paths(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    for path in ["/metrics", "/"] {
        assert_eq!(
            both.ask(&format!("GET {path}"), None).await.codes(),
            (200, 404),
            "{path}"
        );
    }
    both.end().await;
}

pub(super) async fn logs(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"},
        "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
    });
    both.ask("POST {core}/pods", Some(&pod)).await;
    for place in [real, sandbox] {
        both.until(place, "{core}/pods/one", |reply| {
            reply.json()["status"]["phase"] == "Running"
        })
        .await;
    }
    if let Place::Sandbox(sandbox) = sandbox {
        sandbox.advance(jiff::SignedDuration::from_mins(1));
    }
    let pair = both.ask("GET {core}/pods/one/log", None).await;
    assert_ne!(pair.real.text, pair.sandbox.text);
    assert!(!pair.sandbox.text.is_empty());
    both.end().await;
}
