//! `run_custom_training` on the sandbox: what its plans say, and what the operator can have of it.

use kf_mcp_tests::World;
use serde_json::{Value, json};

/// The text without the plan's id, which is new each time.
fn steady(text: &str) -> String {
    match text.split_once("plan_id=") {
        Some((head, _)) => format!("{head}plan_id=…"),
        None => text.to_owned(),
    }
}

const SCRIPT: &str = "import torch\n\ndef train(rate, epochs=3):\n    print(rate, epochs)\n";

#[tokio::test]
async fn plans_and_refusals() {
    let world = World::new("showcase");
    let mut told = Vec::new();
    for arguments in [
        json!({"name": "a", "script": SCRIPT, "func_args": {"rate": 0.1, "epochs": 2}, "num_nodes": 2, "gpu_per_node": 4}),
        json!({"name": "b", "script": "print('hello')", "packages": ["peft>=0.17"], "image": "example.com/train:1",
            "pip_index_urls": ["http://mirror.local/simple"], "gpu_per_node": 0, "env": {"A": "1"}}),
        json!({"name": "c", "script": "login('hf_abcdefghijklmnopqrstuvwx')\n", "runtime": "deepspeed-distributed"}),
        json!({"name": "d", "script": SCRIPT, "func_args": {"epochs": 2, "hf_token": "hunter2"}}),
        json!({"name": "e", "script": "print 'hello'", "packages": ["--pre"], "pip_index_urls": ["https://me:hunter2@host/simple"]}),
        json!({"name": "f", "script": "x = 1", "func_args": {"a": 1}}),
        json!({"name": "g", "script": "x = 1", "runtime": "torchtune-llama3.2-1b"}),
        json!({"name": "h", "script": "x = 1", "env": {"PET_NNODES": "3"}}),
        json!({"name": "i", "script": "# requires-python = \">=3.15\"\nx = lazy y"}),
    ] {
        let answer = world.call("run_custom_training", arguments.clone()).await;
        let asked = arguments.to_string().replace("hunter2", "…");
        told.push(format!("> {asked}\n{}", steady(&answer.text)));
        assert!(!answer.structured.to_string().contains("hunter2"));
    }
    let told = told.join("\n\n");
    assert!(!told.contains("hunter2"), "{told}");
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn the_plan_covers_the_script_that_it_does_not_show() {
    let world = World::new("healthy-empty");
    let call = |script: &str| json!({"name": "a", "script": script});
    let preview = world.good("run_custom_training", call("print(1)")).await;
    let mut other = call("print(2)");
    other["confirmed"] = json!(true);
    other["plan_id"] = preview["plan_id"].clone();
    assert_eq!(world.bad("run_custom_training", other).await["code"], "stale_plan");
}

#[tokio::test]
async fn what_the_operator_blocks_is_told_or_refused() {
    let call = json!({"name": "a", "script": "import subprocess as sp\nimport socket\nsp.run(['ls'])\n"});
    for (section, denied, warned) in [
        (Value::Null, false, false),
        (json!({"script_warn": "subprocess, os.system"}), false, true),
        (json!({"script_deny": ["socket"]}), true, false),
    ] {
        let world = World::with("healthy-empty", |mut settings| {
            if !section.is_null() {
                settings.insert("trainer".into(), section.clone());
            }
            settings
        });
        let (answer, asked) = world.called("run_custom_training", call.clone()).await;
        assert_eq!(answer.is_error, denied, "{}", answer.text);
        assert_eq!(answer.text.contains("subprocess (line 1)"), warned, "{}", answer.text);
        if denied {
            assert!(
                answer.text.contains("socket (line 2)") && asked.is_empty(),
                "{}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn what_no_job_can_hold_is_refused() {
    let world = World::new("healthy-empty");
    let mut state = 1_u64;
    let mut script = String::from("x = '''");
    while script.len() < 1_000_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        script.push_str(&format!("{state:016x}"));
    }
    script.push_str("'''\n");
    let (answer, asked) = world
        .called(
            "run_custom_training",
            json!({"name": "a", "script": script, "confirmed": true}),
        )
        .await;
    assert!(answer.text.contains("when compressed"), "{}", answer.text);
    let verbs: Vec<&str> = asked.iter().map(|asked| asked.verb).collect();
    assert!(!verbs.contains(&"create"), "{asked:?}");
    assert!(world.object("trainjobs.trainer.kubeflow.org", "a").await.is_none());
}
