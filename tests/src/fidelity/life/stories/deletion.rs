//! Jobs and runtimes that are taken away.

use serde_json::json;

use super::{forever, own, pods, spec};
use crate::fidelity::life::Stage;
use crate::fidelity::life::stage::status;

async fn running(stage: &mut Stage) {
    stage
        .train(
            "demo",
            spec("deepspeed-distributed", json!({"numNodes": 2, "env": forever()})),
        )
        .await;
    stage.ready("demo", "launcher").await;
}

pub(super) async fn background(stage: &mut Stage) {
    running(stage).await;
    stage.delete("TrainJob", "demo", "Background").await;
    stage.phase("Running", 0).await;
    stage.look("gone").await;
}

pub(super) async fn foreground(stage: &mut Stage) {
    running(stage).await;
    stage.delete("TrainJob", "demo", "Foreground").await;
    stage
        .until("TrainJob", "demo", "gone", serde_json::Value::is_null)
        .await;
    stage.look("gone").await;
}

pub(super) async fn orphan(stage: &mut Stage) {
    running(stage).await;
    stage.delete("TrainJob", "demo", "Orphan").await;
    stage
        .until("TrainJob", "demo", "gone", serde_json::Value::is_null)
        .await;
    stage.look("orphaned").await;
}

pub(super) async fn runtime(stage: &mut Stage) {
    stage
        .runtime(json!({"torch": {}}), json!({"template": pods("")}), json!({}))
        .await;
    let mut job = own(json!({"numNodes": 1, "env": forever()}));
    job["suspend"] = json!(true);
    stage.train("demo", job).await;
    stage
        .until("TrainJob", "demo", "counted", |job| {
            status(job, "node")["suspended"] == 1
        })
        .await;
    stage.delete("TrainingRuntime", "own", "Background").await;
    stage.look("runtime deleted").await;
    let reply = stage
        .patch("TrainJob", "demo", json!({"spec": {"suspend": false}}))
        .await;
    stage.note("resume refused", &reply);
    stage.look("still suspended").await;
}
