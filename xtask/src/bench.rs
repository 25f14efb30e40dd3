//! `bench`: figures of the release binary on its own sandbox. Nothing asserts on them; they are for reading.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::project::{cargo, say, target};

const CLIENTS: usize = 16;
const SECONDS: u64 = 3;
/// How many jobs the clusters have in which calls are counted.
const SIZES: [u32; 2] = [1_000, 10_000];

pub(crate) fn run() -> Result<()> {
    cargo(&["build", "--release", "-p", "kf-mcp-cli"])?;
    let binary = target().join("release/kubeflow-mcp");
    say(&format!(
        "binary: {:.1} MB",
        std::fs::metadata(&binary)?.len() as f64 / 1e6
    ));
    start_up(&binary)?;
    for jobs in SIZES {
        calls(&binary, jobs)?;
    }
    throughput(&binary, "get_server_logs", json!({"limit": 1}), "no API request")?;
    throughput(
        &binary,
        "get_training_job",
        json!({"name": "bert-00008"}),
        "on the sandbox",
    )?;
    Ok(())
}

/// A server on standard input and output.
struct Session {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Session {
    fn start(binary: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(binary)
            .args([
                "serve",
                "--no-banner",
                "--log-level",
                "error",
                "--clients",
                "trainer",
                "--persona",
                "platform-admin",
            ])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the server")?;
        let input = child.stdin.take().context("stdin")?;
        let output = BufReader::new(child.stdout.take().context("stdout")?);
        Ok(Self {
            child,
            input,
            output,
            next: 1,
        })
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<(Value, usize)> {
        let id = self.next;
        self.next += 1;
        writeln!(
            self.input,
            "{}",
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        )?;
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                bail!("the server ended");
            }
            let answer: Value = serde_json::from_str(&line)?;
            if answer["id"] == id {
                return Ok((answer, line.len()));
            }
        }
    }

    fn begin(&mut self) -> Result<()> {
        let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}});
        self.ask("initialize", params)?;
        writeln!(
            self.input,
            "{}",
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
        )?;
        Ok(())
    }

    /// Resident and anonymous memory, in MiB.
    fn memory(&self) -> Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_whitespace().nth(1))
                .and_then(|n| n.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        Ok((kib("VmRSS:") / 1024.0, kib("RssAnon:") / 1024.0))
    }

    fn end(mut self) -> Result<()> {
        drop(self.input);
        self.child.wait()?;
        Ok(())
    }
}

fn start_up(binary: &Path) -> Result<()> {
    let (mut initialize, mut listed, mut memory, mut size) = (Vec::new(), Vec::new(), (0.0, 0.0), 0);
    for round in 0..21 {
        let begun = Instant::now();
        let mut server = Session::start(binary, &["--kubeconfig", "/nonexistent/kubeconfig"])?;
        server.begin()?;
        let at_initialize = begun.elapsed();
        let (_, bytes) = server.ask("tools/list", json!({}))?;
        let at_list = begun.elapsed();
        memory = server.memory()?;
        size = bytes;
        server.end()?;
        // The first round warms the page cache.
        if round > 0 {
            initialize.push(at_initialize);
            listed.push(at_list);
        }
    }
    initialize.sort();
    listed.sort();
    let ms = |d: &[Duration]| d[d.len() / 2].as_secs_f64() * 1e3;
    say(&format!(
        "spawn to initialize: {:.1} ms, to tools/list: {:.1} ms (median of 20)",
        ms(&initialize),
        ms(&listed)
    ));
    say(&format!(
        "memory after tools/list: {:.1} MiB RSS, {:.1} MiB anonymous",
        memory.0, memory.1
    ));
    say(&format!("tools/list: {size} bytes"));
    Ok(())
}

/// What each call costs, in a cluster of so many jobs.
fn calls(binary: &Path, jobs: u32) -> Result<()> {
    let cluster = Cluster::start(binary, jobs)?;
    let kubeconfig = cluster.kubeconfig.display().to_string();
    let mut server = Session::start(binary, &["--kubeconfig", &kubeconfig])?;
    server.begin()?;
    for (tool, arguments) in [
        ("list_training_jobs", json!({"limit": 50})),
        ("list_training_jobs", json!({"limit": 500})),
        ("list_training_jobs", json!({"limit": 50, "status": "Suspended"})),
        ("get_training_job", json!({"name": "bert-00008"})),
        ("get_training_logs", json!({"name": "bert-00008"})),
        ("get_training_progress", json!({"name": "bert-00008"})),
        ("get_training_events", json!({"name": "bert-00008"})),
        ("list_runtimes", json!({})),
        ("get_cluster_resources", json!({})),
        ("pre_flight", json!({"gpu_per_node": 1})),
        ("diagnose_training_job", json!({"name": "bert-00008"})),
        ("clone_training_job", json!({"name": "bert-00008"})),
        (
            "run_container_training",
            json!({"name": "walk", "image": "example.com/train:1", "num_nodes": 2}),
        ),
        ("delete_training_job", json!({"name": "bert-00008"})),
    ] {
        let before = cluster.requests.load(Ordering::SeqCst);
        let begun = Instant::now();
        let (answer, bytes) = server.ask("tools/call", json!({"name": tool, "arguments": arguments}))?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        let requests = cluster.requests.load(Ordering::SeqCst) - before;
        let failed = if answer["result"]["isError"] == true {
            " (failed)"
        } else {
            ""
        };
        say(&format!(
            "{jobs} jobs, {tool} {arguments}: {requests} API requests, {took:.1} ms, {bytes} bytes{failed}"
        ));
    }
    server.end()
}

/// The sandbox as an API server of many jobs, behind a proxy that counts the requests that pass.
struct Cluster {
    child: Child,
    kubeconfig: PathBuf,
    requests: Arc<AtomicUsize>,
}

impl Cluster {
    fn start(binary: &Path, jobs: u32) -> Result<Self> {
        let kubeconfig = target().join("bench-kubeconfig.yaml");
        let mut child = Command::new(binary)
            .args([
                "sandbox",
                "--scenario",
                &format!("thousand?jobs={jobs}"),
                "--write-kubeconfig",
            ])
            .arg(&kubeconfig)
            .stdout(Stdio::piped())
            .spawn()
            .context("start the sandbox")?;
        let mut first = String::new();
        BufReader::new(child.stdout.take().context("stdout")?).read_line(&mut first)?;
        let port: u16 = first
            .trim()
            .rsplit(':')
            .next()
            .and_then(|port| port.parse().ok())
            .context("the sandbox's port")?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let counting = listener.local_addr()?.port();
        let text = std::fs::read_to_string(&kubeconfig)?;
        std::fs::write(
            &kubeconfig,
            text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{counting}")),
        )?;
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || pass(client, port, &counted));
            }
        });
        Ok(Self {
            child,
            kubeconfig,
            requests,
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Passes one connection on, counting the request lines in it.
fn pass(mut client: TcpStream, port: u16, counted: &AtomicUsize) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut back, mut to_client) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || std::io::copy(&mut back, &mut to_client));
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = client.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        counted.fetch_add(
            buffer[..n].windows(11).filter(|w| *w == b" HTTP/1.1\r\n").count(),
            Ordering::SeqCst,
        );
        server.write_all(&buffer[..n])?;
    }
}

/// Closed-loop load: each client sends its next call when the last is answered.
fn throughput(binary: &Path, tool: &str, arguments: Value, about: &str) -> Result<()> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut child = Command::new(binary)
        .args([
            "serve",
            "--transport",
            "http",
            "--port",
            &port.to_string(),
            "--sandbox=thousand",
            "--no-banner",
        ])
        .args([
            "--log-level",
            "error",
            "--clients",
            "trainer",
            "--persona",
            "platform-admin",
        ])
        .spawn()
        .context("start the server")?;
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if begun.elapsed() > Duration::from_secs(10) {
            bail!("the server does not listen");
        }
        std::thread::yield_now();
    }
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}}})
    .to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
         MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let end = Instant::now() + Duration::from_secs(SECONDS);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let request = request.clone();
            std::thread::spawn(move || client(port, request.as_bytes(), end))
        })
        .collect();
    let mut answered = 0;
    let mut failed = 0;
    for client in clients {
        match client.join() {
            Ok(Ok((good, bad))) => {
                answered += good;
                failed += bad;
            }
            _ => failed += 1,
        }
    }
    child.kill()?;
    child.wait()?;
    say(&format!(
        "{tool} over HTTP, {CLIENTS} clients, {about}: {} calls/s, {failed} failed",
        answered / SECONDS
    ));
    Ok(())
}

fn client(port: u16, request: &[u8], end: Instant) -> std::io::Result<(u64, u64)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let (mut good, mut bad) = (0, 0);
    let mut buffer = vec![0; 1 << 18];
    while Instant::now() < end {
        stream.write_all(request)?;
        let mut have = 0;
        loop {
            let n = stream.read(&mut buffer[have..])?;
            if n == 0 {
                return Ok((good, bad + 1));
            }
            have += n;
            if let Some(size) = whole(&buffer[..have])
                && have >= size
            {
                break;
            }
        }
        let answer = &buffer[..have];
        let fine = answer.starts_with(b"HTTP/1.1 200") && !contains(answer, b"\"isError\":true");
        if fine { good += 1 } else { bad += 1 }
    }
    Ok((good, bad))
}

/// The size of the whole answer, when its head is there.
fn whole(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?.to_ascii_lowercase();
    let length = text
        .split("content-length:")
        .nth(1)?
        .split("\r\n")
        .next()?
        .trim()
        .parse::<usize>()
        .ok()?;
    Some(head + length)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|w| w == part)
}
