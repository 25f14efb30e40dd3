//! Fine-tuning with initializers and a volume claim.

use serde_json::{Value, json};

use super::{env, forever, gpus, spec};
use crate::fidelity::life::Stage;

fn tune(runtime: &str) -> Value {
    let trainer = json!({
        "command": ["tune", "run"], "resourcesPerNode": gpus(1), "env": forever(),
        "args": ["dataset=torchtune.datasets.instruct_dataset", "model.lora_attn_modules=[q_proj]"],
    });
    let mut job = spec(runtime, trainer);
    job["initializer"] = json!({
        "dataset": {"storageUri": "hf://tatsu-lab/alpaca", "env": env(&[("SIM_RUN", "1h"), ("A", "1")])},
        "model": {"storageUri": "hf://meta-llama/Llama-3.2-1B", "secretRef": {"name": "token"}, "env": forever()},
    });
    job
}

pub(super) async fn initialised(stage: &mut Stage) {
    stage.train("ft", tune("torchtune-llama3.2-1b")).await;
    for step in ["dataset-initializer", "model-initializer"] {
        stage.ready("ft", step).await;
    }
    stage.look("initialising").await;
    stage.end("dataset").await;
    stage
        .until("Job", "ft-dataset-initializer-0", "done", |job| {
            job["status"]["succeeded"] == 1
        })
        .await;
    stage.look("one initializer is done").await;
    stage.end("model").await;
    stage.ready("ft", "node").await;
    stage.look("training").await;
    stage.end("node").await;
    stage.condition("ft", "Complete").await;
    stage.look("finished").await;
}

pub(super) async fn suspended(stage: &mut Stage) {
    let mut job = tune("torchtune-llama3.2-1b");
    job["suspend"] = json!(true);
    stage.train("ft", job).await;
    stage.condition("ft", "Suspended").await;
    stage.look("created suspended").await;
    stage.suspend("ft", false).await;
    stage.event("TrainJobResourcesCreationFailed").await;
    stage.look("not really resumed").await;
}

pub(super) async fn paused(stage: &mut Stage) {
    stage.train("ft", tune("torchtune-qwen2.5-1.5b")).await;
    stage.ready("ft", "dataset-initializer").await;
    stage.suspend("ft", true).await;
    stage.condition("ft", "Suspended").await;
    stage.event("TrainJobResourcesCreationFailed").await;
    stage.look("not really suspended").await;
}

pub(super) async fn no_data(stage: &mut Stage) {
    let mut job = tune("torchtune-llama3.2-3b");
    let steps = env(&[("SIM_RUN", "500ms"), ("SIM_EXIT", "1"), ("SIM_BACKOFF", "300ms")]);
    job["initializer"]["dataset"]["env"] = steps;
    stage.train("ft", job).await;
    stage.condition("ft", "Failed").await;
    stage.look("failed").await;
}
