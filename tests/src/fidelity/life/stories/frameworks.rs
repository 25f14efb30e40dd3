//! The other runtimes.

use serde_json::{Value, json};

use super::{env, forever, gpus, nodes, own, pods, spec};
use crate::fidelity::life::Stage;
use crate::fidelity::life::stage::{has, status};

async fn runs(stage: &mut Stage, runtime: &str, trainer: Value) {
    stage.train("demo", spec(runtime, trainer)).await;
    stage.ready("demo", "node").await;
    stage.look("running").await;
    stage.end("demo").await;
    stage.condition("demo", "Complete").await;
    stage.look("finished").await;
}

async fn launched(stage: &mut Stage, runtime: &str, trainer: Value) {
    stage.train("demo", spec(runtime, trainer)).await;
    stage.ready("demo", "launcher").await;
    stage.look("running").await;
    stage.end("launcher").await;
    stage.condition("demo", "Complete").await;
    stage.look("launcher finished").await;
}

pub(super) async fn deepspeed(stage: &mut Stage) {
    let trainer = json!({
        "numNodes": 3, "numProcPerNode": 2, "command": ["mpirun", "train"], "env": env(&[("SIM_RUN", "1h"), ("A", "1")]),
        "resourcesPerNode": {"requests": {"cpu": "500m"}},
    });
    launched(stage, "deepspeed-distributed", trainer).await;
}

pub(super) async fn deepspeed_alone(stage: &mut Stage) {
    launched(stage, "deepspeed-distributed", nodes(1)).await;
}

pub(super) async fn mlx(stage: &mut Stage) {
    launched(stage, "mlx-distributed", nodes(2)).await;
}

pub(super) async fn jax(stage: &mut Stage) {
    runs(stage, "jax-distributed", nodes(2)).await;
}

pub(super) async fn xgboost(stage: &mut Stage) {
    let trainer = json!({"numNodes": 1, "env": forever(), "resourcesPerNode": gpus(2)});
    runs(stage, "xgboost-distributed", trainer).await;
}

pub(super) async fn plain(stage: &mut Stage) {
    stage
        .runtime(json!({"numNodes": 2}), json!({"template": pods("")}), json!({}))
        .await;
    stage
        .train("demo", own(json!({"command": ["true"], "env": forever()})))
        .await;
    stage.ready("demo", "node").await;
    stage.look("running").await;
}

pub(super) async fn no_trainer(stage: &mut Stage) {
    stage
        .train("demo", json!({"runtimeRef": {"name": "torch-distributed"}}))
        .await;
    // Nothing tells the container how long to run.
    stage.ready("demo", "node").await;
    stage.look("running").await;
}

pub(super) async fn launcher_fails(stage: &mut Stage) {
    let trainer = nodes(2);
    stage.train("demo", spec("deepspeed-distributed", trainer)).await;
    stage.ready("demo", "launcher").await;
    let end = json!({"sim/run": "0s", "sim/exit": "1", "sim/backoff": "1s"});
    stage.steer("demo-launcher", &end).await;
    stage.condition("demo", "Failed").await;
    stage.look("failed").await;
}

/// A runtime of three replicated jobs, which come up in order.
pub(super) async fn several(stage: &mut Stage) {
    let replicated = |name: &str, replicas: u8, ancestor: &str| {
        let mut template = json!({"spec": {"template": pods("")}});
        if !ancestor.is_empty() {
            template["metadata"] = json!({"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": ancestor}});
        }
        if name == "node" {
            template["spec"]["template"]["spec"]["initContainers"] =
                json!([{"name": "check", "image": "example.com/check:1"}]);
        } else {
            template["spec"]["template"]["spec"]["containers"][0]["name"] = json!("main");
            template["spec"]["template"]["metadata"] = json!({"annotations": {"sim/run": "1h"}});
            template["spec"]["parallelism"] = json!(2);
        }
        json!({"name": name, "replicas": replicas, "template": template})
    };
    let mut last = replicated("side", 2, "");
    last["groupName"] = json!("others");
    let spec = json!({
        "replicatedJobs": [replicated("store", 1, ""), replicated("node", 1, "trainer"), last],
        "startupPolicy": {"startupPolicyOrder": "InOrder"}, "coordinator": {"replicatedJob": "node", "podIndex": 1},
        "network": {"subdomain": "inside"},
    });
    let targets =
        json!([{"jobName": "node", "containerNames": ["check"]}, {"jobName": "side", "containerNames": ["main"]}]);
    stage
        .create(
            "TrainingRuntime",
            json!({
                "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime", "metadata": {"name": "own"},
                "spec": {"mlPolicy": {"torch": {"envInjection": {"targets": targets}}}, "template": {"spec": spec}},
            }),
        )
        .await;
    let mut job = own(nodes(2));
    job["suspend"] = json!(true);
    stage.train("demo", job).await;
    stage.condition("demo", "Suspended").await;
    stage.look("suspended").await;
    stage.suspend("demo", false).await;
    stage
        .until("JobSet", "demo", "started", |set| has(set, "StartupPolicyCompleted"))
        .await;
    stage
        .until("TrainJob", "demo", "ready", |job| status(job, "side")["ready"] == 2)
        .await;
    stage.look("running").await;
}

pub(super) async fn any_success(stage: &mut Stage) {
    let replicated = |name: &str| {
        let mut template = json!({"spec": {"template": pods("")}});
        template["metadata"] = json!({"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}});
        template["spec"]["template"]["metadata"] = json!({"annotations": {"sim/run": "1h"}});
        json!({"name": name, "template": template})
    };
    let spec = json!({
        "replicatedJobs": [replicated("node"), replicated("other")], "successPolicy": {"operator": "Any"},
    });
    stage
        .create(
            "TrainingRuntime",
            json!({
                "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime", "metadata": {"name": "own"},
                "spec": {"mlPolicy": {"numNodes": 1, "torch": {}}, "template": {"spec": spec}},
            }),
        )
        .await;
    stage.train("demo", own(json!({"env": [{"name": "A"}]}))).await;
    stage.ready("demo", "node").await;
    stage.ready("demo", "other").await;
    stage.look("running").await;
    stage.end("other").await;
    stage.condition("demo", "Complete").await;
    stage.look("finished").await;
}
