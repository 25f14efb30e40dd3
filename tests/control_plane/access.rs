//! What each tool asks of a real API server, by its audit log: with exactly the rights that it declares it succeeds and
//! finds nothing missing, it asks for all of them and for nothing else; without rights it says which ones it misses.

mod calls;
mod furniture;

use std::collections::BTreeSet;
use std::sync::Arc;

use kf_mcp_control_plane::Entry;
use kf_mcp_core::{Answer, Catalogue, Need, Persona, Selection, ToolSpec};
use kf_mcp_tests::world::as_user;
use kf_mcp_tests::{MODULES, World};
use serde_json::{Map, Value, json};

use crate::Tests;
use crate::stage::Stage;
use calls::Expect::{Code, Good};
use calls::{calls, placed};
use furniture::furnish;

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
    let mark = stage.audit().mark();
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
        // every user may ask who they are
        None if spec.access.iter().all(|access| access.resource == "selfsubjectreviews") => {
            assert!(!answer.is_error, "{}: {text}", spec.name);
        }
        None => {
            let told =
                error["code"] == "forbidden" || !answer.structured["not_seen"].is_null() || text.contains("may not");
            assert!(told, "{} does not say what it could not see: {text}", spec.name);
        }
    }
    words(&stage.audit().since(mark, &user).unwrap()).collect()
}

/// How many requests a call may make at most whose number depends on how fast the cluster is, or on what else is in it;
/// and why it does.
fn most(tool: &str, arguments: &Value) -> Option<(usize, &'static str)> {
    let waits = tool == "wait_for_training" || tool == "update_training_job" && arguments["confirmed"] == true;
    match tool {
        _ if waits => Some((15, "as long as it waits")),
        // a pod of Trainer's controller, which another test makes, spares the question for its Deployment
        "pre_flight" => Some((10, "by what it sees")),
        _ => None,
    }
}

/// How many requests each call costs the API server. A change of these numbers is a change to review.
async fn requests_per_call(stage: &Arc<Stage>) {
    let mut lines = Vec::new();
    for spec in specs() {
        let visit = Visit::make(stage, spec).await;
        for (arguments, _, asked) in visit.calls(stage).await {
            let count = if let Some((most, why)) = most(spec.name, &arguments) {
                assert!(asked.len() <= most, "{} {arguments}: {asked:?}", spec.name);
                format!("at most {most}, {why}")
            } else {
                asked.len().to_string()
            };
            lines.push(format!("{} {arguments}: {count}", spec.name));
        }
    }
    insta::assert_snapshot!("requests_per_call", lines.join("\n"));
}
