//! Policies as an operator meets them: checked before use, refused when broken, replaced while the server runs.

use std::path::{Path, PathBuf};

use rmcp::model::SubscriptionFilter;
use rmcp::service::{NotificationContext, RunningService};
use rmcp::{ClientHandler, RoleClient};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::http::Served;
use crate::process::{call, command, http_client_as, modes, run, stdio_client_as};

fn write(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("policy.yaml");
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn check_says_of_each_tool_whether_it_is_allowed_and_by_which_rule() {
    let home = tempfile::tempdir().unwrap();
    let file = write(
        home.path(),
        "policy:\n  deny: [risk:destructive, delete_everything]\n  personas:\n    helper: {inherit: readonly, allow: [fine_tune]}\n",
    );
    let check = |more: &[&str]| run(&[&["policy", "check", file.to_str().unwrap()][..], more].concat());
    let (code, out, err) = check(&["--persona", "helper"]);
    assert_eq!((code, err.as_str()), (0, ""));
    for line in [
        "  fine_tune                 yes  the persona `helper` allows `fine_tune`",
        "  list_training_jobs        yes  the persona `helper`",
        "  delete_runtime            no   the policy denies `risk:destructive`",
        "warning: line 2, column 28: deny: `delete_everything` is no tool of this binary",
    ] {
        assert!(out.lines().any(|said| said.starts_with(line)), "{line}\n{out}");
    }
    let (_, out, _) = check(&[]);
    for persona in ["readonly", "data-scientist", "ml-engineer", "platform-admin", "helper"] {
        assert!(out.contains(&format!("persona {persona}: ")), "{out}");
    }
    let (_, out, _) = check(&["--format", "json", "--persona", "data-scientist"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    let update = told["tools"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["tool"] == "update_training_job");
    assert_eq!(
        update.map(|row| (row["allowed"] == true, row["own_only"] == true)),
        Some((true, true))
    );
    let (code, _, err) = check(&["--persona", "helpr"]);
    assert!(code == 2 && err.contains("did you mean `helper`?"), "{err}");
}

#[test]
fn a_policy_that_cannot_be_used_is_no_policy_to_go_on_without() {
    let home = tempfile::tempdir().unwrap();
    let file = write(home.path(), "policy:\n  deny: [risk:high]\n");
    for (arguments, said) in [
        (["tools", "--policy", "nowhere.yaml"], "cannot be read"),
        (
            ["tools", "--policy", file.to_str().unwrap()],
            "line 2, column 10: `risk:high` names no risk",
        ),
    ] {
        let (code, out, err) = run(&arguments);
        assert!(code == 2 && out.is_empty() && err.contains(said), "{out}{err}");
    }
    // the one in the home directory is found, and fails as closed
    std::fs::rename(&file, home.path().join(".kf-mcp-policy.yaml")).unwrap();
    let output = command(home.path(), &["tools"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    std::fs::write(
        home.path().join(".kf-mcp-policy.yaml"),
        "policy: {deny: ['*_training_*']}\n",
    )
    .unwrap();
    let output = command(home.path(), &["tools"]).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && !out.contains("list_training_jobs") && out.contains("list_runtimes"),
        "{out}"
    );
}

/// A client that notes that the tools have changed.
#[derive(Clone)]
struct Noting(mpsc::UnboundedSender<()>);

impl ClientHandler for Noting {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.send(()).ok();
    }
}

/// Whether the client sees a tool.
async fn sees(client: &RunningService<RoleClient, Noting>, tool: &str) -> bool {
    client
        .list_all_tools()
        .await
        .unwrap()
        .iter()
        .any(|listed| listed.name == tool)
}

/// Replaces the policy of a running server: the client is told, sees other tools, and may call no others.
async fn replaced(
    client: &RunningService<RoleClient, Noting>,
    mut told: mpsc::UnboundedReceiver<()>,
    file: &Path,
    name: &str,
) {
    let subscription = match name {
        "modern" => {
            let filter = SubscriptionFilter::builder().tools_list_changed().build();
            Some(client.listen(filter).await.unwrap())
        }
        _ => None,
    };
    assert!(sees(client, "delete_training_job").await, "{name}");
    write(file.parent().unwrap(), "policy: {deny: ['delete_*']}\n");
    match subscription {
        Some(mut subscription) => assert!(subscription.next().await.unwrap().is_some(), "{name}"),
        None => assert_eq!(told.recv().await, Some(()), "{name}"),
    }
    assert!(!sees(client, "delete_training_job").await, "{name}");
    let (failed, answer, _) = call(client.peer(), "delete_training_job", json!({"name": "x"})).await;
    assert!(
        failed && answer["error"]["code"] == "denied_by_policy",
        "{name}: {answer}"
    );
}

#[tokio::test]
async fn another_policy_is_in_force_without_a_restart_over_stdio() {
    for (name, mode) in modes() {
        let home = tempfile::tempdir().unwrap();
        let file = write(home.path(), "policy: {}\n");
        let (note, told) = mpsc::unbounded_channel();
        let arguments = ["--sandbox", "--persona", "ml-engineer", "--policy", "policy.yaml"];
        let client = stdio_client_as(Noting(note), home.path(), &arguments, mode).await;
        replaced(&client, told, &file, name).await;
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn another_policy_is_in_force_without_a_restart_over_http() {
    for (name, mode) in modes() {
        let folder = tempfile::tempdir().unwrap();
        let file = write(folder.path(), "policy: {}\n");
        let served = Served::start(&[
            "--sandbox",
            "--persona",
            "ml-engineer",
            "--policy",
            file.to_str().unwrap(),
        ]);
        let (note, told) = mpsc::unbounded_channel();
        let client = http_client_as(Noting(note), served.port, None, mode).await;
        replaced(&client, told, &file, name).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_broken_policy_leaves_the_one_before_and_a_hangup_reads_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "policy: {deny: [delete_runtime]}\n");
    let served = Served::start(&[
        "--sandbox",
        "--persona",
        "platform-admin",
        "--policy",
        file.to_str().unwrap(),
    ]);
    let [(_, legacy), _] = modes();
    let (note, mut told) = mpsc::unbounded_channel();
    let client = http_client_as(Noting(note), served.port, None, legacy).await;
    write(folder.path(), "policy: {deny: [risk:high]}\n");
    // the log says so, and the rule of before holds
    let logs = json!({"limit": 20});
    loop {
        let (_, _, text) = call(client.peer(), "get_server_logs", logs.clone()).await;
        if text.contains("the policy in force stays as it was") && text.contains("names no risk") {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(!sees(&client, "delete_runtime").await);
    write(folder.path(), "policy: {}\n");
    assert_eq!(told.recv().await, Some(()));
    assert!(sees(&client, "delete_runtime").await);
    // told to look, it looks although nothing has changed
    let server = rustix::process::Pid::from_raw(served.id().cast_signed()).unwrap();
    rustix::process::kill_process(server, rustix::process::Signal::HUP).unwrap();
    assert_eq!(told.recv().await, Some(()));
}
