//! Journeys of options that a job is submitted with.

use serde_json::json;

use super::{submit, with};
use crate::World;

const JOBS: &str = "trainjobs.trainer.kubeflow.org";

/// Queue and priority become the labels that Kueue reads. The control plane has no Kueue, which the trial shows and the answer
/// tells: the job starts at once.
pub async fn a_job_for_a_queue_tells_whether_anybody_serves_the_queue(world: &World) {
    let asked = with(submit("queued", 1, 0), "queue", json!("team-a"));
    let asked = with(asked, "priority_class", json!("high"));
    let preview = world.call("run_container_training", asked.clone()).await;
    assert!(
        preview.text.contains("nothing suspends the job for the queue"),
        "{}",
        preview.text
    );
    let done = world.confirmed("run_container_training", asked).await;
    assert!(done["warnings"].to_string().contains("starts at once"), "{done}");
    world.running("queued", 1).await;
    let labels = world.object(JOBS, "queued").await.unwrap_or_default()["metadata"]["labels"].clone();
    assert_eq!(labels["kueue.x-k8s.io/queue-name"], "team-a", "{labels}");
    assert_eq!(labels["kueue.x-k8s.io/priority-class"], "high", "{labels}");
    assert_eq!(labels["kubeflow-mcp/managed-by"], "mcp", "{labels}");
    let caller = labels["kubeflow-mcp/caller"].as_str().unwrap_or_default();
    assert!(
        caller.len() == 16 && caller.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{labels}"
    );
    let alone = with(submit("alone", 1, 0), "priority_class", json!("high"));
    let error = world.bad("run_container_training", alone).await;
    assert_eq!(error["field"], "priority_class", "{error}");
}

/// A job that is created suspended is answered as what it is, and has no pods.
pub async fn a_job_that_is_created_suspended_is_answered_as_such(world: &World) {
    let asked = with(submit("asleep", 1, 0), "suspend", json!(true));
    let done = world.confirmed("run_container_training", asked).await;
    assert_eq!(done["status"], "Suspended", "{done}");
    world.status("asleep", "Suspended").await;
    assert!(world.pods("asleep").await.is_empty());
}
