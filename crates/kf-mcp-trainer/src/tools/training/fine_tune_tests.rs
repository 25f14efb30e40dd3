//! The bodies that `fine_tune` makes, against those of the official SDK, and what it refuses on the shipped runtimes.

use super::*;
use kf_mcp_trainjob::{RuntimeScope, same_quantity};
use serde_json::{Value, json};

fn runtimes() -> Vec<Runtime> {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/fixtures/torchtune_runtimes.json")).unwrap();
    all.iter()
        .map(|one| Runtime::from_value(one, RuntimeScope::Cluster))
        .collect()
}

/// The body of a call, or why there is none; nothing is asked of a cluster.
fn body(call: Value) -> Result<Value, ToolError> {
    let call: FineTune = serde_json::from_value(call).unwrap();
    let asked = call.asked(true)?;
    let runtime = match call.runtime() {
        Some(name) => runtimes().into_iter().find(|runtime| runtime.name == name).unwrap(),
        None => finetune::choose(&asked.origins.model, runtimes())?,
    };
    let found = Found {
        runtime,
        not_seen: Vec::new(),
    };
    let ready = call.drafted(asked, found, "team-a".into(), "x7k2q")?;
    let wishes = Wishes {
        own: Some(&ready.own),
        ..call.wishes()
    };
    submit::of_runtime(&wishes, &ready.found.runtime, ready.problems)?;
    let job = submit::submission(
        &wishes,
        ready.program,
        ready.checked,
        &ready.found.runtime,
        "team-a",
        "x7k2q",
    );
    Ok(job.body())
}

fn refused(call: Value) -> ToolError {
    body(call.clone()).map(|body| panic!("{call}: {body}")).unwrap_err()
}

const ALPACA: &str = "hf://tatsu-lab/alpaca/data";
const LLAMA: &str = "hf://meta-llama/Llama-3.2-1B-Instruct";

/// The call that says what a case of the SDK says. What the SDK leaves to torchtune is always said by the tool, as by the
/// peer, and so is part of the differences below.
fn call(id: &str) -> Value {
    let with = |dataset: &str, more: Value| {
        let mut call = json!({"model": LLAMA, "dataset": dataset, "runtime": "torchtune-llama3.2-1b", "name": "j"});
        call.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        call
    };
    match id {
        "ft-lora-min" => with(ALPACA, json!({})),
        "ft-lora-full" => with(
            ALPACA,
            json!({
                "dtype": "bf16", "batch_size": 4, "epochs": 3, "loss": "CEWithChunkedOutputLoss", "apply_lora_to_mlp": true,
                "apply_lora_to_output": false, "lora_rank": 16, "lora_alpha": 32, "lora_dropout": 0.05, "quantize_base": false,
                "use_dora": false, "lora_attn_modules": ["q_proj", "k_proj", "v_proj", "output_proj"],
                "dataset_source": "parquet", "dataset_split": "train[:95%]", "dataset_train_on_input": false,
                "dataset_system_prompt": "You are an AI.", "dataset_column_map": {"input": "instruction", "output": "output"},
                "hf_token": "hf_tok", "dataset_ignore_patterns": ["*.md", "*.txt"],
                "resources_per_node": {"gpu": 1, "cpu": 8, "memory": "32Gi"}, "active_deadline_seconds": 3600,
                "labels": {"app": "ft", "kueue.x-k8s.io/queue-name": "q"}, "annotations": {"note": "x"},
            }),
        ),
        "ft-qlora" => with(
            ALPACA,
            json!({"batch_size": 2, "quantize_base": true, "resources_per_node": {"gpu": 1}}),
        ),
        "ft-full" => with(ALPACA, json!({"dtype": "fp32", "epochs": 2, "peft_method": "full"})),
        "ft-ds-uri-0" => with("hf://tatsu-lab/alpaca", json!({})),
        "ft-ds-uri-1" => with("hf://tatsu-lab/alpaca/", json!({})),
        "ft-ds-uri-2" => with("tatsu-lab/alpaca", json!({})),
        other => panic!("{other} has no call: say what it is, or why there is none"),
    }
}

const DATASET: &str = "dataset=torchtune.datasets.instruct_dataset";
const SOURCE: &str = "dataset.source=parquet";
const SIZE: &str = "batch_size=4";
const EPOCHS: &str = "epochs=1";
const RANK: &str = "model.lora_rank=8";
const ALPHA: &str = "model.lora_alpha=16";
const ROOT: &str = "dataset.data_dir=/workspace/dataset/.";
const DATA: &str = "dataset.data_dir=/workspace/dataset/data";

/// A case whose arguments differ on purpose: what only the SDK says, what only we say.
/// - The dataset is always told (trainer.md §21 item 7): without it torchtune downloads another one.
/// - `batch_size`, `epochs`, rank and alpha are told with the peer's defaults, so that the plan shows them.
/// - `/workspace/dataset/.` (item 8): the runtime's own dataset lies where the runtime's command says.
fn differences(id: &str) -> (Vec<&'static str>, Vec<&'static str>) {
    let defaults = vec![SIZE, EPOCHS, RANK, ALPHA, DATASET, SOURCE];
    match id {
        "ft-lora-full" => (Vec::new(), Vec::new()),
        "ft-lora-min" => (Vec::new(), defaults),
        "ft-qlora" => (Vec::new(), vec![DATASET, SOURCE]),
        "ft-full" => (Vec::new(), vec![SIZE, DATASET, SOURCE]),
        _ => (vec![ROOT], [defaults, vec![DATA]].concat()),
    }
}

/// Cases of the SDK that are no call of ours, with the reason.
const WITHOUT_CALL: [(&str, &str); 6] = [
    ("ft-no-initializer", "the model and the dataset are always named"),
    ("ft-empty-config", "the model and the dataset are always named"),
    ("ft-preprocess-no-init", "the model and the dataset are always named"),
    (
        "ft-multinode",
        "LoRA on several nodes is refused before it is sent (item 10)",
    ),
    ("err-ft-args-option", "there is no such option"),
    ("err-ft-on-torch", "refused, see below"),
];

/// A body as both may be compared: without what we send although it is the default, quantities as we write them.
fn normal(mut body: Value) -> Value {
    body["metadata"] = json!({"labels": body["metadata"]["labels"], "annotations": body["metadata"]["annotations"]});
    body["spec"]["runtimeRef"].as_object_mut().unwrap().remove("apiGroup");
    body["spec"]["trainer"].as_object_mut().unwrap().remove("args");
    body["spec"]["trainer"]["numNodes"] = json!(1);
    let amounts = body["spec"]["trainer"]
        .get_mut("resourcesPerNode")
        .and_then(Value::as_object_mut);
    for amount in amounts
        .into_iter()
        .flat_map(|r| r.values_mut())
        .flat_map(|r| r.as_object_mut().unwrap().values_mut())
    {
        let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
        let plain = ["1", "2", "8"].into_iter().find(|plain| same_quantity(plain, &text));
        *amount = json!(plain.map_or(text.clone(), str::to_owned));
    }
    for step in ["dataset", "model"] {
        let step = body["spec"]["initializer"].get_mut(step).and_then(Value::as_object_mut);
        if let Some(step) = step {
            step.retain(|_, value| *value != json!([]));
        }
    }
    body
}

fn args(body: &Value) -> Vec<String> {
    serde_json::from_value(body["spec"]["trainer"]["args"].clone()).unwrap()
}

#[test]
fn bodies_are_those_of_the_sdk() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../../tests/fixtures/sdk_fine_tuning.json")).unwrap();
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        if WITHOUT_CALL.iter().any(|(without, _)| *without == id) {
            continue;
        }
        let (ours, mut theirs) = (body(call(id)).unwrap(), case["body"].clone());
        let (ours_said, theirs_said) = (args(&ours), args(&theirs));
        let only = |of: &[String], than: &[String]| -> Vec<String> {
            of.iter().filter(|arg| !than.contains(arg)).cloned().collect()
        };
        let mut more = only(&ours_said, &theirs_said);
        let (only_sdk, mut only_we) = differences(id);
        only_we.sort_unstable();
        more.sort_unstable();
        assert_eq!(only(&theirs_said, &ours_said), only_sdk, "{id}: what only the SDK says");
        assert_eq!(more, only_we, "{id}: what only we say");
        let common = |said: &[String], other: &[String]| -> Vec<String> {
            said.iter().filter(|arg| other.contains(arg)).cloned().collect()
        };
        assert_eq!(
            common(&ours_said, &theirs_said),
            common(&theirs_said, &ours_said),
            "{id}: the order"
        );
        // The SDK's cases about addresses name no model, and send the address as it came (items 8 and 31).
        if id.starts_with("ft-ds-uri") {
            theirs["spec"]["initializer"]["model"] = ours["spec"]["initializer"]["model"].clone();
            theirs["spec"]["initializer"]["dataset"]["storageUri"] = json!("hf://tatsu-lab/alpaca");
        }
        assert_eq!(normal(ours), normal(theirs), "{id}");
    }
}

#[test]
fn the_runtime_is_chosen_by_the_model_and_torchtune_means_that() {
    for runtime in [Value::Null, json!("torchtune"), json!(" torchtune-qwen2.5-1.5b ")] {
        let mut call = json!({"model": "Qwen/Qwen2.5-1.5B-Instruct", "dataset": "tatsu-lab/alpaca"});
        if !runtime.is_null() {
            call["runtime"] = runtime;
        }
        let body = body(call).unwrap();
        assert_eq!(body["spec"]["runtimeRef"]["name"], "torchtune-qwen2.5-1.5b");
        assert_eq!(body["metadata"]["name"], "ft-qwen2-5-1-5b-instruct-x7k2q");
        assert!(args(&body).contains(&DATA.to_owned()));
    }
}

#[test]
fn what_torchtune_or_trainer_would_refuse_is_refused_first() {
    let (qwen, llama) = ("Qwen/Qwen2.5-1.5B-Instruct", "meta-llama/Llama-3.2-3B");
    let of = |model: &str, more: Value| {
        let mut call = json!({"model": model, "dataset": "a/b"});
        call.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        refused(call)
    };
    for (model, more, field, word) in [
        (qwen, json!({"peft_method": "qlora"}), "peft_method", "qwen2.5 1.5b"),
        (qwen, json!({"num_nodes": 2}), "num_nodes", "must be 1"),
        (
            llama,
            json!({"num_nodes": 2, "peft_method": "full"}),
            "num_nodes",
            "must be 1",
        ),
        (
            llama,
            json!({"peft_method": "qlora", "resources_per_node": {"gpu": 2}}),
            "resources_per_node",
            "exactly 1 GPU",
        ),
        (
            llama,
            json!({"resources_per_node": {"gpu": 0}}),
            "resources_per_node",
            "no GPU",
        ),
        (llama, json!({"suspend": true}), "suspend", "ever running"),
        ("mistralai/Mistral-7B-v0.3", json!({}), "model", "torchtune-llama3.2-1b"),
        (
            qwen,
            json!({"runtime": "torch-distributed"}),
            "runtime",
            "framework is torch",
        ),
        (
            llama,
            json!({"name": "a-name-that-is-too-long-for-pods-x"}),
            "name",
            "at most 33",
        ),
    ] {
        let error = of(model, more.clone());
        assert_eq!(error.field.as_deref(), Some(field), "{more}: {}", error.answered);
        assert!(error.answered.contains(word), "{more}: {}", error.answered);
    }
}

#[test]
fn claims_are_mounted_in_the_training_pod_alone() {
    let call = json!({"model": "pvc://weights/llama-3.2-1b", "dataset": "pvc://data/sets/a.jsonl", "node_selector": {"zone": "a"}});
    let body = body(call).unwrap();
    assert!(args(&body).contains(&"dataset.data_files=/workspace/dataset/a.jsonl".to_owned()));
    let parts = &body["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"];
    let pod = |at: usize| parts[at]["template"]["spec"]["template"]["spec"].clone();
    assert_eq!(
        pod(0),
        json!({
            "nodeSelector": {"zone": "a"},
            "volumes": [
                {"name": "claim-dataset", "persistentVolumeClaim": {"claimName": "data", "readOnly": true}},
                {"name": "claim-model", "persistentVolumeClaim": {"claimName": "weights", "readOnly": true}},
            ],
            "containers": [{"name": "node", "volumeMounts": [
                {"name": "claim-dataset", "mountPath": "/workspace/dataset", "subPath": "sets", "readOnly": true},
                {"name": "claim-model", "mountPath": "/workspace/model", "subPath": "llama-3.2-1b", "readOnly": true},
            ]}],
        })
    );
    assert_eq!(parts.as_array().unwrap().len(), 3);
    for at in [1, 2] {
        assert_eq!(pod(at), json!({"nodeSelector": {"zone": "a"}}));
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_without_the_token() {
    let call = json!({
        "model": "gpt2", "dataset": "gs://x/y", "hf_token": "hunter2", "epochs": 0, "dtype": "fp8", "num_nodes": 0,
    });
    let call: FineTune = serde_json::from_value(call).unwrap();
    assert!(!format!("{call:?}").contains("hunter2"));
    let error = call.asked(false).map(|_| ()).unwrap_err();
    for field in ["`model`", "`dataset`", "`epochs`", "`dtype`", "`num_nodes`"] {
        assert!(error.answered.contains(field), "{field}: {}", error.answered);
    }
    assert!(!format!("{error:?}").contains("hunter2"));
}
