//! Without a cluster the server starts, lists its tools, and each call says what was tried.

use std::net::TcpListener;

use serde_json::json;

use crate::process::{call, modes, stdio_client};

/// The read tools, with arguments that make them ask the API server.
const READS: &[(&str, &str)] = &[
    ("get_cluster_resources", "{}"),
    ("list_training_jobs", "{}"),
    ("get_training_job", r#"{"name": "a"}"#),
    ("list_runtimes", "{}"),
    ("get_runtime", r#"{"name": "a"}"#),
    ("get_training_logs", r#"{"name": "a"}"#),
    ("get_training_events", r#"{"name": "a"}"#),
    ("get_training_progress", r#"{"name": "a"}"#),
    ("list_namespaces", "{}"),
    ("list_optimization_jobs", "{}"),
    ("get_optimization_job", r#"{"name": "a"}"#),
    ("get_best_hyperparameters", r#"{"name": "a"}"#),
    ("list_models", "{}"),
];

async fn each_says(kubeconfig: &std::path::Path, word: &str) {
    let home = tempfile::tempdir().unwrap();
    let [(_, mode), _] = modes();
    let flags = [
        "--clients",
        "trainer,optimizer,hub",
        "--kubeconfig",
        kubeconfig.to_str().unwrap(),
    ];
    let client = stdio_client(home.path(), &flags, mode).await;
    assert!(client.list_all_tools().await.unwrap().len() > 10);
    for (tool, arguments) in READS {
        let (failed, answer, text) = call(client.peer(), tool, serde_json::from_str(arguments).unwrap()).await;
        assert!(failed, "{tool}: {answer}");
        assert!(text.contains(word), "{tool} should name {word}: {text}");
    }
    let (_, answer, _) = call(client.peer(), "health_check", json!({})).await;
    assert_eq!(answer["status"], "unreachable");
    client.cancel().await.unwrap();
}

fn kubeconfig(folder: &std::path::Path, server: &str) -> std::path::PathBuf {
    let file = folder.join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: u, user: {{}}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    each_says(&folder.path().join("nowhere"), "nowhere").await;
}

#[tokio::test]
async fn a_broken_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken");
    std::fs::write(&file, "clusters: [oops\n").unwrap();
    each_says(&file, "broken").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    each_says(&kubeconfig(folder.path(), &format!("http://{addr}")), &addr.to_string()).await;
}
