//! What surprises those who fine-tune.

use super::*;
use crate::submit::Problems;
use kf_mcp_trainjob::RuntimeScope;
use kf_mcp_trainjob::torchtune::{DATASET_STEP, MODEL_STEP};
use serde_json::{Value, json};

fn runtime(retention: bool) -> Runtime {
    let part = |step: &str, uri: &str| {
        json!({"name": step, "template": {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": step}},
            "spec": {"template": {"spec": {"containers": [{"name": step, "env": [{"name": "STORAGE_URI", "value": uri}],
                "resources": {"limits": {"nvidia.com/gpu": 2}}}]}}}}})
    };
    let mut claims = json!({"templates": [{"metadata": {"name": "initializer"}}]});
    if retention {
        claims["retentionPolicy"] = json!({"whenDeleted": "Delete"});
    }
    let parts = [
        part(DATASET_STEP, "hf://tatsu-lab/alpaca"),
        part(MODEL_STEP, "hf://Qwen/Qwen2.5-1.5B-Instruct"),
        part("node", ""),
    ];
    let value = json!({"metadata": {"name": "torchtune-qwen2.5-1.5b"},
        "spec": {"template": {"spec": {"replicatedJobs": parts, "volumeClaimPolicies": [claims]}}}});
    Runtime::from_value(&value, RuntimeScope::Cluster)
}

fn told(model: &str, dataset: &str, fetch: Value, tune: Value, labels: &[&str], retention: bool) -> String {
    let runtime = runtime(retention);
    let fetch: FetchOptions = serde_json::from_value(fetch).unwrap();
    let tune: TuneOptions = serde_json::from_value(tune).unwrap();
    let mut problems = Problems::default();
    let origins = Origins::read(model, dataset, &mut problems).unwrap();
    let trained = tune.trained(&mut problems);
    let tunes = TuneModel::of_runtime(&runtime.name).unwrap();
    let devices = super::super::devices(
        &std::collections::BTreeMap::new(),
        1,
        trained,
        tunes,
        &runtime,
        &mut problems,
    );
    let warned = Warned {
        name: "ft",
        origins: &origins,
        fetch: &fetch,
        runtime: &runtime,
        model: tunes,
        trained,
        labels: labels.to_vec(),
    };
    warnings(&warned, &devices).join("\n")
}

const QWEN: &str = "Qwen/Qwen2.5-1.5B-Instruct";

#[test]
fn item_17_and_the_suspension_that_is_none_are_told() {
    let all = told(QWEN, "tatsu-lab/alpaca", json!({}), json!({}), &[], false);
    assert!(all.contains("initializer-ft: deleting the job deletes them"), "{all}");
    assert!(all.contains("cannot be suspended and resumed"), "{all}");
    assert!(all.contains("the runtime's 2 nvidia.com/gpu"), "{all}");
    assert_eq!(all.lines().count(), 3, "{all}");
    assert!(!told(QWEN, "a/b", json!({}), json!({}), &[], true).contains("suspended"));
    assert!(told(QWEN, "a/b", json!({}), json!({}), &[KUEUE], false).contains("this one would never run"));
}

#[test]
fn sources_with_a_catch_are_told() {
    let of = |model: &str, dataset: &str, fetch: Value| told(model, dataset, fetch, json!({}), &[], true);
    assert!(of("meta-llama/Llama-3.2-1B", "a/b", json!({})).contains("is gated"));
    assert!(of("meta-llama/Llama-3.2-1B", "a/b", json!({})).contains("does not say that it is one"));
    assert!(!of("meta-llama/Llama-3.2-1B", "a/b", json!({"hf_secret": "hf"})).contains("is gated"));
    assert!(of(QWEN, "a/b", json!({"hf_secret": "hf"})).contains("Secret hf must have the key ACCESS_TOKEN"));
    assert!(of(QWEN, "s3://bucket/a", json!({})).contains("service account"));
    assert!(of(QWEN, "s3://bucket/a", json!({"s3_secret": "s"})).contains("ACCESS_KEY_ID and SECRET"));
    let claim = of(QWEN, "pvc://data", json!({}));
    assert!(
        claim.contains("the dataset is read from the claim data") && claim.contains("hf://tatsu-lab/alpaca"),
        "{claim}"
    );
    let tune = json!({"peft_method": "dora", "quantize_base": true});
    let odd = told(QWEN, "a/b", json!({}), tune, &[], true);
    assert!(odd.contains("configuration of LoRA"), "{odd}");
}

#[test]
fn the_memory_is_told_in_a_line() {
    let model = TuneModel::of_runtime("torchtune-qwen2.5-1.5b").unwrap();
    let mut problems = Problems::default();
    let tune: TuneOptions = serde_json::from_value(json!({})).unwrap();
    let trained = tune.trained(&mut problems);
    let runtime = runtime(true);
    let devices = super::super::devices(
        &std::collections::BTreeMap::new(),
        1,
        trained,
        model,
        &runtime,
        &mut problems,
    );
    let line = memory(&tune, trained, model, &devices).unwrap();
    assert!(
        line.starts_with("each GPU needs about ") && line.contains("GPUs of "),
        "{line}"
    );
    for model in TuneModel::all() {
        assert!(memory(&tune, trained, model, &devices).is_some(), "{}", model.words());
    }
}
