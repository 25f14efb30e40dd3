//! Journeys of jobs that are suspended, resumed and waited for.

use serde_json::{Value, json};

use super::failures::brittle;
use super::{job, submit, with};
use crate::World;

const TRAIN_JOBS: &str = "trainjobs.trainer.kubeflow.org";

/// `update_training_job` of a job.
fn told(name: &str, action: &str) -> Value {
    with(job(name), "action", json!(action))
}

/// `wait_for_training` for one status.
fn wait(name: &str, status: &str) -> Value {
    with(
        with(job(name), "target_statuses", json!(status)),
        "timeout_seconds",
        json!(60),
    )
}

/// A preview changes nothing; suspended, the job has no pods and its GPU is free; nobody waits for a paused job in vain;
/// resumed, it runs and ends, and the waits end with it.
pub async fn a_job_is_suspended_resumed_and_waited_for(world: &World) {
    world.confirmed("run_container_training", submit("brake", 1, 1)).await;
    world.running("brake", 1).await;
    world.status("brake", "Running").await;
    let preview = world.good("update_training_job", told("brake", "suspend")).await;
    assert!(
        preview["preview"].to_string().contains("frees up to 1 nvidia.com/gpu"),
        "{preview}"
    );
    assert!(preview["preview"]["warnings"].is_null(), "{preview}");
    let stored = world.object(TRAIN_JOBS, "brake").await.unwrap_or_default();
    assert_eq!(stored["spec"]["suspend"], false, "a preview changes nothing");

    let done = world.confirmed("update_training_job", told("brake", "suspend")).await;
    assert_eq!(
        (&done["changed"], &done["took_effect"]),
        (&json!(true), &json!(true)),
        "{done}"
    );
    assert_eq!(done["status"], "Suspended");
    world
        .place
        .until("no pods", async || world.pods("brake").await.is_empty().then_some(()))
        .await;
    let waited = world.good("wait_for_training", wait("brake", "Suspended")).await;
    assert_eq!(waited["ended"], "target", "{waited}");
    let waited = world.good("wait_for_training", wait("brake", "Complete")).await;
    assert_eq!(
        (&waited["ended"], &waited["reason"]),
        (&json!("stalled"), &json!("Suspended")),
        "{waited}"
    );
    assert!(waited["hints"].to_string().contains("resume"), "{waited}");
    let again = world.confirmed("update_training_job", told("brake", "suspend")).await;
    assert_eq!(
        (&again["changed"], &again["took_effect"]),
        (&json!(false), &json!(true)),
        "{again}"
    );

    let done = world.confirmed("update_training_job", told("brake", "resume")).await;
    assert_eq!(
        (&done["changed"], &done["took_effect"]),
        (&json!(true), &json!(true)),
        "{done}"
    );
    let waiting = world.good("wait_for_training", wait("brake", "Running"));
    let (waited, _) = tokio::join!(waiting, world.status("brake", "Running"));
    assert_eq!(
        (&waited["ended"], &waited["status"]),
        (&json!("target"), &json!("Running")),
        "{waited}"
    );

    let waiting = world.good("wait_for_training", job("brake"));
    let end = async {
        world.end("brake", 0).await;
        world.status("brake", "Complete").await;
    };
    let (waited, ()) = tokio::join!(waiting, end);
    assert_eq!(
        (&waited["reached"], &waited["status"]),
        (&json!(true), &json!("Complete")),
        "{waited}"
    );
    // what has ended is neither paused nor waited for
    let error = world.bad("update_training_job", told("brake", "suspend")).await;
    assert_eq!(error["code"], "unsupported", "{error}");
    let waited = world.good("wait_for_training", wait("brake", "Running")).await;
    assert_eq!(
        (&waited["reached"], &waited["ended"]),
        (&json!(false), &json!("finished")),
        "{waited}"
    );
}

/// Nothing has so many GPUs: the wait ends long before its time, with the scheduler's words.
pub async fn a_wait_for_what_no_node_can_hold_ends_early_with_the_reason(world: &World) {
    world.confirmed("run_container_training", submit("wide", 1, 64)).await;
    world
        .job("wide", "the reason", |told| told["reason"] == "Unschedulable")
        .await;
    let waited = world.good("wait_for_training", wait("wide", "Running")).await;
    assert_eq!(
        (&waited["ended"], &waited["reason"]),
        (&json!("stalled"), &json!("Unschedulable")),
        "{waited}"
    );
    assert!(waited["message"].to_string().contains("nvidia.com/gpu"), "{waited}");
    assert!(
        waited["waited_seconds"].as_i64().is_some_and(|seconds| seconds < 30),
        "{waited}"
    );
}

/// A quota keeps pods from being made: only an event tells, and the wait ends with it.
pub async fn a_wait_for_what_a_quota_refuses_ends_early_with_the_reason(world: &World) {
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}});
    world.create("resourcequotas", &quota).await;
    world
        .place
        .until("the quota's count", async || {
            let quota = world.object("resourcequotas", "none").await?;
            quota["status"]["used"].is_object().then_some(())
        })
        .await;
    world.confirmed("run_container_training", submit("poor", 1, 0)).await;
    world
        .place
        .until("the refusal", async || {
            let events = world.good("get_training_events", job("poor")).await;
            events.to_string().contains("exceeded quota").then_some(())
        })
        .await;
    let waited = world.good("wait_for_training", wait("poor", "Running")).await;
    assert_eq!(
        (&waited["ended"], &waited["reason"]),
        (&json!("stalled"), &json!("QuotaExceeded")),
        "{waited}"
    );
}

/// A job on a torchtune runtime, as it is stored.
fn tune(name: &str, suspend: bool) -> Value {
    json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": name},
        "spec": {
            "runtimeRef": {"name": "torchtune-llama3.2-1b"}, "suspend": suspend,
            "initializer": {"dataset": {"storageUri": "hf://tatsu-lab/alpaca"}, "model": {"storageUri": "hf://meta-llama/Llama-3.2-1B"}},
        },
    })
}

/// On torchtune runtimes Trainer says that a job is suspended or resumed while its JobSet does not follow: the preview
/// warns of it, the answer tells it, and nobody waits for what will not come.
pub async fn a_torchtune_job_that_cannot_be_paused_is_not_said_to_be(world: &World) {
    world.create(TRAIN_JOBS, &tune("tuned", false)).await;
    world
        .job("tuned", "pods", |told| told["status"] == "Initializing")
        .await;
    let preview = world.good("update_training_job", told("tuned", "suspend")).await;
    assert!(
        preview["preview"]["warnings"].to_string().contains("not pause it"),
        "{preview}"
    );
    assert!(
        preview["preview"]["effects"].to_string().contains("2 nvidia.com/gpu"),
        "{preview}"
    );
    let done = world.confirmed("update_training_job", told("tuned", "suspend")).await;
    assert_eq!(
        (&done["changed"], &done["took_effect"]),
        (&json!(true), &json!(false)),
        "{done}"
    );
    assert!(done["message"].to_string().contains("still run"), "{done}");
    assert!(done["pods_left"].as_i64().is_some_and(|pods| pods > 0), "{done}");
    let waited = world.good("wait_for_training", wait("tuned", "Suspended")).await;
    assert_eq!(
        (&waited["ended"], &waited["reason"]),
        (&json!("stalled"), &json!("StillRunning")),
        "{waited}"
    );
    // resuming puts right what it says
    let preview = world.good("update_training_job", told("tuned", "resume")).await;
    assert!(
        preview["preview"]["warnings"].to_string().contains("never stopped"),
        "{preview}"
    );
    let done = world.confirmed("update_training_job", told("tuned", "resume")).await;
    assert_eq!(done["took_effect"], true, "{done}");
    world.confirmed("delete_training_job", job("tuned")).await;

    world.create(TRAIN_JOBS, &tune("asleep", true)).await;
    world
        .job("asleep", "its parts", |told| {
            told["jobs_status"].to_string().contains("\"suspended\":1")
        })
        .await;
    let preview = world.good("update_training_job", told("asleep", "resume")).await;
    assert!(
        preview["preview"]["warnings"].to_string().contains("stay paused"),
        "{preview}"
    );
    let done = world.confirmed("update_training_job", told("asleep", "resume")).await;
    assert_eq!(
        (&done["took_effect"], &done["pods_left"]),
        (&json!(false), &json!(0)),
        "{done}"
    );
    let waited = world.good("wait_for_training", wait("asleep", "Running")).await;
    assert_eq!(
        (&waited["ended"], &waited["reason"]),
        (&json!("stalled"), &json!("StillSuspended")),
        "{waited}"
    );
}

/// The webhook refuses to change a job whose runtime is gone: the refusal is explained, with what still works.
pub async fn a_job_whose_runtime_is_gone_is_told_what_still_works(world: &World) {
    const RUNTIMES: &str = "trainingruntimes.trainer.kubeflow.org";
    brittle(world).await;
    let arguments = with(submit("orphan", 1, 0), "runtime", json!("brittle"));
    world.confirmed("run_container_training", arguments).await;
    world.running("orphan", 1).await;
    world
        .merge(RUNTIMES, "brittle", &json!({"metadata": {"finalizers": null}}))
        .await;
    let path = format!(
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{}/trainingruntimes/brittle",
        world.namespace
    );
    world.place.ask("DELETE", &path, "", None).await;
    let error = world
        .place
        .until("the refusal", async || {
            let answer = world.call("update_training_job", told("orphan", "suspend")).await;
            answer.is_error.then(|| answer.structured["error"].clone())
        })
        .await;
    assert_eq!(
        (&error["code"], &error["tool"]),
        (&json!("admission_denied"), &json!("delete_training_job")),
        "{error}"
    );
    assert!(error["fix"].to_string().contains("runtime brittle is gone"), "{error}");
    world.confirmed("delete_training_job", job("orphan")).await;
    let waited = world.call("wait_for_training", wait("orphan", "Complete")).await;
    assert!(
        waited.is_error || waited.structured["ended"] == "deleted",
        "{}",
        waited.text
    );
}
