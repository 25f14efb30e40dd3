//! The trainer's read tools on the showcase.

use kf_mcp_tests::World;
use serde_json::{Value, json};

#[tokio::test]
async fn the_showcase_tells_its_stories() {
    let world = World::new("showcase");
    let mut told = Vec::new();
    for (tool, arguments) in [
        ("list_training_jobs", json!({})),
        ("list_training_jobs", json!({"namespace": "*", "status": "Running"})),
        ("get_training_job", json!({"name": "llama3-8b-pretrain"})),
        ("get_training_job", json!({"name": "bert-sentiment-finetune"})),
        ("get_training_job", json!({"name": "gpt2-pretrain"})),
        ("get_training_job", json!({"name": "llama-lora"})),
        ("get_training_job", json!({"name": "qwen-sft"})),
        ("get_training_job", json!({"name": "gemma-jax", "namespace": "team-b"})),
        ("list_runtimes", json!({})),
        ("get_runtime", json!({"name": "torchtune-llama3.2-1b"})),
        (
            "get_training_logs",
            json!({"name": "gpt2-pretrain", "step": "node-3", "tail_lines": 4}),
        ),
        ("get_training_logs", json!({"name": "llama-lora"})),
        ("get_training_logs", json!({"name": "qwen-sft"})),
        ("get_training_events", json!({"name": "llama-lora", "limit": 5})),
        ("check_compatibility", json!({})),
        ("get_cluster_resources", json!({})),
    ] {
        let answer = world.call(tool, arguments.clone()).await;
        assert!(!answer.is_error, "{tool}: {}", answer.text);
        told.push(format!("> {tool} {arguments}\n{}", answer.text));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

#[tokio::test]
async fn cursors_visit_every_job_once_and_filters_cost_few_requests() {
    let world = World::new("thousand");
    for (filter, count, most) in [(json!({}), 1000, 10), (json!({"status": "Suspended"}), 100, 21)] {
        let mut names = std::collections::BTreeSet::new();
        let (mut cursor, mut rows, mut requests) = (Value::Null, 0, 0);
        loop {
            let mut arguments = filter.clone();
            arguments["limit"] = json!(if filter.get("status").is_some() { 50 } else { 100 });
            arguments["cursor"] = cursor;
            let (answer, asked) = world.called("list_training_jobs", arguments).await;
            assert!(!answer.is_error, "{}", answer.text);
            requests += asked.len();
            let page = answer.structured;
            for job in page["jobs"].as_array().unwrap() {
                rows += 1;
                names.insert(job["name"].as_str().unwrap().to_owned());
            }
            if filter.get("status").is_none() {
                assert_eq!(page["total"], 1000);
            }
            if page["has_more"] != true {
                break;
            }
            cursor = page["next_cursor"].clone();
        }
        assert_eq!((rows, names.len()), (count, count), "{filter}");
        assert!(requests <= most, "{filter}: {requests} requests");
    }
}

#[tokio::test]
async fn bad_arguments_are_told_together_and_nothing_is_asked() {
    let world = World::new("showcase");
    let arguments = json!({
        "name": "1-Bad", "image": "", "num_nodes": 0, "gpu_per_node": -1, "env": {"PET_NNODES": "2"}, "labels": {"a b": "c"},
        "colour": "red",
    });
    let (answer, asked) = world.called("run_container_training", arguments).await;
    assert!(answer.is_error && asked.is_empty(), "{asked:?}");
    insta::assert_snapshot!(answer.text);
}

#[tokio::test]
async fn refusals_of_the_cluster_reach_the_caller_word_for_word() {
    let world = World::new("showcase");
    let image = "example.com/train:1";
    insta::assert_json_snapshot!(json!([
        world
            .bad(
                "run_container_training",
                json!({"name": "a", "image": image, "runtime": "nope"})
            )
            .await,
        world
            .bad(
                "run_container_training",
                json!({"name": "a", "image": image, "env": {"PET_NNODES": "2"}})
            )
            .await,
        world
            .bad(
                "run_container_training",
                json!({"name": "a", "image": image, "env": {"HF_TOKEN": "hf_abcdefghijklmnopqrstuvwx"}})
            )
            .await,
        world
            .bad(
                "run_container_training",
                json!({"name": "gpt2-pretrain", "image": image})
            )
            .await,
        world
            .bad(
                "run_container_training",
                json!({"name": "a", "image": image, "runtime": "torchtune-llama3.2-1b"})
            )
            .await,
        world.bad("get_training_job", json!({"name": "nobody"})).await,
        world
            .bad("get_training_logs", json!({"name": "gpt2-pretrain", "step": "node-9"}))
            .await,
        world
            .bad("get_training_logs", json!({"name": "gpt2-pretrain", "pattern": "("}))
            .await,
        world.bad("get_runtime", json!({"name": "torch"})).await,
        world.bad("delete_training_job", json!({"name": "nobody"})).await,
    ]));
}

#[tokio::test]
async fn secrets_in_a_spec_are_not_shown() {
    let world = World::new("showcase");
    let answer = world
        .call(
            "get_training_job",
            json!({"name": "llama3-8b-pretrain", "include_spec": true}),
        )
        .await;
    assert!(answer.structured.to_string().contains("runtimeRef"));
    assert!(!answer.structured.to_string().contains("managedFields"));
}
