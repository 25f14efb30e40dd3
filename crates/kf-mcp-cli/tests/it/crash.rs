//! A server that is killed in the middle of a change: the same plan, confirmed again at another one, makes exactly one job.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::process::{Cluster, command};

/// A server on that cluster, spoken to line by line.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn start(home: &Path) -> Self {
        let arguments = [
            "serve",
            "--no-banner",
            "--persona",
            "data-scientist",
            "--kubeconfig",
            "kubeconfig",
        ];
        let mut child = command(home, &arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self {
            child,
            input,
            output: BufReader::new(output),
        }
    }

    fn send(&mut self, tool: &str, arguments: &Value) {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments, "_meta": meta}});
        writeln!(self.input, "{call}").unwrap();
        self.input.flush().unwrap();
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.send(tool, arguments);
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        answer["result"]["structuredContent"].clone()
    }

    /// Ends it as if the machine had lost its power.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

const TOOL: &str = "run_container_training";

fn jobs(server: &mut Server) -> Vec<String> {
    let all = server.call("list_training_jobs", &json!({"namespace": "*"}));
    let rows = all["jobs"].as_array().unwrap();
    rows.iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect()
}

/// The preview of a job whose name is made up, and its confirmation.
fn planned(server: &mut Server) -> (String, Value) {
    let mut arguments = json!({"image": "example.com/train:1", "num_nodes": 1, "gpu_per_node": 0});
    let preview = server.call(TOOL, &arguments);
    arguments["confirmed"] = json!(true);
    arguments["plan_id"] = preview["plan_id"].clone();
    (preview["preview"]["name"].as_str().unwrap().to_owned(), arguments)
}

#[test]
fn killed_between_plan_and_change() {
    let cluster = Cluster::start();
    let mut first = Server::start(cluster.home.path());
    let (name, confirmed) = planned(&mut first);
    first.kill();
    let mut second = Server::start(cluster.home.path());
    assert_eq!(jobs(&mut second), [""; 0]);
    let made = second.call(TOOL, &confirmed);
    assert_eq!(
        (&made["name"], &made["already_submitted"]),
        (&json!(name), &json!(false)),
        "{made}"
    );
    // and again at a third
    second.kill();
    let mut third = Server::start(cluster.home.path());
    let again = third.call(TOOL, &confirmed);
    assert_eq!(
        (&again["uid"], &again["already_submitted"]),
        (&made["uid"], &json!(true)),
        "{again}"
    );
    assert_eq!(jobs(&mut third), [name]);
    third.kill();
}

#[test]
fn killed_right_after_the_change() {
    let cluster = Cluster::start();
    let mut watcher = Server::start(cluster.home.path());
    let mut first = Server::start(cluster.home.path());
    let (name, confirmed) = planned(&mut first);
    first.send(TOOL, &confirmed);
    // the job is there, and nobody has read the answer
    while jobs(&mut watcher).is_empty() {
        std::thread::yield_now();
    }
    first.kill();
    let mut second = Server::start(cluster.home.path());
    let again = second.call(TOOL, &confirmed);
    assert_eq!(
        (&again["name"], &again["already_submitted"]),
        (&json!(name), &json!(true)),
        "{again}"
    );
    assert_eq!(jobs(&mut watcher), [name]);
    second.kill();
    watcher.kill();
}
