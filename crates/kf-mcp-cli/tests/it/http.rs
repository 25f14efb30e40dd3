//! `serve` over HTTP: both generations, health, and what is refused.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use rmcp::service::serve_client_with_lifecycle;
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::json;

use crate::process::{call, command, modes};

/// A server on a free port, ended when it is dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) port: u16,
    _home: tempfile::TempDir,
}

impl Served {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = command(
            home.path(),
            &["serve", "--transport", "http", "--port", "0", "--log-format", "json"],
        )
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let port = crate::wire::port(child.stderr.take().unwrap());
        Self {
            child,
            port,
            _home: home,
        }
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells the process to end, as a supervisor does; its exit code.
    pub(crate) fn end(&mut self) -> Option<i32> {
        let told = std::process::Command::new("kill").arg(self.id().to_string()).status();
        assert!(told.unwrap().success());
        self.child.wait().unwrap().code()
    }

    /// One raw request; status code and body.
    fn raw(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream
            .write_all(request.replace("PORT", &self.port.to_string()).as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let code = answer.split_whitespace().nth(1).unwrap().parse().unwrap();
        (code, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[tokio::test]
async fn both_generations_list_and_call() {
    // The client's TLS wants a provider, although it speaks to loopback without TLS.
    rustls::crypto::ring::default_provider().install_default().ok();
    for stateless in [&[][..], &["--stateless"]] {
        let served = Served::start(&[&["--sandbox", "--persona", "platform-admin"][..], stateless].concat());
        for (name, mode) in modes() {
            let transport = StreamableHttpClientTransport::from_uri(format!("http://127.0.0.1:{}/mcp", served.port));
            let client = serve_client_with_lifecycle((), transport, mode).await.unwrap();
            assert!(client.list_all_tools().await.unwrap().len() >= 13, "{name}");
            let (failed, answer, text) = call(client.peer(), "list_training_jobs", json!({"namespace": "*"})).await;
            assert!(
                !failed && answer["jobs"].as_array().unwrap().len() >= 6,
                "{name}: {text}"
            );
            client.cancel().await.unwrap();
        }
    }
}

#[test]
fn health_is_this_process_and_ready_is_the_cluster() {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n");
    let served = Served::start(&["--sandbox"]);
    assert_eq!(served.raw(&get("/health")).0, 200);
    assert_eq!(served.raw(&get("/ready")).0, 200);
    let served = Served::start(&["--kubeconfig", "/nowhere/config"]);
    assert_eq!(served.raw(&get("/health")).0, 200);
    let (code, body) = served.raw(&get("/ready"));
    assert_eq!(code, 503);
    assert!(body.contains("/nowhere/config"), "{body}");
}

#[test]
fn foreign_hosts_and_origins_are_refused() {
    let served = Served::start(&["--sandbox"]);
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#;
    let post = |host: &str, origin: &str| {
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    assert_eq!(served.raw(&post("127.0.0.1:PORT", "http://localhost:3000")).0, 200);
    assert_eq!(served.raw(&post("evil.example", "http://localhost:3000")).0, 403);
    assert_eq!(served.raw(&post("127.0.0.1:PORT", "http://evil.example")).0, 403);
}

#[cfg(unix)]
#[test]
fn the_server_ends_although_a_client_never_finishes_its_request() {
    let mut served = Served::start(&["--sandbox"]);
    let mut half = TcpStream::connect(("127.0.0.1", served.port)).unwrap();
    half.write_all(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-")
        .unwrap();
    let (code, _) = served.raw("GET /health HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n");
    assert_eq!(code, 200);
    // The shell's own `kill`: the program is not everywhere.
    let kill = format!("kill -TERM {}", served.child.id());
    assert!(
        std::process::Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
    assert!(served.child.wait().unwrap().success());
}
