//! What each tool asks of a real API server, by its audit log: with exactly the rights that it declares it succeeds and
//! finds nothing missing, it asks for all of them and for nothing else; without rights it says which ones it misses.

use std::collections::BTreeSet;
use std::sync::Arc;

use kf_mcp_control_plane::Entry;
use kf_mcp_core::{Answer, Catalogue, Need, Persona, Selection, ToolSpec};
use kf_mcp_tests::world::as_user;
use kf_mcp_tests::{MODULES, World};
use serde_json::{Map, Value, json};

use crate::stage::Stage;
use crate::{Tests, katib};

/// What a call should come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// A good answer.
    Good,
    /// An error with this code.
    Code(&'static str),
}
use Expect::{Code, Good};

/// The calls of a tool, in order: each success path, and what is not there.
fn calls(tool: &str, experiment: &str) -> Vec<(Value, Expect)> {
    let gone = json!({"name": "nobody"});
    match tool {
        "health_check" | "get_server_logs" | "list_runtimes" | "get_cluster_resources" => vec![(json!({}), Good)],
        "estimate_resources" => vec![(json!({"model": "Llama-3.1-8B"}), Good)],
        "list_namespaces" => vec![(json!({}), Good)],
        "check_compatibility" => vec![(json!({}), Good)],
        "list_training_jobs" => vec![
            (json!({}), Good),
            (json!({"namespace": "*"}), Good),
            (json!({"status": "Running"}), Good),
        ],
        "get_training_job" => vec![
            (json!({"name": "walk"}), Good),
            (json!({"name": "walk", "include_spec": true}), Good),
            (gone, Code("not_found")),
        ],
        "get_runtime" => vec![
            (json!({"name": "torch-distributed", "include_packages": true}), Good),
            (gone, Code("not_found")),
        ],
        // a job that cannot be placed has no log, and the events say why
        "get_training_logs" => vec![
            (json!({"name": "walk"}), Good),
            (json!({"name": "walk", "tail_lines": 1, "pattern": "epoch"}), Good),
            (json!({"name": "stuck"}), Good),
            (gone, Code("not_found")),
        ],
        "get_training_events" => vec![(json!({"name": "walk"}), Good), (gone, Code("not_found"))],
        "run_container_training" => {
            let job = json!({"name": "probe", "image": "example.com/train:1", "gpu_per_node": 0});
            let confirmed =
                json!({"name": "probe", "image": "example.com/train:1", "gpu_per_node": 0, "confirmed": true});
            let lost = json!({"name": "probe2", "image": "example.com/train:1", "runtime": "nope"});
            vec![
                (job, Good),
                (confirmed.clone(), Good),
                // the same name again: the existing job is read to tell whose it is
                (confirmed, Code("already_exists")),
                (lost, Code("not_found")),
            ]
        }
        "run_custom_training" => {
            let script = |name: &str, runtime: &str, confirmed: bool| json!({"name": name, "script": "x = 1", "runtime": runtime, "gpu_per_node": 0, "confirmed": confirmed});
            vec![
                (script("script", "torch-distributed", false), Good),
                (script("script", "torch-distributed", true), Good),
                // the same name again: the existing job is read to tell whose it is
                (script("script", "torch-distributed", true), Code("already_exists")),
                (script("script2", "nope", false), Code("not_found")),
            ]
        }
        "fine_tune" => {
            let chosen = json!({"name": "tuned", "model": "Qwen/Qwen2.5-1.5B", "dataset": "tatsu-lab/alpaca"});
            let named = |name: &str, runtime: &str, confirmed: bool| {
                json!({"name": name, "model": "Qwen/Qwen2.5-1.5B", "dataset": "tatsu-lab/alpaca", "runtime": runtime,
                    "confirmed": confirmed})
            };
            vec![
                (chosen, Good),
                (named("tuned", "torchtune-qwen2.5-1.5b", true), Good),
                // the same name again: the existing job is read to tell whose it is
                (named("tuned", "torchtune-qwen2.5-1.5b", true), Code("already_exists")),
                (named("tuned2", "nope", false), Code("not_found")),
            ]
        }
        "update_training_job" => {
            let told = |name: &str, action: &str| json!({"name": name, "action": action});
            let confirmed = |name: &str, action: &str| json!({"name": name, "action": action, "confirmed": true});
            vec![
                (told("spare", "suspend"), Good),
                (confirmed("spare", "suspend"), Good),
                (confirmed("spare", "suspend"), Good),
                (confirmed("spare", "resume"), Good),
                // on a runtime of its namespace
                (told("housed", "suspend"), Good),
                (told("nobody", "suspend"), Code("not_found")),
            ]
        }
        // one that runs is watched; one that is stuck is looked into
        "wait_for_training" => vec![
            (json!({"name": "walk", "target_statuses": "Running"}), Good),
            (json!({"name": "walk", "timeout_seconds": 1}), Good),
            (json!({"name": "stuck"}), Good),
            (gone, Code("not_found")),
        ],
        "delete_training_job" => vec![
            (json!({"name": "spare"}), Good),
            (json!({"name": "spare", "confirmed": true}), Good),
            (gone, Code("not_found")),
        ],
        "inspect_crd" => vec![
            (json!({}), Good),
            (json!({"name": "TrainJob", "path": "spec.trainer"}), Good),
            (json!({"name": "widgets.example.com"}), Code("not_found")),
        ],
        "inspect_controller" => vec![
            (json!({"namespace": HERE}), Good),
            (json!({"namespace": HERE, "view": "events"}), Good),
            (json!({"view": "deployment"}), Good),
        ],
        "create_runtime" => runtimes(&[
            (json!({"spec": runtime()["spec"]}), Good),
            (json!({"spec": runtime()["spec"], "confirmed": true}), Good),
            (
                json!({"spec": runtime()["spec"], "confirmed": true}),
                Code("already_exists"),
            ),
        ]),
        // everybody may read the cluster's runtimes, so what is refused to nobody's user is the trial of a change
        "patch_runtime" => {
            let shipped = json!({"name": "torch-distributed", "patch": {"mlPolicy": {"numNodes": 2}}});
            let mut calls = vec![(shipped, Good)];
            calls.extend(runtimes(&[
                (json!({"patch": {"mlPolicy": {"numNodes": 2}}}), Good),
                (json!({"patch": {"mlPolicy": {"numNodes": 2}}, "confirmed": true}), Good),
            ]));
            calls
        }
        "delete_runtime" => {
            let mut calls = vec![(json!({"name": "torch-distributed"}), Good)];
            calls.extend(runtimes(&[
                (json!({}), Good),
                (json!({"confirmed": true}), Good),
                (json!({}), Code("not_found")),
            ]));
            calls
        }
        "list_optimization_jobs" => vec![(json!({}), Good), (json!({"namespace": "*"}), Good)],
        "get_optimization_job" | "get_best_hyperparameters" => {
            vec![(json!({"name": experiment}), Good), (gone, Code("not_found"))]
        }
        // the service of the registry has nothing behind it here
        "list_models" => vec![(json!({}), Code("unreachable"))],
        "get_model" | "list_model_versions" => vec![(json!({"name": "bert"}), Code("unreachable"))],
        other => panic!("{other} has no calls here: say what it does on a real cluster"),
    }
}

/// Stands for the namespace of the visit in the arguments of calls.
const HERE: &str = "$HERE";

/// Calls about a runtime of the cluster, and then the same about one of the namespace.
fn runtimes(calls: &[(Value, Expect)]) -> Vec<(Value, Expect)> {
    let cluster = calls.iter().cloned().map(|(mut arguments, expected)| {
        arguments["name"] = json!(format!("for-{HERE}"));
        (arguments, expected)
    });
    let own = calls.iter().cloned().map(|(mut arguments, expected)| {
        arguments["name"] = json!("own");
        arguments["namespace"] = json!(HERE);
        (arguments, expected)
    });
    cluster.chain(own).collect()
}

/// A runtime without a name.
fn runtime() -> Value {
    let part = json!({"name": "node", "template": {
        "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
        "spec": {"template": {"spec": {"containers": [{"name": "node", "image": "example.com/train:1"}]}}}}});
    json!({"apiVersion": "trainer.kubeflow.org/v1alpha1",
        "spec": {"mlPolicy": {"torch": {}}, "template": {"spec": {"replicatedJobs": [part]}}}})
}

/// Arguments for a namespace.
fn placed(arguments: &Value, namespace: &str) -> Value {
    serde_json::from_str(&arguments.to_string().replace(HERE, namespace)).unwrap()
}

/// Adds a test for each tool, and one for the number of requests.
pub(crate) fn add(tests: &mut Tests) {
    for spec in specs() {
        tests.add(format!("access::{}", spec.name), 0, async move |stage| {
            let with = Visit::make(&stage, spec).await.with_rights(&stage).await;
            let without = without_rights(&stage, spec).await;
            let asked: BTreeSet<String> = with.union(&without).cloned().collect();
            assert_eq!(
                asked,
                declared(&spec),
                "{}: asked (left) and declared (right)",
                spec.name
            );
        });
    }
    tests.add("access::requests_per_call", 0, async |stage| {
        requests_per_call(&stage).await
    });
}

/// All tools.
fn specs() -> Vec<ToolSpec> {
    let clients = MODULES.iter().map(|module| module.name().to_owned()).collect();
    let persona = Persona::PlatformAdmin;
    let catalogue = Catalogue::new(MODULES, &Selection { clients, persona }).unwrap();
    catalogue.tools().iter().map(|tool| tool.spec).collect()
}

/// A namespace with something to look at, and a user who has exactly the rights of one tool there.
struct Visit {
    spec: ToolSpec,
    world: World,
    user: String,
    experiment: String,
}

impl Visit {
    async fn make(stage: &Arc<Stage>, spec: ToolSpec) -> Self {
        let mut world = stage.world("access").await;
        let experiment = furnish(stage, &world, &spec).await;
        let user = stage.unique(spec.name).replace('_', "-");
        grant(stage, &spec, &user, &world.namespace).await;
        // the rights are for one namespace, so the registry is looked for there too
        let settings = json!({"hub": {"namespace": world.namespace}});
        let settings: Map<String, Value> = settings.as_object().cloned().unwrap_or_default();
        world.server = as_user(&stage.user(&user, &world.namespace), &world.namespace, settings);
        Self {
            spec,
            world,
            user,
            experiment,
        }
    }

    /// Makes all calls; each with what the API server was asked for it.
    async fn calls(&self, stage: &Stage) -> Vec<(Value, Answer, Vec<Entry>)> {
        let mut made = Vec::new();
        for (arguments, expected) in calls(self.spec.name, &self.experiment) {
            let mark = stage.audit().mark();
            let placed = placed(&arguments, &self.world.namespace);
            let answer = self.world.call(self.spec.name, placed).await;
            let (tool, text) = (self.spec.name, &answer.text);
            match expected {
                Good => assert!(!answer.is_error, "{tool} {arguments}: {text}"),
                Code(code) => assert_eq!(answer.structured["error"]["code"], code, "{tool} {arguments}: {text}"),
            }
            made.push((arguments, answer, stage.audit().since(mark, &self.user).unwrap()));
        }
        // what is not in the namespace does not go with it
        let path = format!(
            "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes/for-{}",
            self.world.namespace
        );
        stage.api.delete(&path).await.ok();
        made
    }

    /// Nothing is refused to it and nothing left unseen; what it asked for.
    async fn with_rights(&self, stage: &Stage) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for (arguments, answer, asked) in self.calls(stage).await {
            for entry in &asked {
                assert_ne!(
                    entry.code, 403,
                    "{} {arguments} lacks a right: {entry:?}",
                    self.spec.name
                );
            }
            used.extend(words(&asked));
            let unseen = &answer.structured["not_seen"];
            assert!(unseen.is_null(), "{} {arguments}: {unseen}", self.spec.name);
        }
        used
    }
}

/// `verb resource.group` of requests for resources.
fn words(asked: &[Entry]) -> impl Iterator<Item = String> + '_ {
    let resources = asked.iter().filter(|entry| !entry.resource.is_empty());
    resources.map(|entry| format!("{} {}.{}", entry.verb, entry.resource, entry.group))
}

/// `verb resource.group` of everything that a tool declares.
fn declared(spec: &ToolSpec) -> BTreeSet<String> {
    let all = spec.access.iter();
    all.flat_map(|access| {
        let of = format!("{}.{}", access.resource, access.group);
        access.verbs.iter().map(move |verb| format!("{verb} {of}"))
    })
    .collect()
}

/// What there is to look at in the namespace.
async fn furnish(stage: &Stage, world: &World, spec: &ToolSpec) -> String {
    let registry = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "model-registry-service"},
        "spec": {"ports": [{"name": "http-api", "port": 8080}], "selector": {"app": "nobody"}},
    });
    world.create("services", &registry).await;
    katib::define(&stage.api).await;
    let experiment = katib::copy(&stage.api, &world.namespace).await;
    let submit = |name: &str, gpus: u32| {
        json!({"name": name, "image": "example.com/train:1", "num_nodes": 1, "gpu_per_node": gpus, "confirmed": true,
            "env": {"SIM_RUN": "10h", "SIM_LOG": "epoch 1\nepoch 2"}})
    };
    world.good("run_container_training", submit("walk", 0)).await;
    world.good("run_container_training", submit("spare", 0)).await;
    if spec.name == "update_training_job" {
        let path = "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes/torch-distributed";
        let mut runtime = stage.api.get(path).await.unwrap();
        runtime["kind"] = json!("TrainingRuntime");
        runtime["metadata"] = json!({"name": "own", "labels": runtime["metadata"]["labels"]});
        world.create("trainingruntimes.trainer.kubeflow.org", &runtime).await;
        let mut housed = submit("housed", 0);
        housed["runtime"] = json!("own");
        world.good("run_container_training", housed).await;
    }
    if matches!(spec.name, "get_training_logs" | "wait_for_training") {
        world.good("run_container_training", submit("stuck", 64)).await;
        world
            .job("stuck", "the reason", |told| told["reason"] == "Unschedulable")
            .await;
    }
    world.running("walk", 1).await;
    world.status("walk", "Running").await;
    match spec.name {
        "patch_runtime" | "delete_runtime" => {
            for (kind, name) in [
                ("TrainingRuntime", "own".to_owned()),
                ("ClusterTrainingRuntime", format!("for-{}", world.namespace)),
            ] {
                let mut runtime = runtime();
                runtime["kind"] = json!(kind);
                runtime["metadata"] = json!({"name": name});
                world
                    .create(&format!("{}s.trainer.kubeflow.org", kind.to_lowercase()), &runtime)
                    .await;
            }
        }
        "inspect_controller" => {
            let labels = json!({"app.kubernetes.io/name": "trainer", "app.kubernetes.io/component": "manager"});
            let container = json!({"name": "manager", "image": "example.com/manager:1",
                "env": [{"name": "SIM_RUN", "value": "10h"}, {"name": "SIM_LOG", "value": "works"}]});
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "manager-0", "labels": labels},
                "spec": {"containers": [container]}});
            world.create("pods", &pod).await;
            world
                .place
                .until("the controller's pod", async || {
                    let pod = world.object("pods", "manager-0").await?;
                    (pod["status"]["phase"] == "Running").then_some(())
                })
                .await;
        }
        _ => {}
    }
    experiment
}

/// Gives a user the rights that a tool declares: in the namespace, and in the cluster where the tool says so. What is
/// read in Trainer's own namespace everybody may read, by Trainer's manifests.
async fn grant(stage: &Stage, spec: &ToolSpec, user: &str, namespace: &str) {
    for (cluster, kind, place) in [
        (false, "RoleBinding", json!({"name": user, "namespace": namespace})),
        (true, "ClusterRoleBinding", json!({"name": user})),
    ] {
        let rules: Vec<Value> = spec
            .access
            .iter()
            .filter(|access| access.cluster == cluster)
            .map(|access| json!({"apiGroups": [access.group], "resources": [access.resource], "verbs": access.verbs}))
            .collect();
        if rules.is_empty() {
            continue;
        }
        let group = "rbac.authorization.k8s.io";
        let version = format!("{group}/v1");
        let name = format!("{user}-{}", if cluster { "cluster" } else { "namespace" });
        let role = json!({"apiVersion": version, "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules});
        stage.api.create(&role).await.unwrap();
        let binding = json!({
            "apiVersion": version, "kind": kind, "metadata": place,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
        });
        stage.api.create(&binding).await.unwrap();
    }
}

/// A user without any right: a tool that needs one says which, a tool that can do without says what it did not see. What
/// it asked for.
async fn without_rights(stage: &Arc<Stage>, spec: ToolSpec) -> BTreeSet<String> {
    let mut world = stage.world("access").await;
    let user = stage.unique("nobody");
    world.server = as_user(&stage.user(&user, &world.namespace), &world.namespace, Map::new());
    let (arguments, _) = calls(spec.name, "bert-lr-search").swap_remove(0);
    let answer = world.call(spec.name, placed(&arguments, &world.namespace)).await;
    let text = &answer.text;
    let required = spec.access.iter().find(|access| access.need == Need::Required);
    let error = &answer.structured["error"];
    match required {
        Some(_) => {
            assert_eq!(error["code"], "forbidden", "{}: {text}", spec.name);
            let named = |word: &str| error.to_string().contains(word);
            let all: Vec<&str> = spec.access.iter().map(|access| access.resource).collect();
            assert!(all.iter().any(|resource| named(resource)), "{}: {text}", spec.name);
            assert!(error["fix"].is_string(), "{}: {text}", spec.name);
        }
        None if spec.access.is_empty() => assert!(!answer.is_error, "{}: {text}", spec.name),
        None => {
            let told =
                error["code"] == "forbidden" || !answer.structured["not_seen"].is_null() || text.contains("may not");
            assert!(told, "{} does not say what it could not see: {text}", spec.name);
        }
    }
    words(&stage.audit().since(0, &user).unwrap()).collect()
}

/// How many requests a call may make that looks until something has happened.
const MOST_WAITING: usize = 15;

/// Whether a call looks until something has happened, so that it asks more often the slower the cluster is.
fn waits(tool: &str, arguments: &Value) -> bool {
    tool == "wait_for_training" || tool == "update_training_job" && arguments["confirmed"] == true
}

/// How many requests each call costs the API server. A change of these numbers is a change to review.
async fn requests_per_call(stage: &Arc<Stage>) {
    let mut lines = Vec::new();
    for spec in specs() {
        let visit = Visit::make(stage, spec).await;
        for (arguments, _, asked) in visit.calls(stage).await {
            let count = if waits(spec.name, &arguments) {
                assert!(asked.len() <= MOST_WAITING, "{} {arguments}: {asked:?}", spec.name);
                format!("at most {MOST_WAITING}, as long as it waits")
            } else {
                asked.len().to_string()
            };
            lines.push(format!("{} {arguments}: {count}", spec.name));
        }
    }
    insta::assert_snapshot!("requests_per_call", lines.join("\n"));
}
