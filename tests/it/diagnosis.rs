//! Diagnoses and copies on the sandbox: what is said, what is asked, and what is said without rights.

use kf_mcp_tests::World;
use serde_json::json;

/// The plan id and generated names are new each time.
fn without_id(text: &str) -> String {
    match text.split_once("plan_id=") {
        Some((head, _)) => format!("{head}plan_id=…"),
        None => text.to_owned(),
    }
}

/// A job for each state of the showcase: healthy ones say so, the others why not.
#[tokio::test]
async fn diagnoses_of_the_showcase() {
    let world = World::new("showcase");
    let mut told = Vec::new();
    for name in [
        "llama3-8b-pretrain",
        "bert-sentiment-finetune",
        "gpt2-pretrain",
        "llama-lora",
        "qwen-sft",
        "nobody",
    ] {
        let answer = world.call("diagnose_training_job", json!({"name": name})).await;
        told.push(format!("> {name}\n{}", answer.text));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

#[tokio::test]
async fn previews_answers_and_refusals_of_a_copy() {
    let world = World::new("showcase");
    let mut told = Vec::new();
    for arguments in [
        json!({"name": "gpt2-pretrain", "new_name": "gpt2-more", "resources_per_node": {"memory": "128Gi"}, "env": {"HF_TOKEN": {"secretKeyRef": {"name": "hf", "key": "token"}}}}),
        json!({"name": "gpt2-pretrain", "new_name": "gpt2-more", "resources_per_node": {"memory": "128Gi"}, "confirmed": true}),
        json!({"name": "gpt2-pretrain", "new_name": "gpt2-more"}),
        json!({"name": "llama3-8b-pretrain", "new_name": "exact"}),
        json!({"name": "qwen-sft", "new_name": "qwen-small", "num_nodes": 2, "image": "ghcr.io/example/qwen-sft:3.2", "args": ["--lr", "1e-5"], "active_deadline_seconds": 3600, "suspend": true}),
        json!({"name": "bert-sentiment-finetune", "new_name": "b", "runtime": "fail-fast"}),
        json!({"name": "bert-sentiment-finetune", "runtime": "nope"}),
        json!({"name": "bert-sentiment-finetune", "new_name": "bert-sentiment-finetune", "env": {"PET_NNODES": "2"}}),
        json!({"name": "bert-sentiment-finetune", "new_name": "b".repeat(60)}),
        json!({"name": "bert-sentiment-finetune", "resources_per_node": {"memory": "lots"}, "image": "a b", "num_nodes": 0, "env": {"HF_TOKEN": "secret"}}),
        json!({"name": "llama-lora", "suspend": true}),
        json!({"name": "llama-lora", "new_name": "lora-3", "args": ["epochs=3"]}),
        json!({"name": "llama-lora", "new_name": "lora-4", "runtime": "torchtune-qwen2.5-1.5b"}),
        json!({"name": "nobody"}),
    ] {
        let answer = world.call("clone_training_job", arguments.clone()).await;
        told.push(format!("> {arguments}\n{}", without_id(&answer.text)));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

/// The name that a preview shows is the one that is made, and a copy of a copy has no longer one.
#[tokio::test]
async fn a_generated_name_stays_and_does_not_grow() {
    let world = World::new("showcase");
    let first = world
        .confirmed("clone_training_job", json!({"name": "gpt2-pretrain"}))
        .await;
    let second = world
        .confirmed("clone_training_job", json!({"name": first["name"]}))
        .await;
    for copy in [&first, &second] {
        let name = copy["name"].as_str().unwrap();
        assert!(
            name.starts_with("gpt2-pretrain-") && name.len() == "gpt2-pretrain-".len() + 5,
            "{name}"
        );
    }
    assert_ne!(first["name"], second["name"]);
}

/// Job, pods and events at once, and one log; nothing else, and no log of what is well.
#[tokio::test]
async fn a_diagnosis_reads_one_log_at_most() {
    let world = World::new("showcase");
    for (name, want) in [
        (
            "gpt2-pretrain",
            &["get trainjobs", "list events", "list pods", "get pods/log"][..],
        ),
        (
            "bert-sentiment-finetune",
            &["get trainjobs", "list events", "list pods"],
        ),
        ("llama-lora", &["get trainjobs", "list events", "list pods"]),
    ] {
        let (_, requests) = world.called("diagnose_training_job", json!({"name": name})).await;
        let mut asked: Vec<String> = requests
            .iter()
            .map(|one| format!("{} {}", one.verb, one.resource))
            .collect();
        asked[..3].sort();
        assert_eq!(asked, want, "{name}");
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_said() {
    let world = World::new("showcase");
    for (rule, named, still) in [
        ("get pods/log", "log of gpt2-pretrain", "OOMKilled"),
        ("list events", "events", "OOMKilled"),
        ("list pods", "pods", "BackoffLimitExceeded"),
    ] {
        world.sandbox().allow_all();
        world.sandbox().forbid(rule);
        let told = world
            .good("diagnose_training_job", json!({"name": "gpt2-pretrain"}))
            .await;
        assert!(told["not_seen"].to_string().contains(named), "{rule}: {told}");
        assert_eq!(told["findings"][0]["code"], still, "{rule}: {told}");
    }
    world.sandbox().forbid("get trainjobs.trainer.kubeflow.org");
    let error = world
        .bad("diagnose_training_job", json!({"name": "gpt2-pretrain"}))
        .await;
    assert_eq!(error["code"], "forbidden", "{error}");
}

/// What pods print and events say is cleaned, without secrets, and bounded.
#[tokio::test]
async fn evidence_is_made_safe() {
    let world = World::new("showcase");
    let log = format!(
        "Traceback (most recent call last):\n  File \"/w/t.py\", line 1, in f\nValueError: \u{1b}[31mpassword=hunter2 {}",
        "x".repeat(5000)
    );
    let mut arguments = json!({"name": "leaky", "image": "i", "runtime": "fail-fast", "gpu_per_node": 0});
    arguments["env"] = json!({"SIM_RUN": "10s", "SIM_EXIT": "1", "SIM_LOG": log});
    world.confirmed("run_container_training", arguments).await;
    world.status("leaky", "Failed").await;
    let answer = world.call("diagnose_training_job", json!({"name": "leaky"})).await;
    assert_eq!(
        answer.structured["findings"][0]["code"], "PythonException",
        "{}",
        answer.text
    );
    let all = format!("{}{}", answer.structured, answer.text);
    assert!(
        !all.contains("hunter2") && !all.contains('\u{1b}') && all.len() < 12_000,
        "{}",
        answer.text
    );
}
