//! `fine_tune` on the sandbox: what its plans say, and what it never says.

use kf_mcp_tests::World;
use serde_json::{Value, json};

/// The text without the plan's id, which is new each time, and without the seed of a generated name.
fn steady(text: &str) -> String {
    match text.split_once("plan_id=") {
        Some((head, _)) => format!("{head}plan_id=…"),
        None => text.to_owned(),
    }
}

#[tokio::test]
async fn plans_and_refusals() {
    let world = World::new("showcase");
    let qwen = "Qwen/Qwen2.5-1.5B-Instruct";
    let mut told = Vec::new();
    for arguments in [
        json!({"name": "a", "model": qwen, "dataset": "tatsu-lab/alpaca"}),
        json!({"name": "b", "model": "meta-llama/Llama-3.2-1B", "dataset": "s3://sets/chat/train.jsonl", "peft_method": "qlora",
            "hf_secret": "hf", "s3_secret": "s3", "s3_endpoint": "https://minio.example.com", "dataset_system_prompt": "Be brief: ${x}"}),
        json!({"name": "c", "model": "pvc://weights/final", "dataset": "pvc://data", "runtime": "torchtune-llama3.2-3b",
            "peft_method": "full", "dtype": "bf16", "resources_per_node": {"cpu": 8}}),
        json!({"name": "d", "model": qwen, "dataset": "a/b", "peft_method": "qlora", "num_nodes": 2}),
        json!({"name": "e", "model": "google/gemma-2-2b", "dataset": "a/b"}),
        json!({"name": "f", "model": "gpt2", "dataset": "squad", "hf_token": "hunter2", "epochs": 0, "lora_dropout": 2}),
        json!({"name": "g", "model": qwen, "dataset": "a/b", "runtime": "torch-distributed"}),
        json!({"name": "1Bad", "model": qwen, "dataset": "a/b", "hf_token": "hunter2"}),
        json!({"name": "h", "model": qwen, "dataset": "hf://datasets/a/b", "lora_attn_modules": []}),
        json!({"name": "i", "model": "hf://datasets/a/b", "dataset": "a/b", "dataset_column_map": {"instruction": "q"}}),
    ] {
        let answer = world.call("fine_tune", arguments.clone()).await;
        let asked = arguments.to_string().replace("hunter2", "…");
        told.push(format!("> {asked}\n{}", steady(&answer.text)));
    }
    let told = told.join("\n\n");
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_token_in_clear_text_needs_the_operator_and_is_never_shown() {
    let arguments = json!({"name": "a", "model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b", "hf_token": "hunter2"});
    for (value, allowed) in [
        (Value::Null, false),
        (json!(false), false),
        (json!(true), true),
        (json!("true"), true),
    ] {
        let world = World::with("healthy-empty", |mut settings| {
            if !value.is_null() {
                settings.insert("allow_clear_text_secrets".into(), value.clone());
            }
            settings
        });
        let (answer, asked) = world.called("fine_tune", arguments.clone()).await;
        assert_eq!(answer.is_error, !allowed, "{}", answer.text);
        let shown = format!("{}{}", answer.text, answer.structured);
        assert!(!shown.contains("hunter2"), "{shown}");
        // nor where it is no text at all
        let mut odd = arguments.clone();
        odd["hf_token"] = json!(["hunter2"]);
        assert!(!world.call("fine_tune", odd).await.text.contains("hunter2"));
        if !allowed {
            assert!(asked.is_empty(), "{asked:?}");
            assert!(shown.contains("hf_secret"), "{shown}");
            continue;
        }
        assert!(shown.contains("readable in the job"), "{shown}");
        world.confirmed("fine_tune", arguments.clone()).await;
        let stored = world.object("trainjobs.trainer.kubeflow.org", "a").await.unwrap();
        assert!(
            stored["spec"]["initializer"]["model"]["env"]
                .to_string()
                .contains("hunter2")
        );
        for spec in [false, true] {
            let read = world
                .call("get_training_job", json!({"name": "a", "include_spec": spec}))
                .await;
            assert!(!format!("{}{}", read.text, read.structured).contains("hunter2"));
        }
        // the same plan with another token is another plan
        let preview = world
            .good(
                "fine_tune",
                json!({"name": "b", "model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b", "hf_token": "one"}),
            )
            .await;
        let other = json!({"name": "b", "model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b", "hf_token": "two", "confirmed": true,
            "plan_id": preview["plan_id"]});
        assert_eq!(world.bad("fine_tune", other).await["code"], "stale_plan");
    }
}

#[tokio::test]
async fn runtimes_that_may_not_be_listed_are_told() {
    let world = World::new("healthy-empty");
    world.sandbox().forbid("list trainingruntimes.trainer.kubeflow.org");
    let answer = world
        .good("fine_tune", json!({"model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b"}))
        .await;
    let warnings = answer["preview"]["warnings"].to_string();
    assert!(warnings.contains("not looked at: runtimes of namespace"), "{warnings}");
    world
        .sandbox()
        .forbid("list clustertrainingruntimes.trainer.kubeflow.org");
    let error = world
        .bad("fine_tune", json!({"model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b"}))
        .await;
    assert_eq!(error["code"], "forbidden", "{error}");
}
