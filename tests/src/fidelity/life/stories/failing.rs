//! Jobs whose containers end badly.

use serde_json::json;

use super::{env, nodes, once, own, pods, spec};
use crate::fidelity::life::Stage;
use crate::fidelity::life::stage::has;

pub(super) async fn crash_loop(stage: &mut Stage) {
    let steps = env(&[("SIM_RUN", "1s"), ("SIM_EXIT", "137"), ("SIM_BACKOFF", "1h")]);
    stage
        .train("crash", spec("torch-distributed", json!({"numNodes": 1, "env": steps})))
        .await;
    stage.event("BackOff").await;
    stage.look("crash looping").await;
}

pub(super) async fn crashed(stage: &mut Stage) {
    let steps = env(&[("SIM_RUN", "500ms"), ("SIM_EXIT", "137"), ("SIM_BACKOFF", "300ms")]);
    stage
        .train("crash", spec("torch-distributed", json!({"numNodes": 1, "env": steps})))
        .await;
    stage.condition("crash", "Failed").await;
    stage.look("failed").await;
}

pub(super) async fn never(stage: &mut Stage) {
    stage.runtime(json!({"torch": {}}), once(), json!({})).await;
    let steps = env(&[("SIM_RUN", "1s"), ("SIM_EXIT", "3")]);
    stage.train("demo", own(json!({"numNodes": 2, "env": steps}))).await;
    stage.condition("demo", "Failed").await;
    stage.look("failed").await;
}

pub(super) async fn between_retries(stage: &mut Stage) {
    stage
        .runtime(json!({"torch": {}}), json!({"template": pods("Never")}), json!({}))
        .await;
    let steps = env(&[("SIM_RUN", "1s"), ("SIM_EXIT", "3")]);
    stage.train("demo", own(json!({"numNodes": 1, "env": steps}))).await;
    stage
        .until("Job", "demo-node-0", "failed once", |job| job["status"]["failed"] == 1)
        .await;
    stage.look("between retries").await;
    stage
        .until("Job", "demo-node-0", "active again", |job| job["status"]["active"] == 1)
        .await;
}

pub(super) async fn one_of_two(stage: &mut Stage) {
    stage.runtime(json!({"torch": {}}), once(), json!({})).await;
    stage.train("demo", own(nodes(2))).await;
    stage.ready("demo", "node").await;
    stage.fail("demo-node-0-1-").await;
    stage.condition("demo", "Failed").await;
    stage.look("failed").await;
}

pub(super) async fn restarts(stage: &mut Stage) {
    stage
        .runtime(
            json!({"torch": {}}),
            once(),
            json!({"failurePolicy": {"maxRestarts": 1}}),
        )
        .await;
    stage.train("demo", own(nodes(1))).await;
    stage.ready("demo", "node").await;
    stage.look("running").await;
    stage.fail("demo").await;
    stage
        .until("JobSet", "demo", "restarted", |set| set["status"]["restarts"] == 1)
        .await;
    stage.ready("demo", "node").await;
    stage.look("restarted").await;
    stage.fail("demo").await;
    stage.condition("demo", "Failed").await;
    stage.look("failed").await;
}

pub(super) async fn runs_again(stage: &mut Stage) {
    stage
        .runtime(json!({"torch": {}}), once(), json!({"ttlSecondsAfterFinished": 12}))
        .await;
    stage.train("demo", own(nodes(1))).await;
    stage.ready("demo", "node").await;
    stage.fail("demo").await;
    stage.condition("demo", "Failed").await;
    stage.look("failed").await;
    stage
        .until("TrainJob", "demo", "open again", |job| !has(job, "Failed"))
        .await;
    stage.ready("demo", "node").await;
    stage.look("runs again").await;
}

pub(super) async fn suspended_after_failure(stage: &mut Stage) {
    stage.runtime(json!({"torch": {}}), once(), json!({})).await;
    let steps = env(&[("SIM_RUN", "1s"), ("SIM_EXIT", "1")]);
    stage.train("demo", own(json!({"numNodes": 1, "env": steps}))).await;
    stage.condition("demo", "Failed").await;
    stage.suspend("demo", true).await;
    stage.condition("demo", "Suspended").await;
    stage.look("suspended").await;
    stage.suspend("demo", false).await;
    stage
        .until("TrainJob", "demo", "resumed", |job| !has(job, "Suspended"))
        .await;
    stage.look("resumed").await;
}

pub(super) async fn pod_deleted(stage: &mut Stage) {
    stage.train("demo", spec("torch-distributed", nodes(2))).await;
    stage.ready("demo", "node").await;
    for pod in stage.list("Pod").await {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        if name.starts_with("demo-node-0-1-") {
            stage.delete("Pod", name, "Background").await;
        }
    }
    stage
        .until("Job", "demo-node-0", "counted", |job| job["status"]["failed"] == 1)
        .await;
    stage.look("one is gone").await;
    stage.ready("demo", "node").await;
    stage.look("replaced").await;
}

pub(super) async fn job_deadline(stage: &mut Stage) {
    stage
        .runtime(
            json!({"torch": {}}),
            json!({"activeDeadlineSeconds": 4, "template": pods("")}),
            json!({}),
        )
        .await;
    stage.train("demo", own(nodes(1))).await;
    stage.condition("demo", "Failed").await;
    stage.look("over").await;
}

pub(super) async fn rules(stage: &mut Stage) {
    let rules = json!([
        {"action": "RestartJobSetAndIgnoreMaxRestarts", "targetReplicatedJobs": ["none"], "name": "never"},
        {"action": "FailJobSet", "onJobFailureReasons": ["BackoffLimitExceeded"], "name": "end"},
    ]);
    stage
        .runtime(
            json!({"torch": {}}),
            once(),
            json!({"failurePolicy": {"maxRestarts": 3, "rules": rules}}),
        )
        .await;
    stage.train("demo", own(nodes(1))).await;
    // A rule about a replicated job that is not there.
    stage.event("TrainJobResourcesCreationFailed").await;
    stage.look("refused").await;
    stage.delete("TrainingRuntime", "own", "Background").await;
    stage.delete("TrainJob", "demo", "Background").await;
    stage.gone("TrainJob", "demo").await;
    let rules = json!([{"action": "FailJobSet", "onJobFailureReasons": ["BackoffLimitExceeded"], "name": "end"}]);
    stage
        .runtime(
            json!({"torch": {}}),
            once(),
            json!({"failurePolicy": {"maxRestarts": 3, "rules": rules}}),
        )
        .await;
    stage.train("again", own(nodes(1))).await;
    stage.ready("again", "node").await;
    stage.fail("again").await;
    stage.condition("again", "Failed").await;
    stage.look("failed").await;
}
