//! Several people through one server: each acts as themselves on the API server, which says what they may.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use kf_mcp_control_plane::Entry;
use kf_mcp_tests::World;
use serde_json::{Value, json};

use crate::Tests;
use crate::binary::{kubeconfig_with, run};
use crate::stage::{Stage, built};
use crate::wire;

/// Adds the tests of callers.
pub(crate) fn add(tests: &mut Tests) {
    tests.add("callers::two_people_act_as_themselves", 0, async |stage| {
        two_people_act_as_themselves(&stage).await;
    });
    tests.add(
        "callers::tokens_of_the_cluster_are_known_and_acted_with",
        0,
        async |stage| {
            tokens_of_the_cluster_are_known_and_acted_with(&stage).await;
        },
    );
}

/// The binary as a server, ended when it is dropped.
struct Served {
    child: Child,
    port: u16,
}

impl Served {
    fn start(kubeconfig: &Path, arguments: &[&str]) -> Self {
        let own = ["serve", "--transport", "http", "--port", "0", "--audit-log", "none"];
        let mut child = Command::new(built("kubeflow-mcp"))
            .args(own)
            .args(arguments)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let port = wire::port(child.stderr.take().unwrap());
        Self { child, port }
    }

    /// Calls a tool with further headers: the HTTP status, the structured answer and the text.
    async fn call(&self, headers: &str, tool: &str, arguments: &Value) -> (u16, Value, String) {
        let (own, body) = wire::modern(tool, arguments, &json!({}));
        let (port, headers) = (self.port, format!("{own}{headers}"));
        let asked = tokio::task::spawn_blocking(move || wire::post(port, &headers, &body));
        let answer = asked.await.unwrap();
        if answer.code != 200 {
            return (answer.code, Value::Null, answer.body);
        }
        let result = answer.json()["result"].clone();
        let text = result["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        (200, result["structuredContent"].clone(), text)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a proxy says of somebody.
fn says(user: &str, group: &str) -> String {
    format!("X-Forwarded-User: {user}\r\nX-Forwarded-Groups: {group}\r\n")
}

/// A service account for the server, with what `kubeflow-mcp rbac` prints for one that acts as its callers: its name and token.
async fn server_account(stage: &Arc<Stage>, namespace: &str, folder: &Path) -> (String, String) {
    let admin = stage.plane.layout().kubeconfig();
    let kubectl = stage.plane.kubectl();
    let name = format!("mcp-{namespace}");
    let account = format!("{namespace}/{name}");
    let printed = [
        "rbac",
        "--namespace",
        namespace,
        "--service-account",
        &account,
        "--impersonate",
        "--impersonate-groups",
        "team-a,team-b",
        "--token-review",
    ];
    let (good, manifests) = run(&built("kubeflow-mcp"), &admin, &printed).await;
    assert!(good, "{manifests}");
    let file = folder.join("rbac.yaml");
    std::fs::write(&file, manifests).unwrap();
    for arguments in [
        &["create", "serviceaccount", &name, "-n", namespace][..],
        &["apply", "-f", file.to_str().unwrap()],
    ] {
        let (good, said) = run(&kubectl, &admin, arguments).await;
        assert!(good, "{said}");
    }
    let token = token(stage, namespace, &name, &[]).await;
    (format!("system:serviceaccount:{namespace}:{name}"), token)
}

/// A token of a service account.
async fn token(stage: &Arc<Stage>, namespace: &str, name: &str, more: &[&str]) -> String {
    let admin = stage.plane.layout().kubeconfig();
    let arguments = [&["create", "token", name, "-n", namespace][..], more].concat();
    let (good, token) = run(&stage.plane.kubectl(), &admin, &arguments).await;
    assert!(good, "{token}");
    token.trim().to_owned()
}

/// Removes what is in no namespace.
async fn remove(stage: &Arc<Stage>, namespace: &str) {
    let admin = stage.plane.layout().kubeconfig();
    for (kind, name) in [
        ("clusterrole", format!("mcp-{namespace}")),
        ("clusterrole", format!("mcp-{namespace}-callers")),
        ("clusterrolebinding", format!("mcp-{namespace}-callers")),
    ] {
        let (good, said) = run(&stage.plane.kubectl(), &admin, &["delete", kind, &name]).await;
        assert!(good, "{said}");
    }
}

async fn two_people_act_as_themselves(stage: &Arc<Stage>) {
    let world: World = stage.world("callers").await;
    let folder = tempfile::tempdir().unwrap();
    let (server_user, token) = server_account(stage, &world.namespace, folder.path()).await;
    let kubeconfig = kubeconfig_with(stage, folder.path(), &json!({"token": token}));
    let served = Served::start(
        &kubeconfig,
        &[
            "--persona",
            "ml-engineer",
            "--trusted-proxy",
            "127.0.0.1",
            "--identity",
            "impersonate",
            "--impersonate-groups",
            "team-*",
        ],
    );
    let (alice, bob) = (stage.unique("alice"), stage.unique("bob"));
    let (hers, his) = (says(&alice, "team-a"), says(&bob, "team-b"));
    let mark = stage.audit().mark();
    let in_namespace = |namespace: &str| json!({"namespace": namespace});
    // rights that were just given reach the API server's authorizer a moment later
    let may = async || {
        let (_, answer, _) = served.call(&hers, "list_training_jobs", &in_namespace("team-a")).await;
        answer["jobs"].is_array().then_some(())
    };
    world.place.until("the rights", may).await;
    let (_, health, text) = served.call(&hers, "health_check", &json!({})).await;
    assert_eq!(health["acts_as"], alice, "{text}");
    let job = stage.unique("hers");
    let submit = |namespace: &str| json!({"name": job, "image": "example.com/train:1", "gpu_per_node": 0, "namespace": namespace, "confirmed": true});
    let (_, answer, text) = served.call(&hers, "run_container_training", &submit("team-a")).await;
    assert!(answer["error"].is_null(), "{text}");
    // what she may not, the API server itself says, of her
    let (_, answer, text) = served.call(&hers, "run_container_training", &submit("team-b")).await;
    assert!(
        answer["error"]["code"] == "forbidden" && text.contains(&format!("User \"{alice}\" cannot")),
        "{text}"
    );
    let (_, listed, text) = served.call(&his, "list_training_jobs", &in_namespace("team-b")).await;
    assert!(listed["jobs"].is_array() && !text.contains(&job), "{text}");
    for (who, namespace) in [(&his, "team-a"), (&hers, "team-b"), (&hers, "*")] {
        let (_, answer, text) = served.call(who, "list_training_jobs", &in_namespace(namespace)).await;
        assert_eq!(answer["error"]["code"], "forbidden", "{namespace}: {text}");
    }
    // a group of the system is not handed on, whoever names it
    let root = says(&alice, "system:masters");
    let (_, answer, text) = served.call(&root, "list_training_jobs", &in_namespace("team-a")).await;
    assert_eq!(answer["error"]["code"], "forbidden", "{text}");
    let delete = json!({"name": job, "namespace": "team-a", "confirmed": true});
    let (_, answer, text) = served.call(&hers, "delete_training_job", &delete).await;
    assert!(answer["error"].is_null(), "{text}");
    let of = |user: &str| stage.audit().since(mark, user).unwrap();
    let created = |entry: &&Entry| entry.verb == "create" && entry.resource == "trainjobs";
    let codes: Vec<u16> = of(&alice).iter().filter(created).map(|entry| entry.code).collect();
    assert!(codes.contains(&201) && codes.contains(&403), "{codes:?}");
    assert!(
        of(&bob)
            .iter()
            .any(|entry| entry.verb == "list" && entry.namespace == "team-b")
    );
    assert_eq!(of(&server_user), [], "the server asked nothing in its own name");
    remove(stage, &world.namespace).await;
}

async fn tokens_of_the_cluster_are_known_and_acted_with(stage: &Arc<Stage>) {
    let world: World = stage.world("tokens").await;
    let namespace = world.namespace.as_str();
    let folder = tempfile::tempdir().unwrap();
    let (server_user, own) = server_account(stage, namespace, folder.path()).await;
    let admin = stage.plane.layout().kubeconfig();
    let kubectl = stage.plane.kubectl();
    let user = format!("system:serviceaccount:{namespace}:ci");
    let role = format!("--serviceaccount={namespace}:ci");
    for arguments in [
        &["create", "serviceaccount", "ci", "-n", namespace][..],
        &[
            "create",
            "rolebinding",
            "ci",
            "--clusterrole=cluster-admin",
            &role,
            "-n",
            namespace,
        ],
    ] {
        let (good, said) = run(&kubectl, &admin, arguments).await;
        assert!(good, "{said}");
    }
    let (hers, foreign) = (
        token(stage, namespace, "ci", &[]).await,
        token(stage, namespace, "ci", &["--audience", "others"]).await,
    );
    let impersonating = kubeconfig_with(stage, folder.path(), &json!({"token": own}));
    for (identity, kubeconfig) in [("impersonate", &impersonating), ("token", &admin)] {
        let mark = stage.audit().mark();
        let served = Served::start(kubeconfig, &["--token-review", "--identity", identity]);
        let list = async |bearer: &str| {
            let arguments = json!({"namespace": namespace});
            served
                .call(&wire::bearer(bearer), "list_training_jobs", &arguments)
                .await
        };
        let may = async || list(&hers).await.1["jobs"].is_array().then_some(());
        world.place.until("the rights", may).await;
        let (_, health, text) = served.call(&wire::bearer(&hers), "health_check", &json!({})).await;
        assert_eq!(health["acts_as"], user, "{identity}: {text}");
        for bad in [foreign.as_str(), "made.up.token", "opaque"] {
            let (code, _, text) = list(bad).await;
            assert!(
                code == 401 && text.contains("knows no such token"),
                "{identity}: {code} {text}"
            );
        }
        let of = |user: &str| stage.audit().since(mark, user).unwrap();
        assert!(
            of(&user)
                .iter()
                .any(|entry| entry.verb == "list" && entry.resource == "trainjobs")
        );
        if identity == "impersonate" {
            let own = of(&server_user);
            let reviews = own.iter().filter(|entry| entry.resource == "tokenreviews").count();
            assert!(reviews == own.len() && (4..=20).contains(&reviews), "{own:?}");
        }
    }
    remove(stage, namespace).await;
}
