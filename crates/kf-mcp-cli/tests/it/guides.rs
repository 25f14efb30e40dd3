//! Guides as resources, and instructions, over both transports and in both generations of the protocol.

use rmcp::ServiceError;
use rmcp::model::{ErrorCode, ReadResourceRequestParams, ResourceContents};
use rmcp::service::{ClientLifecycleMode, RoleClient, RunningService, serve_client_with_lifecycle};
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::{Value, json};

use crate::http::Served;
use crate::process::{modes, run, stdio_client};
use crate::stdio::talk;

type Client = RunningService<RoleClient, ()>;

const WORKFLOW: &str = "kubeflow://trainer/guides/workflow";

async fn http_client(served: &Served, mode: ClientLifecycleMode) -> Client {
    // The client's TLS wants a provider, although it speaks to loopback without TLS.
    rustls::crypto::ring::default_provider().install_default().ok();
    let transport = StreamableHttpClientTransport::from_uri(format!("http://127.0.0.1:{}/mcp", served.port));
    serve_client_with_lifecycle((), transport, mode).await.unwrap()
}

/// What every client can do with the guides.
#[allow(clippy::panic, reason = "a test that cannot go on says so by ending")]
async fn use_guides(name: &str, client: &Client) {
    let declared = client.peer_info().unwrap().capabilities.resources.clone();
    let declared = declared.unwrap_or_else(|| panic!("{name}: resources are not declared"));
    // Nothing about them changes while the server runs.
    assert!(
        declared.subscribe.is_none() && declared.list_changed.is_none(),
        "{name}"
    );
    let listed = client.list_all_resources().await.unwrap();
    assert_eq!(listed.len(), 5, "{name}");
    assert!(client.list_all_resource_templates().await.unwrap().is_empty(), "{name}");
    for resource in &listed {
        assert_eq!(resource.mime_type.as_deref(), Some("text/markdown"), "{name}");
        assert!(resource.title.is_some() && resource.description.is_some(), "{name}");
        let read = client
            .read_resource(ReadResourceRequestParams::new(&resource.uri))
            .await
            .unwrap();
        let [
            ResourceContents::TextResourceContents {
                uri, mime_type, text, ..
            },
        ] = &read.contents[..]
        else {
            panic!("{name}: {} is not one text", resource.uri);
        };
        assert_eq!((uri, mime_type), (&resource.uri, &resource.mime_type), "{name}");
        assert!(text.starts_with("# "), "{name}: {text}");
        assert_eq!(resource.size, Some(text.len() as u64), "{name}");
    }
    for uri in ["kubeflow://trainer/guides/workflows", "file:///etc/passwd", ""] {
        let error = client
            .read_resource(ReadResourceRequestParams::new(uri))
            .await
            .unwrap_err();
        let ServiceError::McpError(error) = error else {
            panic!("{name}: {error}");
        };
        let code = match name {
            "modern" => ErrorCode::INVALID_PARAMS,
            _ => ErrorCode::RESOURCE_NOT_FOUND,
        };
        assert_eq!(error.code, code, "{name}: {uri}");
        assert!(error.message.contains(WORKFLOW), "{name}: {}", error.message);
        let near = error.message.split_once("did you mean ").map(|(_, near)| near);
        let meant = uri.ends_with("workflows").then(|| format!("{WORKFLOW}?"));
        assert_eq!(near, meant.as_deref(), "{name}: {}", error.message);
        let data = error.data.unwrap();
        assert_eq!(
            (&data["uri"], data["resources"].as_array().unwrap().len()),
            (&json!(uri), 5)
        );
    }
}

#[tokio::test]
async fn clients_of_stdio_list_and_read_the_guides() {
    for (name, mode) in modes() {
        let home = tempfile::tempdir().unwrap();
        let client = stdio_client(home.path(), &["--sandbox"], mode).await;
        use_guides(name, &client).await;
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn clients_of_http_list_and_read_the_guides() {
    for stateless in [&[][..], &["--stateless"]] {
        let served = Served::start(&[&["--sandbox"][..], stateless].concat());
        for (name, mode) in modes() {
            let client = http_client(&served, mode).await;
            use_guides(name, &client).await;
            client.cancel().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_server_without_guides_declares_no_resources() {
    for (name, mode) in modes() {
        let home = tempfile::tempdir().unwrap();
        let client = stdio_client(home.path(), &["--sandbox", "--clients", "hub"], mode).await;
        assert!(client.peer_info().unwrap().capabilities.resources.is_none(), "{name}");
        let error = client.list_resources(None).await.unwrap_err();
        assert!(
            matches!(&error, ServiceError::McpError(error) if error.code == ErrorCode::METHOD_NOT_FOUND),
            "{name}: {error}"
        );
        client.cancel().await.unwrap();
    }
}

/// Clients of 2026-07-28 must be told how long an answer is fresh, and for whom.
#[test]
fn guides_may_be_kept_by_anybody() {
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                      "io.modelcontextprotocol/clientCapabilities": {}});
    let ask = |id: u32, method: &str, mut params: Value| {
        params["_meta"] = meta.clone();
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    };
    let (answers, _) = talk(
        &[],
        &[
            ask(1, "resources/list", json!({})),
            ask(2, "resources/read", json!({"uri": WORKFLOW})),
            ask(3, "resources/templates/list", json!({})),
        ],
    );
    assert_eq!(answers.len(), 3);
    for answer in answers {
        let result = &answer["result"];
        assert_eq!(
            (&result["ttlMs"], &result["cacheScope"], &result["resultType"]),
            (&json!(300_000), &json!("public"), &json!("complete")),
            "{answer}"
        );
    }
}

async fn instructions(arguments: &[&str]) -> String {
    let [_, (_, mode)] = modes();
    let home = tempfile::tempdir().unwrap();
    let client = stdio_client(home.path(), &[&["--sandbox"], arguments].concat(), mode).await;
    let text = client.peer_info().unwrap().instructions.clone().unwrap();
    client.cancel().await.unwrap();
    text
}

#[tokio::test]
async fn the_operator_chooses_how_much_agents_are_told() {
    let usual = instructions(&[]).await;
    assert_eq!(usual, instructions(&["--instructions", "compact"]).await);
    let full = instructions(&["--instructions", "full"]).await;
    let minimal = instructions(&["--instructions", "minimal"]).await;
    assert!(minimal.len() * 2 < usual.len() && usual.len() * 3 < full.len() * 2);
    // The Python server's name of the flag.
    assert_eq!(full, instructions(&["--instruction-tier", "full"]).await);
    // A readonly server tells of nothing that it would refuse.
    assert!(!usual.contains("fine_tune"), "{usual}");
    assert!(instructions(&["--persona", "ml-engineer"]).await.contains("fine_tune"));
}

#[tokio::test]
async fn the_length_is_also_a_key_of_the_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "instructions: minimal\n").unwrap();
    let config = file.path().to_str().unwrap();
    let by_file = instructions(&["--config", config]).await;
    assert_eq!(by_file, instructions(&["--instructions", "minimal"]).await);
    let (code, _, told) = run(&["serve", "--instructions", "mini", "--sandbox"]);
    assert_eq!(code, 2);
    assert!(told.contains("unknown instructions `mini`"), "{told}");
}
