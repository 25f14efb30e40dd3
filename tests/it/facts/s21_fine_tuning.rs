//! Section 21: what is sent for fine-tunings.

use serde_json::{Value, json};

use super::{empty, manifest, torchtune, tune};

const DATASET: &str = "dataset=torchtune.datasets.instruct_dataset";

/// Without them torchtune trains on a dataset of its own.
#[tokio::test]
async fn s21_07_dataset_arguments_are_sent_wherever_the_dataset_lies() {
    let world = empty();
    for dataset in [
        "hf://org/name",
        "org/name/train",
        "s3://bucket/sets/a.jsonl",
        "pvc://data/sets",
        "tatsu-lab/alpaca",
    ] {
        let args = torchtune(&world, json!({"dataset": dataset})).await;
        assert!(args.contains(&DATASET.to_owned()), "{dataset}: {args:?}");
        assert!(
            args.iter().any(|arg| arg.starts_with("dataset.source=")),
            "{dataset}: {args:?}"
        );
        let places = args.iter().filter(|arg| arg.starts_with("dataset.data_")).count();
        assert_eq!(places, 1, "{dataset}: {args:?}");
    }
}

/// The SDK sends `/workspace/dataset/.` for a whole repository; alpaca keeps its files in `data`.
#[tokio::test]
async fn s21_08_a_whole_repository_is_read_where_its_files_are() {
    let world = empty();
    for (dataset, place) in [
        ("hf://tatsu-lab/alpaca", "dataset.data_dir=/workspace/dataset/data"),
        ("hf://tatsu-lab/alpaca/", "dataset.data_dir=/workspace/dataset/data"),
        ("hf://org/name", "dataset.data_dir=/workspace/dataset"),
    ] {
        let args = torchtune(&world, json!({"dataset": dataset})).await;
        assert!(args.contains(&place.to_owned()), "{dataset}: {args:?}");
        assert!(!args.iter().any(|arg| arg.ends_with("/.")), "{dataset}: {args:?}");
    }
}

/// A dot in a directory does not make it a file.
#[tokio::test]
async fn s21_09_only_the_last_part_of_a_path_says_whether_it_is_a_file() {
    let world = empty();
    for (dataset, place) in [
        (
            "hf://org/name/v1.0/data",
            "dataset.data_dir=/workspace/dataset/v1.0/data",
        ),
        (
            "hf://org/name/v1.0/train.json",
            "dataset.data_files=/workspace/dataset/v1.0/train.json",
        ),
    ] {
        let args = torchtune(&world, json!({"dataset": dataset})).await;
        assert!(args.contains(&place.to_owned()), "{dataset}: {args:?}");
    }
}

/// The webhook's rules, before anything is sent.
#[tokio::test]
async fn s21_10_what_the_webhook_would_refuse_is_refused_first() {
    let world = empty();
    for (more, field) in [
        (
            json!({"peft_method": "qlora", "resources_per_node": {"gpu": 2}}),
            "resources_per_node",
        ),
        (
            json!({"peft_method": "qlora", "model": "Qwen/Qwen2.5-1.5B"}),
            "peft_method",
        ),
        (json!({"num_nodes": 2}), "num_nodes"),
        (json!({"num_nodes": 2, "peft_method": "full"}), "num_nodes"),
    ] {
        let (answer, asked) = world.called("fine_tune", tune(more.clone())).await;
        assert_eq!(answer.structured["error"]["field"], field, "{more}: {}", answer.text);
        assert!(asked.iter().all(|one| one.verb != "create"), "{asked:?}");
    }
}

/// LoRA without its modules would be a full fine-tuning; DoRA on a quantised model is LoRA's recipe, not QLoRA's.
#[tokio::test]
async fn s21_11_lora_has_its_modules_and_dora_its_warning() {
    let world = empty();
    for modules in [Value::Null, json!([])] {
        let args = torchtune(&world, json!({"lora_attn_modules": modules})).await;
        assert!(
            args.contains(&"model.lora_attn_modules=[q_proj,v_proj,output_proj]".to_owned()),
            "{args:?}"
        );
    }
    let dora = tune(json!({"use_dora": true, "quantize_base": true, "resources_per_node": {"gpu": 1}}));
    let told = super::warnings(&world, "fine_tune", dora).await;
    assert!(told.contains("configuration of LoRA, not of QLoRA"), "{told}");
}

/// Without a GPU among the job's own resources Trainer would count none, and the pods keep the runtime's two.
#[tokio::test]
async fn s21_12_the_runtimes_gpus_are_named_beside_other_resources() {
    let world = empty();
    let job = manifest(&world, "fine_tune", tune(json!({"resources_per_node": {"cpu": 8}}))).await;
    let limits = &job["spec"]["trainer"]["resourcesPerNode"]["limits"];
    assert_eq!(limits, &json!({"cpu": "8", "nvidia.com/gpu": "2"}));
    let error = world
        .bad("fine_tune", tune(json!({"resources_per_node": {"gpu": 0}})))
        .await;
    assert_eq!(error["field"], "resources_per_node", "{error}");
}

/// Tokens by reference; one in clear text is refused and not repeated.
#[tokio::test]
async fn s21_18_secrets_are_references() {
    let world = empty();
    let job = manifest(&world, "fine_tune", tune(json!({"hf_secret": "hf"}))).await;
    for part in ["dataset", "model"] {
        assert_eq!(
            job["spec"]["initializer"][part]["secretRef"],
            json!({"name": "hf"}),
            "{job}"
        );
    }
    let told = super::warnings(&world, "fine_tune", tune(json!({"hf_secret": "hf"}))).await;
    assert!(told.contains("ACCESS_TOKEN") || told.contains("HF_TOKEN"), "{told}");
    let answer = world
        .call("fine_tune", tune(json!({"hf_token": "hunter2", "confirmed": true})))
        .await;
    assert!(answer.is_error && !answer.text.contains("hunter2"), "{}", answer.text);
}

/// The CRD wants a scheme.
#[tokio::test]
async fn s21_31_an_address_without_a_scheme_is_the_hubs() {
    let world = empty();
    let job = manifest(&world, "fine_tune", tune(json!({}))).await;
    let initializer = &job["spec"]["initializer"];
    assert_eq!(initializer["dataset"]["storageUri"], "hf://tatsu-lab/alpaca");
    assert_eq!(initializer["model"]["storageUri"], "hf://meta-llama/Llama-3.2-1B");
    let error = world.bad("fine_tune", tune(json!({"dataset": "gs://bucket/x"}))).await;
    assert_eq!(error["field"], "dataset", "{error}");
}
