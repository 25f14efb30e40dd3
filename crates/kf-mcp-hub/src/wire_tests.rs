//! The tools over real HTTP, against a registry of a few recorded answers: which requests they send, in which dialect.

use std::sync::{Arc, Mutex};

use kf_mcp_core::kube::{Cluster, ClusterOptions};
use kf_mcp_core::telemetry::ServerLog;
use kf_mcp_core::{Answer, CallMeta, Catalogue, Clock, Engine, EngineOptions, Selection};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const MODEL: &str = include_str!("../tests/fixtures/model_get.json");
const MODELS: &str = include_str!("../tests/fixtures/page_1.json");
const VERSIONS: &str = include_str!("../tests/fixtures/versions_of_model.json");
const UNKNOWN: &str = include_str!("../tests/fixtures/model_get_unknown.json");

/// A registry: status and body for the path below its base.
type Route = fn(&str) -> (u16, &'static str);

fn recorded(path: &str) -> (u16, &'static str) {
    match path.split('?').next().unwrap_or_default() {
        "/registered_models" => (200, MODELS),
        "/registered_models/2" => (200, MODEL),
        "/registered_model" if path.ends_with("name=beta") => (200, MODEL),
        path if path.ends_with("/versions") => (200, VERSIONS),
        _ => (404, UNKNOWN),
    }
}

fn without_database(path: &str) -> (u16, &'static str) {
    match path.starts_with("/registered_models?") {
        true => (
            500,
            r#"{"code": "Internal Server Error", "message": "dial tcp 10.0.0.1:3306: refused"}"#,
        ),
        false => (404, UNKNOWN),
    }
}

struct World {
    engine: Engine,
    seen: Arc<Mutex<Vec<String>>>,
}

impl World {
    async fn new(dialect: &'static str, route: Route, settings: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                let path = head
                    .split(' ')
                    .nth(1)
                    .unwrap()
                    .strip_prefix("/api/model_registry")
                    .unwrap();
                log.lock().unwrap().push(path.to_owned());
                let below = path.strip_prefix(dialect).filter(|rest| rest.starts_with('/'));
                let (status, body) = below.map_or((404, "404 page not found\n"), route);
                let answer = format!(
                    "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let mut hub = json!({"url": format!("http://127.0.0.1:{port}")});
        if let (Value::Object(hub), Value::Object(more)) = (&mut hub, settings) {
            hub.extend(more);
        }
        let selection = Selection {
            clients: vec!["hub".into()],
            ..Selection::default()
        };
        let engine = Engine::new(EngineOptions {
            catalogues: Catalogue::new(&[&crate::MODULE], &selection).unwrap().into(),
            cluster: Arc::new(Cluster::lazy(ClusterOptions::default())),
            clock: Clock::system(),
            settings: [("hub".to_owned(), hub)].into_iter().collect(),
            log: ServerLog::default(),
            audit: Default::default(),
        });
        Self { engine, seen }
    }

    async fn call(&self, tool: &str, arguments: Value) -> Answer {
        let arguments = arguments.as_object().unwrap().clone();
        self.engine
            .call(tool, arguments, CallMeta::local())
            .await
            .unwrap()
            .answer
    }

    /// The paths of the requests since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

#[tokio::test]
async fn the_dialect_is_found_once_and_remembered() {
    let world = World::new("/v1alpha3", recorded, json!({})).await;
    let first = world.call("list_models", json!({"query": "A"})).await;
    assert!(!first.is_error, "{}", first.text);
    let path = "/registered_models?pageSize=50&orderBy=ID&sortOrder=DESC\
                &filterQuery=state%20%3D%20%22LIVE%22%20AND%20name%20ILIKE%20%22%25A%25%22";
    assert_eq!(world.asked(), [format!("/v1{path}"), format!("/v1alpha3{path}")]);
    let cursor = first.structured["next_cursor"].as_str().unwrap();
    let second = world.call("list_models", json!({"query": "A", "cursor": cursor})).await;
    assert!(!second.is_error, "{}", second.text);
    assert_eq!(world.asked(), [format!("/v1alpha3{path}&nextPageToken=Mjoy")]);
    let foreign = world.call("list_models", json!({"cursor": cursor})).await;
    assert_eq!(foreign.structured["error"]["field"], "cursor");
    assert!(world.asked().is_empty());
}

#[tokio::test]
async fn a_model_is_two_requests_by_name_and_by_id() {
    let world = World::new("/v1", recorded, json!({})).await;
    let versions = "/v1/registered_models/2/versions?pageSize=5&orderBy=CREATE_TIME&sortOrder=DESC";
    let by_name = world.call("get_model", json!({"name": "beta"})).await;
    assert_eq!(world.asked(), ["/v1/registered_model?name=beta", versions]);
    let by_id = world.call("get_model", json!({"model_id": 2})).await;
    let mut asked = world.asked();
    asked.sort();
    assert_eq!(asked, ["/v1/registered_models/2", versions]);
    assert_eq!(by_name.structured, by_id.structured);
    assert_eq!(by_id.structured["versions"][0]["properties"], json!({"accuracy": 0.9}));
    let all = world
        .call("list_model_versions", json!({"name": "beta", "state": "ANY"}))
        .await;
    assert_eq!(all.structured["versions"].as_array().unwrap().len(), 2);
    assert_eq!(world.asked().len(), 2);
}

#[tokio::test]
async fn a_wrong_name_is_not_found_and_the_nearest_is_named() {
    let world = World::new("/v1", recorded, json!({})).await;
    let error = world.call("get_model", json!({"name": "be_a"})).await;
    assert_eq!(world.asked()[0], "/v1/registered_model?name=be%5C_a");
    assert_eq!(error.structured["error"]["code"], "not_found");
    assert_eq!(error.structured["error"]["fix"], "did you mean `beta` (model_id 2)?");
    for arguments in [json!({}), json!({"name": "a", "model_id": "1"})] {
        let error = world.call("get_model", arguments).await;
        assert_eq!(error.structured["error"]["code"], "invalid_argument");
    }
}

#[tokio::test]
async fn a_model_is_not_absent_only_because_the_database_is() {
    let world = World::new("/v1", without_database, json!({})).await;
    let error = world.call("get_model", json!({"model_id": "2"})).await;
    assert_eq!(error.structured["error"]["code"], "unreachable");
    assert!(error.text.contains("dial tcp … refused"), "{}", error.text);
}

#[tokio::test]
async fn a_server_without_the_dialect_is_unsupported() {
    let world = World::new("/v2", recorded, json!({})).await;
    let error = world.call("list_models", json!({})).await;
    assert_eq!(error.structured["error"]["code"], "unsupported");
    assert_eq!(world.asked().len(), 2);
    let world = World::new("/v1", recorded, json!({"api_version": "v1alpha3"})).await;
    let error = world.call("list_models", json!({})).await;
    assert_eq!(error.structured["error"]["fix"], "set hub.api_version to auto");
    assert_eq!(world.asked().len(), 1);
}
