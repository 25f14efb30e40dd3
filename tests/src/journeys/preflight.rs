//! Journeys that begin with a check of what is to be submitted: what blocks it makes the submit fail or keeps its job from
//! running, and once it is repaired the check says ready and the job runs.

use serde_json::{Value, json};

use super::{job, submit, with};
use crate::World;

const QWEN: &str = "Qwen/Qwen2.5-1.5B-Instruct";
const QWEN_RUNTIME: &str = "torchtune-qwen2.5-1.5b";
const RUNTIMES: &str = "trainingruntimes.trainer.kubeflow.org";

/// What a check says is ready.
async fn ready(world: &World, arguments: Value) {
    let answer = world.good("pre_flight", arguments.clone()).await;
    assert_eq!(answer["ready"], true, "{arguments}: {answer}");
    assert_eq!(answer["blockers"], json!([]), "{answer}");
}

/// A check finds one kind of blocker and says how to repair it; what it says.
async fn blocked(world: &World, arguments: Value, check: &str) -> String {
    let answer = world.good("pre_flight", arguments.clone()).await;
    assert_eq!(answer["ready"], false, "{arguments}: {answer}");
    let blockers = answer["blockers"].as_array().cloned().unwrap_or_default();
    assert!(!blockers.is_empty(), "{answer}");
    for blocker in &blockers {
        assert_eq!(blocker["check"], check, "{arguments}: {answer}");
        for part in ["asked", "answered"] {
            assert!(blocker[part].as_str().is_some_and(|said| !said.is_empty()), "{answer}");
        }
    }
    json!(blockers).to_string()
}

/// A job that a check calls ready is accepted and runs.
pub async fn a_job_that_was_checked_runs(world: &World) {
    let checked = json!({"num_workers": 1, "gpu_per_node": 1, "name": "checked"});
    ready(world, checked.clone()).await;
    world.confirmed("run_container_training", submit("checked", 1, 1)).await;
    world.status("checked", "Running").await;
    // the name is taken from now on
    let said = blocked(world, checked, "name").await;
    assert!(said.contains("exists"), "{said}");
    world.confirmed("delete_training_job", job("checked")).await;
}

/// What is wrong with the arguments or the names in them: the submit refuses it too.
pub async fn what_a_check_refuses_the_submit_refuses(world: &World) {
    world.confirmed("run_container_training", submit("taken", 1, 0)).await;
    let gone = format!("{}-gone", world.namespace);
    let long = "n".repeat(60);
    for (checked, check, key, value) in [
        (json!({"runtime": "nope"}), "runtime", "runtime", json!("nope")),
        (
            json!({"name": long.as_str()}),
            "arguments",
            "name",
            json!(long.as_str()),
        ),
        (json!({"name": "Upper"}), "arguments", "name", json!("Upper")),
        (json!({"num_workers": 0}), "arguments", "num_nodes", json!(0)),
        (json!({"name": "taken"}), "name", "name", json!("taken")),
        (
            json!({"namespace": gone.as_str()}),
            "namespace",
            "namespace",
            json!(gone.as_str()),
        ),
    ] {
        let checked = with(checked, "gpu_per_node", json!(0));
        blocked(world, checked, check).await;
        world
            .bad("run_container_training", with(submit("refused", 1, 0), key, value))
            .await;
    }
    let tuned = json!({"model": QWEN, "dataset": "tatsu-lab/alpaca"});
    for (key, value, check) in [
        ("model", json!("mistralai/Mistral-7B-v0.3"), "runtime"),
        ("model", json!("qwen"), "arguments"),
        ("dataset", json!("squad"), "arguments"),
        ("runtime", json!("torchtune-gemma"), "runtime"),
        ("s3_secret", json!("keys"), "arguments"),
    ] {
        let arguments = with(tuned.clone(), key, value);
        let mut checked = arguments.clone();
        if key == "s3_secret" {
            // it is looked for too
            let keys = json!({"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x"});
            let secret =
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": keys});
            world.create("secrets", &secret).await;
        }
        checked["num_workers"] = json!(1);
        blocked(world, checked, check).await;
        world.bad("fine_tune", arguments).await;
    }
    // the peer's word for it: quantised weights are tuned with QLoRA, which Qwen cannot
    blocked(world, with(tuned.clone(), "quantization", json!("int4")), "arguments").await;
    world
        .bad("fine_tune", with(tuned.clone(), "peft_method", json!("qlora")))
        .await;
    blocked(world, with(tuned.clone(), "num_workers", json!(2)), "arguments").await;
    world.bad("fine_tune", with(tuned.clone(), "num_nodes", json!(2))).await;
    // and what is right is tried by the API server
    ready(world, tuned.clone()).await;
    world.good("fine_tune", tuned).await;
    world.confirmed("delete_training_job", job("taken")).await;
}

/// More than any node has: the job is created and never placed.
pub async fn devices_that_no_node_has_block(world: &World) {
    let said = blocked(world, json!({"gpu_per_node": 64}), "devices").await;
    assert!(said.contains("no node has more than"), "{said}");
    world.confirmed("run_container_training", submit("huge", 1, 64)).await;
    world
        .job("huge", "the reason", |told| told["reason"] == "Unschedulable")
        .await;
    world.confirmed("delete_training_job", job("huge")).await;
    let said = blocked(world, json!({"num_workers": 1000, "gpu_per_node": 1}), "devices").await;
    assert!(said.contains("all nodes together hold"), "{said}");
}

/// A quota: of devices, of jobs, and one that wants to be told what pods take.
pub async fn a_quota_that_is_too_small_blocks(world: &World) {
    let quota = |hard: Value| json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": hard}});
    let gpus = "requests.nvidia.com/gpu";
    world.create("resourcequotas", &quota(json!({gpus: "0"}))).await;
    counted(world, gpus).await;
    let said = blocked(world, json!({"gpu_per_node": 1}), "quota").await;
    assert!(said.contains("0 left, 0 of 0 used"), "{said}");
    world.confirmed("run_container_training", submit("over", 1, 1)).await;
    refused(world, "over", "exceeded quota").await;
    world.confirmed("delete_training_job", job("over")).await;

    let jobs = "count/trainjobs.trainer.kubeflow.org";
    limit(world, json!({gpus: null, jobs: "0"}), jobs).await;
    blocked(world, json!({"gpu_per_node": 0}), "quota").await;
    world.bad("run_container_training", submit("one-more", 1, 0)).await;

    limit(world, json!({jobs: null, "requests.memory": "1Gi"}), "requests.memory").await;
    let said = blocked(world, json!({"gpu_per_node": 0}), "quota").await;
    assert!(said.contains("resources_per_node with memory"), "{said}");
    world.confirmed("run_container_training", submit("unsaid", 1, 0)).await;
    refused(world, "unsaid", "must specify").await;
    world.confirmed("delete_training_job", job("unsaid")).await;

    // said, and within: it is ready and runs
    let resources = json!({"memory": "64Mi"});
    ready(world, json!({"resources_per_node": resources, "gpu_per_node": 0})).await;
    let within = with(submit("within", 1, 0), "resources_per_node", resources);
    world.confirmed("run_container_training", within).await;
    world.status("within", "Running").await;
    world.confirmed("delete_training_job", job("within")).await;
}

/// Changes what the quota limits.
async fn limit(world: &World, hard: Value, resource: &str) {
    world
        .merge("resourcequotas", "small", &json!({"spec": {"hard": hard}}))
        .await;
    counted(world, resource).await;
}

/// Waits until the pods of a job are refused in these words.
async fn refused(world: &World, name: &str, words: &str) {
    world
        .place
        .until(words, async || {
            let events = world.good("get_training_events", job(name)).await.to_string();
            events.contains(words).then_some(())
        })
        .await;
}

/// Waits until the quota counts a resource.
async fn counted(world: &World, resource: &str) {
    world
        .place
        .until("a quota that counts", async || {
            let quota = world.object("resourcequotas", "small").await?;
            quota["status"]["used"][resource].is_string().then_some(())
        })
        .await;
}

/// A claim that is not there: the training pod is never placed. Once it is there the check says ready.
pub async fn a_claim_that_is_not_there_blocks(world: &World) {
    let checked = json!({"model": "pvc://weights/qwen2.5-1.5b", "dataset": "tatsu-lab/alpaca", "gpu_per_node": 1});
    let said = blocked(world, checked.clone(), "claims").await;
    assert!(said.contains("weights"), "{said}");
    let arguments = json!({"model": "pvc://weights/qwen2.5-1.5b", "dataset": "tatsu-lab/alpaca", "name": "unclaimed",
        "resources_per_node": {"gpu": 1}});
    world.confirmed("fine_tune", arguments).await;
    initialized(world, "unclaimed").await;
    let told = world
        .job("unclaimed", "the reason", |told| told["reason"] == "MissingClaim")
        .await;
    assert!(told.to_string().contains("weights"), "{told}");
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "weights"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    world.create("persistentvolumeclaims", &claim).await;
    world
        .place
        .until("a bound claim", async || {
            let claim = world.object("persistentvolumeclaims", "weights").await?;
            (claim["status"]["phase"] == "Bound").then_some(())
        })
        .await;
    ready(world, checked).await;
    world.status("unclaimed", "Running").await;
    world.confirmed("delete_training_job", job("unclaimed")).await;
}

/// Lets the pods of both initializers run and end.
async fn initialized(world: &World, name: &str) {
    for part in ["dataset-initializer", "model-initializer"] {
        world
            .place
            .until(part, async || {
                let pods = world.pods(name).await;
                let running = |pod: &&Value| {
                    pod["metadata"]["labels"]["jobset.sigs.k8s.io/replicatedjob-name"] == part
                        && pod["status"]["phase"] == "Running"
                };
                pods.iter().find(running).map(drop)
            })
            .await;
    }
    world.end(name, 0).await;
}

/// A runtime whose volume names a class that is not there: what fetches is never placed.
pub async fn a_volume_that_nobody_makes_blocks(world: &World) {
    let path = format!("/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes/{QWEN_RUNTIME}");
    let mut runtime = world.place.ask("GET", &path, "", None).await.json();
    runtime["kind"] = json!("TrainingRuntime");
    runtime["metadata"] = json!({"name": QWEN_RUNTIME, "labels": runtime["metadata"]["labels"]});
    let claim = "/spec/template/spec/volumeClaimPolicies/0/templates/0/spec";
    runtime.pointer_mut(claim).unwrap_or(&mut Value::Null)["storageClassName"] = json!("nope");
    world.create(RUNTIMES, &runtime).await;
    let checked = json!({"model": QWEN, "dataset": "tatsu-lab/alpaca", "gpu_per_node": 1});
    let said = blocked(world, checked.clone(), "volume").await;
    assert!(said.contains("no StorageClass `nope`"), "{said}");
    let arguments = |name: &str| json!({"model": QWEN, "dataset": "tatsu-lab/alpaca", "name": name, "resources_per_node": {"gpu": 1}});
    world.confirmed("fine_tune", arguments("unmade")).await;
    world
        .job("unmade", "the reason", |told| told["reason"] == "VolumePending")
        .await;
    world.confirmed("delete_training_job", job("unmade")).await;
    // the volumes of a runtime cannot be changed; without it the cluster's of its name is used, whose class is there
    let own = json!({"name": QWEN_RUNTIME, "namespace": world.namespace});
    world.confirmed("delete_runtime", own).await;
    world
        .place
        .until("the end of the runtime", async || {
            world.object(RUNTIMES, QWEN_RUNTIME).await.is_none().then_some(())
        })
        .await;
    ready(world, checked).await;
    world.confirmed("fine_tune", arguments("made")).await;
    initialized(world, "made").await;
    world.status("made", "Running").await;
    world.confirmed("delete_training_job", job("made")).await;
}

/// A Secret that is not there is what the initializers would read before they begin, and cannot do without.
pub async fn a_secret_that_is_not_there_blocks(world: &World) {
    let checked = json!({"model": QWEN, "dataset": "tatsu-lab/alpaca", "hf_secret": "hub"});
    let said = blocked(world, checked.clone(), "secrets").await;
    assert!(said.contains("create secret generic hub"), "{said}");
    let preview = world
        .good(
            "fine_tune",
            json!({"model": QWEN, "dataset": "tatsu-lab/alpaca", "hf_secret": "hub"}),
        )
        .await;
    let manifest = &preview["preview"]["manifest"]["spec"]["initializer"]["model"];
    assert_eq!(manifest["secretRef"], json!({"name": "hub"}), "{preview}");
    let secret = |key: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "stringData": {key: "hunter2hunter2"}});
    world.create("secrets", &secret("TOKEN")).await;
    let answer = world.good("pre_flight", checked.clone()).await;
    assert_eq!(answer["ready"], true, "{answer}");
    assert!(answer["warnings"].to_string().contains("ACCESS_TOKEN"), "{answer}");
    world
        .merge(
            "secrets",
            "hub",
            &json!({"stringData": {"ACCESS_TOKEN": "hunter2hunter2"}}),
        )
        .await;
    let answer = world.good("pre_flight", checked).await;
    assert!(!answer["warnings"].to_string().contains("ACCESS_TOKEN"), "{answer}");
    assert!(!answer.to_string().contains("hunter2"), "{answer}");
}
