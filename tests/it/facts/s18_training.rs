//! Section 18's table: submitting.

use kf_mcp_tests::World;
use kf_mcp_tests::script::carried;
use serde_json::{Value, json};

use super::{RUNTIMES, TRAIN_JOBS, and, container, empty, manifest, torchtune, tune, warnings};

/// The work-around for `hf://ORG/NAME` made each such call fail.
#[tokio::test]
async fn s18_01_a_whole_repository_is_fine_tuned_on() {
    let world = empty();
    world
        .confirmed("fine_tune", tune(json!({"dataset": "hf://tatsu-lab/alpaca"})))
        .await;
    assert!(world.object(TRAIN_JOBS, "tuned").await.is_some());
}

/// Weights in formats that torchtune does not read are not fetched, from S3 neither, and other patterns can be given.
#[tokio::test]
async fn s18_04_what_torchtune_cannot_read_is_not_fetched() {
    let world = empty();
    let s3 = json!({"model": "s3://bucket/llama", "runtime": "torchtune-llama3.2-1b"});
    for more in [json!({}), s3] {
        let job = manifest(&world, "fine_tune", tune(more.clone())).await;
        let env = &job["spec"]["initializer"]["model"]["env"];
        assert_eq!(
            env[0],
            json!({"name": "IGNORE_PATTERNS", "value": "*.msgpack,*.h5,*.bin,*.pt,*.pth"}),
            "{more}: {env}"
        );
    }
    let job = manifest(&world, "fine_tune", tune(json!({"model_ignore_patterns": ["*.gguf"]}))).await;
    assert_eq!(
        job["spec"]["initializer"]["model"]["env"][0]["value"], "*.gguf",
        "{job}"
    );
}

/// The default runtime `torchtune` exists nowhere: it means the one for the model.
#[tokio::test]
async fn s18_05_torchtune_means_the_runtime_for_the_model() {
    let world = empty();
    for runtime in [Value::Null, json!("torchtune")] {
        let job = manifest(&world, "fine_tune", tune(json!({"runtime": runtime}))).await;
        assert_eq!(job["spec"]["runtimeRef"]["name"], "torchtune-llama3.2-1b");
    }
}

/// A runtime is torchtune's by its label: a name alone does not make it one.
#[tokio::test]
async fn s18_06_the_framework_is_the_label() {
    let world = empty();
    let path = "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes/torchtune-llama3.2-1b";
    let mut own = world.place.ask("GET", path, "", None).await.json();
    own["kind"] = json!("TrainingRuntime");
    for (name, framework, taken) in [
        ("torchtune-llama3.2-1b", "torchtune", true),
        ("torchtune-llama3.2-3b", "torch", false),
    ] {
        own["metadata"] = json!({"name": name, "labels": {"trainer.kubeflow.org/framework": framework}});
        world.create(RUNTIMES, &own).await;
        let answer = world.call("fine_tune", tune(json!({"runtime": name}))).await;
        let refused = answer.is_error && answer.structured["error"]["field"] == "runtime";
        assert_eq!(refused, !taken, "{name}: {}", answer.text);
    }
}

/// Not always LoRA; and a quantised model needs one GPU, which is asked for.
#[tokio::test]
async fn s18_07_each_method_can_be_had() {
    let world = empty();
    for (method, recipe) in [
        ("full", "full_finetune_distributed"),
        ("lora", "lora_finetune_distributed"),
        ("qlora", "lora_finetune_single_device"),
        ("dora", "lora_finetune_distributed"),
    ] {
        let preview = world.good("fine_tune", tune(json!({"peft_method": method}))).await["preview"].clone();
        assert!(
            preview["method"].to_string().contains(recipe),
            "{method}: {}",
            preview["method"]
        );
        let gpus = &preview["manifest"]["spec"]["trainer"]["resourcesPerNode"]["limits"]["nvidia.com/gpu"];
        assert_eq!(
            *gpus,
            if method == "qlora" { json!("1") } else { Value::Null },
            "{method}"
        );
    }
    let args = torchtune(&world, json!({"peft_method": "full"})).await;
    assert!(!args.iter().any(|arg| arg.contains("lora")), "{args:?}");
}

/// The preview counts no nodes, for which few have the right: it is the same with and without it, and when it is confirmed.
#[tokio::test]
async fn s18_08_a_preview_needs_no_rights_on_nodes() {
    let world = empty();
    world.sandbox().forbid("* nodes");
    let (answer, asked) = world.called("fine_tune", tune(json!({}))).await;
    assert!(
        !answer.is_error && asked.iter().all(|one| one.resource != "nodes"),
        "{asked:?}"
    );
    world.confirmed("fine_tune", tune(json!({}))).await;
}

/// Volumes and where pods run are the same for all pods of a fine-tuning, which share a claim and so a zone.
#[tokio::test]
async fn s18_09_options_of_pods_reach_every_part() {
    let world = empty();
    let more = json!({"node_selector": {"zone": "a"}, "tolerations": [{"operator": "Exists"}],
        "volumes": [{"name": "data", "emptyDir": {}}], "volume_mounts": [{"name": "data", "mountPath": "/data"}]});
    let job = manifest(&world, "fine_tune", tune(more)).await;
    let parts = &job["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"];
    assert_eq!(parts.as_array().unwrap().len(), 3, "{parts}");
    for part in parts.as_array().unwrap() {
        let pod = &part["template"]["spec"]["template"]["spec"];
        assert_eq!(pod["nodeSelector"], json!({"zone": "a"}), "{part}");
        assert!(
            pod["tolerations"].is_array() && pod["containers"][0]["volumeMounts"].is_array(),
            "{part}"
        );
    }
}

/// Without arguments about it torchtune trained on another dataset than the one in S3.
#[tokio::test]
async fn s18_10_a_dataset_in_s3_is_the_one_that_is_trained_on() {
    let args = torchtune(&empty(), json!({"dataset": "s3://bucket/sets/train.jsonl"})).await;
    for part in ["dataset=torchtune.datasets.instruct_dataset", "dataset.source=json"] {
        assert!(args.contains(&part.to_owned()), "{part}: {args:?}");
    }
    assert!(
        args.iter()
            .any(|arg| arg.starts_with("dataset.data_files=") && arg.ends_with("train.jsonl")),
        "{args:?}"
    );
}

/// Scripts are neither run on the server nor indented: long texts, imports from the future, own functions, coroutines.
#[tokio::test]
async fn s18_11_scripts_are_data() {
    let world = empty();
    let canary = std::env::temp_dir().join(format!("kf-mcp-canary-{}", std::process::id()));
    for (name, script, calls) in [
        (
            "future",
            "from __future__ import annotations\nfrom math import *\ntext = '''\nno\n    spaces\n'''\n".to_owned(),
            false,
        ),
        (
            "nested",
            "def outer():\n    def train():\n        pass\n    return train\n\nouter()()\n".to_owned(),
            false,
        ),
        ("awaited", "async def train(rate=1):\n    pass\n".to_owned(), true),
        (
            "harmful",
            format!("open({:?}, 'w')\n", canary.display().to_string()),
            false,
        ),
    ] {
        world
            .confirmed(
                "run_custom_training",
                json!({"name": name, "script": script, "gpu_per_node": 0}),
            )
            .await;
        let job = world.object(TRAIN_JOBS, name).await.unwrap();
        let task = carried(&job["spec"]["trainer"]["args"]).unwrap();
        assert_eq!(task["script"], script, "{name}");
        assert_eq!(task["entry"] != "", calls, "{name}");
    }
    assert!(!canary.exists(), "a script ran on the server");
}

/// A GPU is the default, as for the peer; none and other resources can be had.
#[tokio::test]
async fn s18_12_one_gpu_unless_said_otherwise() {
    let world = empty();
    for (more, limits) in [
        (json!({}), json!({"nvidia.com/gpu": "1"})),
        (json!({"gpu_per_node": 0}), Value::Null),
        (json!({"resources_per_node": {"cpu": 2}}), json!({"cpu": "2"})),
    ] {
        let job = manifest(
            &world,
            "run_custom_training",
            and(json!({"script": "x = 1"}), more.clone()),
        )
        .await;
        assert_eq!(job["spec"]["trainer"]["resourcesPerNode"]["limits"], limits, "{more}");
    }
}

/// A volume brings no other with it.
#[tokio::test]
async fn s18_13_volumes_are_those_that_were_given() {
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    let job = manifest(
        &empty(),
        "run_custom_training",
        json!({"script": "x = 1", "volumes": volumes}),
    )
    .await;
    assert!(!job.to_string().contains("emptyDir"), "{job}");
    assert!(job.to_string().contains("claimName"), "{job}");
}

/// What a script uses is told or refused as the operator wants; by default it is nobody's business.
#[tokio::test]
async fn s18_14_scripts_may_do_what_the_operator_lets_them() {
    let script =
        json!({"name": "a", "script": "import subprocess\nsubprocess.run(['nvidia-smi'])\nprint(eval('1'))\n"});
    assert!(!empty().call("run_custom_training", script.clone()).await.is_error);
    let strict = World::with("healthy-empty", |mut settings| {
        settings.insert("trainer".into(), json!({"script_deny": ["subprocess"]}));
        settings
    });
    let error = strict.bad("run_custom_training", script).await;
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("invalid_argument"), &json!("script")),
        "{error}"
    );
}

/// The CRD wants a letter first.
#[tokio::test]
async fn s18_16_a_name_begins_with_a_letter() {
    let error = empty().bad("run_container_training", container("1st", json!({}))).await;
    assert_eq!(error["field"], "name", "{error}");
}

/// Suspension and resumption are previewed and confirmed like every change.
#[tokio::test]
async fn s18_17_a_suspension_is_previewed() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({})))
        .await;
    let suspend = json!({"name": "a", "action": "suspend"});
    world.good("update_training_job", suspend.clone()).await;
    assert_eq!(world.object(TRAIN_JOBS, "a").await.unwrap()["spec"]["suspend"], false);
    world.confirmed("update_training_job", suspend).await;
    assert_eq!(world.object(TRAIN_JOBS, "a").await.unwrap()["spec"]["suspend"], true);
    let told = warnings(&world, "update_training_job", json!({"name": "a", "action": "resume"})).await;
    assert_eq!(told, "null");
}

/// The peer's own advice names keys that Kubernetes does not have.
#[tokio::test]
async fn s18_30_keys_of_volumes_that_do_not_exist_are_refused() {
    let world = empty();
    for (field, more) in [
        (
            "volumes",
            json!({"volumes": [{"name": "data", "mount_path": "/x", "empty_dir": {}}]}),
        ),
        (
            "volume_mounts",
            json!({"volumes": [{"name": "data", "emptyDir": {}}], "volume_mounts": [{"name": "data", "mount_path": "/x"}]}),
        ),
    ] {
        let error = world.bad("run_container_training", container("a", more)).await;
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("invalid_argument"), &json!(field)),
            "{error}"
        );
    }
}
