//! `kubeflow-mcp doctor`: what it finds, and what its exit code says of it.

use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, Key, NAME, Shown};
use crate::process::run;

fn doctor(arguments: &[&str]) -> (i32, String) {
    let (code, out, err) = run(&[&["doctor", "--log-level", "error"][..], arguments].concat());
    assert_eq!(err, "");
    (code, out)
}

#[test]
fn a_cluster_with_everything_is_well() {
    let (code, out) = doctor(&[
        "--sandbox",
        "--clients",
        "trainer,optimizer,hub",
        "--persona",
        "platform-admin",
    ]);
    assert_eq!(code, 0, "{out}");
    insta::assert_snapshot!(out);
}

#[test]
fn missing_rights_are_told_with_what_they_cost_and_how_to_get_them() {
    let (code, out) = doctor(&["--sandbox=no-rbac", "--persona", "platform-admin"]);
    assert_eq!(code, 1, "{out}");
    insta::assert_snapshot!(out);
    let (code, out) = doctor(&["--sandbox=no-rbac"]);
    assert!(
        code == 0 && out.contains("\nless    rights in namespace `team-a`"),
        "{out}"
    );
}

#[test]
fn a_component_that_is_not_there_is_told() {
    let (code, out) = doctor(&["--sandbox=no-trainer", "--format", "json"]);
    assert_eq!(code, 1, "{out}");
    let told: Value = serde_json::from_str(&out).unwrap();
    let states: Vec<(&str, &str)> = told["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["check"].as_str().unwrap(), row["state"].as_str().unwrap()))
        .collect();
    let want = [
        ("cluster", "ok"),
        ("check_compatibility", "failed"),
        ("rights in namespace `default`", "ok"),
        ("rights in the whole cluster and in namespaces of components", "ok"),
    ];
    assert_eq!(states, want);
    assert_eq!(
        (&told["ok"], &told["checks"][1]["answer"]["compatible"]),
        (&json!(false), &json!(false))
    );
}

#[test]
fn where_the_api_server_does_not_answer_nothing_more_is_asked_of_it() {
    let (code, out) = doctor(&["--kubeconfig", "/nowhere/kubeconfig", "--transport", "http"]);
    assert_eq!(code, 1, "{out}");
    insta::assert_snapshot!(out);
}

#[test]
fn a_server_that_acts_as_its_callers_needs_other_rights_and_the_keys_of_their_issuer() {
    let issuer = Shown::start(&json!({"keys": [Key::ed().public("a"), Key::ec().public("b")]}));
    let url = format!("http://127.0.0.1:{}/keys", issuer.port);
    let own = [
        "--sandbox",
        "--transport",
        "http",
        "--identity",
        "impersonate",
        "--impersonate-groups",
        "ml-*",
    ];
    let trusted = ["--jwks-uri", &url, "--jwt-issuer", NAME, "--jwt-audience", AUDIENCE];
    let all = [&own[..], &trusted].concat();
    let (code, out) = doctor(&all);
    assert_eq!(code, 0, "{out}");
    insta::assert_snapshot!(out.replace(&url, "URL"));
    issuer.says(500, &json!({}));
    let (code, out) = doctor(&all);
    assert!(code == 1 && out.contains("answered 500"), "{out}");
    assert_eq!(issuer.asked().len(), 2);
}

#[test]
fn what_serve_would_not_start_with_is_no_finding() {
    for (arguments, word) in [
        (&["--identity", "impersonate"][..], "over stdio"),
        (&["--transport", "http", "--tls-cert", "/nowhere"], "tls-key"),
        (&["--transport", "http", "--host", "0.0.0.0"], "--allow-unauthenticated"),
        (
            &["--transport", "http", "--auth-token-file", "/nowhere/tokens"],
            "/nowhere/tokens",
        ),
        (&["--audit-log", "/nowhere/audit"], "/nowhere/audit"),
        (&["--impersonate-groups", "a"], "identity impersonate"),
    ] {
        let (code, out, err) = run(&[&["doctor", "--sandbox"][..], arguments].concat());
        assert!(
            code == 2 && out.is_empty() && err.contains(word),
            "{arguments:?}: {out}{err}"
        );
    }
}

#[test]
fn all_personas_of_callers_count() {
    let home = tempfile::tempdir().unwrap();
    let tokens = home.path().join("tokens.yaml");
    let text = "tokens:\n  - {name: boss, token: boss-0123456789ab, persona: platform-admin}\n";
    std::fs::write(&tokens, text).unwrap();
    let http = [
        "--sandbox=no-rbac",
        "--transport",
        "http",
        "--auth-token-file",
        tokens.to_str().unwrap(),
    ];
    let (code, out) = doctor(&http);
    assert!(code == 1 && out.contains("fails without: create_runtime"), "{out}");
    assert!(
        out.contains("rbac --clients trainer --persona readonly --also-for platform-admin"),
        "{out}"
    );
    let (code, out, _) = run(&["rbac", "--also-for", "platform-admin"]);
    assert!(code == 0 && out.contains("needed by create_runtime"), "{out}");
}

#[test]
fn a_policy_bounds_where_rights_are_asked_and_not_what_is_looked_at() {
    let home = tempfile::tempdir().unwrap();
    let policy = home.path().join("it's a policy.yaml");
    std::fs::write(
        &policy,
        "policy:\n  namespaces: [team-b]\n  deny: [health_check, check_compatibility]\n",
    )
    .unwrap();
    let options = ["--sandbox", "--policy", policy.to_str().unwrap(), "--scope", "cluster"];
    let (code, out) = doctor(&options);
    assert_eq!(code, 0, "{out}");
    insta::assert_snapshot!(out.replace(&home.path().display().to_string(), "HOME"));
}

#[test]
fn tokens_of_callers_take_one_right_and_none_of_the_tools() {
    let token = ["--transport", "http", "--identity", "token", "--token-review"];
    let (code, out) = doctor(&[&["--sandbox=no-rbac"][..], &token].concat());
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("--identity token") && out.contains("callers' tokens of the cluster are not accepted"),
        "{out}"
    );
    let (_, out, _) = run(&["rbac", "--identity", "token", "--token-review"]);
    assert!(
        out.contains("tokenreviews") && !out.contains("kind: RoleBinding"),
        "{out}"
    );
}

#[test]
fn secrets_of_the_kubeconfig_are_told_in_no_form() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("config");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n\
        clusters: [{name: a, cluster: {server: 'http://admin:hunter2@127.0.0.1:9'}}]\nusers: [{name: a, user: {}}]\n";
    std::fs::write(&file, text).unwrap();
    for format in ["table", "json"] {
        let (code, out) = doctor(&["--kubeconfig", file.to_str().unwrap(), "--format", format]);
        assert!(
            code == 1 && out.contains("127.0.0.1:9") && !out.contains("hunter2"),
            "{out}"
        );
    }
}

#[cfg(unix)]
#[test]
fn the_command_that_it_prints_can_be_run() {
    let home = tempfile::tempdir().unwrap();
    let policy = home.path().join("it's a policy.yaml");
    std::fs::write(&policy, "policy:\n  deny: ['inspect_*']\n").unwrap();
    let (_, out) = doctor(&["--sandbox=no-rbac", "--policy", policy.to_str().unwrap()]);
    let (_, command) = out.split_once("missing; kubeflow-mcp ").unwrap();
    let (command, _) = command.split_once(" prints them for a service account").unwrap();
    let shell = std::process::Command::new("sh")
        .args(["-c", &format!("\"$0\" {command}"), env!("CARGO_BIN_EXE_kubeflow-mcp")])
        .output()
        .unwrap();
    let printed = String::from_utf8(shell.stdout).unwrap();
    assert!(shell.status.success() && printed.contains("kind: Role"), "{command}");
    assert!(!printed.contains("inspect_crd"), "{printed}");
}
