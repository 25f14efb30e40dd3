//! Journeys of fine-tunings, on the runtimes that Trainer ships.

use serde_json::{Value, json};

use super::{job, with};
use crate::World;

const TRAIN_JOBS: &str = "trainjobs.trainer.kubeflow.org";
const QWEN: &str = "Qwen/Qwen2.5-1.5B-Instruct";
/// The runtimes that Trainer ships for torchtune, each with a model of its.
const RUNTIMES: [(&str, &str); 3] = [
    ("torchtune-llama3.2-1b", "meta-llama/Llama-3.2-1B-Instruct"),
    ("torchtune-llama3.2-3b", "meta-llama/Llama-3.2-3B-Instruct"),
    ("torchtune-qwen2.5-1.5b", QWEN),
];

/// A pod of a part of a job that runs, if there is one.
async fn of_part(world: &World, job: &str, part: &str) -> Option<Value> {
    let pods = world.pods(job).await;
    pods.into_iter().find(|pod| {
        pod["metadata"]["labels"]["jobset.sigs.k8s.io/replicatedjob-name"] == part
            && pod["status"]["phase"] == "Running"
    })
}

/// Qwen on alpaca with LoRA: the model chooses the runtime, the initializers fetch, the node trains with the recipe that the
/// preview named, and the deletion warns of the weights.
pub async fn a_model_is_fine_tuned_on_a_dataset_with_lora(world: &World) {
    let arguments = json!({"model": QWEN, "dataset": "tatsu-lab/alpaca", "name": "tune", "hf_secret": "hf"});
    let preview = world.good("fine_tune", arguments.clone()).await["preview"].clone();
    assert!(
        world.object(TRAIN_JOBS, "tune").await.is_none(),
        "a preview changes nothing"
    );
    assert_eq!(preview["runtime"]["name"], "torchtune-qwen2.5-1.5b", "{preview}");
    assert_eq!(
        preview["method"], "lora, lora_finetune_distributed with qwen2_5/1.5B_lora",
        "{preview}"
    );
    let warnings = preview["warnings"].to_string();
    for part in [
        "initializer-tune",
        "cannot be suspended",
        "2 nvidia.com/gpu",
        "ACCESS_TOKEN",
    ] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
    // the initializers read the Secret before they begin
    world
        .create(
            "secrets",
            &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hf"}, "stringData": {"ACCESS_TOKEN": "x"}}),
        )
        .await;
    world.confirmed("fine_tune", arguments).await;

    for part in ["dataset-initializer", "model-initializer"] {
        let pod = world
            .place
            .until(part, async || of_part(world, "tune", part).await)
            .await;
        let container = &pod["spec"]["containers"][0];
        let reference = json!([{"secretRef": {"name": "hf"}}]);
        assert_eq!(container["envFrom"], reference, "{container}");
    }
    world.status("tune", "Initializing").await;
    assert!(
        of_part(world, "tune", "node").await.is_none(),
        "the node waits for both"
    );
    world.end("tune", 0).await;

    let node = world
        .place
        .until("the node", async || of_part(world, "tune", "node").await)
        .await;
    let container = &node["spec"]["containers"][0];
    let command = container["command"].to_string();
    for part in [
        "lora_finetune_distributed",
        "qwen2_5/1.5B_lora",
        "tokenizer.merges_file",
    ] {
        assert!(command.contains(part), "{part}: {command}");
    }
    let args = container["args"].to_string();
    for part in [
        "dataset=torchtune.datasets.instruct_dataset",
        "dataset.source=parquet",
        "dataset.data_dir=/workspace/dataset/data",
        "model.lora_attn_modules=[q_proj,v_proj,output_proj]",
    ] {
        assert!(args.contains(part), "{part}: {args}");
    }
    world.status("tune", "Running").await;
    world.end("tune", 0).await;
    world.status("tune", "Complete").await;

    let preview = world.good("delete_training_job", job("tune")).await;
    assert!(preview["preview"].to_string().contains("initializer-tune"), "{preview}");
    world.confirmed("delete_training_job", job("tune")).await;
}

/// What the rules refuse is refused before anything but runtimes is asked for.
pub async fn what_torchtune_cannot_do_is_refused_before_it_is_sent(world: &World) {
    let asked = json!({"model": QWEN, "dataset": "tatsu-lab/alpaca", "name": "refused"});
    let llama = with(asked.clone(), "model", json!("meta-llama/Llama-3.2-1B"));
    for (arguments, field) in [
        (with(asked.clone(), "peft_method", json!("qlora")), "peft_method"),
        (with(asked.clone(), "num_nodes", json!(2)), "num_nodes"),
        (
            with(asked.clone(), "model", json!("mistralai/Mistral-7B-v0.3")),
            "model",
        ),
        (with(asked.clone(), "dataset", json!("squad")), "dataset"),
        (with(asked.clone(), "runtime", json!("torch-distributed")), "runtime"),
        (with(asked.clone(), "runtime", json!("torchtune-gemma")), "runtime"),
        (with(asked.clone(), "suspend", json!(true)), "suspend"),
        (with(asked.clone(), "hf_token", json!("hunter2hunter2")), "hf_token"),
        (
            with(
                with(llama, "quantize_base", json!(true)),
                "resources_per_node",
                json!({"gpu": 2}),
            ),
            "resources_per_node",
        ),
    ] {
        let (answer, asked) = world.called("fine_tune", arguments.clone()).await;
        let error = &answer.structured["error"];
        assert!(answer.is_error, "{arguments}: {}", answer.text);
        assert_eq!(error["field"], field, "{arguments}: {error}");
        assert!(error["fix"].is_string() || field != "model", "{error}");
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
        assert!(asked.iter().all(|one| one.verb != "create"), "{arguments}: {asked:?}");
    }
    let error = world
        .bad(
            "fine_tune",
            json!({"model": "mistralai/Mistral-7B-v0.3", "dataset": "tatsu-lab/alpaca"}),
        )
        .await;
    for (runtime, _) in RUNTIMES {
        assert!(error.to_string().contains(runtime), "{error}");
    }
}

/// Each shipped runtime with each method and number of GPUs: what the rules let pass the webhook takes (the preview is a dry
/// run), and what they refuse the webhook would refuse.
pub async fn the_rules_of_fine_tuning_are_those_of_the_webhook(world: &World) {
    let (mut taken, mut refused) = (0, 0);
    for (runtime, model) in RUNTIMES {
        let plain = json!({"model": model, "dataset": "tatsu-lab/alpaca", "runtime": runtime, "name": "rules"});
        let manifest = world.good("fine_tune", plain.clone()).await["preview"]["manifest"].clone();
        for method in ["lora", "qlora", "dora", "qdora", "full"] {
            for gpus in [None, Some(1), Some(2)] {
                let mut arguments = with(plain.clone(), "peft_method", json!(method));
                if method == "qdora" {
                    arguments["peft_method"] = json!("dora");
                    arguments["quantize_base"] = json!(true);
                }
                if let Some(gpus) = gpus {
                    arguments["resources_per_node"] = json!({"gpu": gpus});
                }
                let answer = world.call("fine_tune", arguments.clone()).await;
                if !answer.is_error {
                    taken += 1;
                    continue;
                }
                refused += 1;
                let code = &answer.structured["error"]["code"];
                assert_eq!(code, "invalid_argument", "{arguments}: {}", answer.text);
                let mut body = manifest.clone();
                let args = body["spec"]["trainer"]["args"].as_array_mut();
                if let Some(args) = args {
                    args.push(json!("model.quantize_base=True"));
                }
                if let Some(gpus) = gpus {
                    let resources = json!({"nvidia.com/gpu": gpus.to_string()});
                    body["spec"]["trainer"]["resourcesPerNode"] = json!({"limits": resources, "requests": resources});
                }
                let said = tried(world, &body).await;
                assert!(said.contains("QLoRA"), "{arguments}: {said}");
            }
        }
        let nodes = with(plain, "num_nodes", json!(2));
        assert_eq!(world.bad("fine_tune", nodes).await["field"], "num_nodes");
        let mut body = manifest;
        body["spec"]["trainer"]["numNodes"] = json!(2);
        let said = tried(world, &body).await;
        assert!(said.contains("must be 1"), "{said}");
    }
    // QLoRA: never on Qwen (3), and on two GPUs of each Llama
    assert_eq!((taken, refused), (40, 5));
}

/// What the API server says to a job, without creating it; it must refuse.
async fn tried(world: &World, body: &Value) -> String {
    let path = format!(
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{}/trainjobs?dryRun=All&fieldValidation=Strict",
        world.namespace
    );
    let reply = world.place.ask("POST", &path, "application/json", Some(body)).await;
    assert!(!reply.code.is_success(), "{}", reply.text);
    reply.text
}

/// A dataset and weights on claims of the namespace are mounted into the training pod, and into no other.
pub async fn a_dataset_on_a_claim_is_mounted_where_it_is_read(world: &World) {
    for name in ["data", "weights"] {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        world.create("persistentvolumeclaims", &claim).await;
    }
    let arguments = json!({
        "model": "pvc://weights/qwen2.5-1.5b", "dataset": "pvc://data/sets/mine.jsonl", "name": "claims",
        "peft_method": "full", "resources_per_node": {"gpu": 1},
    });
    world.confirmed("fine_tune", arguments).await;
    for part in ["dataset-initializer", "model-initializer"] {
        let pod = world
            .place
            .until(part, async || of_part(world, "claims", part).await)
            .await;
        let env = pod["spec"]["containers"][0]["env"].to_string();
        assert!(env.contains("IGNORE_PATTERNS"), "{env}");
        assert!(!pod["spec"].to_string().contains("claim-dataset"), "{pod}");
    }
    world.end("claims", 0).await;
    let node = world
        .place
        .until("the node", async || of_part(world, "claims", "node").await)
        .await;
    let mounts = node["spec"]["containers"][0]["volumeMounts"].to_string();
    for part in ["/workspace/dataset", "/workspace/model", "qwen2.5-1.5b", "sets"] {
        assert!(mounts.contains(part), "{part}: {mounts}");
    }
    let args = node["spec"]["containers"][0]["args"].to_string();
    assert!(
        args.contains("dataset.data_files=/workspace/dataset/mine.jsonl"),
        "{args}"
    );
    let command = node["spec"]["containers"][0]["command"].to_string();
    assert!(command.contains("full_finetune_single_device"), "{command}");
    world.end("claims", 0).await;
    world.status("claims", "Complete").await;
}
