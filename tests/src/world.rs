//! A namespace of a cluster and a server on it: tools are called, pods are steered, and the answers are looked at.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kf_mcp_core::kube::gate::Asked;
use kf_mcp_core::kube::{Cluster, ClusterOptions};
use kf_mcp_core::{Answer, CallMeta, Catalogues, Clock, Policy, Tools};
use kf_mcp_sandbox::{Clock as SandboxClock, Sandbox};
use kf_mcp_server::Server;
use serde_json::{Map, Value, json};

use crate::seen::Write;
use crate::{MODULES, Place, START};

/// A namespace, and a server whose calls work in it.
pub struct World {
    /// The cluster.
    pub place: Place,
    /// The namespace that the test has for itself.
    pub namespace: String,
    /// The server.
    pub server: Server,
}

impl World {
    /// A sandbox from a scenario, for a platform admin with all components.
    ///
    /// # Panics
    /// When there is no such scenario.
    #[must_use]
    pub fn new(scenario: &str) -> Self {
        Self::with(scenario, |settings| settings)
    }

    /// A sandbox with a configuration for the components.
    ///
    /// # Panics
    /// When there is no such scenario.
    #[must_use]
    #[allow(clippy::expect_used, reason = "a test's set-up has nobody to tell")]
    pub fn with(scenario: &str, configure: impl FnOnce(Map<String, Value>) -> Map<String, Value>) -> Self {
        let start: Timestamp = START.parse().expect("a time");
        let sandbox = Sandbox::named(scenario, SandboxClock::manual(start)).expect("a scenario");
        let server = on_sandbox(&sandbox, catalogues(Policy::default(), ADMIN), configure(Map::new()));
        Self {
            namespace: sandbox.default_namespace(),
            place: Place::Sandbox(sandbox),
            server,
        }
    }

    /// A sandbox with all components under a policy, for a persona.
    ///
    /// # Panics
    /// When there is no such scenario or persona, or the policy is wrong.
    #[must_use]
    #[allow(clippy::expect_used, reason = "a test's set-up has nobody to tell")]
    pub fn under(scenario: &str, policy: &str, persona: &str) -> Self {
        let mut world = Self::new(scenario);
        let policy = Policy::parse(policy).expect("a policy");
        world.server = on_sandbox(world.sandbox(), catalogues(policy, persona), Map::new());
        world
    }

    /// Puts another policy in force.
    ///
    /// # Panics
    /// When the policy is wrong.
    #[allow(clippy::expect_used, reason = "a test's set-up has nobody to tell")]
    pub fn rule(&self, policy: &str) {
        let policy = Policy::parse(policy).expect("a policy");
        let catalogues = self.server.engine().catalogues();
        catalogues.replace(policy).expect("a policy that can be used");
    }

    /// A namespace of a real control plane, made for the test; the server acts as the user of a kubeconfig.
    pub async fn real(client: kube::Client, kubeconfig: &std::path::Path, namespace: &str) -> Self {
        let place = Place::Real(client);
        place.make_namespace(namespace).await;
        Self {
            place,
            namespace: namespace.to_owned(),
            server: as_user(kubeconfig, namespace, Map::new()),
        }
    }

    /// The sandbox that this world is in.
    ///
    /// # Panics
    /// When it is in a real cluster.
    #[must_use]
    #[allow(clippy::panic, reason = "a test of the sandbox runs on the sandbox")]
    pub fn sandbox(&self) -> &Sandbox {
        match &self.place {
            Place::Sandbox(sandbox) => sandbox,
            Place::Real(_) => panic!("this world is a real cluster"),
        }
    }

    /// Calls a tool.
    ///
    /// # Panics
    /// When there is no such tool.
    pub async fn call(&self, tool: &str, arguments: Value) -> Answer {
        self.called(tool, arguments).await.0
    }

    /// Calls a tool; the answer, and what it asked of the API server.
    ///
    /// # Panics
    /// When there is no such tool.
    #[allow(clippy::expect_used, reason = "a test names tools that exist")]
    pub async fn called(&self, tool: &str, arguments: Value) -> (Answer, Vec<Asked>) {
        let write = Write::by_tool(tool, &arguments);
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let called = self
            .server
            .engine()
            .call(tool, arguments, CallMeta::local())
            .await
            .expect("a tool");
        if let (Place::Real(_), Some(write), false) = (&self.place, write, called.answer.is_error) {
            write.seen(&self.place, &Value::Null).await;
        }
        (called.answer, called.asked)
    }

    /// Calls a tool that must succeed; its structured answer.
    ///
    /// # Panics
    /// When the call fails.
    pub async fn good(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments).await;
        assert!(!answer.is_error, "{tool}: {}", answer.text);
        answer.structured
    }

    /// Calls a tool that must fail; its error.
    ///
    /// # Panics
    /// When the call succeeds.
    pub async fn bad(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments).await;
        assert!(answer.is_error, "{tool} should fail: {}", answer.text);
        answer.structured["error"].clone()
    }

    /// Calls a change that must be confirmed: first its preview, then the same with the preview's plan.
    ///
    /// # Panics
    /// When either call fails.
    pub async fn confirmed(&self, tool: &str, arguments: Value) -> Value {
        let preview = self.good(tool, arguments.clone()).await;
        let mut confirm = arguments;
        confirm["confirmed"] = json!(true);
        confirm["plan_id"] = preview["plan_id"].clone();
        self.good(tool, confirm).await
    }

    /// Lets a sandbox's time go on.
    ///
    /// # Panics
    /// When this is a real cluster, whose time goes on by itself.
    pub fn pass(&self, seconds: i64) {
        self.sandbox().advance(SignedDuration::from_secs(seconds));
    }

    /// What `get_training_job` says of a job once it says this status; time passes meanwhile.
    ///
    /// # Panics
    /// When it does not come to that in a minute.
    pub async fn status(&self, job: &str, status: &str) -> Value {
        self.job(job, status, |answer| answer["status"] == status).await
    }

    /// What `get_training_job` says of a job once that is as it should be; time passes meanwhile.
    ///
    /// # Panics
    /// When it does not come to that in a minute.
    pub async fn job(&self, job: &str, what: &str, right: impl Fn(&Value) -> bool) -> Value {
        let what = format!("{what} of {job}");
        self.place
            .until(&what, async || {
                let answer = self.call("get_training_job", json!({"name": job})).await;
                (!answer.is_error && right(&answer.structured)).then_some(answer.structured)
            })
            .await
    }

    /// An object of this world's namespace, or `None`.
    pub async fn object(&self, resource: &str, name: &str) -> Option<Value> {
        let reply = self.place.ask("GET", &self.path(resource, name), "", None).await;
        reply.code.is_success().then(|| reply.json())
    }

    /// The pods of a job.
    pub async fn pods(&self, job: &str) -> Vec<Value> {
        let path = format!(
            "/api/v1/namespaces/{}/pods?labelSelector=jobset.sigs.k8s.io/jobset-name={job}",
            self.namespace
        );
        let list = self.place.ask("GET", &path, "", None).await.json();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until a job has so many pods that run.
    ///
    /// # Panics
    /// When it has not in a minute.
    pub async fn running(&self, job: &str, pods: usize) {
        self.place
            .until("running pods", async || {
                let all = self.pods(job).await;
                (all.iter().filter(|pod| pod["status"]["phase"] == "Running").count() == pods).then_some(())
            })
            .await;
    }

    /// Lets all pods of a job end now, with an exit code.
    pub async fn end(&self, job: &str, exit: u8) {
        let marks = json!({"sim/exit": exit.to_string(), "sim/run": "0s"});
        self.annotate(job, &marks).await;
    }

    /// Writes annotations on all pods of a job: how they live (`sim/run`, `sim/exit`, …) and what they print (`sim/log`).
    /// A pod that is gone by then, as the first one's end may be the job's, is left out.
    ///
    /// # Panics
    /// When a pod refuses.
    pub async fn annotate(&self, job: &str, annotations: &Value) {
        for pod in self.pods(job).await {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            let reply = self
                .patch("pods", name, &json!({"metadata": {"annotations": annotations}}))
                .await;
            assert!(
                reply.code.is_success() || reply.code.as_u16() == 404,
                "annotate {name}: {}",
                reply.text
            );
        }
    }

    /// Merges a patch into an object of this world's namespace, as somebody with all rights; the object.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn merge(&self, resource: &str, name: &str, patch: &Value) -> Value {
        let reply = self.patch(resource, name, patch).await;
        assert!(reply.code.is_success(), "patch {resource} {name}: {}", reply.text);
        reply.json()
    }

    /// Asks for a merge of a patch into an object of this world's namespace; whatever the answer is.
    pub async fn patch(&self, resource: &str, name: &str, patch: &Value) -> crate::place::Reply {
        let path = self.path(resource, name);
        self.place
            .ask("PATCH", &path, "application/merge-patch+json", Some(patch))
            .await
    }

    /// Creates an object in this world's namespace, as somebody with all rights; the stored one.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn create(&self, resource: &str, object: &Value) -> Value {
        let path = self.path(resource, "");
        let reply = self
            .place
            .ask("POST", path.trim_end_matches('/'), "application/json", Some(object))
            .await;
        assert!(reply.code.is_success(), "create {resource}: {}", reply.text);
        reply.json()
    }

    /// The path of a resource as kubectl names it: `pods`, `trainjobs.trainer.kubeflow.org`, `trainjobs…/status` by name.
    fn path(&self, resource: &str, name: &str) -> String {
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        let root = match group {
            "" => "/api/v1".to_owned(),
            "trainer.kubeflow.org" => format!("/apis/{group}/v1alpha1"),
            "metrics.k8s.io" => format!("/apis/{group}/v1beta1"),
            "jobset.x-k8s.io" => format!("/apis/{group}/v1alpha2"),
            "kueue.x-k8s.io" => format!("/apis/{group}/v1beta2"),
            _ => format!("/apis/{group}/v1"),
        };
        if plural.starts_with("cluster") {
            return format!("{root}/{plural}/{name}");
        }
        format!("{root}/namespaces/{}/{plural}/{name}", self.namespace)
    }
}

/// A server on a sandbox.
fn on_sandbox(sandbox: &Sandbox, catalogues: Catalogues, settings: Map<String, Value>) -> Server {
    let cluster = Cluster::ready(sandbox.client(), sandbox.default_namespace(), "the sandbox");
    let time = sandbox.clone();
    build(
        cluster,
        catalogues,
        Some(Clock::from_fn(move || time.clock().now())),
        settings,
    )
}

/// A server that acts as the user of a kubeconfig.
///
/// # Panics
/// When the components do not make a catalogue.
#[must_use]
pub fn as_user(kubeconfig: &std::path::Path, namespace: &str, settings: Map<String, Value>) -> Server {
    let cluster = Cluster::lazy(ClusterOptions {
        kubeconfig: Some(kubeconfig.to_owned()),
        context: None,
        namespace: Some(namespace.to_owned()),
    });
    build(cluster, catalogues(Policy::default(), ADMIN), None, settings)
}

/// The persona of tests that are not about personas.
const ADMIN: &str = "platform-admin";

/// All components under a policy, for a persona.
///
/// # Panics
/// When there is no such persona.
#[must_use]
#[allow(clippy::expect_used, reason = "a test's set-up has nobody to tell")]
pub fn catalogues(policy: Policy, persona: &str) -> Catalogues {
    let clients: Vec<String> = MODULES.iter().map(|module| module.name().to_owned()).collect();
    let tools = Tools::new(MODULES, &clients).expect("the tools");
    Catalogues::new(tools, policy, persona).expect("a persona")
}

#[allow(clippy::expect_used, reason = "a test's set-up has nobody to tell")]
fn build(cluster: Cluster, catalogues: Catalogues, clock: Option<Clock>, settings: Map<String, Value>) -> Server {
    let mut server = Server::builder()
        .catalogues(catalogues)
        .cluster(Arc::new(cluster))
        .settings(settings);
    if let Some(clock) = clock {
        server = server.clock(clock);
    }
    server.build().expect("a server")
}
