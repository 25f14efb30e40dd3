//! Journeys of what a training leaves behind: where its outputs lie, and which volume claims go with its job.

use serde_json::json;

use super::job;
use crate::World;

const TRAIN_JOBS: &str = "trainjobs.trainer.kubeflow.org";

/// A torchtune job says where its weights lie, and its deletion that they go with it, as they then do. A claim that its
/// runtime retains is said to stay, and stays.
pub async fn a_deletion_tells_which_claims_go_and_which_stay(world: &World) {
    for (name, retain) in [("tuned", false), ("kept", true)] {
        let path = "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes/torchtune-llama3.2-1b";
        let mut runtime = world.place.ask("GET", path, "", None).await.json();
        runtime["kind"] = json!("TrainingRuntime");
        runtime["metadata"] = json!({"name": name, "labels": runtime["metadata"]["labels"]});
        if retain {
            runtime["spec"]["template"]["spec"]["volumeClaimPolicies"][0]["retentionPolicy"] =
                json!({"whenDeleted": "Retain"});
        }
        world.create("trainingruntimes.trainer.kubeflow.org", &runtime).await;
        let object = json!({
            "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": name},
            "spec": {"runtimeRef": {"name": name, "kind": "TrainingRuntime"}, "initializer": {
                "dataset": {"storageUri": "hf://tatsu-lab/alpaca"}, "model": {"storageUri": "hf://meta-llama/Llama-3.2-1B"}}},
        });
        world.create(TRAIN_JOBS, &object).await;
        let claim = format!("initializer-{name}");
        world
            .place
            .until("the claim", async || {
                world.object("persistentvolumeclaims", &claim).await.map(drop)
            })
            .await;
        let preview = world.good("delete_training_job", job(name)).await["preview"].clone();
        let told = |field: &str| preview[field].to_string();
        assert_eq!(told("keeps").contains(&claim), retain, "{preview}");
        assert_eq!(told("deletes").contains(&claim), !retain, "{preview}");
        assert_eq!(told("warnings").contains("trained weights"), !retain, "{preview}");
        assert!(
            told("warnings").contains("not created through this server"),
            "{preview}"
        );
        world.confirmed("delete_training_job", job(name)).await;
        // kwok's pods have a claim's protection for a moment
        world
            .place
            .until("the end of the job", async || {
                let gone =
                    world.object("jobsets.jobset.x-k8s.io", name).await.is_none() && world.pods(name).await.is_empty();
                gone.then_some(())
            })
            .await;
        if retain {
            let stays = world.object("persistentvolumeclaims", &claim).await.unwrap_or_default();
            assert!(
                stays["metadata"]["deletionTimestamp"].is_null() && stays["metadata"]["name"] == claim,
                "{stays}"
            );
        } else {
            world
                .place
                .until("the end of the claim", async || {
                    world
                        .object("persistentvolumeclaims", &claim)
                        .await
                        .is_none()
                        .then_some(())
                })
                .await;
        }
    }
}

/// A job that trains on the job's own claim says so, once its nodes are made.
pub async fn a_job_names_where_its_outputs_lie(world: &World) {
    let object = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": "tuned"},
        "spec": {"runtimeRef": {"name": "torchtune-llama3.2-1b"}, "initializer": {
            "dataset": {"storageUri": "hf://tatsu-lab/alpaca"}, "model": {"storageUri": "hf://meta-llama/Llama-3.2-1B"}}},
    });
    world.create(TRAIN_JOBS, &object).await;
    let expected = json!([{"path": "/workspace/output", "from": "argument output_dir", "claim": "initializer-tuned",
        "note": "deleted with the job unless its runtime retains it"}]);
    let told = world
        .job("tuned", "outputs", |told| told["status"] == "Initializing")
        .await;
    assert_eq!(told["outputs"], expected, "as the job itself says");
    world
        .place
        .until("the nodes", async || {
            for pod in world.pods("tuned").await {
                let name = pod["metadata"]["name"].as_str().unwrap_or_default();
                if name.contains("-initializer-") && pod["status"]["phase"] == "Running" {
                    let end = json!({"metadata": {"annotations": {"sim/exit": "0", "sim/run": "0s"}}});
                    world.patch("pods", name, &end).await;
                }
            }
            let told = world.good("get_training_job", job("tuned")).await;
            told["steps"].to_string().contains("tuned-node-0").then_some(())
        })
        .await;
    let told = world.good("get_training_job", job("tuned")).await;
    assert_eq!(told["outputs"], expected, "as its pod says");

    let arguments = json!({"name": "plain", "image": "example.com/train:1", "gpu_per_node": 0, "num_nodes": 1,
        "args": ["--output_dir", "/results"], "env": {"CHECKPOINT_DIR": "s3://bucket/checkpoints", "SIM_RUN": "10h"}});
    world.confirmed("run_container_training", arguments).await;
    world.running("plain", 1).await;
    let told = world.good("get_training_job", job("plain")).await;
    assert_eq!(
        told["outputs"],
        json!([{"path": "/results", "from": "argument output_dir", "note": "on no volume: lost with the pod"},
            {"path": "s3://bucket/checkpoints", "from": "variable CHECKPOINT_DIR"}]),
        "{told}"
    );
    let preview = world.good("delete_training_job", job("plain")).await["preview"].clone();
    assert!(
        preview["created_by"]
            .to_string()
            .contains("this server, for you (kubeflow-mcp/caller="),
        "{preview}"
    );
    assert!(!preview["warnings"].to_string().contains("not created"), "{preview}");
}
