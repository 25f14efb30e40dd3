//! `estimate_resources` on the sandbox: what it says of models, of the cluster's devices, and of what it cannot see.

use kf_mcp_tests::World;
use serde_json::{Value, json};

#[tokio::test]
async fn the_estimate_tells_its_parts_and_where_it_fits() {
    let world = World::new("showcase");
    let mut told = Vec::new();
    for arguments in [
        json!({"model": "meta-llama/Llama-3.1-8B-Instruct"}),
        json!({"model": "Llama-3.1-8B", "quantization": "int4", "batch_size": 1}),
        json!({"model": "Llama-3.3-70B-Instruct", "method": "full", "num_workers": 2, "gpu_per_node": 8}),
        json!({"model": "Qwen2.5-1.5B", "method": "qlora", "precision": "pure", "sequence_length": 512}),
        json!({"model": "Mixtral-8x7B", "method": "dora", "gpu_per_node": 4}),
        json!({"model": "bert-base-uncased", "method": "full", "activation_checkpointing": false}),
        json!({"model": "acme/assistant-13b", "method": "lora"}),
        json!({"model": "acme", "hidden_size": 2048, "layers": 24, "optimizer": "adamw_8bit", "method": "full"}),
    ] {
        let answer = world.call("estimate_resources", arguments.clone()).await;
        assert!(!answer.is_error, "{arguments}: {}", answer.text);
        told.push(format!("> {arguments}\n{}", answer.text));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

#[tokio::test]
async fn the_answer_holds_the_parts_and_they_add_up() {
    let world = World::new("showcase");
    let answer = world
        .good(
            "estimate_resources",
            json!({"model": "Llama-3.1-8B", "method": "full", "gpu_per_node": 8}),
        )
        .await;
    let gib = |value: &Value| value.as_f64().unwrap();
    let parts: f64 = answer["parts"].as_object().unwrap().values().map(gib).sum();
    let likely = gib(&answer["per_gpu"]["gib"]);
    assert!((parts - likely).abs() < 0.5, "{parts} and {likely}");
    assert!(gib(&answer["per_gpu"]["low_gib"]) < likely && likely < gib(&answer["per_gpu"]["high_gib"]));
    assert!((gib(&answer["total_gib"]) - 8.0 * likely).abs() < 1.0);
    assert_eq!(answer["confidence"], "high");
    assert_eq!(answer["model"]["family"], "llama-3.1-8b");
}

/// The peer's four parameters, as the peer's callers write them.
#[tokio::test]
async fn the_peers_calls_are_answered() {
    let world = World::new("showcase");
    for quantization in ["bf16", "fp16", "fp32", "int8", "int4", "4bit", "none"] {
        let arguments = json!({"model": "7b", "num_workers": 2, "batch_size": 8, "quantization": quantization});
        let answer = world.good("estimate_resources", arguments).await;
        assert!(answer["per_gpu"]["gib"].as_f64().unwrap() > 5.0, "{answer}");
    }
}

#[tokio::test]
async fn what_cannot_be_estimated_is_told_with_the_way_out() {
    let world = World::new("showcase");
    insta::assert_json_snapshot!(json!([
        world
            .bad("estimate_resources", json!({"model": "acme/assistant"}))
            .await,
        world
            .bad("estimate_resources", json!({"model": "7b", "quantization": "int3"}))
            .await,
        world
            .bad(
                "estimate_resources",
                json!({"model": "7b", "quantization": "nf4", "method": "full"})
            )
            .await,
        world
            .bad("estimate_resources", json!({"model": "7b", "param_count": 7}))
            .await,
        world
            .bad("estimate_resources", json!({"model": "7b", "optimizer": "lion"}))
            .await,
        world
            .bad(
                "estimate_resources",
                json!({"model": "7b", "num_workers": 0, "method": "full"})
            )
            .await,
        world
            .bad("estimate_resources", json!({"model": "7b", "method": "qlra"}))
            .await,
    ]));
}

#[tokio::test]
async fn without_rights_the_estimate_is_given_all_the_same() {
    let world = World::new("showcase");
    world.sandbox().forbid("list pods");
    let half = world.good("estimate_resources", json!({"model": "7b"})).await;
    assert!(
        half["devices"]
            .as_array()
            .unwrap()
            .iter()
            .all(|device| device.get("free_now").is_none())
    );
    assert!(
        half["not_seen"][0].as_str().unwrap().starts_with("what pods use"),
        "{half}"
    );
    world.sandbox().forbid("list nodes");
    let answer = world.call("estimate_resources", json!({"model": "7b"})).await;
    assert!(
        !answer.is_error && answer.structured.get("devices").is_none(),
        "{}",
        answer.text
    );
    insta::assert_snapshot!(answer.text);
}
