//! Journeys of jobs that do well.

use serde_json::{Value, json};

use super::{job, submit, with};
use crate::World;

const TRAIN_JOBS: &str = "trainjobs.trainer.kubeflow.org";

/// Preview, confirmation, repeated confirmation, pods, log, events, success, deletion, absence.
pub async fn a_job_is_previewed_submitted_watched_read_and_deleted(world: &World) {
    let arguments = submit("demo", 2, 1);
    let preview = world.good("run_container_training", arguments.clone()).await;
    assert!(preview["preview"].is_object());
    assert!(
        world.object(TRAIN_JOBS, "demo").await.is_none(),
        "a preview changes nothing"
    );

    let confirm = with(
        with(arguments, "confirmed", json!(true)),
        "plan_id",
        preview["plan_id"].clone(),
    );
    let submitted = world.good("run_container_training", confirm.clone()).await;
    assert_eq!(submitted["name"], "demo");
    let stored = world.object(TRAIN_JOBS, "demo").await.unwrap_or_default();
    assert_eq!(stored["metadata"]["labels"]["kubeflow-mcp/managed-by"], "mcp");
    assert_eq!(
        stored["metadata"]["annotations"]["kubeflow-mcp/plan-id"],
        preview["plan_id"]
    );
    assert_eq!(
        stored["spec"]["trainer"]["resourcesPerNode"]["limits"]["nvidia.com/gpu"],
        "1"
    );
    // The same confirmation again, as after a lost answer.
    let again = world.good("run_container_training", confirm).await;
    assert_eq!(again["already_submitted"], true);

    world.running("demo", 2).await;
    let status = world.status("demo", "Running").await;
    assert_eq!(status["nodes"], 2);
    assert_eq!(
        status["devices"],
        json!({"resource": "nvidia.com/gpu", "per_node": 1}),
        "{status}"
    );
    let placed: Vec<Value> = world
        .pods("demo")
        .await
        .iter()
        .map(|pod| pod["spec"]["nodeName"].clone())
        .collect();
    assert!(
        placed
            .iter()
            .all(|node| node.as_str().is_some_and(|node| !node.starts_with("cpu"))),
        "{placed:?}"
    );

    let lines = world
        .place
        .until("the log", async || {
            let logs = world.good("get_training_logs", job("demo")).await;
            logs["lines"]
                .as_array()
                .is_some_and(|lines| lines.len() == 3)
                .then_some(logs["lines"].clone())
        })
        .await;
    assert_eq!(
        lines,
        json!(["epoch 1 loss 0.9", "epoch 2 loss 0.7", "saved to /checkpoints/2"])
    );
    let found = world
        .good("get_training_logs", with(job("demo"), "pattern", json!("loss 0\\.7")))
        .await;
    assert_eq!(found["lines"], json!(["epoch 2 loss 0.7"]));
    let last = world
        .good("get_training_logs", with(job("demo"), "tail_lines", json!(1)))
        .await;
    assert_eq!(last["lines"], json!(["saved to /checkpoints/2"]));
    let events = world.good("get_training_events", job("demo")).await;
    assert!(events.to_string().contains("Scheduled"), "{events}");

    world.end("demo", 0).await;
    let status = world.status("demo", "Complete").await;
    assert!(status["finished"].is_string(), "{status}");
    let listed = world.good("list_training_jobs", json!({"status": "Complete"})).await;
    assert_eq!(listed["jobs"][0]["name"], "demo", "{listed}");

    let preview = world.good("delete_training_job", job("demo")).await;
    assert!(
        world.object(TRAIN_JOBS, "demo").await.is_some(),
        "a preview changes nothing"
    );
    let confirm = with(
        with(job("demo"), "confirmed", json!(true)),
        "plan_id",
        preview["plan_id"].clone(),
    );
    world.good("delete_training_job", confirm).await;
    assert!(world.object(TRAIN_JOBS, "demo").await.is_none());
    assert_eq!(world.bad("get_training_job", job("demo")).await["code"], "not_found");
}

/// What a training reports of itself, written as Trainer's status server writes it.
pub async fn a_training_that_reports_its_progress_is_seen_to(world: &World) {
    world
        .confirmed("run_container_training", submit("progress", 1, 0))
        .await;
    world.status("progress", "Running").await;
    let report = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": "progress"},
        "status": {"trainerStatus": {
            "progressPercentage": 45, "estimatedRemainingSeconds": 795, "lastUpdatedTime": "2026-03-02T09:00:05Z",
            "metrics": [{"name": "loss", "value": "0.231"}],
        }},
    });
    let path = format!(
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{}/trainjobs/progress/status?fieldManager=trainer-status&force=true",
        world.namespace
    );
    let reply = world
        .place
        .ask("PATCH", &path, "application/apply-patch+yaml", Some(&report))
        .await;
    assert!(reply.code.is_success(), "{}", reply.text);
    let status = world
        .job("progress", "progress", |told| told["progress"].is_object())
        .await;
    assert_eq!(status["progress"]["percent"], 45);
    assert_eq!(status["progress"]["remaining_seconds"], 795);
    assert_eq!(
        status["progress"]["metrics"],
        json!([{"name": "loss", "value": "0.231"}])
    );
    // it is still there when the job has ended
    world.end("progress", 0).await;
    let status = world.status("progress", "Complete").await;
    assert_eq!(status["progress"]["percent"], 45);
}

/// A plan is for one set of arguments.
pub async fn a_plan_that_is_no_longer_true_is_refused(world: &World) {
    let preview = world.good("run_container_training", submit("stale", 1, 0)).await;
    let mut other = with(submit("stale", 1, 0), "confirmed", json!(true));
    other["env"]["EPOCHS"] = json!("4");
    other["plan_id"] = preview["plan_id"].clone();
    assert_eq!(
        world.bad("run_container_training", other.clone()).await["code"],
        "stale_plan"
    );
    other["plan_id"] = json!("nonsense");
    assert_eq!(
        world.bad("run_container_training", other).await["code"],
        "invalid_argument"
    );
    assert!(world.object(TRAIN_JOBS, "stale").await.is_none());
}

/// A name that nobody gave is fixed at the preview.
pub async fn a_generated_name_is_the_one_that_was_previewed(world: &World) {
    let arguments = json!({"image": "example.com/team_x/resnet50:1.0", "gpu_per_node": 0});
    let preview = world.good("run_container_training", arguments.clone()).await;
    let confirm = with(
        with(arguments, "confirmed", json!(true)),
        "plan_id",
        preview["plan_id"].clone(),
    );
    let submitted = world.good("run_container_training", confirm).await;
    let name = submitted["name"].as_str().unwrap_or_default();
    assert!(name.starts_with("resnet50-"), "{name}");
    assert!(preview.to_string().contains(name));
    world.status(name, "Running").await;
}

/// Suspended: no pods and a status that says so; resumed: Running, though the last condition is still called Suspended.
pub async fn a_job_is_suspended_and_resumed(world: &World) {
    world.confirmed("run_container_training", submit("pause", 1, 1)).await;
    world.running("pause", 1).await;
    world
        .merge(TRAIN_JOBS, "pause", &json!({"spec": {"suspend": true}}))
        .await;
    let status = world
        .job("pause", "suspension", |told| {
            told["status"] == "Suspended" && told["suspended"] == true
        })
        .await;
    assert!(status["reason"].is_null(), "{status}");
    world
        .place
        .until("no pods", async || world.pods("pause").await.is_empty().then_some(()))
        .await;
    let logs = world.good("get_training_logs", job("pause")).await;
    assert!(logs["lines"].as_array().is_none_or(Vec::is_empty), "{logs}");
    assert!(logs["why"].to_string().to_lowercase().contains("suspended"), "{logs}");
    let listed = world.good("list_training_jobs", json!({"status": "Suspended"})).await;
    assert_eq!(listed["jobs"][0]["name"], "pause", "{listed}");

    world
        .merge(TRAIN_JOBS, "pause", &json!({"spec": {"suspend": false}}))
        .await;
    world.running("pause", 1).await;
    let status = world.status("pause", "Running").await;
    assert_eq!(status["suspended"], false);
    world.end("pause", 0).await;
    world.status("pause", "Complete").await;
}

/// Lines that are written while a log is followed are in the answer, and following ends with the container.
pub async fn a_log_is_followed_while_it_is_written(world: &World) {
    world.confirmed("run_container_training", submit("live", 1, 0)).await;
    world.running("live", 1).await;
    world.annotate("live", &json!({"sim/log": "one"})).await;
    let follow = world.call("get_training_logs", with(job("live"), "follow", json!(true)));
    let write = async {
        world.annotate("live", &json!({"sim/log": "one\ntwo"})).await;
        world.annotate("live", &json!({"sim/log": "one\ntwo\nthree"})).await;
        world.end("live", 0).await;
        world.status("live", "Complete").await;
    };
    let (answer, ()) = tokio::join!(follow, write);
    assert!(!answer.is_error, "{}", answer.text);
    let lines = answer.structured["lines"].as_array().cloned().unwrap_or_default();
    assert_eq!(lines.last(), Some(&json!("three")), "{}", answer.structured);
}

/// Deleting a job leaves nothing of it.
pub async fn a_deleted_job_takes_everything_with_it(world: &World) {
    world.confirmed("run_container_training", submit("gone", 2, 0)).await;
    world.running("gone", 2).await;
    world.confirmed("delete_training_job", job("gone")).await;
    for (resource, name) in [
        (TRAIN_JOBS, "gone"),
        ("jobsets.jobset.x-k8s.io", "gone"),
        ("jobs.batch", "gone-node-0"),
        ("services", "gone"),
    ] {
        world
            .place
            .until(&format!("the end of {resource} {name}"), async || {
                world.object(resource, name).await.is_none().then_some(())
            })
            .await;
    }
    world
        .place
        .until("the end of the pods", async || {
            world.pods("gone").await.is_empty().then_some(())
        })
        .await;
    assert_eq!(world.bad("delete_training_job", job("gone")).await["code"], "not_found");
}
