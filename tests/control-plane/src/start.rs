//! The order in which a control plane comes up, and the flags of its programs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use http_body_util::Empty;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::{Api, collection, name};
use crate::kubelet::{Kubelet, Tls};
use crate::manifests;
use crate::pki::{Authority, MASTERS, Pair, token_keys, write_secret};
use crate::ports::Ports;
use crate::supervisor::Plane;

const AUDIT_POLICY: &str = include_str!("../config/audit-policy.yaml");
const CLUSTER: &str = include_str!("../config/cluster.yaml");
const METRICS: &str = include_str!("../config/metrics.yaml");
const NODES: &str = include_str!("../config/nodes.yaml");
const STAGES: &str = include_str!("../config/stages.yaml");

/// Requests a second that a controller may send: far more than the default of 20, since tests do not wait for nothing.
const RATE: &str = "500";

/// What several steps need.
struct Setup {
    authority: Authority,
    serving: Pair,
    port: u16,
    etcd: u16,
    jobset: Manager,
    trainer: Manager,
}

/// The ports of a controller that has webhooks.
struct Manager {
    webhook: u16,
    health: u16,
}

/// Brings everything up and waits until it answers.
pub(crate) async fn start(plane: &mut Plane, stop: &CancellationToken) -> Result<()> {
    let mut ports = Ports::new();
    let setup = identities(plane, &mut ports)?;
    etcd(plane, &setup, &mut ports).await?;
    let api = api_server(plane, &setup).await?;
    controllers(plane, &mut ports)?;
    definitions(plane, &api).await?;
    let kwok = kubelet_and_nodes(plane, &setup, &api, &mut ports, stop).await?;
    managers(plane, &setup)?;
    cluster(plane, &api).await?;
    webhooks(plane, &setup, &api, kwok).await?;
    usable(plane, &api).await
}

/// Certificates, keys and kubeconfigs.
fn identities(plane: &mut Plane, ports: &mut Ports) -> Result<Setup> {
    let (authority, ca) = Authority::new()?;
    let serving = authority.serving()?;
    let layout = plane.layout.clone();
    let pki = layout.pki();
    for dir in [
        layout.log("x").parent().map(PathBuf::from).unwrap_or_default(),
        layout.pod_logs(),
        layout.dir().join("users"),
    ] {
        std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    }
    let kubelet_client = authority.client("kube-apiserver-kubelet-client", &[MASTERS])?;
    let tokens = token_keys()?;
    for (name, text) in [
        ("ca.crt", &ca.certificate),
        ("ca.key", &ca.key),
        ("serving.crt", &serving.certificate),
        ("serving.key", &serving.key),
        ("kubelet-client.crt", &kubelet_client.certificate),
        ("kubelet-client.key", &kubelet_client.key),
        ("tokens.key", &tokens.0),
        ("tokens.pub", &tokens.1),
    ] {
        write_secret(&pki.join(name), text)?;
    }
    let port = ports.free()?;
    for (file, user) in [
        (layout.kubeconfig(), "admin"),
        (layout.harness(), "control-plane:harness"),
        (
            pki.join("kube-controller-manager.kubeconfig"),
            "system:kube-controller-manager",
        ),
        (pki.join("kube-scheduler.kubeconfig"), "system:kube-scheduler"),
        (pki.join("jobset.kubeconfig"), "control-plane:jobset"),
        (pki.join("trainer.kubeconfig"), "control-plane:trainer"),
        (pki.join("kwok.kubeconfig"), "control-plane:kwok"),
    ] {
        let pair = authority.client(user, &[MASTERS])?;
        write_secret(&file, &authority.kubeconfig(port, &pair, "default"))?;
    }
    // where the two managers look for their certificates; Trainer's place cannot be set but through TMPDIR
    for dir in [
        layout.dir().join("jobset"),
        layout.dir().join("trainer/k8s-webhook-server/serving-certs"),
    ] {
        write_secret(&dir.join("tls.crt"), &serving.certificate)?;
        write_secret(&dir.join("tls.key"), &serving.key)?;
    }
    write_secret(&layout.dir().join("audit-policy.yaml"), AUDIT_POLICY)?;
    write_secret(&layout.dir().join("stages.yaml"), STAGES)?;
    plane.state.port = port;
    plane.step("certificates")?;
    let mut manager = || -> Result<Manager> {
        Ok(Manager {
            webhook: ports.free()?,
            health: ports.free()?,
        })
    };
    Ok(Setup {
        authority,
        serving,
        port,
        jobset: manager()?,
        trainer: manager()?,
        etcd: ports.free()?,
    })
}

async fn etcd(plane: &mut Plane, setup: &Setup, ports: &mut Ports) -> Result<()> {
    let client = format!("http://127.0.0.1:{}", setup.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.free()?);
    let program = plane
        .program("etcd")?
        .flag("name", "etcd")
        .flag("data-dir", plane.layout.dir().join("etcd"))
        // the data lives no longer than the process
        .flag("unsafe-no-fsync", "true")
        .flag("log-level", "warn")
        .flag("listen-client-urls", &client)
        .flag("advertise-client-urls", &client)
        .flag("listen-peer-urls", &peer)
        .flag("initial-advertise-peer-urls", &peer)
        .flag("initial-cluster", format!("etcd={peer}"));
    plane.spawn("etcd", program)?;
    let http = http();
    plane
        .wait("etcd", "etcd", async || answers(&http, setup.etcd, "/readyz").await)
        .await
}

async fn api_server(plane: &mut Plane, setup: &Setup) -> Result<Api> {
    let layout = plane.layout.clone();
    let pki = layout.pki();
    let program = plane
        .program("kube-apiserver")?
        .flag("etcd-servers", format!("http://127.0.0.1:{}", setup.etcd))
        .flag("bind-address", "127.0.0.1")
        .flag("secure-port", setup.port.to_string())
        // a loopback address is no address for an endpoint
        .flag("endpoint-reconciler-type", "none")
        .flag("service-cluster-ip-range", "10.96.0.0/16")
        .flag("tls-cert-file", pki.join("serving.crt"))
        .flag("tls-private-key-file", pki.join("serving.key"))
        .flag("client-ca-file", pki.join("ca.crt"))
        .flag("service-account-issuer", "https://kubernetes.default.svc")
        .flag("service-account-key-file", pki.join("tokens.pub"))
        .flag("service-account-signing-key-file", pki.join("tokens.key"))
        .flag("authorization-mode", "RBAC")
        .flag("cert-dir", layout.dir().join("apiserver"))
        .flag("kubelet-certificate-authority", pki.join("ca.crt"))
        .flag("kubelet-client-certificate", pki.join("kubelet-client.crt"))
        .flag("kubelet-client-key", pki.join("kubelet-client.key"))
        .flag("kubelet-preferred-address-types", "InternalIP")
        .flag("audit-policy-file", layout.dir().join("audit-policy.yaml"))
        .flag("audit-log-path", layout.audit())
        // a line is in the file before its client has the answer
        .flag("audit-log-mode", "blocking")
        // never a new file: places in this one are remembered
        .flag("audit-log-maxsize", "0");
    plane.spawn("kube-apiserver", program)?;
    let api = Api::from_file(&layout.harness()).await?;
    plane
        .wait("kube-apiserver", "API server", async || api.says_ok("/readyz").await)
        .await?;
    Ok(api)
}

fn controllers(plane: &mut Plane, ports: &mut Ports) -> Result<()> {
    let pki = plane.layout.pki();
    for program in ["kube-controller-manager", "kube-scheduler"] {
        let mut command = plane
            .program(program)?
            .flag("kubeconfig", pki.join(format!("{program}.kubeconfig")))
            .flag("leader-elect", "false")
            .flag("bind-address", "127.0.0.1")
            .flag("secure-port", ports.free()?.to_string())
            .flag("cert-dir", plane.layout.dir().join(program))
            .flag("kube-api-qps", RATE)
            .flag("kube-api-burst", RATE);
        if program == "kube-controller-manager" {
            command = command
                .flag("service-account-private-key-file", pki.join("tokens.key"))
                .flag("root-ca-file", pki.join("ca.crt"))
                // a quota on a custom kind that the controller has not met yet is counted at its next look, not in 5 minutes
                .flag("resource-quota-sync-period", "10s")
                .flag("concurrent-job-syncs", "10");
        }
        plane.spawn(program, command)?;
    }
    Ok(())
}

/// The custom kinds. The controllers look for them when they start, and look again only much later.
async fn definitions(plane: &mut Plane, api: &Api) -> Result<()> {
    let mut all = manifests::objects(&plane.tools.manifest("crds.yaml")?)?;
    all.extend(manifests::objects(METRICS)?);
    try_join_all(all.iter().map(|object| api.apply(object))).await?;
    let paths: Vec<String> = all
        .iter()
        .map(|object| Ok(format!("{}/{}", collection(object)?, name(object)?)))
        .collect::<Result<_>>()?;
    plane
        .wait("kube-apiserver", "custom resource definitions", async || {
            let all = try_join_all(paths.iter().map(|path| api.get(path))).await;
            all.is_ok_and(|all| all.iter().all(|object| has_condition(object, "Established")))
        })
        .await
}

/// The simulated nodes: kwok says what happens to their pods, our kubelet what these print. The port of kwok itself.
async fn kubelet_and_nodes(
    plane: &mut Plane,
    setup: &Setup,
    api: &Api,
    ports: &mut Ports,
    stop: &CancellationToken,
) -> Result<u16> {
    let layout = plane.layout.clone();
    let listener = TcpListener::bind(("127.0.0.1", 0))
        .await
        .context("listen as the kubelet")?;
    let kubelet_port = listener.local_addr().context("find the kubelet's port")?.port();
    let tls = Tls {
        certificates: setup.serving.certificate.clone().into_bytes(),
        key: setup.serving.key.clone().into_bytes(),
        client_ca: setup.authority.certificate.clone().into_bytes(),
    };
    let kubelet = Kubelet {
        client: api.client(),
        logs: layout.pod_logs(),
    };
    tokio::spawn(kubelet.serve(listener, tls, stop.clone()));
    let own = ports.free()?;
    let program = plane
        .program("kwok")?
        .flag("config", layout.dir().join("stages.yaml"))
        .flag("config", plane.tools.path("volume-stages.yaml"))
        .flag("kubeconfig", layout.pki().join("kwok.kubeconfig"))
        .flag("manage-all-nodes", "true")
        .flag("node-ip", "127.0.0.1")
        // what the nodes name as their kubelet
        .flag("node-port", kubelet_port.to_string())
        .flag("server-address", format!("127.0.0.1:{own}"))
        .flag("cidr", "10.244.0.1/16")
        .flag("tls-cert-file", layout.pki().join("serving.crt"))
        .flag("tls-private-key-file", layout.pki().join("serving.key"))
        .flag("node-lease-duration-seconds", "40");
    plane.spawn("kwok", program)?;
    Ok(own)
}

/// The two controllers that Kubeflow brings.
fn managers(plane: &mut Plane, setup: &Setup) -> Result<()> {
    let layout = plane.layout.clone();
    let client = json!({"qps": 500, "burst": 500});
    let health = |port: u16| json!({"healthProbeBindAddress": format!("127.0.0.1:{port}")});
    let jobset = json!({
        "apiVersion": "config.jobset.x-k8s.io/v1alpha1", "kind": "Configuration",
        "leaderElection": {"leaderElect": false},
        "internalCertManagement": {"enable": false},
        "webhook": {"host": "127.0.0.1", "port": setup.jobset.webhook, "certDir": layout.dir().join("jobset")},
        "metrics": {"bindAddress": "0"}, "health": health(setup.jobset.health), "clientConnection": client,
    });
    let trainer = json!({
        "apiVersion": "config.trainer.kubeflow.org/v1alpha1", "kind": "Configuration",
        "certManagement": {"enable": false},
        "controller": {"groupKindConcurrency": {"TrainJob.trainer.kubeflow.org": 10}},
        "webhook": {"host": "127.0.0.1", "port": setup.trainer.webhook},
        "metrics": {"bindAddress": "0"}, "health": health(setup.trainer.health), "clientConnection": client,
    });
    for (name, config) in [("jobset", jobset), ("trainer", trainer)] {
        let file = layout.dir().join(name).join("config.yaml");
        write_secret(&file, &format!("{config:#}\n"))?;
        let mut program = plane
            .program(name)?
            .flag("kubeconfig", layout.pki().join(format!("{name}.kubeconfig")))
            .flag("config", file);
        if name == "trainer" {
            program = program.env("TMPDIR", layout.dir().join("trainer"));
        }
        plane.spawn(name, program)?;
    }
    Ok(())
}

/// Namespaces, roles, nodes and storage.
async fn cluster(plane: &mut Plane, api: &Api) -> Result<()> {
    let mut all = manifests::objects(CLUSTER)?;
    all.extend(manifests::objects(&plane.tools.manifest("trainer-roles.yaml")?)?);
    all.extend(manifests::objects(&plane.tools.manifest("storage-class.yaml")?)?);
    for mut object in manifests::objects(&plane.tools.manifest("trainer-public.yaml")?)? {
        object["metadata"]["namespace"] = json!("kubeflow-system");
        all.push(object);
    }
    let (namespaces, others): (Vec<Value>, Vec<Value>) =
        all.into_iter().partition(|object| object["kind"] == "Namespace");
    try_join_all(namespaces.iter().map(|object| api.apply(object))).await?;
    try_join_all(others.iter().map(|object| api.apply(object))).await?;
    let nodes = manifests::objects(NODES)?;
    // created, not applied: an apply leaves the status out
    try_join_all(nodes.iter().map(|object| api.create(object))).await?;
    plane.step("cluster objects")
}

/// The webhooks, once their servers listen, and then what they are asked about: the runtimes.
async fn webhooks(plane: &mut Plane, setup: &Setup, api: &Api, kwok: u16) -> Result<()> {
    let http = http();
    for (name, port, path) in [
        ("jobset", setup.jobset.health, "/readyz"),
        ("trainer", setup.trainer.health, "/readyz"),
        ("kwok", kwok, "/healthz"),
    ] {
        plane
            .wait(name, name, async || answers(&http, port, path).await)
            .await?;
    }
    let mut all = Vec::new();
    for (name, port) in [("jobset", setup.jobset.webhook), ("trainer", setup.trainer.webhook)] {
        let yaml = plane.tools.manifest(&format!("{name}-webhooks.yaml"))?;
        all.extend(manifests::webhooks(&yaml, name, port, &setup.authority.certificate)?);
    }
    all.extend(manifests::objects(&plane.tools.manifest("runtimes.yaml")?)?);
    try_join_all(all.iter().map(|object| api.apply(object))).await?;
    plane.step("webhooks and runtimes")
}

/// Waits until a TrainJob can be created and its pods can be placed.
async fn usable(plane: &mut Plane, api: &Api) -> Result<()> {
    let nodes = manifests::objects(NODES)?.len();
    plane
        .wait("kwok", "nodes", async || {
            let found = api.get("/api/v1/nodes").await.unwrap_or_default();
            let found = found["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let usable = |node: &&Value| has_condition(node, "Ready") && node["spec"]["taints"].is_null();
            found.iter().filter(usable).count() >= nodes
        })
        .await?;
    plane
        .wait("kube-controller-manager", "service accounts", async || {
            let paths = ["default", "team-a", "team-b"]
                .map(|namespace| format!("/api/v1/namespaces/{namespace}/serviceaccounts/default"));
            try_join_all(paths.iter().map(|path| api.get(path))).await.is_ok()
        })
        .await?;
    let probe = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": "probe", "namespace": "team-a"},
        "spec": {"runtimeRef": {"name": "torch-distributed"}},
    });
    plane
        .wait("trainer", "webhooks", async || api.dry_run(&probe).await.is_ok())
        .await
}

type Plain = Http<HttpConnector, Empty<bytes::Bytes>>;

fn http() -> Plain {
    Http::builder(TokioExecutor::new()).build_http()
}

/// Whether a server on loopback answers with success.
async fn answers(http: &Plain, port: u16, path: &str) -> bool {
    let Ok(uri) = format!("http://127.0.0.1:{port}{path}").parse() else {
        return false;
    };
    http.get(uri).await.is_ok_and(|response| response.status().is_success())
}

fn has_condition(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    conditions
        .iter()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}
