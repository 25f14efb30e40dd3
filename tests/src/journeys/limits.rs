//! Journeys that end before anything is created.

use serde_json::json;

use super::{job, submit, with};
use crate::World;

/// A runtime that is not there: our own refusal, with the names that are.
pub async fn a_runtime_that_is_missing_is_named_with_those_there_are(world: &World) {
    let error = world
        .bad(
            "run_container_training",
            with(submit("lost", 1, 0), "runtime", json!("nope")),
        )
        .await;
    assert_eq!(error["code"], "not_found", "{error}");
    assert_eq!(error["field"], "runtime");
    assert!(error.to_string().contains("torch-distributed"), "{error}");
}

/// What only Trainer's webhook knows: its words, as an admission refusal and not as missing rights.
pub async fn what_the_webhook_refuses_is_told_in_its_words(world: &World) {
    let arguments = with(submit("tuned", 2, 0), "runtime", json!("torchtune-llama3.2-1b"));
    let error = world.bad("run_container_training", arguments).await;
    assert!(
        ["admission_denied", "invalid_argument", "unsupported"].contains(&error["code"].as_str().unwrap_or_default()),
        "{error}"
    );
    let mut reserved = submit("reserved", 1, 0);
    reserved["env"] = json!({"PET_NNODES": "3"});
    let error = world.bad("run_container_training", reserved).await;
    assert_eq!(error["code"], "invalid_argument", "{error}");
    assert!(error.to_string().contains("PET_NNODES"), "{error}");
}

/// The longest name that its pods' names fit with runs; a longer one is refused with the limit.
pub async fn names_are_refused_before_they_are_too_long_for_the_pods(world: &World) {
    let mut longest = 0;
    for length in (40..=63).rev() {
        let name = "n".repeat(length);
        let answer = world.call("run_container_training", submit(&name, 1, 0)).await;
        if !answer.is_error {
            longest = length;
            break;
        }
        let error = &answer.structured["error"];
        assert_eq!(error["code"], "invalid_argument", "{error}");
    }
    assert!(longest > 40, "no name was accepted");
    let name = "n".repeat(longest);
    world.confirmed("run_container_training", submit(&name, 1, 0)).await;
    world.status(&name, "Running").await;
    world.confirmed("delete_training_job", job(&name)).await;
}
