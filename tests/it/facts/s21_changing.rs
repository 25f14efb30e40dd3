//! Section 21: what changes and removals tell.

use serde_json::json;

use super::{RUNTIMES, TRAIN_JOBS, container, empty, gone, runtime, tune, warnings};

/// With a job go its JobSet and the claim with the weights: said before, by the deadline's warning too.
#[tokio::test]
async fn s21_17_what_a_deletion_and_a_deadline_take_is_said_before() {
    let world = empty();
    let told = warnings(&world, "fine_tune", tune(json!({"active_deadline_seconds": 60}))).await;
    assert!(
        told.contains("initializer-tuned") && told.contains("volume claims are deleted"),
        "{told}"
    );
    world.confirmed("fine_tune", tune(json!({}))).await;
    let preview = world.good("delete_training_job", json!({"name": "tuned"})).await;
    assert!(
        preview["preview"].to_string().contains("initializer-tuned"),
        "{preview}"
    );
    assert!(world.object(TRAIN_JOBS, "tuned").await.is_some());
}

/// The SDK hides what the webhook says.
#[tokio::test]
async fn s21_19_the_words_of_the_webhook_reach_the_caller() {
    let world = empty();
    world
        .create(RUNTIMES, &runtime("own", json!({"torch": {}}), json!({}), json!({})))
        .await;
    world
        .confirmed("run_container_training", container("a", json!({"runtime": "own"})))
        .await;
    gone(&world, "own").await;
    let theirs = world
        .patch(TRAIN_JOBS, "a", &json!({"spec": {"suspend": true}}))
        .await
        .json();
    let words = theirs["message"].as_str().unwrap();
    assert!(words.contains("admission webhook"), "{theirs}");
    let error = world
        .bad("update_training_job", json!({"name": "a", "action": "suspend"}))
        .await;
    assert_eq!(
        (&error["code"], &error["answered"]),
        (&json!("admission_denied"), &json!(words)),
        "{error}"
    );
}

/// Suspension and resumption of a job whose runtime is gone are refused; deletion works.
#[tokio::test]
async fn s21_25_a_job_without_its_runtime_can_only_be_deleted() {
    let world = empty();
    world
        .create(RUNTIMES, &runtime("own", json!({"torch": {}}), json!({}), json!({})))
        .await;
    world
        .confirmed(
            "run_container_training",
            container("a", json!({"runtime": "own", "suspend": true})),
        )
        .await;
    gone(&world, "own").await;
    let error = world
        .bad("update_training_job", json!({"name": "a", "action": "resume"}))
        .await;
    assert_eq!(
        (&error["code"], &error["tool"]),
        (&json!("admission_denied"), &json!("delete_training_job")),
        "{error}"
    );
    world.confirmed("delete_training_job", json!({"name": "a"})).await;
    assert!(world.object(TRAIN_JOBS, "a").await.is_none());
}
