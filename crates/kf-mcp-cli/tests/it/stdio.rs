//! `serve` over standard input and output, with rmcp's client in both generations of the protocol.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::process::{call, command, modes, stdio_client};

#[tokio::test]
async fn both_generations_list_and_call() {
    for (name, mode) in modes() {
        let home = tempfile::tempdir().unwrap();
        let client = stdio_client(home.path(), &["--sandbox", "--persona", "platform-admin"], mode).await;
        let tools = client.list_all_tools().await.unwrap();
        assert!(tools.iter().any(|tool| tool.name == "run_container_training"), "{name}");
        let (failed, answer, text) = call(
            client.peer(),
            "list_training_jobs",
            json!({"limit": 3, "namespace": "*"}),
        )
        .await;
        assert!(
            !failed && answer["jobs"].as_array().unwrap().len() == 3,
            "{name}: {text}"
        );
        let (failed, answer, _) = call(client.peer(), "list_training_jobs", json!({"limt": 3})).await;
        assert!(
            failed && answer["error"]["code"] == "invalid_argument",
            "{name}: {answer}"
        );
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn a_chart_is_image_content_after_the_text() {
    for (name, mode) in modes() {
        let home = tempfile::tempdir().unwrap();
        let client = stdio_client(home.path(), &["--sandbox"], mode).await;
        let arguments = json!({"name": "llama3-8b-pretrain", "format": "chart"});
        let params = rmcp::model::CallToolRequestParams::new("get_training_progress")
            .with_arguments(arguments.as_object().cloned().unwrap());
        let result = serde_json::to_value(client.call_tool(params).await.unwrap()).unwrap();
        let content = result["content"].as_array().unwrap();
        assert_eq!(
            (
                content.len(),
                &content[0]["type"],
                &content[1]["type"],
                &content[1]["mimeType"]
            ),
            (2, &json!("text"), &json!("image"), &json!("image/png")),
            "{name}"
        );
        let data = content[1]["data"].as_str().unwrap();
        assert!(
            data.starts_with("iVBORw0KGgo") && data.len() < 54_000,
            "{name}: {} letters",
            data.len()
        );
        assert!(result["structuredContent"]["log"]["metrics"].is_array(), "{name}");
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error_that_names_the_nearest() {
    let home = tempfile::tempdir().unwrap();
    let [(_, mode), _] = modes();
    let client = stdio_client(home.path(), &["--sandbox"], mode).await;
    let params = rmcp::model::CallToolRequestParams::new("list_training_job");
    let error = client.call_tool(params).await.unwrap_err().to_string();
    assert!(error.contains("did you mean list_training_jobs"), "{error}");
    client.cancel().await.unwrap();
}

/// Raw lines in, raw lines out.
pub(crate) fn talk(arguments: &[&str], lines: &[Value]) -> (Vec<Value>, bool) {
    let home = tempfile::tempdir().unwrap();
    let mut child = command(home.path(), &["serve", "--no-banner", "--sandbox"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for line in lines {
        writeln!(input, "{line}").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    // Standard output is MCP and nothing else.
    let answers = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (answers, output.status.success())
}

fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}})
}

#[test]
fn a_cancelled_probe_before_initialize_does_not_end_the_server() {
    let probe_given_up = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}});
    let (answers, ended_well) = talk(
        &[],
        &[
            probe_given_up,
            initialize(),
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
        ],
    );
    assert!(ended_well);
    assert!(
        answers
            .iter()
            .any(|answer| answer["id"] == 2 && answer["result"]["tools"].is_array()),
        "{answers:?}"
    );
}

#[test]
fn a_client_that_says_nothing_ends_the_server_well() {
    let (answers, ended_well) = talk(&[], &[]);
    assert!(ended_well && answers.is_empty());
}

/// What a server lists.
fn listed(arguments: &[&str]) -> Value {
    let (answers, _) = talk(
        arguments,
        &[
            initialize(),
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}),
        ],
    );
    answers.into_iter().find(|answer| answer["id"] == 2).unwrap()
}

#[test]
fn the_listing_is_the_same_in_two_processes() {
    let list = || listed(&["--clients", "trainer,optimizer,hub", "--persona", "platform-admin"]).to_string();
    assert_eq!(list(), list());
}

#[test]
fn only_a_tool_that_may_ask_others_is_open_to_the_world() {
    let open = |arguments: &[&str]| -> Vec<String> {
        let listed = listed(arguments);
        let tools = listed["result"]["tools"].as_array().unwrap().iter();
        let open = tools.filter(|tool| tool["annotations"]["openWorldHint"] != false);
        open.map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(open(&[]), [""; 0]);
    assert_eq!(open(&["--hub-lookup"]), ["estimate_resources"]);
}

/// A credential plugin of a kubeconfig must not read the protocol's input, nor hold up other calls.
#[cfg(unix)]
#[test]
fn a_credential_plugin_neither_reads_our_input_nor_stops_the_server() {
    let home = tempfile::tempdir().unwrap();
    let stolen = home.path().join("stolen");
    let plugin = home.path().join("plugin.sh");
    std::fs::write(
        &plugin,
        format!("#!/bin/sh\nhead -c 20 > {}\nsleep 60\n", stolen.display()),
    )
    .unwrap();
    std::process::Command::new("chmod")
        .args(["+x", plugin.to_str().unwrap()])
        .status()
        .unwrap();
    let config = home.path().join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"http://127.0.0.1:9\"}}}}]\n\
         users: [{{name: u, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, interactiveMode: IfAvailable}}}}}}]\n\
         contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n",
        plugin.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut child = command(
        home.path(),
        &[
            "serve",
            "--no-banner",
            "--log-level",
            "error",
            "--kubeconfig",
            config.to_str().unwrap(),
        ],
    )
    .env("PATH", std::env::var_os("PATH").unwrap())
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut answer = || serde_json::from_str::<Value>(&output.next().unwrap().unwrap()).unwrap();
    writeln!(input, "{}", initialize()).unwrap();
    assert_eq!(answer()["id"], 1);
    writeln!(
        input,
        "{}",
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
    )
    .unwrap();
    let slow = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_training_jobs"}});
    writeln!(input, "{slow}").unwrap();
    writeln!(input, "{}", json!({"jsonrpc": "2.0", "id": 3, "method": "ping"})).unwrap();
    assert_eq!(answer()["id"], 3, "a ping is answered while the plugin sleeps");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        std::fs::read(&stolen).unwrap_or_default().is_empty(),
        "the plugin read the protocol"
    );
}
