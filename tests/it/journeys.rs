//! Whole journeys: from a plan to a finished, failed or deleted job.

use kf_mcp_tests::World;
use serde_json::{Value, json};

fn submit(name: &str, env: Value) -> Value {
    json!({"name": name, "image": "example.com/train:1", "num_nodes": 2, "gpu_per_node": 1, "namespace": "default", "env": env})
}

fn confirmed(mut arguments: Value) -> Value {
    arguments["confirmed"] = json!(true);
    arguments
}

#[tokio::test]
async fn a_job_is_previewed_submitted_watched_read_and_deleted() {
    let world = World::new("healthy-empty");
    let arguments = submit("demo", json!({"EPOCHS": "3"}));
    let preview = world.good("run_container_training", arguments.clone()).await;
    assert!(preview["preview"].is_object());
    assert!(
        world.sandbox.object("TrainJob", "default", "demo").is_none(),
        "a preview changes nothing"
    );

    let mut confirm = confirmed(arguments);
    confirm["plan_id"] = preview["plan_id"].clone();
    let submitted = world.good("run_container_training", confirm.clone()).await;
    assert_eq!(submitted["name"], "demo");
    let stored = world.sandbox.object("TrainJob", "default", "demo").unwrap();
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

    world.pass(30);
    let job = json!({"name": "demo", "namespace": "default"});
    let status = world.good("get_training_job", job.clone()).await;
    assert_eq!(status["status"], "Running");
    assert_eq!(status["nodes"], 2);
    let logs = world.good("get_training_logs", job.clone()).await;
    assert!(!logs["lines"].as_array().unwrap().is_empty());
    let events = world.good("get_training_events", job.clone()).await;
    assert!(events.to_string().contains("Scheduled"));

    world.pass(600);
    assert_eq!(world.good("get_training_job", job.clone()).await["status"], "Complete");
    let preview = world.good("delete_training_job", job.clone()).await;
    assert!(world.sandbox.object("TrainJob", "default", "demo").is_some());
    let mut confirm = confirmed(job.clone());
    confirm["plan_id"] = preview["plan_id"].clone();
    world.good("delete_training_job", confirm).await;
    assert!(world.sandbox.object("TrainJob", "default", "demo").is_none());
    assert_eq!(world.bad("get_training_job", job).await["code"], "not_found");
}

#[tokio::test]
async fn a_plan_that_is_no_longer_true_is_refused() {
    let world = World::new("healthy-empty");
    let preview = world.good("run_container_training", submit("demo", json!({}))).await;
    let mut other = confirmed(submit("demo", json!({"EPOCHS": "4"})));
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
    assert!(world.sandbox.object("TrainJob", "default", "demo").is_none());
}

#[tokio::test]
async fn a_generated_name_is_the_one_that_was_previewed() {
    let world = World::new("healthy-empty");
    let arguments = json!({"image": "example.com/Team_X/resnet50:1.0", "gpu_per_node": 0});
    let preview = world.good("run_container_training", arguments.clone()).await;
    let mut confirm = confirmed(arguments);
    confirm["plan_id"] = preview["plan_id"].clone();
    let submitted = world.good("run_container_training", confirm).await;
    let name = submitted["name"].as_str().unwrap();
    assert!(name.starts_with("resnet50-"), "{name}");
    assert!(preview.to_string().contains(name));
}

#[tokio::test]
async fn a_job_that_crashes_says_why() {
    let world = World::new("healthy-empty");
    let env = json!({"SIM_RUN": "5s", "SIM_EXIT": "137", "SIM_BACKOFF": "60s"});
    world
        .good("run_container_training", confirmed(submit("crash", env)))
        .await;
    world.pass(15);
    let job = json!({"name": "crash", "namespace": "default"});
    let status = world.good("get_training_job", job.clone()).await;
    assert!(
        status.to_string().contains("OOMKilled") || status.to_string().contains("CrashLoop"),
        "{status}"
    );
    let logs = world.good("get_training_logs", job.clone()).await;
    assert_eq!(
        logs["previous"], true,
        "a crash loop's log is that of the run before: {logs}"
    );
    world.pass(3600);
    let status = world.good("get_training_job", job).await;
    assert_eq!(status["status"], "Failed", "{status}");
}

#[tokio::test]
async fn what_cannot_be_scheduled_has_a_reason_and_an_empty_log_says_why() {
    let world = World::new("healthy-empty");
    let mut arguments = confirmed(submit("huge", json!({})));
    arguments["gpu_per_node"] = json!(64);
    world.good("run_container_training", arguments).await;
    world.pass(10);
    let job = json!({"name": "huge", "namespace": "default"});
    let status = world.good("get_training_job", job.clone()).await;
    assert_eq!(status["reason"], "Unschedulable", "{status}");
    let logs = world.good("get_training_logs", job.clone()).await;
    assert!(logs["lines"].as_array().is_none_or(Vec::is_empty));
    assert!(
        logs["why"].to_string().contains("Insufficient nvidia.com/gpu"),
        "{logs}"
    );
    let events = world.good("get_training_events", job).await;
    assert!(events.to_string().contains("FailedScheduling"));
}
