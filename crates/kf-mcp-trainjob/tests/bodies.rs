//! The bodies that we build, option by option. The SDK's are compared through the tools, in `tests/it/golden.rs`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

use std::collections::BTreeMap;

use kf_mcp_trainjob::{PatchedPart, PodOptions, RuntimeRef, RuntimeScope, Submission, node_resources};
use serde_json::{Map, Value, json};

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
