//! Jobs that do what they should.

use serde_json::json;

use super::{env, forever, gpus, nodes, own, pods, spec};
use crate::fidelity::life::Stage;
use crate::fidelity::life::stage::has;

pub(super) async fn two_nodes(stage: &mut Stage) {
    let trainer = json!({"numNodes": 2, "resourcesPerNode": gpus(1), "env": forever()});
    stage.train("demo", spec("torch-distributed", trainer)).await;
    stage.ready("demo", "node").await;
    stage.look("running").await;
    stage.end("demo").await;
    stage.condition("demo", "Complete").await;
    stage.look("finished").await;
}

pub(super) async fn to_and_fro(stage: &mut Stage) {
    let mut job = spec("torch-distributed", nodes(2));
    job["suspend"] = json!(true);
    stage.train("demo", job).await;
    stage.condition("demo", "Suspended").await;
    stage.counted_suspended("demo").await;
    stage.look("created suspended").await;
    stage.suspend("demo", false).await;
    stage.ready("demo", "node").await;
    stage.look("resumed").await;
    stage.suspend("demo", true).await;
    stage.condition("demo", "Suspended").await;
    stage.counted_suspended("demo").await;
    stage.look("suspended again").await;
    stage.suspend("demo", false).await;
    stage.ready("demo", "node").await;
    stage.look("resumed again").await;
    stage.end("demo").await;
    stage.condition("demo", "Complete").await;
    stage.look("finished").await;
}

pub(super) async fn paused(stage: &mut Stage) {
    stage.train("demo", spec("torch-distributed", nodes(1))).await;
    stage.ready("demo", "node").await;
    stage.suspend("demo", true).await;
    stage.counted_suspended("demo").await;
    stage.look("suspended").await;
}

pub(super) async fn slow_start(stage: &mut Stage) {
    let trainer = json!({"numNodes": 1, "env": env(&[("SIM_START", "1h"), ("SIM_RUN", "1h")])});
    stage.train("demo", spec("torch-distributed", trainer)).await;
    stage
        .until("Job", "demo-node-0", "active", |job| job["status"]["active"] == 1)
        .await;
    stage.phase("Pending", 1).await;
    stage.look("starting").await;
}

pub(super) async fn deadline(stage: &mut Stage) {
    let mut job = spec("torch-distributed", nodes(1));
    job["activeDeadlineSeconds"] = json!(15);
    stage.train("demo", job).await;
    stage.ready("demo", "node").await;
    stage.look("running").await;
    stage.condition("demo", "Failed").await;
    stage.gone("JobSet", "demo").await;
    stage.look("over").await;
}

pub(super) async fn deadline_suspended(stage: &mut Stage) {
    let mut job = spec("torch-distributed", nodes(1));
    job["activeDeadlineSeconds"] = json!(12);
    job["suspend"] = json!(true);
    stage.train("demo", job).await;
    stage.condition("demo", "Suspended").await;
    stage.suspend("demo", false).await;
    stage.ready("demo", "node").await;
    stage.look("resumed").await;
    stage.condition("demo", "Failed").await;
    stage.gone("JobSet", "demo").await;
    stage.look("over").await;
}

pub(super) async fn kept_for_a_while(stage: &mut Stage) {
    stage
        .runtime(
            json!({"numNodes": 1, "torch": {}}),
            json!({"template": pods("")}),
            json!({"ttlSecondsAfterFinished": 12}),
        )
        .await;
    stage
        .train("demo", own(json!({"env": env(&[("SIM_RUN", "1s")])})))
        .await;
    stage.condition("demo", "Complete").await;
    stage.look("finished").await;
    stage.gone("JobSet", "demo").await;
    stage.look("swept").await;
}

pub(super) async fn suspended_after_the_end(stage: &mut Stage) {
    let trainer = json!({"numNodes": 1, "env": env(&[("SIM_RUN", "1s")])});
    stage.train("demo", spec("torch-distributed", trainer)).await;
    stage.condition("demo", "Complete").await;
    stage.suspend("demo", true).await;
    stage.condition("demo", "Suspended").await;
    stage.look("suspended").await;
    stage.suspend("demo", false).await;
    stage
        .until("TrainJob", "demo", "resumed", |job| !has(job, "Suspended"))
        .await;
    stage.look("resumed").await;
}
