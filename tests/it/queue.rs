//! Jobs in queues of Kueue, and whose mark they carry.

use kf_mcp_tests::World;
use serde_json::{Value, json};

const JOBS: &str = "trainjobs.trainer.kubeflow.org";

fn asked(more: Value) -> Value {
    let mut call = json!({"name": "a", "image": "example.com/train:1", "gpu_per_node": 0});
    call.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    call
}

#[tokio::test]
async fn queue_and_priority_are_labels_of_the_job_and_the_trial_tells_whether_anybody_reads_them() {
    let world = World::new("healthy-empty");
    let call = asked(json!({"queue": "team-a", "priority_class": "high"}));
    let preview = world.call("run_container_training", call.clone()).await;
    // The sandbox has no Kueue.
    assert!(
        preview
            .text
            .contains("nothing suspends the job for the queue `team-a`: Kueue is not installed"),
        "{}",
        preview.text
    );
    let done = world.confirmed("run_container_training", call).await;
    assert!(done["warnings"].to_string().contains("starts at once"), "{done}");
    let job = world.object(JOBS, "a").await.unwrap();
    assert_eq!(job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"], "team-a");
    assert_eq!(job["metadata"]["labels"]["kueue.x-k8s.io/priority-class"], "high");
    assert_eq!(job["metadata"]["labels"]["kubeflow-mcp/managed-by"], "mcp");
    assert_eq!(job["metadata"]["labels"]["kubeflow-mcp/caller"], "733dbe4dbe6d16f9");
    let paused = world
        .good(
            "run_custom_training",
            json!({"name": "b", "script": "x = 1", "queue": "team-a", "suspend": true}),
        )
        .await;
    let warnings = paused["preview"]["warnings"].to_string();
    assert!(
        warnings.contains("Kueue resumes it as soon as the queue `team-a` admits it"),
        "{warnings}"
    );
}

#[tokio::test]
async fn a_priority_without_a_queue_is_refused_before_anything_is_asked() {
    let world = World::new("healthy-empty");
    for tool in ["run_container_training", "run_custom_training", "fine_tune"] {
        let mut call = match tool {
            "run_container_training" => json!({"image": "i"}),
            "run_custom_training" => json!({"script": "x = 1"}),
            _ => json!({"model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b"}),
        };
        call["priority_class"] = json!("high");
        call["labels"] = json!({"kueue.x-k8s.io/priority-class": "low"});
        let (answer, requests) = world.called(tool, call).await;
        assert!(answer.is_error && requests.is_empty(), "{tool}: {requests:?}");
        let error = &answer.structured["error"];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("invalid_argument"), &json!("priority_class")),
            "{error}"
        );
        for part in [
            "says otherwise",
            "has no effect without queue",
            "WorkloadPriorityClass",
            "patch_runtime",
        ] {
            assert!(answer.text.contains(part), "{tool}: {part}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_suspended_job_is_submitted_as_what_it_is() {
    let world = World::new("healthy-empty");
    let done = world
        .confirmed("run_container_training", asked(json!({"suspend": true})))
        .await;
    assert_eq!(done["status"], "Suspended", "{done}");
}
