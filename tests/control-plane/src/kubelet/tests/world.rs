//! A kubelet over real TLS, with one pod from memory, and clients of it.

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

use crate::kubelet::pods::Pods;
use crate::kubelet::{Tls, server};
use crate::pki::{Authority, MASTERS, Pair};

/// The longest a test waits for something that must happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// One pod `team-a/p`, or none.
pub(super) struct One(pub(super) watch::Sender<Option<Pod>>);

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

pub(super) struct World {
    pub(super) authority: Authority,
    pub(super) pods: Arc<One>,
    dir: TempDir,
    pub(super) addr: SocketAddr,
    pub(super) served: JoinHandle<anyhow::Result<()>>,
    pub(super) stop: CancellationToken,
    _stop: DropGuard,
}

type Https = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

impl World {
    pub(super) async fn new(pod: Value) -> Self {
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

    pub(super) fn apiserver(&self) -> Pair {
        self.authority
            .client("kube-apiserver-kubelet-client", &[MASTERS])
            .unwrap()
    }

    pub(super) fn client(&self, shown: Option<&Pair>, h2: bool) -> Https {
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

    pub(super) async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.open(path).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    pub(super) async fn log(&self, query: &str) -> String {
        let (status, text) = self.get(&format!("/containerLogs/team-a/p/node?{query}")).await;
        assert_eq!(status, 200, "{text}");
        text
    }

    pub(super) async fn follow(&self, query: &str) -> Followed {
        let path = format!("/containerLogs/team-a/p/node?follow=true&{query}");
        // the answer begins before there is a line
        let answer = tokio::time::timeout(PATIENCE, self.open(&path)).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        Followed {
            body: Body::new(answer.into_body()),
            seen: String::new(),
        }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Pod)) {
        self.pods.0.send_modify(|pod| change(pod.as_mut().unwrap()));
    }

    pub(super) fn annotate(&self, name: &str, text: &str) {
        self.change(|pod| {
            let annotations = pod.metadata.annotations.get_or_insert_default();
            annotations.insert(name.to_owned(), text.to_owned());
        });
    }

    pub(super) fn state(&self, state: Value) {
        let state = serde_json::from_value(state).unwrap();
        self.change(|pod| pod.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0].state = Some(state));
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        let dir = self.dir.path().join("team-a_p/node");
        std::fs::create_dir_all(&dir).unwrap();
        dir.join(name)
    }
}

pub(super) struct Followed {
    body: Body,
    seen: String,
}

impl Followed {
    /// Waits until exactly this was told.
    pub(super) async fn tells(&mut self, text: &str) {
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
    pub(super) async fn ends(self, text: &str) {
        let rest = tokio::time::timeout(PATIENCE, self.body.collect())
            .await
            .unwrap()
            .unwrap();
        let rest = String::from_utf8(rest.to_bytes().to_vec()).unwrap();
        assert_eq!(self.seen + &rest, text);
    }
}

pub(super) fn running() -> Value {
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

pub(super) fn ended() -> Value {
    json!({"terminated": {
        "exitCode": 0, "startedAt": "2026-11-21T02:00:00Z", "finishedAt": "2026-11-21T02:00:01Z",
    }})
}

pub(super) fn append(path: &PathBuf, text: &str) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
