//! The user stories of KEP-936 as an agent lives them: the built binary over standard input and output, on its sandbox,
//! whose time goes a hundred times as fast.

use rmcp::model::CallToolRequestParams;
use rmcp::service::{Peer, RoleClient, RunningService};
use serde_json::{Value, json};

use crate::process::{call, modes, stdio_client};

/// A client of a server for data scientists who train.
async fn agent(home: &std::path::Path) -> RunningService<RoleClient, ()> {
    let [_, (_, mode)] = modes();
    let arguments = [
        "--sandbox=healthy-empty",
        "--sandbox-speed",
        "100",
        "--persona",
        "ml-engineer",
    ];
    stdio_client(home, &arguments, mode).await
}

/// A call that must succeed: the structured answer.
async fn good(peer: &Peer<RoleClient>, tool: &'static str, arguments: Value) -> Value {
    let (failed, answer, text) = call(peer, tool, arguments).await;
    assert!(!failed, "{tool}: {text}");
    answer
}

/// A change: its preview, which changes nothing, and then the same with the preview's plan.
async fn confirmed(peer: &Peer<RoleClient>, tool: &'static str, arguments: Value) -> (Value, Value) {
    let preview = good(peer, tool, arguments.clone()).await;
    assert!(preview["plan_id"].is_string(), "{tool}: {preview}");
    let mut confirm = arguments;
    confirm["confirmed"] = json!(true);
    confirm["plan_id"] = preview["plan_id"].clone();
    let done = good(peer, tool, confirm).await;
    (preview["preview"].clone(), done)
}

/// Waits for a status of a job, which must come.
async fn reaches(peer: &Peer<RoleClient>, name: &str, status: &str) -> Value {
    let wait = json!({"name": name, "target_statuses": [status], "timeout_seconds": 50});
    let waited = good(peer, "wait_for_training", wait).await;
    assert_eq!(waited["reached"], true, "{name} should be {status}: {waited}");
    waited
}

/// "Fine-tune Qwen on the alpaca dataset with LoRA."
#[tokio::test]
async fn qwen_is_fine_tuned_on_alpaca_with_lora() {
    let home = tempfile::tempdir().unwrap();
    let client = agent(home.path()).await;
    let peer = client.peer();
    let model = "Qwen/Qwen2.5-1.5B-Instruct";
    let needs = good(peer, "estimate_resources", json!({"model": model, "method": "lora"})).await;
    assert!(
        needs.to_string().contains("GiB") || needs["per_gpu"].is_object(),
        "{needs}"
    );
    let free = good(peer, "get_cluster_resources", json!({})).await;
    assert!(free.to_string().contains("nvidia.com/gpu"), "{free}");
    let ask =
        json!({"name": "qwen", "model": model, "dataset": "tatsu-lab/alpaca", "peft_method": "lora", "epochs": 1});
    let (preview, done) = confirmed(peer, "fine_tune", ask.clone()).await;
    assert_eq!(preview["runtime"]["name"], "torchtune-qwen2.5-1.5b", "{preview}");
    assert_eq!(done["name"], "qwen", "{done}");
    reaches(peer, "qwen", "Running").await;
    let job = good(peer, "get_training_job", json!({"name": "qwen"})).await;
    let steps = job["steps"].to_string();
    for step in ["dataset-initializer", "model-initializer", "node-0"] {
        assert!(steps.contains(step), "{step}: {job}");
    }
    let logs = good(
        peer,
        "get_training_logs",
        json!({"name": "qwen", "step": "model-initializer"}),
    )
    .await;
    assert!(logs["lines"].is_array() || logs["why"].is_string(), "{logs}");
    reaches(peer, "qwen", "Complete").await;
    // the weights go with the job, and the agent is told before
    let preview = good(peer, "delete_training_job", json!({"name": "qwen"})).await;
    assert!(preview["preview"].to_string().contains("initializer-qwen"), "{preview}");
    // what the webhook would refuse never gets there
    let mut wide = ask;
    wide["num_nodes"] = json!(2);
    let (failed, answer, text) = call(peer, "fine_tune", wide).await;
    assert!(failed && answer["error"]["field"] == "num_nodes", "{text}");
    client.cancel().await.unwrap();
}

/// "Run my DDP script on 2 nodes with 4 GPUs each."
#[tokio::test]
async fn a_script_is_trained_on_two_nodes_with_four_gpus_each() {
    let home = tempfile::tempdir().unwrap();
    let client = agent(home.path()).await;
    let peer = client.peer();
    let script = "import os\nimport torch.distributed as dist\n\n\ndef train(epochs, rate=1e-3):\n    \
                  dist.init_process_group()\n    print(os.environ['RANK'], f'${epochs}', rate)\n";
    let ask = json!({"name": "ddp", "script": script, "func_args": {"epochs": 3}, "num_nodes": 2, "gpu_per_node": 4,
        "packages": ["peft>=0.17"], "env": {"SIM_RUN": "20m", "SIM_LOG": "epoch 1 loss 0.9\nepoch 2 loss 0.7"}});
    // a slip of the pen is told with its place, before anything is sent
    let mut slip = ask.clone();
    slip["script"] = json!("def train(epochs:\n    pass\n");
    let (failed, _, text) = call(peer, "run_custom_training", slip).await;
    assert!(failed && text.contains("line 1, column "), "{text}");

    let (preview, _) = confirmed(peer, "run_custom_training", ask).await;
    assert_eq!(
        (&preview["num_nodes"], &preview["devices"]["per_node"]),
        (&json!(2), &json!(4)),
        "{preview}"
    );
    reaches(peer, "ddp", "Running").await;
    let job = good(peer, "get_training_job", json!({"name": "ddp"})).await;
    assert_eq!(job["nodes"], 2, "{job}");
    assert_eq!(
        job["devices"],
        json!({"resource": "nvidia.com/gpu", "per_node": 4}),
        "{job}"
    );
    let logs = good(peer, "get_training_logs", json!({"name": "ddp", "step": "node-1"})).await;
    assert!(logs["lines"].to_string().contains("epoch 1"), "{logs}");
    reaches(peer, "ddp", "Complete").await;
    client.cancel().await.unwrap();
}

/// "Run this image with 4 GPUs"; "suspend it to free its GPUs"; "resume it, and tell me when it is done".
#[tokio::test]
async fn a_container_with_four_gpus_is_paused_for_its_gpus_resumed_and_waited_for() {
    let home = tempfile::tempdir().unwrap();
    let client = agent(home.path()).await;
    let peer = client.peer();
    let ask = json!({"name": "vision", "image": "example.com/vision:2", "command": ["python", "train.py"], "gpu_per_node": 4,
        "env": {"SIM_RUN": "20m"}});
    confirmed(peer, "run_container_training", ask.clone()).await;
    reaches(peer, "vision", "Running").await;
    let before = free_gpus(peer).await;

    let suspend = json!({"name": "vision", "action": "suspend"});
    let (preview, done) = confirmed(peer, "update_training_job", suspend).await;
    assert!(preview.to_string().contains("4 nvidia.com/gpu"), "{preview}");
    assert_eq!(
        (&done["status"], &done["took_effect"]),
        (&json!("Suspended"), &json!(true)),
        "{done}"
    );
    reaches(peer, "vision", "Suspended").await;
    assert_eq!(free_gpus(peer).await, before + 4);
    let listed = good(peer, "list_training_jobs", json!({"status": "Suspended"})).await;
    assert_eq!(listed["jobs"][0]["name"], "vision", "{listed}");
    // nobody waits for a paused job in vain
    let waited = good(peer, "wait_for_training", json!({"name": "vision"})).await;
    assert_eq!(
        (&waited["ended"], &waited["reason"]),
        (&json!("stalled"), &json!("Suspended")),
        "{waited}"
    );

    confirmed(
        peer,
        "update_training_job",
        json!({"name": "vision", "action": "resume"}),
    )
    .await;
    reaches(peer, "vision", "Running").await;
    let waited = reaches(peer, "vision", "Complete").await;
    assert_eq!(waited["ended"], "target", "{waited}");
    // the same name again is refused with what there is
    let mut again = ask;
    again["confirmed"] = json!(true);
    let (failed, answer, text) = call(peer, "run_container_training", again).await;
    assert!(failed && answer["error"]["code"] == "already_exists", "{text}");
    client.cancel().await.unwrap();
}

/// The NVIDIA GPUs that no pod has asked for.
async fn free_gpus(peer: &Peer<RoleClient>) -> i64 {
    let told = good(peer, "get_cluster_resources", json!({})).await;
    let devices = told["accelerators"].as_array().cloned().unwrap_or_default();
    let nvidia = devices.iter().filter(|one| one["resource"] == "nvidia.com/gpu");
    nvidia.filter_map(|one| one["free"].as_i64()).sum()
}

/// An agent that may only read is not offered what changes, and is told so when it tries.
#[tokio::test]
async fn an_agent_that_may_only_read_cannot_train() {
    let home = tempfile::tempdir().unwrap();
    let [_, (_, mode)] = modes();
    let client = stdio_client(home.path(), &["--sandbox=healthy-empty", "--persona", "readonly"], mode).await;
    let tools = client.list_all_tools().await.unwrap();
    assert!(
        tools
            .iter()
            .all(|tool| tool.name != "fine_tune" && tool.name != "update_training_job")
    );
    let params = CallToolRequestParams::new("fine_tune").with_arguments(
        json!({"model": "a/b", "dataset": "c/d", "confirmed": true})
            .as_object()
            .cloned()
            .unwrap_or_default(),
    );
    let answer = client.call_tool(params).await.unwrap();
    assert_eq!(answer.structured_content.unwrap()["error"]["code"], "denied_by_policy");
    client.cancel().await.unwrap();
}
