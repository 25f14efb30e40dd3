//! Who may call over HTTP, and as whom: bearer tokens with names and personas.

use std::path::{Path, PathBuf};

use rmcp::RoleClient;
use rmcp::service::{ClientLifecycleMode, RunningService};
use serde_json::{Value, json};

use crate::http::Served;
use crate::issuer::{AUDIENCE, NAME};
use crate::process::{call, http_client_as, modes, run};
use crate::wire::{Answer, Wire, bearer, initialize, modern, post};

const ALICE: &str = "alice-0123456789abcdef";
const BOB: &str = "bob-0123456789abcdef";
const ROOT: &str = "root-0123456789abcdef";

fn tokens(folder: &Path) -> PathBuf {
    let file = folder.join("tokens.yaml");
    let text = format!(
        "tokens:\n  - {{name: alice, token: {ALICE}, persona: data-scientist}}\n  - {{name: bob, token: {BOB}, persona: data-scientist}}\n  \
         - {{name: root, token: {ROOT}, persona: platform-admin}}\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn served(folder: &Path, more: &[&str]) -> Served {
    let file = tokens(folder);
    Served::start(&[&["--sandbox", "--auth-token-file", file.to_str().unwrap()][..], more].concat())
}

/// A raw request.
fn ask(served: &Served, headers: &str, body: &Value) -> (u16, String, String) {
    let Answer { code, head, body } = post(served.port, headers, body);
    (code, head, body)
}

/// Opens a session; its id.
fn session(served: &Served, token: &str) -> Result<String, u16> {
    let (code, head, _) = ask(served, &bearer(token), &initialize());
    let id = head.lines().find_map(|line| line.strip_prefix("mcp-session-id: "));
    id.map(str::to_owned).ok_or(code)
}

#[test]
fn only_known_bearers_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path(), &[]);
    let (headers, body) = modern("list_training_jobs", &json!({}), &json!({}));
    for (given, challenge) in [
        (String::new(), "Bearer realm=\"kubeflow-mcp\""),
        (bearer("alice-0123456789abcdeg"), "error=\"invalid_token\""),
        (bearer(""), "error=\"invalid_token\""),
        (format!("Authorization: Basic {ALICE}\r\n"), "error=\"invalid_token\""),
        // a token in the address is no token in the header
        (format!("X-Token: {ALICE}\r\n"), "Bearer realm"),
    ] {
        let (code, head, body) = ask(&served, &format!("{headers}{given}"), &body);
        assert_eq!(code, 401, "{given}: {body}");
        assert!(
            head.contains("www-authenticate: ") && head.contains(challenge),
            "{given}: {head}"
        );
        assert!(head.contains("x-request-id: ") && !body.contains("jobs\":"), "{body}");
    }
    let (code, _, answer) = ask(&served, &format!("{headers}{}", bearer(ALICE)), &body);
    assert!(code == 200 && answer.contains("\"jobs\":"), "{answer}");
    // the scheme is written as one likes
    let lower = format!("{headers}authorization: bearer {ALICE}\r\n");
    assert_eq!(ask(&served, &lower, &body).0, 200);
    // whether the process lives is no secret
    assert_eq!(Wire::open(served.port).get("/health").code, 200);
}

async fn client(served: &Served, token: &str, mode: ClientLifecycleMode) -> RunningService<RoleClient, ()> {
    http_client_as((), served.port, Some(token), mode).await
}

#[tokio::test]
async fn each_bearer_has_a_persona_and_jobs_of_their_own() {
    for (era, mode) in modes() {
        let folder = tempfile::tempdir().unwrap();
        let audit = folder.path().join("audit.jsonl");
        let served = served(folder.path(), &["--audit-log", audit.to_str().unwrap()]);
        let alice = client(&served, ALICE, mode.clone()).await;
        let bob = client(&served, BOB, mode.clone()).await;
        let root = client(&served, ROOT, mode).await;
        let has = async |client: &RunningService<RoleClient, ()>, tool: &str| {
            let tools = client.list_all_tools().await.unwrap();
            tools.iter().any(|listed| listed.name == tool)
        };
        assert!(
            !has(&alice, "create_runtime").await && has(&root, "create_runtime").await,
            "{era}"
        );
        let told = |client: &RunningService<RoleClient, ()>| {
            client
                .peer_info()
                .and_then(|info| info.instructions.clone())
                .unwrap_or_default()
        };
        assert!(told(&alice).contains("plan_id"), "{era}: {}", told(&alice));
        let submit = json!({"name": "hers", "image": "example.com/train:1", "gpu_per_node": 0, "confirmed": true});
        let (failed, answer, _) = call(alice.peer(), "run_container_training", submit).await;
        assert!(!failed, "{era}: {answer}");
        let delete = json!({"name": "hers", "confirmed": true});
        let (_, answer, text) = call(bob.peer(), "delete_training_job", delete.clone()).await;
        assert_eq!(answer["error"]["code"], "denied_by_policy", "{era}: {text}");
        assert!(text.contains("was created by somebody else"), "{era}: {text}");
        let (failed, answer, _) = call(alice.peer(), "delete_training_job", delete).await;
        assert!(!failed, "{era}: {answer}");
        let lines = std::fs::read_to_string(&audit).unwrap();
        for said in [
            "\"caller\":\"alice\"",
            "\"caller\":\"bob\"",
            "\"persona\":\"data-scientist\"",
        ] {
            assert!(lines.contains(said), "{era}: {lines}");
        }
        assert!(!lines.contains(ALICE) && !lines.contains(BOB), "{lines}");
    }
}

#[test]
fn a_session_belongs_to_whom_it_was_opened_for() {
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path(), &[]);
    let hers = session(&served, ALICE).unwrap();
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let on = |token: &str| {
        format!(
            "Mcp-Session-Id: {hers}\r\nMCP-Protocol-Version: 2025-11-25\r\n{}",
            bearer(token)
        )
    };
    let (code, _, body) = ask(&served, &on(BOB), &list);
    assert!(code == 403 && body.contains("somebody else's"), "{code} {body}");
    let (code, _, body) = ask(
        &served,
        &on(ALICE),
        &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    );
    assert_eq!(code, 202, "{body}");
    let (code, _, body) = ask(&served, &on(ALICE), &list);
    assert!(code == 200 && body.contains("list_training_jobs"), "{code} {body}");
    // one caller cannot take all sessions, and does not take those of others
    let opened = (1..40).filter(|_| session(&served, ALICE).is_ok()).count();
    assert_eq!(opened, 31);
    assert_eq!(session(&served, ALICE), Err(429));
    assert!(session(&served, BOB).is_ok());
}

#[test]
fn what_one_person_was_asked_another_cannot_answer() {
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path(), &[]);
    let call = |token: &str, tool: &str, arguments: &Value, more: &Value| {
        let (headers, body) = modern(tool, arguments, more);
        let (_, _, body) = ask(&served, &format!("{headers}{}", bearer(token)), &body);
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let none = json!({});
    let submit = json!({"name": "mine", "image": "example.com/train:1", "gpu_per_node": 0, "confirmed": true});
    call(ROOT, "run_container_training", &submit, &none);
    let delete = json!({"name": "mine", "confirmed": true});
    let asked = call(ROOT, "delete_training_job", &delete, &none);
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    let yes = json!({"requestState": asked["result"]["requestState"],
        "inputResponses": {"confirm": {"action": "accept", "content": {"confirm": true}}}});
    let refused = call(ALICE, "delete_training_job", &delete, &yes);
    assert!(
        refused["error"]["message"]
            .to_string()
            .contains("requestState was not made"),
        "{refused}"
    );
    let done = call(ROOT, "delete_training_job", &delete, &yes);
    assert_eq!(done["result"]["isError"], false, "{done}");
}

#[test]
fn tokens_are_replaced_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path(), &[]);
    let (headers, body) = modern("health_check", &json!({}), &json!({}));
    let code = |token: &str| ask(&served, &format!("{headers}{}", bearer(token)), &body).0;
    assert_eq!((code(ALICE), code("carol-0123456789abcdef")), (200, 401));
    let file = folder.path().join("tokens.yaml");
    // what cannot be used leaves those of before
    std::fs::write(&file, "tokens: [{name: a, token: short}]\n").unwrap();
    let (headers_of_logs, logs) = modern("get_server_logs", &json!({"limit": 20}), &json!({}));
    let told = |token: &str| ask(&served, &format!("{headers_of_logs}{}", bearer(token)), &logs).2;
    while !told(ROOT).contains("the set of tokens in force stays as it was: the token of a has to have at least") {
        std::thread::yield_now();
    }
    assert!(
        !told(ALICE).contains("stays as it was"),
        "whose token it is concerns the operator"
    );
    assert_eq!(code(ALICE), 200);
    std::fs::write(&file, "tokens: [{name: carol, token: carol-0123456789abcdef}]\n").unwrap();
    while code("carol-0123456789abcdef") != 200 {
        std::thread::yield_now();
    }
    assert_eq!(code(ALICE), 401);
}

#[test]
fn the_server_tells_nobody_of_the_calls_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let served = served(folder.path(), &[]);
    let call = |token: &str, tool: &str, arguments: &Value| {
        let (headers, body) = modern(tool, arguments, &json!({}));
        ask(&served, &format!("{headers}{}", bearer(token)), &body).2
    };
    call(ALICE, "get_training_job", &json!({"name": "her-secret-job"}));
    let logs = |token: &str| call(token, "get_server_logs", &json!({}));
    assert!(logs(ALICE).contains("her-secret-job"));
    assert!(!logs(BOB).contains("her-secret-job"), "{}", logs(BOB));
    assert!(
        logs(ROOT).contains("her-secret-job"),
        "who looks after the server sees all"
    );
}

#[test]
fn a_server_for_others_asks_who_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("short");
    std::fs::write(&short, "secret\n").unwrap();
    let boss = folder.path().join("boss");
    std::fs::write(&boss, format!("tokens: [{{name: a, token: {ALICE}, persona: boss}}]\n")).unwrap();
    let http = ["serve", "--sandbox", "--transport", "http", "--port", "0"];
    for (more, said) in [
        (&["--host", "0.0.0.0"][..], "nobody would be asked who they are"),
        (&["--auth-token", "secret"], "at least 16 characters"),
        (
            &["--auth-token-file", short.to_str().unwrap()],
            "at least 16 characters",
        ),
        (
            &["--auth-token-file", boss.to_str().unwrap()],
            "persona `boss`, which there is not",
        ),
        (&["--auth-token-file", "/nowhere/tokens"], "token file /nowhere/tokens"),
        (&["--auth-token", ALICE, "--auth-token-file", "x"], "both given"),
    ] {
        let (code, _, err) = run(&[&http[..], more].concat());
        assert!(code == 2 && err.contains(said), "{more:?}: {err}");
        assert!(!err.contains(ALICE), "{err}");
    }
    // one token in the environment or on the command line is the server's one caller beside nobody
    let served = Served::start(&["--sandbox", "--auth-token", ALICE]);
    let (headers, body) = modern("health_check", &json!({}), &json!({}));
    assert_eq!(ask(&served, &headers, &body).0, 401);
    assert_eq!(ask(&served, &format!("{headers}{}", bearer(ALICE)), &body).0, 200);
}

#[test]
fn what_does_not_fit_together_ends_the_start() {
    let http = ["serve", "--sandbox", "--transport", "http", "--port", "0"];
    let jwt = ["--jwt-issuer", NAME, "--jwt-audience", AUDIENCE];
    for (more, said) in [
        (&jwt[..], "are needed all three"),
        (
            &[&jwt[..], &["--jwks-uri", "keys.json"]].concat(),
            "no URL of a set of keys",
        ),
        (
            &[&jwt[..], &["--jwks-uri", "http://i", "--auth-personas", "group:a=boss"]].concat(),
            "there is no persona `boss`",
        ),
        (
            &[&jwt[..], &["--jwks-uri", "http://i", "--auth-personas", "a=b"]].concat(),
            "is not of the form",
        ),
        (&["--token-review-audience", "a"], "needs token-review"),
        (&["--trusted-proxy", "everybody"], "no address"),
        (&["--trusted-proxy", "mtls"], "needs --tls-client-ca"),
        (&["--identity", "impersonate"], "only if those are asked"),
        (
            &["--identity", "token", "--auth-token", "0123456789abcdef"],
            "use --token-review",
        ),
        (
            &[
                "--identity",
                "token",
                "--token-review",
                "--token-review-audience",
                "mcp",
            ],
            "without an audience",
        ),
        (&["--identity", "me"], "there are own, impersonate, token"),
        (&["--impersonate-groups", "a"], "with identity impersonate"),
        (
            &[
                "--identity",
                "impersonate",
                "--token-review",
                "--impersonate-groups",
                "a,system:masters",
            ],
            "leave out `system:masters`",
        ),
        (&["--tls-cert", "/nowhere"], "needed both"),
        (
            &["--tls-cert", "/nowhere", "--tls-key", "/nowhere"],
            "/nowhere: No such file",
        ),
    ] {
        let (code, _, err) = run(&[&http[..], more].concat());
        assert!(code == 2 && err.contains(said), "{more:?}: {err}");
    }
    let (code, _, err) = run(&["serve", "--sandbox", "--identity", "impersonate", "--token-review"]);
    assert!(code == 2 && err.contains("over stdio there is one caller"), "{err}");
}
