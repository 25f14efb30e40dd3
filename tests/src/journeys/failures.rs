//! Journeys of jobs that fail, and what the tools say of it.

use serde_json::json;

use super::{job, submit, with};
use crate::World;

const TRAIN_JOBS: &str = "trainjobs.trainer.kubeflow.org";

/// A runtime whose pods are not restarted, so that what failed stays to be looked at.
pub(super) async fn brittle(world: &World) {
    let template = json!({"spec": {"template": {"spec": {
        "backoffLimit": 0,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "node", "image": "example.com/none:1"}]}},
    }}}});
    let job = json!({
        "name": "node",
        "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
            "spec": template["spec"]["template"]["spec"],
        },
    });
    let runtime = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime",
        "metadata": {"name": "brittle", "labels": {"trainer.kubeflow.org/framework": "torch"}},
        "spec": {"mlPolicy": {"numNodes": 1, "torch": {}}, "template": {"spec": {"replicatedJobs": [job]}}},
    });
    world.create("trainingruntimes.trainer.kubeflow.org", &runtime).await;
}

/// A program that ends with a code: the job fails, the pod stays, its log can be read.
pub async fn a_job_whose_program_fails_says_with_which_code(world: &World) {
    brittle(world).await;
    let arguments = with(submit("wrong", 1, 0), "runtime", json!("brittle"));
    world.confirmed("run_container_training", arguments).await;
    world.running("wrong", 1).await;
    world
        .annotate(
            "wrong",
            &json!({"sim/log": "Traceback (most recent call last):\nValueError: no such column"}),
        )
        .await;
    world.end("wrong", 3).await;
    let status = world.status("wrong", "Failed").await;
    assert!(
        status.to_string().contains("code 3") || status.to_string().contains("\"exit_code\":3"),
        "{status}"
    );
    let logs = world
        .place
        .until("the whole log", async || {
            let logs = world.good("get_training_logs", job("wrong")).await;
            logs["lines"].to_string().contains("ValueError").then_some(logs)
        })
        .await;
    assert_eq!(logs["previous"], false, "{logs}");
    let listed = world.good("list_training_jobs", json!({"status": "Failed"})).await;
    assert_eq!(listed["jobs"][0]["name"], "wrong", "{listed}");
}

/// A container that the kernel kills for its memory.
pub async fn a_job_that_runs_out_of_memory_says_so(world: &World) {
    brittle(world).await;
    let arguments = with(submit("large", 2, 0), "runtime", json!("brittle"));
    world.confirmed("run_container_training", arguments).await;
    world.running("large", 2).await;
    world.end("large", 137).await;
    let status = world.status("large", "Failed").await;
    assert_eq!(status["reason"], "OOMKilled", "{status}");
}

/// A container that ends again and again: why, the log of the run before, and in the end the job's failure.
pub async fn a_crash_loop_shows_the_log_of_the_run_before(world: &World) {
    let mut arguments = submit("crash", 1, 0);
    arguments["env"] = json!({"SIM_RUN": "500ms", "SIM_EXIT": "137", "SIM_BACKOFF": "2s", "SIM_LOG": "out of memory"});
    world.confirmed("run_container_training", arguments).await;
    let status = world
        .job("crash", "the crash loop", |told| {
            told["reason"] == "OOMKilled" || told["reason"].to_string().contains("CrashLoop")
        })
        .await;
    assert_eq!(status["status"], "Running", "{status}");
    let logs = world
        .place
        .until("the log of the run before", async || {
            let logs = world
                .good("get_training_logs", with(job("crash"), "previous", json!(true)))
                .await;
            logs["lines"].to_string().contains("out of memory").then_some(logs)
        })
        .await;
    assert_eq!(logs["previous"], true, "{logs}");
    let status = world.status("crash", "Failed").await;
    assert!(status["reason"].is_string(), "{status}");
}

/// More GPUs than any node has.
pub async fn what_no_node_can_hold_has_a_reason_and_an_empty_log_says_why(world: &World) {
    world.confirmed("run_container_training", submit("huge", 1, 64)).await;
    let status = world
        .job("huge", "the reason", |told| told["reason"] == "Unschedulable")
        .await;
    assert_eq!(status["status"], "Created", "{status}");
    let logs = world.good("get_training_logs", job("huge")).await;
    assert!(logs["lines"].as_array().is_none_or(Vec::is_empty));
    assert!(
        logs["why"].to_string().contains("Insufficient nvidia.com/gpu"),
        "{logs}"
    );
    let events = world.good("get_training_events", job("huge")).await;
    assert!(events.to_string().contains("FailedScheduling"), "{events}");
}

/// A quota that leaves no room for the pods: they are never created, and the job says so.
pub async fn a_quota_that_refuses_pods_is_the_reason(world: &World) {
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}}});
    world.create("resourcequotas", &quota).await;
    world
        .place
        .until("the quota to be counted", async || {
            let quota = world.object("resourcequotas", "small").await?;
            (quota["status"]["hard"]["pods"] == "0").then_some(())
        })
        .await;
    world
        .confirmed("run_container_training", submit("squeezed", 1, 0))
        .await;
    let told = world
        .place
        .until("the refusal", async || {
            let events = world.good("get_training_events", job("squeezed")).await.to_string();
            events.contains("exceeded quota").then_some(events)
        })
        .await;
    assert!(told.contains("FailedCreate"), "{told}");
    let logs = world.good("get_training_logs", job("squeezed")).await;
    assert!(logs["why"].to_string().contains("quota"), "{logs}");
}

/// Trainer asks for the runtime at every change, so a job that lost it cannot be resumed.
pub async fn a_suspended_job_whose_runtime_is_gone_cannot_be_resumed(world: &World) {
    brittle(world).await;
    let arguments = with(submit("orphan", 1, 0), "runtime", json!("brittle"));
    world.confirmed("run_container_training", arguments).await;
    world.running("orphan", 1).await;
    world
        .merge(TRAIN_JOBS, "orphan", &json!({"spec": {"suspend": true}}))
        .await;
    world.status("orphan", "Suspended").await;
    // the runtime may be held by a finaliser while jobs use it
    world
        .merge(
            "trainingruntimes.trainer.kubeflow.org",
            "brittle",
            &json!({"metadata": {"finalizers": null}}),
        )
        .await;
    let path = format!(
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{}/trainingruntimes/brittle",
        world.namespace
    );
    world.place.ask("DELETE", &path, "", None).await;
    world
        .place
        .until("the end of the runtime", async || {
            world
                .object("trainingruntimes.trainer.kubeflow.org", "brittle")
                .await
                .is_none()
                .then_some(())
        })
        .await;
    let refused = world
        .place
        .until("the refusal", async || {
            let reply = world
                .patch(TRAIN_JOBS, "orphan", &json!({"spec": {"suspend": false}}))
                .await;
            (!reply.code.is_success()).then_some(reply)
        })
        .await;
    assert_eq!(refused.code.as_u16(), 403, "{}", refused.text);
    assert!(
        refused.text.contains("must be created before the TrainJob is created"),
        "{}",
        refused.text
    );
    // what exists can still be read and deleted
    world.status("orphan", "Suspended").await;
    world.confirmed("delete_training_job", job("orphan")).await;
}
