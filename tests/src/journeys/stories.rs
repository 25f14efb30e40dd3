//! The stories of KEP-936 that need GPUs: a script on several nodes, and GPUs that are freed for another job. A fine-tuning
//! is told in `fine_tune.rs`.

use serde_json::{Value, json};

use super::{job, submit, with};
use crate::{World, script};

/// A DDP script on two nodes with four GPUs each: torchrun's variables (a process per GPU), the GPUs and the script are in both
/// pods, and the log of each rank can be read.
pub async fn a_ddp_script_is_trained_on_two_nodes_with_four_gpus(world: &World) {
    let source = "import os\nimport torch.distributed as dist\n\n\ndef train(epochs):\n    dist.init_process_group()\n    \
                  print(os.environ['RANK'], epochs)\n";
    let call = json!({
        "name": "ddp", "script": source, "func_args": {"epochs": 3}, "num_nodes": 2, "gpu_per_node": 4,
        "env": {"SIM_RUN": "10h", "SIM_LOG": "rank 0 epoch 1\nrank 0 epoch 2"},
    });
    let preview = world.good("run_custom_training", call.clone()).await["preview"].clone();
    assert_eq!(
        (&preview["num_nodes"], &preview["devices"]["per_node"]),
        (&json!(2), &json!(4)),
        "{preview}"
    );
    world.confirmed("run_custom_training", call).await;
    world.running("ddp", 2).await;
    let mut ranks = Vec::new();
    for pod in world.pods("ddp").await {
        let container = &pod["spec"]["containers"][0];
        assert_eq!(container["resources"]["limits"]["nvidia.com/gpu"], "4", "{container}");
        let env = |name: &str| -> Value {
            let all = container["env"].as_array().into_iter().flatten();
            all.clone()
                .find(|one| one["name"] == name)
                .map(|one| one["value"].clone())
                .unwrap_or_default()
        };
        assert_eq!(
            (env("PET_NNODES"), env("PET_NPROC_PER_NODE")),
            (json!("2"), json!("auto")),
            "{container}"
        );
        let task = script::carried(&container["args"]).unwrap_or_default();
        assert_eq!(
            (&task["script"], &task["func_args"]),
            (&json!(source), &json!({"epochs": 3}))
        );
        let index = &pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"];
        ranks.push(index.as_str().unwrap_or_default().to_owned());
    }
    ranks.sort_unstable();
    assert_eq!(ranks, ["0", "1"]);
    let told = world.status("ddp", "Running").await;
    let steps = told["steps"].as_array().map(Vec::len);
    assert_eq!((&told["nodes"], steps), (&json!(2), Some(2)), "{told}");
    for step in ["node-0", "node-1"] {
        let log = with(job("ddp"), "step", json!(step));
        world
            .place
            .until("the log of each rank", async || {
                let log = world.good("get_training_logs", log.clone()).await;
                log["lines"].to_string().contains("epoch 2").then_some(())
            })
            .await;
    }
    world.end("ddp", 0).await;
    world.status("ddp", "Complete").await;
}

/// All four GPUs that the namespace may have are a container's: a second job waits for the quota until the first is
/// suspended, and the first goes on when the second has ended.
pub async fn a_container_is_paused_so_that_another_gets_its_gpus(world: &World) {
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gpus"},
        "spec": {"hard": {"requests.nvidia.com/gpu": "4"}},
    });
    world.create("resourcequotas", &quota).await;
    used(world, "0").await;
    world.confirmed("run_container_training", submit("first", 1, 4)).await;
    world.status("first", "Running").await;
    used(world, "4").await;
    world.confirmed("run_container_training", submit("second", 1, 4)).await;
    let waiting = with(job("second"), "timeout_seconds", json!(60));
    let waited = world.good("wait_for_training", waiting).await;
    assert_eq!(
        (&waited["ended"], &waited["reason"]),
        (&json!("stalled"), &json!("QuotaExceeded")),
        "{waited}"
    );

    let suspend = with(job("first"), "action", json!("suspend"));
    let preview = world.good("update_training_job", suspend.clone()).await;
    assert!(preview.to_string().contains("4 nvidia.com/gpu"), "{preview}");
    let done = world.confirmed("update_training_job", suspend).await;
    assert_eq!(
        (&done["status"], &done["took_effect"]),
        (&json!("Suspended"), &json!(true)),
        "{done}"
    );
    world.status("second", "Running").await;
    let listed = world.good("list_training_jobs", json!({"status": "Suspended"})).await;
    assert_eq!(listed["jobs"][0]["name"], "first", "{listed}");
    world.end("second", 0).await;
    world.status("second", "Complete").await;
    used(world, "0").await;

    let resume = with(job("first"), "action", json!("resume"));
    world.confirmed("update_training_job", resume).await;
    world.status("first", "Running").await;
    let waiting = world.good("wait_for_training", job("first"));
    let end = async {
        world.end("first", 0).await;
        world.status("first", "Complete").await;
    };
    let (waited, ()) = tokio::join!(waiting, end);
    assert_eq!(
        (&waited["reached"], &waited["status"]),
        (&json!(true), &json!("Complete")),
        "{waited}"
    );
}

/// Waits until the quota has counted so many GPUs.
async fn used(world: &World, gpus: &str) {
    world
        .place
        .until("the quota's count", async || {
            let quota = world.object("resourcequotas", "gpus").await?;
            (quota["status"]["used"]["requests.nvidia.com/gpu"] == gpus).then_some(())
        })
        .await;
}
