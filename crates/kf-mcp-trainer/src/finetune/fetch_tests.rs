//! What the initializers are told, and what is refused.

use super::*;
use kf_mcp_trainjob::RuntimeScope;

fn runtime() -> Runtime {
    let part = |step: &str, uri: &str| {
        json!({"name": step, "template": {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": step}},
            "spec": {"template": {"spec": {"containers": [{"name": step, "env": [{"name": "STORAGE_URI", "value": uri}]}]}}}}})
    };
    let parts = [
        part(DATASET_STEP, "hf://tatsu-lab/alpaca"),
        part(MODEL_STEP, "hf://Qwen/Qwen2.5-1.5B-Instruct"),
    ];
    let value = json!({"spec": {"template": {"spec": {"replicatedJobs": parts}}}});
    Runtime::from_value(&value, RuntimeScope::Cluster)
}

fn told(model: &str, dataset: &str, given: Value, clear_text: bool) -> Result<Value, String> {
    let options: FetchOptions = serde_json::from_value(given).unwrap();
    assert!(!format!("{options:?}").contains("hunter2"), "{options:?}");
    let mut problems = Problems::default();
    let origins = Origins::read(model, dataset, &mut problems).unwrap();
    options.check(&origins, clear_text, &mut problems);
    problems
        .settle("fine_tune")
        .map_err(|error| format!("{} {:?}", error.answered, error.fix))?;
    Ok(options.initializer(&origins, &runtime()).unwrap())
}

const UNUSED_ENV: &str = "*.msgpack,*.h5,*.bin,*.pt,*.pth";

#[test]
fn item_18_secrets_go_by_reference() {
    let given = json!({"hf_secret": "hf", "s3_secret": "s3", "s3_endpoint": "http://minio:9000", "s3_region": "eu"});
    let env = |name: &str, value: &str| json!({"name": name, "value": value});
    assert_eq!(
        told("Qwen/Qwen2.5-1.5B", "s3://bucket/data", given, false),
        Ok(json!({
            "dataset": {"storageUri": "s3://bucket/data/", "env": [env("ENDPOINT", "http://minio:9000"), env("REGION", "eu")],
                "secretRef": {"name": "s3"}},
            "model": {"storageUri": "hf://Qwen/Qwen2.5-1.5B", "env": [env("IGNORE_PATTERNS", UNUSED_ENV)],
                "secretRef": {"name": "hf"}},
        }))
    );
}

#[test]
fn tokens_in_clear_text_need_the_operator() {
    let given = || json!({"hf_token": "hunter2", "s3_access_key_id": "AK", "s3_secret_access_key": "hunter2$(X)"});
    let refused = told("s3://models/m", "a/b", given(), false).unwrap_err();
    assert!(
        refused.contains("`hf_token` would be readable") && refused.contains("`s3_secret_access_key`"),
        "{refused}"
    );
    assert!(
        refused.contains("hf_secret (key ACCESS_TOKEN)") && !refused.contains("hunter2"),
        "{refused}"
    );
    let sent = told("s3://models/m", "a/b", given(), true).unwrap();
    assert_eq!(
        sent["dataset"]["env"],
        json!([{"name": "ACCESS_TOKEN", "value": "hunter2"}])
    );
    assert_eq!(
        sent["model"]["env"][2],
        json!({"name": "SECRET_ACCESS_KEY", "value": "hunter2$$(X)"})
    );
    let empty = told("a/b", "c/d", json!({"hf_token": ""}), false);
    assert!(empty.is_ok(), "{empty:?}");
}

#[test]
fn what_nothing_would_use_is_refused() {
    for (model, given, word) in [
        ("pvc://w/m", json!({"hf_secret": "hf"}), "`hf_secret` is for hf://"),
        ("a/b", json!({"s3_region": "eu"}), "`s3_region` is for s3://"),
        (
            "pvc://w/m",
            json!({"model_ignore_patterns": ["*.bin"]}),
            "a claim is read where it is",
        ),
        ("a/b", json!({"hf_secret": "Not A Name"}), "not the name of a Secret"),
        (
            "s3://models/x",
            json!({"s3_access_key_id": "AK"}),
            "without its secret key",
        ),
        (
            "s3://models/x",
            json!({"s3_endpoint": "http://user:pw@minio"}),
            "without a user",
        ),
        ("s3://models/x", json!({"s3_region": "a b"}), "one word"),
        ("a/b", json!({"model_ignore_patterns": ["a,b"]}), "without commas"),
    ] {
        let refused = told(model, "pvc://data", given.clone(), false).unwrap_err();
        assert!(refused.contains(word), "{given}: {refused}");
    }
    let both = told("a/b", "c/d", json!({"hf_token": "x", "hf_secret": "hf"}), true).unwrap_err();
    assert!(both.contains("give one of them"));
}

#[test]
fn a_claim_leaves_its_initializer_nothing_to_fetch() {
    let sent = told("pvc://weights/m", "pvc://data", json!({}), false).unwrap();
    let nothing = json!([{"name": "IGNORE_PATTERNS", "value": "*"}]);
    assert_eq!(
        sent["dataset"],
        json!({"storageUri": "hf://tatsu-lab/alpaca", "env": nothing})
    );
    assert_eq!(
        sent["model"],
        json!({"storageUri": "hf://Qwen/Qwen2.5-1.5B-Instruct", "env": nothing})
    );
    let bare = Runtime::default();
    let origins = Origins::read("pvc://w", "a/b", &mut Problems::default()).unwrap();
    assert_eq!(FetchOptions::default().initializer(&origins, &bare), None);
}
