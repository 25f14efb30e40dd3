//! The progress of a training: read from its log, then as it reports it, with what its pod uses.

use serde_json::json;

use super::{job, with};
use crate::World;

/// Bars, dictionaries, and a line of something else.
const LOG: &str = "loading the dataset\n 10%|█         | 10/100 [00:05<00:45,  2.00it/s]\r 20%|██        | 20/100 [00:10<00:40,  2.00it/s]\n{'loss': 2.5, 'grad_norm': 0.9, 'learning_rate': 2e-05, 'epoch': 0.1}\n{'loss': '2.0', 'grad_norm': '0.8', 'learning_rate': '1e-05', 'epoch': '0.2'}";

/// A log is read for its progress until the training reports some itself; what the pod uses is told beside it.
pub async fn a_trainings_progress_is_read_from_its_log_and_from_its_report(world: &World) {
    let submit = json!({"name": "epochs", "image": "example.com/train:1", "gpu_per_node": 0,
        "env": {"SIM_RUN": "10h", "SIM_LOG": LOG}});
    world.confirmed("run_container_training", submit).await;
    world.running("epochs", 1).await;
    let pod = world.pods("epochs").await[0]["metadata"]["name"].clone();
    let metrics = json!({
        "apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
        "metadata": {"name": pod, "labels": {"jobset.sigs.k8s.io/jobset-name": "epochs"}},
        "timestamp": "2026-01-01T00:00:00Z", "window": "15s",
        "containers": [{"name": "node", "usage": {"cpu": "1500123456n", "memory": "524288Ki"}}],
    });
    world.create("pods.metrics.k8s.io", &metrics).await;
    let told = world
        .place
        .until("the whole log", async || {
            let told = world.good("get_training_progress", job("epochs")).await;
            (told["log"]["matched"] == 4).then_some(told)
        })
        .await;
    assert_eq!(
        (&told["source"], &told["percent"]),
        (&json!("log"), &json!(20.0)),
        "{told}"
    );
    assert_eq!(told["log"]["patterns"], json!(["Hugging Face", "tqdm"]));
    let loss = &told["log"]["metrics"][0];
    assert_eq!(
        (&loss["name"], &loss["x"], &loss["y"]),
        (&json!("loss"), &json!([0.1, 0.2]), &json!([2.5, 2.0]))
    );
    assert!(told["log"]["updated"].is_string(), "{told}");
    assert_eq!(
        told["usage"],
        json!([{"step": "node-0", "pod": pod, "cpu": "1500m", "memory": "512Mi"}])
    );
    assert!(told["not_seen"].is_null(), "{told}");

    let report = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": "epochs"},
        "status": {"trainerStatus": {
            "progressPercentage": 45, "estimatedRemainingSeconds": 795, "lastUpdatedTime": "2026-03-02T09:00:05Z",
            "metrics": [{"name": "loss", "value": "0.231"}],
        }},
    });
    world
        .merge("trainjobs.trainer.kubeflow.org", "epochs/status", &report)
        .await;
    let chart = with(job("epochs"), "format", json!("chart"));
    let answer = world.call("get_training_progress", chart).await;
    let told = &answer.structured;
    assert_eq!(
        (&told["source"], &told["percent"], &told["remaining_seconds"]),
        (&json!("status"), &json!(45.0), &json!(795))
    );
    assert_eq!(told["reported"]["metrics"], json!([{"name": "loss", "value": "0.231"}]));
    assert_eq!(answer.images.len(), 1, "{}", answer.text);

    world.end("epochs", 0).await;
    world.status("epochs", "Complete").await;
    let told = world.good("get_training_progress", job("epochs")).await;
    assert_eq!(
        (&told["status"], &told["percent"]),
        (&json!("Complete"), &json!(45.0)),
        "{told}"
    );
    world.confirmed("delete_training_job", job("epochs")).await;
}
