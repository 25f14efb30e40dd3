//! A thousand training jobs: a page is one request, and reading all pages again and again costs the server no memory.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use futures::future::try_join_all;
use kf_mcp_control_plane::process::Id;
use serde_json::{Value, json};

use crate::Tests;
use crate::stage::{Stage, built};

/// How many jobs.
const JOBS: usize = 1000;
/// How many pages are read.
const PAGES: usize = 100;
/// How much more memory the server may have after the last page than after the tenth.
const GROWTH_MIB: u64 = 4;

/// Adds the tests of scale.
pub(crate) fn add(tests: &mut Tests) {
    tests.add(
        "scale::a_page_of_a_thousand_jobs_is_one_request_and_memory_stays",
        0,
        async |stage| {
            a_page_of_a_thousand_jobs_is_one_request_and_memory_stays(&stage).await;
        },
    );
}

async fn a_page_of_a_thousand_jobs_is_one_request_and_memory_stays(stage: &Arc<Stage>) {
    let world = stage.world("scale").await;
    let jobs: Vec<Value> = (0..JOBS).map(|number| foreign(&world.namespace, number)).collect();
    for some in jobs.chunks(50) {
        try_join_all(some.iter().map(|job| stage.api.create(job)))
            .await
            .unwrap();
    }
    let user = stage.unique("reader");
    let kubeconfig = stage.plane.user(&user, &["system:masters"], &world.namespace).unwrap();
    let mut child = Command::new(built("kubeflow-mcp"))
        .args(["serve", "--no-banner", "--log-level", "error"])
        .env("KUBECONFIG", &kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut client = Client {
        to: child.stdin.take().unwrap(),
        from: BufReader::new(child.stdout.take().unwrap()),
        id: 0,
    };
    let id = Id::of(child.id()).unwrap();
    let stage = Arc::clone(stage);
    // a pipe is read on a thread of its own
    let (seen, early, late) = tokio::task::spawn_blocking(move || {
        client.begin();
        let mut seen = std::collections::BTreeSet::new();
        let (mut cursor, mut early) = (Value::Null, 0);
        for page in 1..=PAGES {
            let mark = stage.audit().mark();
            let answer = client.call("list_training_jobs", &json!({"limit": 100, "cursor": cursor}));
            let asked = stage.audit().since(mark, &user).unwrap();
            assert_eq!(asked.len(), 1, "{asked:?}");
            let jobs = answer["jobs"].as_array().unwrap();
            assert_eq!(jobs.len(), 100, "{answer}");
            seen.extend(jobs.iter().map(|job| job["name"].as_str().unwrap().to_owned()));
            cursor = answer["next_cursor"].clone();
            assert_eq!(
                cursor.is_null(),
                page % (JOBS / 100) == 0,
                "page {page}: {}",
                answer["next_cursor"]
            );
            if page == PAGES / 10 {
                early = id.memory().unwrap();
            }
        }
        (seen.len(), early, id.memory().unwrap())
    })
    .await
    .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(seen, JOBS, "the pages show every job");
    assert!(
        late <= early + GROWTH_MIB,
        "{early} MiB after {} pages, {late} MiB after {PAGES}",
        PAGES / 10
    );
}

/// A job that another controller manages, so that Trainer makes nothing of it.
fn foreign(namespace: &str, number: usize) -> Value {
    json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob",
        "metadata": {"name": format!("job-{number:04}"), "namespace": namespace},
        "spec": {"runtimeRef": {"name": "torch-distributed"}, "managedBy": "kueue.x-k8s.io/multikueue"},
    })
}

/// An MCP client on a pipe.
struct Client {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    id: u64,
}

impl Client {
    fn begin(&mut self) {
        let client = json!({"name": "scale", "version": "1"});
        self.ask(
            "initialize",
            &json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}),
        );
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let answer = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        assert_ne!(answer["isError"], true, "{answer}");
        answer["structuredContent"].clone()
    }

    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.id += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.id, "method": method, "params": parameters}));
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.from.read_line(&mut line).unwrap(), 0, "the server ended");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["id"] == self.id {
                return message["result"].clone();
            }
        }
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.to, "{message}").unwrap();
    }
}
