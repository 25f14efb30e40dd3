//! Section 21: what jobs, logs and events are said to be.

use kf_mcp_tests::World;
use serde_json::{Value, json};

use super::{RUNTIMES, TRAIN_JOBS, container, empty, runtime, stored};

/// A paused job is Suspended; one that was paused once is Running again; an MPI job of one node is Running too.
#[tokio::test]
async fn s21_02_the_status_is_what_is_so_now() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({"suspend": true})))
        .await;
    world.status("a", "Suspended").await;
    world.merge(TRAIN_JOBS, "a", &json!({"spec": {"suspend": false}})).await;
    world.status("a", "Running").await;
    let mpi = container("b", json!({"runtime": "deepspeed-distributed"}));
    world.confirmed("run_container_training", mpi).await;
    world.status("b", "Running").await;
}

/// After a restart the log is that of the pod that came last.
#[tokio::test]
async fn s21_03_the_newest_pod_is_read() {
    let world = empty();
    let restarts = json!({"backoffLimit": 3, "template": {"spec": {"restartPolicy": "Never",
        "containers": [{"name": "node", "image": "example.com/none:1"}]}}});
    world
        .create(
            RUNTIMES,
            &runtime("restarts", json!({"torch": {}}), restarts, json!({})),
        )
        .await;
    world
        .confirmed("run_container_training", container("a", json!({"runtime": "restarts"})))
        .await;
    world.running("a", 1).await;
    world.annotate("a", &json!({"sim/log": "the first try"})).await;
    world.end("a", 1).await;
    world
        .place
        .until("a second pod", async || {
            (world.pods("a").await.len() == 2).then_some(())
        })
        .await;
    world.running("a", 1).await;
    for pod in world.pods("a").await {
        if pod["status"]["phase"] == "Running" {
            let name = pod["metadata"]["name"].as_str().unwrap();
            world
                .merge(
                    "pods",
                    name,
                    &json!({"metadata": {"annotations": {"sim/log": "the second try"}}}),
                )
                .await;
        }
    }
    let log = world.good("get_training_logs", json!({"name": "a"})).await;
    assert_eq!(log["lines"], json!(["the second try"]), "{log}");
}

/// Events that the scheduler and the controllers write are among them, and only the job's are asked for.
#[tokio::test]
async fn s21_04_events_of_the_scheduler_and_controllers_are_told() {
    let world = empty();
    world
        .confirmed("run_container_training", container("wide", json!({"gpu_per_node": 64})))
        .await;
    world.sandbox().take_requests();
    let events = world
        .place
        .until("the scheduler's event", async || {
            let events = world.good("get_training_events", json!({"name": "wide"})).await;
            events.to_string().contains("FailedScheduling").then_some(events)
        })
        .await;
    assert!(
        events.to_string().contains("JobSet") || events.to_string().contains("Job/"),
        "{events}"
    );
    let asked = world.sandbox().take_requests();
    let mut lists = asked
        .iter()
        .filter(|one| one.resource == "events" && one.verb == "list");
    assert!(
        lists.all(|one| one.query.contains("fieldSelector=") || one.query.contains("limit=")),
        "{asked:#?}"
    );
}

/// A job that Trainer cannot make anything of has no condition at all: the job leads to the event, and a wait ends with it.
#[tokio::test(start_paused = true)]
async fn s21_16_a_job_without_conditions_tells_what_hinders_it() {
    let world = empty();
    let name = "n".repeat(60);
    let job = stored(&name, "torch-distributed", json!({"trainer": {"numNodes": 2}}));
    world.create(TRAIN_JOBS, &job).await;
    world.pass(120);
    let told = world.good("get_training_job", json!({"name": name})).await;
    assert!(told["message"].to_string().contains("diagnose_training_job"), "{told}");
    let events = world.good("get_training_events", json!({"name": name})).await;
    assert_eq!(
        events["events"][0]["reason"], "TrainJobResourcesCreationFailed",
        "{events}"
    );
    let waited = world
        .good("wait_for_training", json!({"name": name, "timeout_seconds": 60}))
        .await;
    assert_eq!(
        (&waited["ended"], &waited["reason"]),
        (&json!("stalled"), &json!("CreationFailed")),
        "{waited}"
    );
    assert!(waited["message"].to_string().contains("name is too long"), "{waited}");
}

/// The tail of a log, not all of it; a reason where there is none.
#[tokio::test]
async fn s21_23_logs_are_tails_and_have_reasons() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({})))
        .await;
    world.running("a", 1).await;
    let lines: Vec<String> = (0..500).map(|line| format!("line {line}")).collect();
    world.annotate("a", &json!({"sim/log": lines.join("\n")})).await;
    world.sandbox().take_requests();
    let log = world
        .good("get_training_logs", json!({"name": "a", "tail_lines": 2}))
        .await;
    assert_eq!(log["lines"], json!(["line 498", "line 499"]), "{log}");
    let asked = world.sandbox().take_requests();
    let read: Vec<_> = asked.iter().filter(|one| one.subresource == "log").collect();
    assert!(read.iter().all(|one| one.query.contains("tailLines=")), "{read:#?}");
    world
        .confirmed("run_container_training", container("wide", json!({"gpu_per_node": 64})))
        .await;
    let log = world.good("get_training_logs", json!({"name": "wide"})).await;
    assert!(
        log["why"].to_string().contains("Unschedulable") || log["why"].to_string().contains("Pending"),
        "{log}"
    );
    let error = world
        .bad("get_training_logs", json!({"name": "a", "step": "nope"}))
        .await;
    assert_eq!(error["code"], "not_found", "{error}");
}

/// The last condition's type is no state when its status is False.
#[tokio::test]
async fn s21_30_a_condition_that_is_false_is_no_state() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({"suspend": true})))
        .await;
    world.merge(TRAIN_JOBS, "a", &json!({"spec": {"suspend": false}})).await;
    let told = world.status("a", "Running").await;
    let job = world.object(TRAIN_JOBS, "a").await.unwrap();
    let last = job["status"]["conditions"]
        .as_array()
        .and_then(|all| all.last())
        .cloned()
        .unwrap_or_default();
    assert_eq!(
        (&last["type"], &last["status"]),
        (&json!("Suspended"), &json!("False")),
        "{job}"
    );
    assert_eq!(told["suspended"], false, "{told}");
}

/// Any pod may write what the training reports: it is text of strangers.
#[tokio::test]
async fn s21_32_what_a_training_reports_is_cleaned_and_bounded() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({})))
        .await;
    let metrics =
        json!([{"name": "loss\u{1b}[31m", "value": "0.5\u{202e}"}, {"name": "note", "value": "x".repeat(64)}]);
    let status = json!({"status": {"trainerStatus": {"progressPercentage": 40, "metrics": metrics, "lastUpdatedTime": "2026-03-02T09:00:00Z"}}});
    reported(&world, "a", &status).await;
    let answer = world.call("get_training_job", json!({"name": "a"})).await;
    assert!(answer.text.contains("as the training tells it"), "{}", answer.text);
    let said = format!("{}{}", answer.text, answer.structured);
    assert!(
        !said.contains('\u{1b}') && !said.contains('\u{202e}') && !said.contains("\\u001b"),
        "{said}"
    );
}

/// Writes a status as Trainer's own server does.
async fn reported(world: &World, name: &str, status: &Value) {
    let path = format!(
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{}/trainjobs/{name}/status",
        world.namespace
    );
    let reply = world
        .place
        .ask("PATCH", &path, "application/merge-patch+json", Some(status))
        .await;
    assert!(reply.code.is_success(), "{}", reply.text);
}
