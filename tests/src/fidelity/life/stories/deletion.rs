//! Jobs and runtimes that are taken away.

use serde_json::json;

use super::{nodes, own, pods, spec};
use crate::fidelity::life::Stage;

async fn running(stage: &mut Stage) {
    stage.train("demo", spec("deepspeed-distributed", nodes(2))).await;
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
    stage.gone("TrainJob", "demo").await;
    stage.look("gone").await;
}

pub(super) async fn orphan(stage: &mut Stage) {
    running(stage).await;
    stage.delete("TrainJob", "demo", "Orphan").await;
    stage.gone("TrainJob", "demo").await;
    stage.look("orphaned").await;
}

pub(super) async fn runtime(stage: &mut Stage) {
    stage
        .runtime(json!({"torch": {}}), json!({"template": pods("")}), json!({}))
        .await;
    let mut job = own(nodes(1));
    job["suspend"] = json!(true);
    stage.train("demo", job).await;
    stage.counted_suspended("demo").await;
    stage.delete("TrainingRuntime", "own", "Background").await;
    stage.look("runtime deleted").await;
    let reply = stage
        .patch("TrainJob", "demo", json!({"spec": {"suspend": false}}))
        .await;
    stage.note("resume refused", &reply);
    stage.look("still suspended").await;
}
