//! What a person can type, and what the binary says to a slip.

use crate::process::run;

/// Exit code 2 and a sentence with each of the words.
fn refused(arguments: &[&str], words: &[&str]) {
    let (code, out, err) = run(arguments);
    assert_eq!(code, 2, "{arguments:?}: {out}{err}");
    for word in words {
        assert!(err.contains(word), "{arguments:?} should say {word}: {err}");
    }
    assert!(!err.contains("panicked"));
}

#[test]
fn slips_are_refused_with_what_there_is_and_the_nearest_spelling() {
    refused(
        &["serve", "--clients", "trainr"],
        &["trainr", "trainer", "optimizer", "hub", "did you mean"],
    );
    refused(
        &["serve", "--persona", "readony"],
        &["readony", "readonly", "platform-admin"],
    );
    refused(&["serve", "--sandbox=showcas"], &["showcas", "showcase", "thousand"]);
    refused(&["serve", "--transport", "htttp"], &["htttp", "stdio, http"]);
    refused(
        &["serve", "--host", "0.0.0.0", "--transport", "http"],
        &["loopback", "127.0.0.1"],
    );
    refused(&["serve", "--log-level", "loud"], &["loud", "error, warn, info"]);
    refused(
        &["call", "list_trainning_jobs", "--sandbox"],
        &["list_trainning_jobs", "list_training_jobs"],
    );
    refused(&["call", "list_training_jobs", "limit", "--sandbox"], &["NAME=VALUE"]);
}

#[test]
fn an_unknown_key_of_the_file_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("c.yaml");
    std::fs::write(&file, "clients: trainer\npersonna: readonly\n").unwrap();
    refused(
        &["serve", "--config", file.to_str().unwrap()],
        &["personna", "did you mean `persona`"],
    );
}

#[test]
fn an_unknown_variable_is_a_warning() {
    let home = tempfile::tempdir().unwrap();
    let mut command = crate::process::command(home.path(), &["call", "health_check", "--sandbox"]);
    let output = command
        .env("KUBEFLOW_MCP_PERSONNA", "x")
        .env("KUBEFLOW_MCP_PERSONA", "ml-engineer")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("KUBEFLOW_MCP_PERSONNA"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("ml-engineer"));
}

#[test]
fn tools_lists_what_serve_would() {
    let (code, out, _) = run(&[
        "tools",
        "--clients",
        "trainer,hub",
        "--persona",
        "platform-admin",
        "--format",
        "json",
    ]);
    assert_eq!(code, 0);
    let tools: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    let has = |name: &str| tools.iter().any(|tool| tool["name"] == name);
    assert!(has("list_training_jobs") && has("list_models") && has("health_check") && !has("list_optimization_jobs"));
}

#[test]
fn call_answers_on_the_sandbox_and_fails_with_a_code() {
    let (code, out, err) = run(&["call", "list_training_jobs", "limit=2", "--sandbox"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.lines().count() >= 3, "{out}");
    let (code, out, _) = run(&["call", "get_training_job", "name=nobody", "--sandbox"]);
    assert_eq!(code, 1);
    assert!(out.contains("not_found"), "{out}");
    let (code, out, _) = run(&[
        "call",
        "list_training_jobs",
        "--json",
        "{\"limit\": 1}",
        "--format",
        "json",
        "--sandbox",
    ]);
    assert_eq!(code, 0);
    assert!(serde_json::from_str::<serde_json::Value>(&out).unwrap().is_object());
    let (code, out, _) = run(&["call", "delete_training_job", "name=x", "--sandbox"]);
    assert_eq!(code, 1);
    assert!(
        out.contains("denied_by_policy") && out.contains("--persona data-scientist"),
        "{out}"
    );
}

#[test]
fn the_demo_walks_to_its_end() {
    let (code, out, err) = run(&["demo"]);
    assert_eq!(code, 0, "{out}{err}");
    for word in [
        "run_container_training",
        "get_training_logs",
        "get_best_hyperparameters",
        "get_model",
        "each with the answer",
    ] {
        assert!(out.contains(word), "{word}: {out}");
    }
}

#[test]
fn variables_that_are_not_settings_do_no_harm() {
    let home = tempfile::tempdir().unwrap();
    let mut command = crate::process::command(home.path(), &["call", "health_check", "--sandbox"]);
    // What Kubernetes puts beside a Service named kubeflow-mcp, and a namespace that looks like a number.
    command
        .env("KUBEFLOW_MCP_SERVICE_HOST", "10.96.0.1")
        .env("KUBEFLOW_MCP_PORT", "tcp://10.96.0.1:8000");
    command
        .env("KUBEFLOW_MCP_PORT_8000_TCP_ADDR", "10.96.0.1")
        .env("KUBEFLOW_MCP_NAMESPACE", "2024");
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        command.env("LEGACY", std::ffi::OsStr::from_bytes(b"\xff"));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("namespace: 2024"));
}

#[test]
fn following_what_prints_nothing_says_why() {
    let (code, out, _) = run(&["call", "get_training_logs", "name=qwen-sft", "follow=true", "--sandbox"]);
    assert_eq!(code, 0);
    assert!(out.contains("suspended"), "{out}");
}
