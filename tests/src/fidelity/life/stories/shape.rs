//! How what a `TrainJob` says shows in what is made of it.

use serde_json::{Value, json};

use super::{env, forever, gpus, nodes, own, spec};
use crate::fidelity::life::Stage;

pub(super) async fn name_too_long(stage: &mut Stage) {
    stage
        .train(&"n".repeat(58), spec("torch-distributed", json!({"numNodes": 1})))
        .await;
    stage
        .train(&"t".repeat(40), spec("torchtune-llama3.2-1b", json!({"numNodes": 1})))
        .await;
    stage
        .until("Event", "", "twice", |events| {
            events["items"].as_array().is_some_and(|all| all.len() >= 2)
        })
        .await;
    stage.look("refused").await;
}

pub(super) async fn longest_name(stage: &mut Stage) {
    let name = "n".repeat(48);
    stage.train(&name, spec("torch-distributed", nodes(2))).await;
    stage.ready(&name, "node").await;
    stage.look("running").await;
}

pub(super) async fn env_and_resources(stage: &mut Stage) {
    let container = json!({
        "name": "node", "image": "example.com/train:1", "command": ["sh", "-c"], "args": ["echo runtime"],
        "env": env(&[("A", "runtime"), ("B", "runtime")]), "ports": [{"containerPort": 80, "name": "web"}],
        "resources": {"limits": {"cpu": "4", "memory": "2Gi"}, "requests": {"cpu": 1}},
    });
    let side = json!({"name": "side", "image": "example.com/side"});
    let pod = json!({
        "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
        "spec": {
            "containers": [container, side], "initContainers": [{"name": "prepare", "image": "example.com/prepare@sha256:0000000000000000000000000000000000000000000000000000000000000000"}],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "shm", "emptyDir": {"medium": "Memory"}}],
        },
    });
    stage
        .runtime(json!({"numNodes": 2, "torch": {}}), json!({"template": pod}), json!({}))
        .await;
    let trainer = json!({
        "image": "example.com/mine:2", "command": ["python"], "args": ["train.py", "--lr=1"],
        "env": [
            {"name": "B", "value": "job"}, {"name": "C", "value": "job"}, {"name": "SIM_RUN", "value": "1h"},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
        "resourcesPerNode": {"limits": {"nvidia.com/gpu": 1, "memory": "1024Mi"}, "requests": {"memory": "0.5Gi", "cpu": "1.5"}},
    });
    stage.train("demo", own(trainer)).await;
    stage.ready("demo", "node").await;
    stage.look("running").await;
}

pub(super) async fn processes(stage: &mut Stage) {
    let variants = [
        ("number", json!({"numProcPerNode": 3})),
        ("gpu", json!({"resourcesPerNode": gpus(2)})),
        ("both", json!({"numProcPerNode": 4, "resourcesPerNode": gpus(2)})),
        (
            "cpu",
            json!({"resourcesPerNode": {"requests": {"cpu": "2500m"}, "limits": {"cpu": "6"}}}),
        ),
        ("limit", json!({"resourcesPerNode": {"limits": {"cpu": "1"}}})),
        ("memory", json!({"resourcesPerNode": {"limits": {"memory": "1Gi"}}})),
    ];
    for (name, mut trainer) in variants {
        trainer["env"] = forever();
        stage.train(name, spec("torch-distributed", trainer.clone())).await;
        if name == "gpu" {
            stage.train("gpu-x", spec("xgboost-distributed", trainer)).await;
        }
    }
    for name in ["number", "gpu", "both", "cpu", "limit", "memory", "gpu-x"] {
        stage.ready(name, "node").await;
    }
    stage.look("running").await;
}

fn patch(pod: &Value) -> Value {
    let jobs = json!([{"name": "node", "template": {"spec": {"template": pod}}}]);
    json!([{
        "manager": "test.example.com/life",
        "trainingRuntimeSpec": {"template": {
            "metadata": {"labels": {"cost": "1"}, "annotations": {"why": "test"}}, "spec": {"replicatedJobs": jobs},
        }},
    }])
}

pub(super) async fn patches(stage: &mut Stage) {
    let pod = json!({
        "metadata": {"labels": {"team": "a"}, "annotations": {"sim/run": "2h"}},
        "spec": {
            "serviceAccountName": "default", "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "k", "operator": "Exists"}], "imagePullSecrets": [{"name": "pull"}],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "demo-runtime-snapshot"}}],
            "containers": [{"name": "node", "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "conf", "mountPath": "/conf"}]}],
            "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "preference": {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["cpu"]}]}},
            ]}},
            "securityContext": {"fsGroup": 7}, "terminationGracePeriodSeconds": 5,
        },
    });
    let mut job = spec("torch-distributed", nodes(1));
    job["runtimePatches"] = patch(&pod);
    let job_template = "/0/trainingRuntimeSpec/template/spec/replicatedJobs/0/template";
    if let Some(template) = job["runtimePatches"].pointer_mut(job_template) {
        template["metadata"] = json!({"labels": {"on-job": "1"}});
    }
    stage
        .create(
            "TrainJob",
            json!({
                "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "spec": job,
                "metadata": {"name": "demo", "labels": {"mine": "1"}, "annotations": {"mine": "2"}},
            }),
        )
        .await;
    stage.ready("demo", "node").await;
    stage.look("running").await;
}

pub(super) async fn patches_merge(stage: &mut Stage) {
    let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
    let container = json!({
        "name": "node", "image": "example.com/train:1", "volumeMounts": [mount("data", "/data"), mount("shm", "/dev/shm")],
        "securityContext": {"runAsUser": 5},
    });
    let side = json!({"name": "side", "image": "example.com/side:1", "env": env(&[("A", "1"), ("B", "2")])});
    let template = json!({
        "metadata": {"labels": {"team": "a", "keep": "1"}},
        "spec": {
            "containers": [side, container], "initContainers": [{"name": "check", "image": "example.com/check:1"}],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "shm", "emptyDir": {"medium": "Memory"}}],
            "nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"key": "old", "operator": "Exists"}],
            "imagePullSecrets": [{"name": "first"}], "securityContext": {"fsGroup": 1, "runAsNonRoot": false},
        },
    });
    stage
        .runtime(json!({"torch": {}}), json!({"template": template}), json!({}))
        .await;
    let one = json!({
        "metadata": {"labels": {"team": "b"}},
        "spec": {
            "containers": [
                {"name": "side", "env": env(&[("B", "3"), ("C", "4")])},
                {"name": "node", "volumeMounts": [mount("shm", "/shm"), mount("more", "/data")], "securityContext": {"runAsGroup": 6}},
            ],
            "volumes": [{"name": "more", "emptyDir": {}}, {"name": "shm", "emptyDir": {"sizeLimit": "1Gi"}}],
            "nodeSelector": {"kubernetes.io/arch": "amd64"}, "tolerations": [{"key": "new", "operator": "Exists"}],
            "imagePullSecrets": [{"name": "second"}], "securityContext": {"fsGroup": 2},
        },
    });
    let two = json!({"spec": {"nodeSelector": {"kubernetes.io/os": "linux"}, "imagePullSecrets": [{"name": "third"}]}});
    let mut job = own(nodes(1));
    let (mut first, mut second) = (patch(&one), patch(&two));
    first[0]["manager"] = json!("test.example.com/one");
    second[0]["manager"] = json!("test.example.com/two");
    job["runtimePatches"] = json!([first[0], second[0]]);
    stage.train("demo", job).await;
    stage.ready("demo", "node").await;
    stage.look("running").await;
}

pub(super) async fn patched_later(stage: &mut Stage) {
    let mut job = spec("torch-distributed", nodes(1));
    job["suspend"] = json!(true);
    stage.train("demo", job).await;
    stage.counted_suspended("demo").await;
    let pod = json!({
        "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}},
        "spec": {"nodeSelector": {"kubernetes.io/os": "linux"}, "tolerations": [{"key": "k", "operator": "Exists"}]},
    });
    let reply = stage
        .patch("TrainJob", "demo", json!({"spec": {"runtimePatches": patch(&pod)}}))
        .await;
    assert!(reply.code.is_success(), "{}", reply.text);
    stage.look("patched").await;
    stage.suspend("demo", false).await;
    stage.ready("demo", "node").await;
    stage.look("resumed").await;
    let reply = stage
        .patch("TrainJob", "demo", json!({"spec": {"runtimePatches": []}}))
        .await;
    stage.note("no patches while running", &reply);
}

pub(super) async fn managed_by_another(stage: &mut Stage) {
    let mut job = spec("torch-distributed", json!({"numNodes": 1}));
    job["managedBy"] = json!("kueue.x-k8s.io/multikueue");
    stage.train("demo", job).await;
    stage.look("left alone").await;
}

pub(super) async fn own_runtime(stage: &mut Stage) {
    let pod = json!({
        "metadata": {"labels": {"team": "a"}},
        "spec": {
            "containers": [{
                "name": "node", "image": "example.com/train", "envFrom": [{"configMapRef": {"name": "none", "optional": true}}],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "livenessProbe": {"exec": {"command": ["true"]}},
                "readinessProbe": {"httpGet": {"port": 80}},
            }],
            "volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}], "restartPolicy": "Never",
        },
    });
    let replicated = json!([{
        "name": "node", "replicas": 1,
        "template": {
            "metadata": {
                "labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer", "l": "job"}, "annotations": {"a": "job"},
            },
            "spec": {"backoffLimit": 2, "activeDeadlineSeconds": 3600, "template": pod},
        },
    }]);
    let template = json!({
        "metadata": {"labels": {"l": "set"}, "annotations": {"a": "set"}},
        "spec": {
            "replicatedJobs": replicated, "network": {"enableDNSHostnames": false},
            "failurePolicy": {"maxRestarts": 0}, "startupPolicy": {"startupPolicyOrder": "InOrder"},
        },
    });
    stage
        .create(
            "TrainingRuntime",
            json!({
                "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime",
                "metadata": {"name": "own", "labels": {"trainer.kubeflow.org/framework": "torch"}, "annotations": {"r": "1"}},
                "spec": {"mlPolicy": {"numNodes": 2, "torch": {}}, "template": template},
            }),
        )
        .await;
    stage.train("demo", own(json!({"env": forever()}))).await;
    stage.ready("demo", "node").await;
    stage.look("running").await;
    stage.end("demo").await;
    stage.condition("demo", "Complete").await;
    stage.look("finished").await;
}
