//! What tools ask of the API server is what they declare: no more (the gate refuses it), and over all these calls no less.

use std::collections::{BTreeMap, BTreeSet};

use kf_mcp_core::{Persona, Selection};
use kf_mcp_tests::{MODULES, World, queues};
use serde_json::{Value, json};

/// A world, and the calls that are made in it in order.
struct Scene {
    scenario: &'static str,
    forbid: &'static [&'static str],
    calls: Vec<(&'static str, Value)>,
}

fn scenes() -> Vec<Scene> {
    let scene = |scenario, forbid, calls| Scene {
        scenario,
        forbid,
        calls,
    };
    vec![
        scene(
            "showcase",
            &[],
            vec![
                ("health_check", json!({})),
                ("get_server_logs", json!({})),
                ("list_namespaces", json!({})),
                ("check_compatibility", json!({})),
                ("get_cluster_resources", json!({})),
                ("pre_flight", json!({"name": "probe"})),
                ("pre_flight", json!({"namespace": "kubeflow"})),
                // a quota of that namespace wants to be told what pods take
                ("pre_flight", json!({"namespace": "team-b", "queue": "research"})),
                (
                    "pre_flight",
                    json!({"model": "Qwen/Qwen2.5-1.5B", "dataset": "pvc://data", "hf_secret": "hub"}),
                ),
                ("pre_flight", json!({"runtime": "nope"})),
                ("estimate_resources", json!({"model": "Llama-3.1-8B"})),
                ("list_training_jobs", json!({})),
                ("list_training_jobs", json!({"namespace": "*", "status": "Failed"})),
                (
                    "get_training_job",
                    json!({"name": "llama3-8b-pretrain", "include_spec": true}),
                ),
                ("list_runtimes", json!({})),
                (
                    "get_runtime",
                    json!({"name": "torch-distributed", "include_packages": true}),
                ),
                ("get_training_logs", json!({"name": "llama3-8b-pretrain"})),
                ("get_training_logs", json!({"name": "llama-lora", "step": "node-0"})),
                ("get_training_logs", json!({"name": "qwen-sft"})),
                ("get_training_progress", json!({"name": "llama3-8b-pretrain"})),
                ("get_training_progress", json!({"name": "nobody"})),
                ("get_training_events", json!({"name": "llama-lora"})),
                ("get_training_events", json!({"name": "nobody"})),
                (
                    "run_container_training",
                    json!({"name": "probe", "image": "example.com/train:1", "confirmed": true}),
                ),
                // The same name again: the existing job is read to tell whose it is.
                (
                    "run_container_training",
                    json!({"name": "probe", "image": "example.com/train:1", "confirmed": true}),
                ),
                (
                    "run_container_training",
                    json!({"name": "other", "image": "example.com/train:1", "runtime": "nope"}),
                ),
                (
                    "run_custom_training",
                    json!({"name": "script", "script": "x = 1", "confirmed": true}),
                ),
                (
                    "run_custom_training",
                    json!({"name": "script", "script": "x = 1", "confirmed": true}),
                ),
                (
                    "run_custom_training",
                    json!({"name": "lost", "script": "x = 1", "runtime": "nope"}),
                ),
                (
                    "fine_tune",
                    json!({"name": "tuned", "model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b", "confirmed": true}),
                ),
                (
                    "fine_tune",
                    json!({"name": "tuned", "model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b",
                        "runtime": "torchtune-qwen2.5-1.5b", "confirmed": true}),
                ),
                (
                    "update_training_job",
                    json!({"name": "probe", "action": "suspend", "confirmed": true}),
                ),
                ("update_training_job", json!({"name": "housed", "action": "resume"})),
                (
                    "wait_for_training",
                    json!({"name": "llama-lora", "target_statuses": "Running", "timeout_seconds": 20}),
                ),
                (
                    "clone_training_job",
                    json!({"name": "gpt2-pretrain", "new_name": "gpt2-again", "confirmed": true}),
                ),
                (
                    "clone_training_job",
                    json!({"name": "probe", "new_name": "probe-again", "runtime": "nope"}),
                ),
                ("diagnose_training_job", json!({"name": "gpt2-pretrain"})),
                ("delete_training_job", json!({"name": "probe", "confirmed": true})),
                ("inspect_crd", json!({"name": "TrainJob"})),
                ("inspect_controller", json!({})),
                ("inspect_controller", json!({"view": "events"})),
                ("list_optimization_jobs", json!({"namespace": "*"})),
                ("list_models", json!({})),
            ],
        ),
        scene("showcase", &[], platform(None)),
        scene("showcase", &[], platform(Some("team-a"))),
        scene("showcase", &["list namespaces"], vec![("list_namespaces", json!({}))]),
        scene(
            "showcase",
            &["get customresourcedefinitions.apiextensions.k8s.io"],
            vec![("check_compatibility", json!({}))],
        ),
        scene("no-trainer", &[], vec![("check_compatibility", json!({}))]),
        scene("legacy", &[], legacy()),
        // without the right to submit, and without pods that tell of controllers
        scene(
            "showcase",
            &["create trainjobs.trainer.kubeflow.org", "list pods"],
            vec![("pre_flight", json!({}))],
        ),
    ]
}

/// Jobs of the training operator v1: the list of all kinds, names that nothing has, and the end of one of each kind.
fn legacy() -> Vec<(&'static str, Value)> {
    let mut calls = vec![
        ("list_training_jobs", json!({"kind": "*"})),
        ("get_training_job", json!({"name": "nobody"})),
        ("get_training_logs", json!({"name": "nobody"})),
        ("get_training_events", json!({"name": "nobody"})),
    ];
    for (resource, mut object) in kf_mcp_tests::journeys::one_of_each() {
        let of = json!({"name": resource.split('.').next(), "kind": object["kind"].take(), "confirmed": true});
        let mut resume = of.clone();
        resume["action"] = json!("resume");
        calls.extend([("update_training_job", resume), ("delete_training_job", of)]);
    }
    calls
}

/// The life of a runtime of the cluster, or of a namespace.
fn platform(namespace: Option<&str>) -> Vec<(&'static str, Value)> {
    let part = json!({"name": "node", "template": {"spec": {"template": {"spec": {"containers": [{"name": "node", "image": "i"}]}}}}});
    let spec = json!({"mlPolicy": {"torch": {}}, "template": {"spec": {"replicatedJobs": [part]}}});
    let mut calls = vec![
        (
            "create_runtime",
            json!({"name": "probe", "spec": spec, "confirmed": true}),
        ),
        // the same name again: the existing one is read to tell whose it is
        (
            "create_runtime",
            json!({"name": "probe", "spec": spec, "confirmed": true}),
        ),
        (
            "patch_runtime",
            json!({"name": "probe", "patch": {"mlPolicy": {"numNodes": 2}}, "confirmed": true}),
        ),
        ("delete_runtime", json!({"name": "probe", "confirmed": true})),
        ("delete_runtime", json!({"name": "probe"})),
    ];
    for (_, arguments) in &mut calls {
        if let Some(namespace) = namespace {
            arguments["namespace"] = json!(namespace);
        }
    }
    calls
}

#[tokio::test]
async fn every_declared_access_is_used_and_every_request_is_declared() {
    let mut asked: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for scene in scenes() {
        let world = World::new(scene.scenario);
        house(&world).await;
        for rule in scene.forbid {
            world.sandbox().forbid(rule);
        }
        if scene.scenario == "legacy" {
            for (resource, object) in kf_mcp_tests::journeys::one_of_each() {
                world.create(&resource, &object).await;
            }
        }
        let mut calls = scene.calls;
        calls.extend(
            derived(&world)
                .await
                .into_iter()
                .filter(|_| scene.scenario == "showcase"),
        );
        for (tool, arguments) in calls {
            let (answer, requests) = world.called(tool, arguments.clone()).await;
            assert!(
                !answer.text.contains("does not declare"),
                "{tool} {arguments}: {}",
                answer.text
            );
            let used = asked.entry(tool).or_default();
            used.extend(
                requests
                    .iter()
                    .map(|request| format!("{} {}.{}", request.verb, request.resource, request.group)),
            );
        }
    }
    let clients = MODULES.iter().map(|module| module.name().to_owned()).collect();
    let selection = Selection {
        clients,
        persona: Persona::PlatformAdmin,
    };
    let catalogue = kf_mcp_core::Catalogue::new(MODULES, &selection).unwrap();
    let mut wrong = Vec::new();
    for tool in catalogue.tools() {
        let accesses = tool.spec.access.iter();
        let declared: BTreeSet<String> = accesses
            .flat_map(|a| {
                a.verbs
                    .iter()
                    .map(move |verb| format!("{verb} {}.{}", a.resource, a.group))
            })
            .collect();
        let used = asked.get(tool.spec.name).cloned().unwrap_or_default();
        if used != declared {
            wrong.push(format!("{}: used {used:#?}, declared {declared:#?}", tool.spec.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A paused job on a runtime of its own namespace, where there is Trainer; a quota, and the kinds of queues.
async fn house(world: &World) {
    let path = "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes/torch-distributed";
    let mut runtime = world.place.ask("GET", path, "", None).await.json();
    if runtime["kind"] != "ClusterTrainingRuntime" {
        return;
    }
    runtime["kind"] = json!("TrainingRuntime");
    runtime["metadata"] = json!({"name": "own", "labels": runtime["metadata"]["labels"]});
    world.create("trainingruntimes.trainer.kubeflow.org", &runtime).await;
    let job = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": "housed"},
        "spec": {"runtimeRef": {"name": "own", "kind": "TrainingRuntime"}, "suspend": true},
    });
    world.create("trainjobs.trainer.kubeflow.org", &job).await;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "told"}, "spec": {"hard": {"requests.cpu": "900"}}});
    let path = "/api/v1/namespaces/team-b/resourcequotas";
    let made = world.place.ask("POST", path, "application/json", Some(&quota)).await;
    assert!(made.code.is_success(), "{}", made.text);
    queues::define(&world.place).await;
}

/// Calls about what the showcase has, by the names that its lists give.
async fn derived(world: &World) -> Vec<(&'static str, Value)> {
    let experiments = world
        .call("list_optimization_jobs", json!({"namespace": "*"}))
        .await
        .structured;
    let models = world.call("list_models", json!({})).await.structured;
    let mut calls = Vec::new();
    for job in experiments["jobs"].as_array().into_iter().flatten() {
        let one = json!({"name": job["name"], "namespace": job["namespace"]});
        calls.push(("get_optimization_job", one.clone()));
        calls.push(("get_best_hyperparameters", one));
    }
    for model in models["models"].as_array().into_iter().flatten() {
        calls.push(("get_model", json!({"name": model["name"]})));
        calls.push(("list_model_versions", json!({"name": model["name"]})));
    }
    calls
}

/// How many requests each call costs. A change of these numbers is a change to review.
#[tokio::test]
async fn requests_per_call() {
    let world = World::new("thousand");
    let mut lines = Vec::new();
    for (tool, arguments) in [
        ("list_training_jobs", json!({"limit": 50})),
        ("list_training_jobs", json!({"limit": 500})),
        ("list_training_jobs", json!({"limit": 50, "status": "Suspended"})),
        ("get_training_job", json!({"name": "bert-00008"})),
        ("get_training_logs", json!({"name": "bert-00008"})),
        ("get_training_events", json!({"name": "bert-00008"})),
        ("get_training_progress", json!({"name": "bert-00008"})),
        ("list_runtimes", json!({})),
        ("get_runtime", json!({"name": "torch-distributed"})),
        ("check_compatibility", json!({})),
        ("get_cluster_resources", json!({})),
        ("pre_flight", json!({})),
        (
            "pre_flight",
            json!({"model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b", "hf_secret": "hub", "name": "probe"}),
        ),
        ("estimate_resources", json!({"model": "Llama-3.1-8B"})),
        ("list_namespaces", json!({})),
        ("run_container_training", json!({"name": "probe", "image": "i"})),
        ("run_custom_training", json!({"name": "script", "script": "x = 1"})),
        ("fine_tune", json!({"model": "Qwen/Qwen2.5-1.5B", "dataset": "a/b"})),
        (
            "run_container_training",
            json!({"name": "probe", "image": "i", "confirmed": true}),
        ),
        ("update_training_job", json!({"name": "probe", "action": "suspend"})),
        ("wait_for_training", json!({"name": "bert-00008", "timeout_seconds": 1})),
        ("clone_training_job", json!({"name": "probe"})),
        ("diagnose_training_job", json!({"name": "probe"})),
        ("diagnose_training_job", json!({"name": "bert-00008"})),
        ("delete_training_job", json!({"name": "probe"})),
        ("delete_training_job", json!({"name": "probe", "confirmed": true})),
        ("inspect_crd", json!({})),
        ("inspect_crd", json!({"name": "TrainJob"})),
        ("inspect_controller", json!({})),
        (
            "patch_runtime",
            json!({"name": "torch-distributed", "patch": {"mlPolicy": {"numNodes": 2}}}),
        ),
        ("delete_runtime", json!({"name": "torch-distributed"})),
        ("list_optimization_jobs", json!({})),
        ("health_check", json!({})),
    ] {
        let (answer, requests) = world.called(tool, arguments.clone()).await;
        assert!(!answer.is_error, "{tool} {arguments}: {}", answer.text);
        lines.push(format!("{tool} {arguments}: {}", requests.len()));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// Rights in a namespace leave out what has none: the list of such kinds is what the API server says.
#[tokio::test]
async fn kinds_without_a_namespace_are_known() {
    let world = World::new("showcase");
    queues::define(&world.place).await;
    let served = world.place.ask("GET", "/apis", "", None).await.json();
    let mut lists = vec!["/api/v1".to_owned()];
    for group in served["groups"].as_array().unwrap() {
        let versions = group["versions"].as_array().unwrap().iter();
        lists.extend(versions.map(|version| format!("/apis/{}", version["groupVersion"].as_str().unwrap())));
    }
    let mut namespaced = BTreeMap::new();
    for list in lists {
        let group = list
            .strip_prefix("/apis/")
            .and_then(|list| list.split('/').next())
            .unwrap_or_default();
        let kinds = world.place.ask("GET", &list, "", None).await.json();
        for kind in kinds["resources"].as_array().unwrap() {
            let name = kind["name"].as_str().unwrap().to_owned();
            namespaced.insert((group.to_owned(), name), kind["namespaced"] == true);
        }
    }
    let mut unknown = BTreeSet::new();
    for spec in kf_mcp_tests::world::catalogues(kf_mcp_core::Policy::default(), "platform-admin")
        .tools()
        .specs()
    {
        for access in spec.access {
            match namespaced.get(&(access.group.to_owned(), access.resource.to_owned())) {
                Some(namespaced) => assert_eq!(
                    kf_mcp_core::rbac::is_of_the_cluster(access),
                    !namespaced,
                    "{} of {}",
                    access.resource,
                    spec.name
                ),
                None => {
                    unknown.insert(format!("{}/{}", access.group, access.resource));
                }
            }
        }
    }
    // of groups that the sandbox does not serve
    insta::assert_snapshot!(unknown.into_iter().collect::<Vec<_>>().join("\n"));
}
