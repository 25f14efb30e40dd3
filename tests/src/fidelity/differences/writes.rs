//! Differences of what is written and deleted.

use std::collections::HashSet;

use kf_mcp_sandbox::{Clock, Sandbox};
use serde_json::{Value, json};

use super::both::{Both, Pair};
use crate::place::{Place, Reply};

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"},
        "spec": {"containers": [{"name": "main", "image": "busybox:1"}]},
    })
}

fn map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

/// The types of the events of a watch.
fn events(reply: &Reply) -> Vec<String> {
    let lines = reply
        .text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter_map(|event| event["type"].as_str().map(str::to_owned))
        .collect()
}

pub(super) async fn protobuf(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let headers = [("content-type", "application/vnd.kubernetes.protobuf")];
    let pair = both.send("POST {core}/configmaps", &headers, "no protobuf").await;
    // the real server tries to read it
    assert_eq!(pair.codes(), (400, 415));
    both.end().await;
}

pub(super) async fn managers(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "one"},
        "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}},
    });
    both.ask("POST /apis/batch/v1/namespaces/{ns}/jobs", Some(&job)).await;
    let mut managed = Vec::new();
    for place in [real, sandbox] {
        let path = "/apis/batch/v1/namespaces/{ns}/jobs/one";
        let reply = both
            .until(place, path, |reply| !reply.json()["status"]["conditions"].is_null())
            .await;
        let managers = reply.json()["metadata"]["managedFields"].clone();
        let managers = managers.as_array().cloned().unwrap_or_default();
        managed.push(managers.iter().any(|manager| manager["subresource"] == "status"));
    }
    assert_eq!(managed, [true, false]);
    both.end().await;
}

pub(super) async fn custom_kinds(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let runtime = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime", "metadata": {"name": "one"},
        "spec": {"mlPolicy": {"numNodes": 1}, "podGroupPolicy": {"coscheduling": {"scheduleTimeoutSeconds": "soon"}},
                 "template": {"spec": {"replicatedJobs": []}}},
    });
    let path = "POST /apis/trainer.kubeflow.org/v1alpha1/namespaces/{ns}/trainingruntimes";
    let (real, sandbox) = both.ask(path, Some(&runtime)).await.codes();
    assert!(real >= 400 && sandbox == 201, "{real} {sandbox}");
    both.end().await;
}

pub(super) async fn built_in_kinds(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "one"}, "spec": {"ports": [{"port": 99_999}]},
    });
    assert_eq!(
        both.ask("POST {core}/services", Some(&service)).await.codes(),
        (422, 201)
    );
    both.end().await;
}

pub(super) async fn causes(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    both.ask("POST {core}/configmaps", Some(&map("one"))).await;
    let patch = json!({"metadata": {"labels": {"a": "no label"}}});
    let pair = both.ask("PATCH {core}/configmaps/one", Some(&patch)).await;
    let (real, sandbox) = pair.parts("/details/causes");
    let count = |causes: &Value| causes.as_array().map_or(0, Vec::len);
    assert!(count(&real) > 1 && count(&sandbox) == 1, "{real} {sandbox}");
    assert_eq!(real[0], sandbox[0]);
    both.end().await;
}

pub(super) async fn pod_changes(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let mut pod = pod();
    pod["spec"]["schedulerName"] = json!("nobody");
    both.ask("POST {core}/pods", Some(&pod)).await;
    let patch = json!({"spec": {"restartPolicy": "Never"}});
    let (real, sandbox) = both.ask("PATCH {core}/pods/one", Some(&patch)).await.parts("/message");
    let (real, sandbox) = (real.as_str().unwrap_or_default(), sandbox.as_str().unwrap_or_default());
    // the sentence is the same, and a picture of the difference comes after it
    assert!(
        !sandbox.is_empty() && real.starts_with(sandbox) && real != sandbox,
        "{real}\n{sandbox}"
    );
    both.end().await;
}

pub(super) async fn yaml(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let headers = [("content-type", "application/yaml"), ("accept", "application/json")];
    let pair = both.send("POST {core}/configmaps", &headers, "a: [\n").await;
    assert_eq!(pair.codes(), (400, 400));
    let (real, sandbox) = pair.parts("/message");
    assert_ne!(real, sandbox);
    both.end().await;
}

/// What a watch told of the end of an object, from a version that was current before it.
async fn end_of(both: &Both<'_>, collection: &str, delete: &str) -> (Vec<String>, Vec<String>) {
    let mut told = Vec::new();
    for place in [both.real, both.sandbox] {
        let list = both
            .send_to(
                place,
                &format!("GET {collection}"),
                &[("accept", "application/json")],
                "",
            )
            .await;
        let version = list.json()["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        both.send_to(place, &format!("DELETE {collection}/one{delete}"), &[], "")
            .await;
        both.until(place, &format!("{collection}/one"), |reply| reply.code == 404)
            .await;
        let watch = format!(
            "GET {collection}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Done&resourceVersion={version}"
        );
        told.push(events(
            &both.send_to(place, &watch, &[("accept", "application/json")], "").await,
        ));
    }
    let sandbox = told.pop().unwrap_or_default();
    (told.pop().unwrap_or_default(), sandbox)
}

pub(super) async fn grace(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    both.ask("POST {core}/pods", Some(&pod())).await;
    for place in [real, sandbox] {
        both.until(place, "{core}/pods/one", |reply| {
            reply.json()["status"]["phase"] == "Running"
        })
        .await;
    }
    let (real, sandbox) = end_of(&both, "{core}/pods", "").await;
    assert!(real.contains(&"MODIFIED".to_owned()), "{real:?}");
    assert_eq!(sandbox, ["DELETED"]);
    both.end().await;
}

pub(super) async fn foreground(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    both.ask("POST {core}/configmaps", Some(&map("one"))).await;
    let (real, sandbox) = end_of(&both, "{core}/configmaps", "?propagationPolicy=Foreground").await;
    assert_eq!(real, ["MODIFIED", "DELETED"]);
    assert_eq!(sandbox, ["DELETED"]);
    both.end().await;
}

pub(super) async fn namespaces(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    assert_eq!(both.ask("DELETE {core}", None).await.codes(), (200, 200));
    assert_eq!(both.ask("GET {core}", None).await.codes(), (200, 404));
}

pub(super) async fn root_certificate(real: &Place, sandbox: &Place) {
    let both = Both::begin(real, sandbox).await;
    let path = "{core}/configmaps/kube-root-ca.crt";
    both.until(real, path, |reply| reply.code == 200).await;
    assert_eq!(both.ask(&format!("GET {path}"), None).await.codes(), (200, 404));
    both.end().await;
}

pub(super) async fn generated_names(real: &Place, sandbox: &Place) {
    let (real, sandbox) = twice(real, sandbox, "/metadata/name").await;
    assert_eq!((real, sandbox), (2, 1));
}

pub(super) async fn uids(real: &Place, sandbox: &Place) {
    let (real, sandbox) = twice(real, sandbox, "/metadata/uid").await;
    assert_eq!((real, sandbox), (2, 1));
}

/// How many different values a field has when the same is done twice: in two real namespaces, in two new sandboxes.
async fn twice(real: &Place, _: &Place, pointer: &str) -> (usize, usize) {
    let mut found = (HashSet::new(), HashSet::new());
    for _ in 0..2 {
        let Ok(start) = crate::START.parse() else { continue };
        let Ok(sandbox) = Sandbox::named("healthy-empty", Clock::manual(start)) else {
            continue;
        };
        let sandbox = Place::Sandbox(sandbox);
        let both = Both::begin(real, &sandbox).await;
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "one-"}});
        let pair: Pair = both.ask("POST {core}/configmaps", Some(&body)).await;
        let (of_real, of_sandbox) = pair.parts(pointer);
        found.0.insert(of_real.to_string());
        found.1.insert(of_sandbox.to_string());
        both.end().await;
    }
    (found.0.len(), found.1.len())
}
