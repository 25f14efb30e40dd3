//! The bodies that `fine_tune` makes, and what it refuses on the shipped runtimes. The SDK's bodies are compared through
//! the tool, in `tests/it/golden.rs`.

use super::*;
use kf_mcp_trainjob::RuntimeScope;
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

const DATA: &str = "dataset.data_dir=/workspace/dataset/data";

fn args(body: &Value) -> Vec<String> {
    serde_json::from_value(body["spec"]["trainer"]["args"].clone()).unwrap()
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
