//! The audit log of the built binary, and the names of requests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use rmcp::model::CallToolRequestParams;
use serde_json::{Value, json};

use crate::http::Served;
use crate::process::{call, http_client_as, modes, run, stdio_client};

/// The lines of an audit log, as soon as there are so many.
fn lines(file: &Path, number: usize) -> Vec<Value> {
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.ends_with('\n') && text.lines().count() >= number {
            return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        std::thread::yield_now();
    }
}

/// A line without what differs from run to run.
fn steady(mut line: Value) -> Value {
    for (field, mark) in [
        ("time", "T"),
        ("request_id", "R"),
        ("plan_id", "P"),
        ("duration_ms", "D"),
        ("session", "S"),
    ] {
        if !line[field].is_null() {
            line[field] = json!(mark);
        }
    }
    if !line["object"]["uid"].is_null() {
        line["object"]["uid"] = json!("U");
    }
    line
}

#[tokio::test]
async fn every_call_is_a_line_and_a_change_is_two() {
    let home = tempfile::tempdir().unwrap();
    let [(_, legacy), _] = modes();
    let arguments = ["--sandbox", "--persona", "data-scientist", "--audit-log", "audit.jsonl"];
    let client = stdio_client(home.path(), &arguments, legacy).await;
    let submit = |confirmed: bool| {
        json!({"name": "mine", "image": "example.com/train:1", "num_nodes": 1, "gpu_per_node": 0, "confirmed": confirmed,
            "env": {"WANDB_API_KEY": {"secretKeyRef": {"name": "wandb", "key": "key"}}, "EPOCHS": "3"},
            "args": ["--api-token", "hunter2hunter2"]})
    };
    call(client.peer(), "list_training_jobs", json!({"namespace": "team-b"})).await;
    call(client.peer(), "run_container_training", submit(false)).await;
    call(client.peer(), "run_container_training", submit(true)).await;
    call(client.peer(), "get_training_job", json!({"name": "nobody"})).await;
    call(client.peer(), "create_runtime", json!({"name": "own", "spec": {}})).await;
    call(
        client.peer(),
        "delete_training_job",
        json!({"name": "mine", "confirmed": true}),
    )
    .await;
    let lines = lines(&home.path().join("audit.jsonl"), 8);
    let told: Vec<String> = lines.into_iter().map(|line| steady(line).to_string()).collect();
    assert!(told.iter().all(|line| !line.contains("hunter2")), "{told:?}");
    insta::assert_snapshot!(told.join("\n"));
    client.cancel().await.unwrap();
}

/// Whoever listens holds on to the server's parts; its last lines are written all the same.
#[tokio::test]
async fn a_server_that_is_told_to_end_writes_its_last_lines() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("audit.jsonl");
    let mut served = Served::start(&["--sandbox", "--audit-log", file.to_str().unwrap()]);
    let [(_, legacy), _] = modes();
    let client = http_client_as((), served.port, None, legacy).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let peer = client.peer().clone();
        calls.spawn(async move { call(&peer, "list_runtimes", json!({})).await });
    }
    calls.join_all().await;
    assert_eq!(served.end(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 40);
}

#[tokio::test]
async fn a_change_is_refused_when_its_line_cannot_be_written() {
    let home = tempfile::tempdir().unwrap();
    let [(_, legacy), _] = modes();
    let arguments = [
        "--sandbox",
        "--persona",
        "data-scientist",
        "--audit-log",
        "/dev/full",
        "--audit-required",
    ];
    let client = stdio_client(home.path(), &arguments, legacy).await;
    let submit = json!({"name": "mine", "image": "example.com/train:1", "gpu_per_node": 0, "confirmed": true});
    let (failed, answer, text) = call(client.peer(), "run_container_training", submit).await;
    assert!(failed && answer["error"]["code"] == "denied_by_policy", "{text}");
    assert!(
        text.contains("the audit log cannot be written (No space left on device"),
        "{text}"
    );
    // reading goes on, and shows that nothing has changed
    let (_, answer, _) = call(client.peer(), "get_training_job", json!({"name": "mine"})).await;
    assert_eq!(answer["error"]["code"], "not_found");
    client.cancel().await.unwrap();
}

#[test]
fn an_audit_log_that_cannot_be_is_refused_at_the_start() {
    for (arguments, said) in [
        (
            &["serve", "--sandbox", "--audit-log", "/nowhere/audit"][..],
            "audit log /nowhere/audit",
        ),
        (
            &["serve", "--sandbox", "--audit-required"],
            "audit-required needs an audit log",
        ),
    ] {
        let (code, _, err) = run(arguments);
        assert!(code == 2 && err.contains(said), "{err}");
    }
}

#[tokio::test]
async fn a_request_has_one_name_everywhere() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("audit.jsonl");
    let served = Served::start(&["--sandbox", "--audit-log", file.to_str().unwrap()]);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "health_check", "arguments": {}, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}})
    .to_string();
    let ask = |name: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", served.port)).unwrap();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n\
             Mcp-Name: health_check\r\nX-Request-Id: {name}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let header = head
            .lines()
            .find_map(|line| line.strip_prefix("x-request-id: "))
            .unwrap()
            .to_owned();
        let body: Value = serde_json::from_str(body).unwrap();
        let meta = body["result"]["_meta"]["kubeflow-mcp/request-id"]
            .as_str()
            .unwrap()
            .to_owned();
        (header, meta)
    };
    let (header, meta) = ask("proxy:42");
    assert_eq!((header.as_str(), meta.as_str()), ("proxy:42", "proxy:42"));
    // one that would spoil a log is not taken over
    let (made, meta) = ask("{\"a\": \"b\"}");
    assert!(made.len() == 16 && made == meta, "{made} {meta}");
    let audited: Vec<Value> = lines(&file, 2).iter().map(|line| line["request_id"].clone()).collect();
    assert_eq!(audited, ["proxy:42", made.as_str()]);
}

#[tokio::test]
async fn answers_over_stdio_have_a_name_too() {
    for (era, mode) in modes() {
        let home = tempfile::tempdir().unwrap();
        let client = stdio_client(home.path(), &["--sandbox"], mode).await;
        let result = client
            .call_tool(CallToolRequestParams::new("health_check"))
            .await
            .unwrap();
        let meta = serde_json::to_value(result.meta).unwrap();
        assert_eq!(
            meta["kubeflow-mcp/request-id"].as_str().map(str::len),
            Some(16),
            "{era}: {meta}"
        );
        client.cancel().await.unwrap();
    }
}
