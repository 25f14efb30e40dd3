//! Callers behind a proxy that has asked them who they are, and as whom they act on the cluster.

use serde_json::{Value, json};

use crate::http::Served;
use crate::process::Cluster;
use crate::wire::{Answer, Wire, ask, bearer, initialize, modern};

const ALICE: &str = "X-Forwarded-User: alice@example.com\r\nX-Forwarded-Groups: ml-team-a, finance\r\n";
const TOKEN: &str = "carol-0123456789abcdef";

fn health(answer: &Answer) -> Value {
    assert_eq!(answer.code, 200, "{answer:?}");
    answer.json()["result"]["structuredContent"].clone()
}

#[test]
fn a_trusted_proxy_says_who_calls_and_calls_act_as_them() {
    let served = Served::start(&[
        "--sandbox",
        "--trusted-proxy",
        "10.0.0.0/8,127.0.0.1",
        "--identity",
        "impersonate",
        "--impersonate-groups",
        "ml-*",
        "--auth-personas",
        "group:finance=data-scientist",
    ]);
    let hers = health(&ask(served.port, ALICE, "health_check"));
    assert_eq!(
        (&hers["acts_as"], &hers["persona"]),
        (&json!("alice@example.com"), &json!("data-scientist"))
    );
    let his = health(&ask(
        served.port,
        "Kubeflow-Userid: bob@example.com\r\n",
        "health_check",
    ));
    assert_eq!(
        (&his["acts_as"], &his["persona"]),
        (&json!("bob@example.com"), &json!("readonly"))
    );
    // the proxy answers for whom it names: what else comes with the request counts for nothing
    let beside = format!("{ALICE}{}", bearer("made-up-0123456789"));
    assert_eq!(
        health(&ask(served.port, &beside, "health_check"))["acts_as"],
        "alice@example.com"
    );
    let impersonating = format!("{ALICE}Impersonate-User: system:admin\r\nImpersonate-Group: system:masters\r\n");
    assert_eq!(
        health(&ask(served.port, &impersonating, "health_check"))["acts_as"],
        "alice@example.com"
    );
    let nobody = ask(served.port, "", "health_check");
    assert_eq!(nobody.code, 401, "{nobody:?}");
    for contradiction in [
        "X-Forwarded-User: a\r\nX-Forwarded-User: b\r\n",
        "X-Forwarded-User: a\r\nKubeflow-Userid: b\r\n",
    ] {
        let answer = ask(served.port, contradiction, "health_check");
        assert!(
            answer.code == 401 && answer.body.contains("more than one user"),
            "{answer:?}"
        );
    }
    let system = ask(served.port, "X-Forwarded-User: system:admin\r\n", "list_training_jobs");
    let refused = &system.json()["result"]["structuredContent"]["error"];
    assert!(
        refused["code"] == "denied_by_policy" && refused["answered"].to_string().contains("nobody acts as"),
        "{refused}"
    );
}

#[test]
fn from_elsewhere_the_headers_count_for_nothing() {
    let far = Served::start(&["--sandbox", "--trusted-proxy", "10.0.0.0/8", "--auth-token", TOKEN]);
    assert_eq!(ask(far.port, ALICE, "health_check").code, 401);
    let both = format!("{ALICE}{}", bearer(TOKEN));
    assert_eq!(health(&ask(far.port, &both, "health_check"))["acts_as"], "sandbox");
    // without any proxy, too
    let none = Served::start(&["--sandbox", "--auth-token", TOKEN]);
    assert_eq!(ask(none.port, ALICE, "health_check").code, 401);
}

#[test]
fn a_secret_makes_a_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "proxy-0123456789abcdef\n").unwrap();
    let served = Served::start(&["--sandbox", "--trusted-proxy-secret-file", file.to_str().unwrap()]);
    let with = |secret: &str| {
        let headers = format!("{ALICE}X-Trusted-Proxy-Secret: {secret}\r\n");
        ask(served.port, &headers, "health_check").code
    };
    assert_eq!(with("proxy-0123456789abcdef"), 200);
    assert_eq!((with("proxy-0123456789abcdeg"), with("")), (401, 401));
    assert_eq!(ask(served.port, ALICE, "health_check").code, 401);
}

#[test]
fn ten_thousand_callers_leave_nothing_behind() {
    // the cluster is another process: what it remembers is its own
    let cluster = Cluster::start();
    let kubeconfig = cluster.home.path().join("kubeconfig");
    let served = Served::start(&[
        "--kubeconfig",
        kubeconfig.to_str().unwrap(),
        "--trusted-proxy",
        "127.0.0.1",
        "--identity",
        "impersonate",
        "--audit-log",
        "none",
    ]);
    let (headers, body) = modern("list_training_jobs", &json!({}), &json!({}));
    let mut wire = Wire::open(served.port);
    let mut call = |from: u32, to: u32| {
        for caller in from..to {
            let headers = format!(
                "{headers}X-Forwarded-User: user-{caller}@example.com\r\nX-Forwarded-Groups: team-{caller}\r\n"
            );
            let answer = wire.post(&headers, &body);
            assert_eq!(answer.code, 200, "{answer:?}");
        }
    };
    // what is made once, and what the allocator keeps, is there after some
    call(0, 1_000);
    let before = resident(served.id());
    call(1_000, 10_000);
    let grown = resident(served.id()).saturating_sub(before);
    assert!(grown < 1_024, "{grown} KiB more after 9,000 callers more");
}

#[test]
fn one_caller_does_not_take_all_sessions() {
    let served = Served::start(&["--sandbox", "--trusted-proxy", "127.0.0.1"]);
    let mut wire = Wire::open(served.port);
    let mut open = |user: &str| wire.post(&format!("X-Forwarded-User: {user}\r\n"), &initialize());
    for opened in 0..10_000 {
        let answer = open("greedy");
        let want = if opened < 32 { 200 } else { 429 };
        assert_eq!(answer.code, want, "{opened}: {answer:?}");
        if want == 429 {
            assert!(
                answer.body.contains("too many sessions") && answer.header("retry-after") == Some("30"),
                "{answer:?}"
            );
        }
    }
    assert_eq!(open("modest").code, 200);
}

/// The memory of a process in KiB.
#[cfg(target_os = "linux")]
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Elsewhere only that all are served is tested.
#[cfg(not(target_os = "linux"))]
fn resident(_: u32) -> u64 {
    0
}
