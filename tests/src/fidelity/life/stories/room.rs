//! Jobs that do not fit.

use serde_json::{Value, json};

use super::{forever, gpus, nodes, spec};
use crate::fidelity::life::Stage;
use crate::fidelity::life::stage::status;

pub(super) async fn too_big(stage: &mut Stage) {
    stage
        .train(
            "big",
            spec(
                "torch-distributed",
                json!({"numNodes": 1, "resourcesPerNode": gpus(16)}),
            ),
        )
        .await;
    let cpus = json!({"requests": {"cpu": 1000}});
    stage
        .train(
            "wide",
            spec("torch-distributed", json!({"numNodes": 1, "resourcesPerNode": cpus})),
        )
        .await;
    let unknown = json!({"limits": {"amd.com/gpu": 1}});
    stage
        .train(
            "strange",
            spec("torch-distributed", json!({"numNodes": 1, "resourcesPerNode": unknown})),
        )
        .await;
    for name in ["big", "wide", "strange"] {
        stage
            .until("TrainJob", name, "active", |job| status(job, "node")["active"] == 1)
            .await;
    }
    stage.look("waiting").await;
}

pub(super) async fn crowded(stage: &mut Stage) {
    stage.mix_pods();
    let trainer = json!({"numNodes": 14, "resourcesPerNode": gpus(1), "env": forever()});
    stage.train("crowd", spec("torch-distributed", trainer)).await;
    stage
        .until("Job", "crowd-node-0", "ready", |job| job["status"]["ready"] == 12)
        .await;
    stage.look("twelve run").await;
    stage.end("crowd").await;
    stage
        .until("Job", "crowd-node-0", "ready", |job| job["status"]["ready"] == 2)
        .await;
    stage.end("crowd").await;
    stage.condition("crowd", "Complete").await;
    stage.look("finished").await;
}

pub(super) async fn nowhere(stage: &mut Stage) {
    let pod = json!({"spec": {"nodeSelector": {"pool": "none"}}});
    let template = json!({"spec": {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": pod}}}]}});
    let mut job = spec("torch-distributed", json!({"numNodes": 1}));
    job["runtimePatches"] =
        json!([{"manager": "test.example.com/life", "trainingRuntimeSpec": {"template": template}}]);
    stage.train("demo", job).await;
    stage
        .until("TrainJob", "demo", "active", |job| status(job, "node")["active"] == 1)
        .await;
    stage.look("waiting").await;
}

/// A claim that nobody has made.
pub(super) async fn without_its_claim(stage: &mut Stage) {
    let pod = json!({"spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}});
    let template = json!({"spec": {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": pod}}}]}});
    let mut job = spec("torch-distributed", json!({"numNodes": 1}));
    job["runtimePatches"] =
        json!([{"manager": "test.example.com/life", "trainingRuntimeSpec": {"template": template}}]);
    stage.train("demo", job).await;
    stage.event("FailedScheduling").await;
    stage.look("waiting").await;
}

async fn quota(stage: &Stage, hard: Value) {
    let quota =
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "limits"}, "spec": {"hard": hard}});
    stage.create("ResourceQuota", quota).await;
    stage
        .until("ResourceQuota", "limits", "counted", |quota| {
            quota["status"]["used"].is_object()
        })
        .await;
}

pub(super) async fn quota_of_pods(stage: &mut Stage) {
    quota(
        stage,
        json!({"count/pods": "1", "pods": "4", "count/trainjobs.trainer.kubeflow.org": "2"}),
    )
    .await;
    stage.train("demo", spec("torch-distributed", nodes(2))).await;
    stage.event("FailedCreate").await;
    stage
        .until("Job", "demo-node-0", "ready", |job| job["status"]["ready"] == 1)
        .await;
    stage.look("one of two").await;
}

pub(super) async fn quota_of_gpus(stage: &mut Stage) {
    quota(stage, json!({"requests.nvidia.com/gpu": "1"})).await;
    let trainer = json!({"numNodes": 2, "resourcesPerNode": gpus(1), "env": forever()});
    stage.train("demo", spec("torch-distributed", trainer)).await;
    stage.event("FailedCreate").await;
    stage
        .until("Job", "demo-node-0", "ready", |job| job["status"]["ready"] == 1)
        .await;
    stage.look("one of two").await;
}

pub(super) async fn quota_without_requests(stage: &mut Stage) {
    quota(stage, json!({"requests.cpu": "8", "limits.memory": "16Gi"})).await;
    stage.train("demo", spec("torch-distributed", nodes(1))).await;
    stage.event("FailedCreate").await;
    stage.look("refused").await;
}

pub(super) async fn quota_of_jobs(stage: &mut Stage) {
    quota(stage, json!({"count/trainjobs.trainer.kubeflow.org": "1"})).await;
    let job = spec("torch-distributed", nodes(1));
    stage.train("first", job.clone()).await;
    stage.ready("first", "node").await;
    let reply = stage.try_train("second", job).await;
    stage.note("one too many", &reply);
    stage.look("one runs").await;
}

pub(super) async fn thirty(stage: &mut Stage) {
    stage.mix_pods();
    stage.train("many", spec("torch-distributed", nodes(30))).await;
    stage.ready("many", "node").await;
    stage.look("running").await;
    stage.suspend("many", true).await;
    stage.counted_suspended("many").await;
    stage.look("suspended").await;
}
