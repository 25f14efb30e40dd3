//! Logs over real TLS, with pods from memory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use http::StatusCode;
use http_body_util::{BodyExt, Empty};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::Pod;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::pods::Pods;
use super::{Tls, server};
use crate::pki::{Authority, MASTERS, Pair};

/// The longest a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// One pod `team-a/p`, or none.
struct One(watch::Sender<Option<Pod>>);

impl Pods for One {
    fn get<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, kube::Result<Option<Pod>>> {
        let found = self.0.borrow().clone().filter(|_| namespace == "team-a" && name == "p");
        Box::pin(async move { Ok(found) })
    }

    fn changes(&self, _: &Pod) -> BoxStream<'static, Pod> {
        let mut pods = self.0.subscribe();
        pods.mark_changed();
        Box::pin(stream::unfold(pods, async |mut pods| {
            pods.changed().await.ok()?;
            let pod = pods.borrow_and_update().clone()?;
            Some((pod, pods))
        }))
    }
}

struct World {
    authority: Authority,
    pods: Arc<One>,
    dir: TempDir,
    addr: SocketAddr,
    served: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
    _stop: DropGuard,
}

type Https = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

impl World {
    async fn new(pod: Value) -> Self {
        let authority = Authority::new().unwrap().0;
        let serving = authority.serving().unwrap();
        let tls = Tls {
            certificates: serving.certificate.into_bytes(),
            key: serving.key.into_bytes(),
            client_ca: authority.certificate.clone().into_bytes(),
        };
        let pods = Arc::new(One(watch::Sender::new(Some(serde_json::from_value(pod).unwrap()))));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (dir, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        let (shared, logs, token) = (Arc::clone(&pods), dir.path().to_owned(), stop.clone());
        let served = tokio::spawn(async move { server::serve(shared, logs, listener, &tls, token).await });
        Self {
            authority,
            pods,
            dir,
            addr,
            served,
            _stop: stop.clone().drop_guard(),
            stop,
        }
    }

    fn apiserver(&self) -> Pair {
        self.authority
            .client("kube-apiserver-kubelet-client", &[MASTERS])
            .unwrap()
    }

    fn client(&self, shown: Option<&Pair>, h2: bool) -> Https {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(self.authority.certificate.as_bytes()).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            None => config.with_no_client_auth(),
            Some(pair) => {
                let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_only();
        let connector = if h2 {
            builder.enable_http2().build()
        } else {
            builder.enable_http1().build()
        };
        Client::builder(TokioExecutor::new()).http2_only(h2).build(connector)
    }

    fn open(&self, path: &str) -> ResponseFuture {
        let uri = format!("https://{}{path}", self.addr).parse().unwrap();
        self.client(Some(&self.apiserver()), false).get(uri)
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.open(path).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn log(&self, query: &str) -> String {
        let (status, text) = self.get(&format!("/containerLogs/team-a/p/node?{query}")).await;
        assert_eq!(status, 200, "{text}");
        text
    }

    async fn follow(&self, query: &str) -> Followed {
        let path = format!("/containerLogs/team-a/p/node?follow=true&{query}");
        // the answer begins before there is a line
        let answer = tokio::time::timeout(PATIENCE, self.open(&path)).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        Followed {
            body: Body::new(answer.into_body()),
            seen: String::new(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Pod)) {
        self.pods.0.send_modify(|pod| change(pod.as_mut().unwrap()));
    }

    fn annotate(&self, name: &str, text: &str) {
        self.change(|pod| {
            let annotations = pod.metadata.annotations.get_or_insert_default();
            annotations.insert(name.to_owned(), text.to_owned());
        });
    }

    fn state(&self, state: Value) {
        let state = serde_json::from_value(state).unwrap();
        self.change(|pod| pod.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0].state = Some(state));
    }

    fn file(&self, name: &str) -> PathBuf {
        let dir = self.dir.path().join("team-a_p/node");
        std::fs::create_dir_all(&dir).unwrap();
        dir.join(name)
    }
}

struct Followed {
    body: Body,
    seen: String,
}

impl Followed {
    /// Waits until exactly this was told.
    async fn tells(&mut self, text: &str) {
        while self.seen != text {
            assert!(
                text.starts_with(&self.seen),
                "{:?} is not the beginning of {text:?}",
                self.seen
            );
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let frame = frame.unwrap_or_else(|_| panic!("only {:?} of {text:?}", self.seen));
            let data = frame.expect("the log goes on").unwrap().into_data().unwrap();
            self.seen.push_str(str::from_utf8(&data).unwrap());
        }
    }

    /// Waits for the end, with these last words.
    async fn ends(self, text: &str) {
        let rest = tokio::time::timeout(PATIENCE, self.body.collect())
            .await
            .unwrap()
            .unwrap();
        let rest = String::from_utf8(rest.to_bytes().to_vec()).unwrap();
        assert_eq!(self.seen + &rest, text);
    }
}

fn running() -> Value {
    json!({
        "metadata": {"name": "p", "namespace": "team-a", "uid": "u"},
        "spec": {"containers": [{"name": "node"}, {"name": "late"}], "initContainers": [{"name": "init"}]},
        "status": {"containerStatuses": [
            {"name": "node", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
             "state": {"running": {"startedAt": "2026-11-21T02:00:00Z"}}},
            {"name": "late", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
             "state": {"waiting": {"reason": "ContainerCreating"}}},
        ]},
    })
}

fn ended() -> Value {
    json!({"terminated": {
        "exitCode": 0, "startedAt": "2026-11-21T02:00:00Z", "finishedAt": "2026-11-21T02:00:01Z",
    }})
}

fn append(path: &PathBuf, text: &str) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_authority_are_heard() {
    let world = World::new(running()).await;
    let uri = format!("https://{}/healthz", world.addr);
    let ask = async |shown: Option<&Pair>, h2| {
        let answer = world.client(shown, h2).get(uri.parse().unwrap()).await.ok()?;
        Some((
            answer.status().as_u16(),
            answer.into_body().collect().await.ok()?.to_bytes(),
        ))
    };
    assert_eq!(
        ask(Some(&world.apiserver()), false).await.unwrap(),
        (200, Bytes::from("ok"))
    );
    assert_eq!(
        ask(Some(&world.apiserver()), true).await.unwrap(),
        (200, Bytes::from("ok"))
    );
    assert_eq!(ask(None, false).await, None);
    let stranger = Authority::new()
        .unwrap()
        .0
        .client("kube-apiserver-kubelet-client", &[MASTERS]);
    assert_eq!(ask(Some(&stranger.unwrap()), false).await, None);
    // those who say nothing hold nobody up
    let silent = tokio::net::TcpStream::connect(world.addr).await.unwrap();
    assert!(ask(Some(&world.apiserver()), false).await.is_some());
    drop(silent);
}

#[tokio::test]
async fn refusals_are_the_kubelets() {
    let world = World::new(running()).await;
    for (path, code, words) in [
        ("/containerLogs/team-a/q/node", 404, "pod \"q\" does not exist"),
        ("/containerLogs/team-b/p/node", 404, "pod \"p\" does not exist"),
        ("/containerLogs/team-a/%2e%2e/node", 404, "pod \"..\" does not exist"),
        (
            "/containerLogs/team-a/p/nope",
            404,
            "container \"nope\" not found in pod \"p\"",
        ),
        (
            "/containerLogs/team-a/p/init",
            400,
            "container \"init\" in pod \"p\" is not available",
        ),
        (
            "/containerLogs/team-a/p/late",
            400,
            "container \"late\" in pod \"p\" is waiting to start: ContainerCreating",
        ),
        (
            "/containerLogs/team-a/p/node?previous=true",
            400,
            "previous terminated container \"node\" in pod \"p\" not found",
        ),
        // before anything is looked up
        (
            "/containerLogs/team-a/q/node?tailLines=x",
            400,
            r#"{"message": "Unable to decode query."}"#,
        ),
        (
            "/containerLogs/team-a/q/node?tailLines=-1",
            422,
            r#"{"message": "Invalid request."}"#,
        ),
        ("/pods", 404, "404 page not found\n"),
    ] {
        let (status, text) = world.get(path).await;
        assert_eq!((status.as_u16(), text.as_str()), (code, words), "{path}");
    }
}

#[tokio::test]
async fn the_first_source_that_is_there_is_told() {
    let mut pod = running();
    assert_eq!(World::new(pod.clone()).await.log("").await, "");
    pod["spec"]["containers"][0]["env"] = json!([{"name": "SIM_LOG", "value": "from env\n{time}"}]);
    let world = World::new(pod).await;
    assert_eq!(world.log("").await, "from env\n2026-11-21T02:00:01Z\n");
    world.annotate("sim/log", "from an annotation");
    assert_eq!(
        world.log("timestamps=true").await,
        "2026-11-21T02:00:00.000000000Z from an annotation\n"
    );
    std::fs::write(world.file("log"), "2026-11-21T05:00:00Z stdout F from a file\n").unwrap();
    assert_eq!(
        world.log("timestamps=true").await,
        "2026-11-21T05:00:00.000000000Z from a file\n"
    );

    // the run before has words of its own, and only the variable speaks for both
    world.change(|pod| {
        let status = &mut pod.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0];
        status.restart_count = 1;
        status.last_state = serde_json::from_value(ended()).unwrap();
    });
    assert_eq!(world.log("previous=true").await, "from env\n2026-11-21T02:00:01Z\n");
    world.annotate("sim/previous-log", "before");
    assert_eq!(world.log("previous=true").await, "before\n");
    assert_eq!(world.log("").await, "from a file\n");
    world.state(json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    assert_eq!(world.log("").await, "before\n");
    std::fs::write(world.file("previous"), "before, in a file\n").unwrap();
    assert_eq!(world.log("previous=true").await, "before, in a file\n");
    assert_eq!(world.log("follow=true").await, "before, in a file\n");
}

#[tokio::test]
async fn a_large_file_is_told_whole_or_in_part() {
    let world = World::new(running()).await;
    let lines: Vec<String> = (0..20_000)
        .map(|i| format!("line {i} {}\n", "x".repeat(i % 90)))
        .collect();
    let cri: Vec<String> = lines
        .iter()
        .map(|line| format!("2026-11-21T05:00:00.5Z stdout F {line}"))
        .collect();
    for text in [lines.concat(), cri.concat()] {
        std::fs::write(world.file("log"), text).unwrap();
        assert!(world.log("").await == lines.concat());
        assert_eq!(world.log("tailLines=2").await, lines[19_998..].concat());
        assert_eq!(world.log("tailLines=0").await, "");
        assert!(world.log("tailLines=30000").await == lines.concat());
        assert_eq!(world.log("tailLines=2&limitBytes=9").await, lines[19_998][..9]);
        assert!(world.log("limitBytes=200001").await == lines.concat()[..200_001]);
    }
    assert_eq!(world.log("sinceTime=2026-11-21T05:00:01Z").await, "");
    assert_eq!(
        world.log("tailLines=3&sinceTime=2026-11-21T05:00:00Z").await,
        lines[19_997..].concat()
    );
}

#[tokio::test]
async fn followers_see_a_file_grow_until_the_container_ends() {
    let world = World::new(running()).await;
    let log = world.file("log");
    let mut early = world.follow("").await;
    std::fs::write(
        &log,
        "2026-11-21T05:00:00Z stdout F one\n2026-11-21T05:00:01Z stdout F t",
    )
    .unwrap();
    early.tells("one\n").await;
    let mut late = world.follow("tailLines=0").await;
    let limited = world.follow("limitBytes=6").await;
    append(&log, "wo\n2026-11-21T05:00:02Z stdout P th");
    early.tells("one\ntwo\n").await;
    late.tells("two\n").await;
    limited.ends("one\ntw").await;
    append(&log, "r\n2026-11-21T05:00:02Z stdout F ee\n");
    world.state(ended());
    early.ends("one\ntwo\nthree\n").await;
    late.ends("two\nthree\n").await;
    assert_eq!(world.log("follow=true&tailLines=1").await, "ee\n");
}

#[tokio::test]
async fn followers_see_an_annotation_grow_until_the_pod_is_gone() {
    let world = World::new(running()).await;
    let mut followed = world.follow("").await;
    world.annotate("sim/log", "one");
    followed.tells("one\n").await;
    world.annotate("sim/log", "one\ntwo\nthree\n");
    followed.tells("one\ntwo\nthree\n").await;
    world.pods.0.send_replace(None);
    followed.ends("one\ntwo\nthree\n").await;
}

#[tokio::test]
async fn a_restart_ends_a_follower() {
    let world = World::new(running()).await;
    world.annotate("sim/log", "one");
    let mut followed = world.follow("").await;
    followed.tells("one\n").await;
    world.change(|pod| pod.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0].restart_count = 1);
    followed.ends("one\n").await;
}

#[tokio::test]
async fn nobody_is_watched_for_a_client_that_went_away() {
    let world = World::new(running()).await;
    let followed = world.follow("").await;
    assert_eq!(world.pods.0.receiver_count(), 1);
    drop(followed);
    tokio::time::timeout(PATIENCE, world.pods.0.closed()).await.unwrap();
}

#[tokio::test]
async fn shutting_down_ends_followers_and_then_the_server() {
    let world = World::new(running()).await;
    world.annotate("sim/log", "one");
    let mut followed = world.follow("").await;
    followed.tells("one\n").await;
    world.stop.cancel();
    followed.ends("one\n").await;
    tokio::time::timeout(PATIENCE, world.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
