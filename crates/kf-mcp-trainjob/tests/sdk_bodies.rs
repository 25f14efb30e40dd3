//! The bodies that we build say the same as those of the official SDK, for the same wishes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use std::collections::BTreeMap;

use kf_mcp_trainjob::{PatchedPart, PodOptions, RuntimeRef, RuntimeScope, Submission, node_resources, same_quantity};
use serde_json::{Map, Value, json};

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("fixtures/sdk_container_jobs.json")).unwrap()
}

fn submission(name: &str, image: &str, resources: BTreeMap<String, String>) -> Submission {
    Submission {
        name: name.into(),
        namespace: "team-a".into(),
        runtime: RuntimeRef {
            name: "torch-distributed".into(),
            scope: RuntimeScope::Cluster,
        },
        image: Some(image.into()),
        command: Vec::new(),
        args: Vec::new(),
        env: Vec::new(),
        num_nodes: 1,
        resources,
        num_proc_per_node: None,
        pods: PodOptions::default(),
        initializer: None,
        claims: Vec::new(),
        parts: vec![PatchedPart::trains("node")],
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        active_deadline_seconds: None,
        suspend: false,
    }
}

fn resources(case: &Value) -> Map<String, Value> {
    case["resources_per_node"].as_object().cloned().unwrap_or_default()
}

/// Drops what the API server adds by itself, and what we send although it is the default.
fn normal(mut body: Value) -> Value {
    body["metadata"].as_object_mut().unwrap().remove("namespace");
    body["spec"]["runtimeRef"].as_object_mut().unwrap().remove("apiGroup");
    let trainer = body["spec"]["trainer"].as_object_mut().unwrap();
    trainer.entry("numNodes").or_insert(json!(1));
    let amounts = trainer.get_mut("resourcesPerNode").and_then(Value::as_object_mut);
    for amount in amounts
        .into_iter()
        .flat_map(|r| r.values_mut())
        .flat_map(|r| r.as_object_mut().unwrap().values_mut())
    {
        let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
        let plain = ["1", "2", "8", "0.5"]
            .into_iter()
            .find(|plain| same_quantity(plain, &text));
        *amount = json!(plain.map_or(text.clone(), str::to_owned));
    }
    body
}

#[test]
fn bodies_are_those_of_the_sdk() {
    for case in cases().iter().filter(|case| case.get("body").is_some()) {
        let body = &case["body"];
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap();
        let named = node_resources(&resources(case)).unwrap();
        let mut ours = submission(text("/metadata/name"), text("/spec/trainer/image"), named);
        if case["id"] == "cc-cmd-args" {
            ours.command = vec!["torchrun".into()];
            ours.args = ["train.py", "--epochs", "5"].map(str::to_owned).into();
            ours.env = vec![json!({"name": "A", "value": "1"})];
            ours.num_nodes = 4;
            ours.labels = [("l".to_owned(), "1".to_owned())].into();
        }
        assert_eq!(normal(ours.body()), normal(body.clone()), "{}", case["id"]);
    }
}

#[test]
fn what_the_sdk_refuses_is_refused() {
    let refused: Vec<Value> = cases().into_iter().filter(|case| case["refused"] == true).collect();
    assert_eq!(refused.len(), 2);
    for case in refused {
        assert!(node_resources(&resources(&case)).is_err(), "{}", case["id"]);
    }
}

#[test]
fn quantities_are_texts_and_pod_options_one_patch() {
    let one = |value: Value| value.as_object().cloned().unwrap();
    let mut job = submission("a", "i", node_resources(&one(json!({"gpu": 2}))).unwrap());
    job.parts = ["node", "launcher"].map(PatchedPart::trains).into();
    job.suspend = true;
    job.num_proc_per_node = Some(4);
    job.active_deadline_seconds = Some(60);
    job.pods = PodOptions {
        node_selector: one(json!({"zone": "a"})),
        tolerations: vec![one(json!({"operator": "Exists"}))],
        volumes: vec![one(json!({"name": "data", "emptyDir": {}}))],
        volume_mounts: vec![one(json!({"name": "data", "mountPath": "/data"}))],
        service_account_name: Some("trainer".into()),
        image_pull_secrets: vec![one(json!({"name": "pull"}))],
        affinity: Map::new(),
    };
    let pod = json!({
        "nodeSelector": {"zone": "a"}, "tolerations": [{"operator": "Exists"}], "volumes": [{"name": "data", "emptyDir": {}}],
        "serviceAccountName": "trainer", "imagePullSecrets": [{"name": "pull"}],
        "containers": [{"name": "node", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
    });
    let part = |name: &str| json!({"name": name, "template": {"spec": {"template": {"spec": pod}}}});
    assert_eq!(
        job.body()["spec"],
        json!({
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": "torch-distributed"},
            "trainer": {"image": "i", "numNodes": 1, "numProcPerNode": 4,
                "resourcesPerNode": {"limits": {"nvidia.com/gpu": "2"}, "requests": {"nvidia.com/gpu": "2"}}},
            "runtimePatches": [{"manager": "mcp.kubeflow.org/kubeflow-mcp", "trainingRuntimeSpec": {"template": {"spec": {
                "replicatedJobs": [part("node"), part("launcher")]}}}}],
            "activeDeadlineSeconds": 60, "suspend": true,
        })
    );
}
