//! Starting the binary and talking to it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rmcp::ClientHandler;
use rmcp::model::ProtocolVersion;
use rmcp::service::{ClientLifecycleMode, Peer, RoleClient, RunningService, serve_client_with_lifecycle};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde_json::{Value, json};

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_kubeflow-mcp");

/// The binary in an empty home, without the environment's own configuration.
pub(crate) fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .args(arguments)
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    let home = tempfile::tempdir().unwrap();
    let Output { status, stdout, stderr } = command(home.path(), arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// A client that says hello in one of the protocol's two generations.
pub(crate) fn modes() -> [(&'static str, ClientLifecycleMode); 2] {
    [
        ("legacy", ClientLifecycleMode::Initialize),
        (
            "modern",
            ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        ),
    ]
}

/// A client of `serve` over standard input and output.
pub(crate) async fn stdio_client(
    home: &Path,
    arguments: &[&str],
    mode: ClientLifecycleMode,
) -> RunningService<RoleClient, ()> {
    stdio_client_as((), home, arguments, mode).await
}

/// The same, with what the client does when the server asks or tells it something.
pub(crate) async fn stdio_client_as<H: ClientHandler>(
    handler: H,
    home: &Path,
    arguments: &[&str],
    mode: ClientLifecycleMode,
) -> RunningService<RoleClient, H> {
    let mut command = tokio::process::Command::new(BINARY);
    command
        .args(["serve", "--no-banner"])
        .args(arguments)
        .current_dir(home)
        .env_clear()
        .env("HOME", home);
    let transport = TokioChildProcess::new(command).unwrap();
    serve_client_with_lifecycle(handler, transport, mode).await.unwrap()
}

/// A client of a server on a port of this machine, with its token if it has one.
pub(crate) async fn http_client_as<H: ClientHandler>(
    handler: H,
    port: u16,
    token: Option<&str>,
    mode: ClientLifecycleMode,
) -> RunningService<RoleClient, H> {
    // The client's TLS wants a provider, although it speaks to loopback without TLS.
    rustls::crypto::ring::default_provider().install_default().ok();
    let mut config = StreamableHttpClientTransportConfig::with_uri(format!("http://127.0.0.1:{port}/mcp"));
    if let Some(token) = token {
        config = config.auth_header(token);
    }
    let transport = StreamableHttpClientTransport::from_config(config);
    serve_client_with_lifecycle(handler, transport, mode).await.unwrap()
}

/// Calls a tool: whether it failed, the structured answer and the text.
pub(crate) async fn call(peer: &Peer<RoleClient>, tool: &'static str, arguments: Value) -> (bool, Value, String) {
    let params = rmcp::model::CallToolRequestParams::new(tool)
        .with_arguments(arguments.as_object().cloned().unwrap_or_default());
    let answer = peer.call_tool(params).await.unwrap();
    let text = answer
        .content
        .iter()
        .filter_map(|c| c.as_text())
        .map(|t| t.text.clone())
        .collect();
    (
        answer.is_error == Some(true),
        answer.structured_content.unwrap_or_else(|| json!({})),
        text,
    )
}

/// A cluster in a process of its own, ended when it is dropped.
pub(crate) struct Cluster {
    child: Child,
    /// The folder with its `kubeconfig`.
    pub(crate) home: tempfile::TempDir,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let arguments = [
            "sandbox",
            "--scenario",
            "healthy-empty",
            "--write-kubeconfig",
            "kubeconfig",
        ];
        let mut child = command(home.path(), &arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // its first line says that it listens
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(home.path().join("kubeconfig").exists(), "{line}");
        Self { child, home }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
