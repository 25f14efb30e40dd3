//! What an operator's policy allows, on the sandbox: tools, namespaces, devices, images, and other people's jobs.

use std::sync::Arc;

use kf_mcp_core::Policy;
use kf_mcp_core::caller::CALLER_LABEL;
use kf_mcp_tests::World;
use kf_mcp_tests::world::catalogues;
use serde_json::{Value, json};

const TRAIN_JOBS: &str = "trainjobs.trainer.kubeflow.org";
const LOOK: &str = include_str!("../fixtures/policies/look.yaml");
const TEAM: &str = include_str!("../fixtures/policies/team.yaml");
const TRAINERS: &str = include_str!("../fixtures/policies/trainers.yaml");

/// Every tool under every policy for every persona: what decides, and whether it is listed.
#[test]
fn matrix() {
    let mut told = String::new();
    for (name, text) in [
        ("none", "policy: {}"),
        ("look", LOOK),
        ("team", TEAM),
        ("trainers", TRAINERS),
    ] {
        let policy = Arc::new(Policy::parse(text).unwrap());
        for persona in policy.persona_names() {
            let allowance = policy.allowance(policy.role(persona).unwrap());
            let all = catalogues(Policy::parse(text).unwrap(), persona);
            let listed = all.default();
            told.push_str(&format!("== policy {name}, persona {persona}\n"));
            for spec in all.tools().specs() {
                let decision = allowance.tool(spec);
                assert_eq!(listed.get(spec.name).is_some(), decision.is_ok(), "{}", spec.name);
                let word = match (decision.is_ok(), allowance.only_own(spec)) {
                    (true, false) => "yes",
                    (true, true) => "own",
                    (false, _) => "no ",
                };
                let by = decision.unwrap_or_else(|refusal| refusal.why);
                told.push_str(&format!("{word} {}: {by}\n", spec.name));
            }
        }
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_tool_that_is_not_allowed_says_which_rule_decides_and_what_would_allow_it() {
    let mut told = Vec::new();
    for (policy, persona, tool) in [
        ("policy: {}", "readonly", "run_container_training"),
        (LOOK, "platform-admin", "delete_training_job"),
        (TEAM, "platform-admin", "delete_runtime"),
        (TRAINERS, "ml-engineer", "update_training_job"),
        (TEAM, "night-shift", "get_server_logs"),
        (TEAM, "mechanic", "list_training_jobs"),
    ] {
        let world = World::under("showcase", policy, persona);
        let answer = world.call(tool, json!({"name": "x"})).await;
        assert_eq!(answer.structured["error"]["code"], "denied_by_policy");
        told.push(answer.text);
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

fn job(name: &str, maker: Option<&str>) -> Value {
    let labels = maker.map_or_else(|| json!({}), |maker| json!({CALLER_LABEL: maker}));
    json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": name, "labels": labels},
        "spec": {"runtimeRef": {"name": "torch-distributed"}, "trainer": {"image": "example.com/train:1", "numNodes": 1}},
    })
}

/// The spec of a runtime of one part.
fn runtime(image: &str) -> Value {
    let container = json!({"name": "node", "image": image});
    let template = json!({
        "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
        "spec": {"template": {"spec": {"containers": [container]}}},
    });
    let parts = json!([{"name": "node", "template": template}]);
    json!({"mlPolicy": {"numNodes": 1}, "template": {"spec": {"replicatedJobs": parts}}})
}

fn submit(name: &str) -> Value {
    json!({"name": name, "image": "example.com/train:1", "num_nodes": 1, "gpu_per_node": 0, "confirmed": true})
}

#[tokio::test]
async fn a_data_scientist_changes_only_what_was_created_by_the_same_caller() {
    let world = World::under("showcase", "policy: {}", "data-scientist");
    world.good("run_container_training", submit("mine")).await;
    world.create(TRAIN_JOBS, &job("theirs", Some("0123456789abcdef"))).await;
    world.create(TRAIN_JOBS, &job("nobodys", None)).await;
    let mut told = Vec::new();
    for (name, confirmed) in [("theirs", false), ("theirs", true), ("nobodys", true)] {
        for (tool, action) in [("delete_training_job", None), ("update_training_job", Some("suspend"))] {
            let mut arguments = json!({"name": name, "confirmed": confirmed});
            arguments["action"] = json!(action);
            let answer = world.call(tool, arguments).await;
            assert_eq!(
                answer.structured["error"]["code"], "denied_by_policy",
                "{}",
                answer.text
            );
            told.push(answer.text);
        }
        let job = world.object(TRAIN_JOBS, name).await.unwrap();
        assert_ne!(job["spec"]["suspend"], true, "{name}");
    }
    // reading and copying are free, one's own is one's own
    world.good("get_training_job", json!({"name": "theirs"})).await;
    world
        .confirmed("clone_training_job", json!({"name": "theirs", "new_name": "copy"}))
        .await;
    for name in ["mine", "copy"] {
        let suspend = json!({"name": name, "action": "suspend"});
        world.confirmed("update_training_job", suspend).await;
        world.confirmed("delete_training_job", json!({"name": name})).await;
    }
    insta::assert_snapshot!(told[..2].join("\n\n"));

    // an engineer may
    let engineer = World::under("showcase", "policy: {}", "ml-engineer");
    engineer
        .create(TRAIN_JOBS, &job("theirs", Some("0123456789abcdef")))
        .await;
    engineer
        .confirmed("delete_training_job", json!({"name": "theirs"}))
        .await;
}

#[tokio::test]
async fn nothing_leaves_the_namespaces_of_the_policy() {
    let world = World::under("showcase", "policy: {namespaces: [team-b]}", "platform-admin");
    let other = json!({"namespace": "team-a"});
    let with = |mut arguments: Value| {
        arguments["namespace"] = json!("team-a");
        arguments
    };
    // by argument, and by the default, which is team-a
    for (tool, arguments) in [
        ("list_training_jobs", other.clone()),
        ("list_training_jobs", json!({})),
        (
            "list_training_jobs",
            json!({"label_selector": "metadata.namespace=team-a"}),
        ),
        ("get_training_job", with(json!({"name": "bert-finetune"}))),
        ("get_training_logs", with(json!({"name": "bert-finetune"}))),
        ("run_container_training", with(submit("away"))),
        (
            "delete_training_job",
            with(json!({"name": "bert-finetune", "confirmed": true})),
        ),
        ("list_optimization_jobs", other.clone()),
        (
            "create_runtime",
            with(json!({"name": "away", "spec": runtime("example.com/torch:1")})),
        ),
    ] {
        let (answer, asked) = world.called(tool, arguments.clone()).await;
        let error = &answer.structured["error"];
        assert!(
            error["code"] == "denied_by_policy" && error["answered"].to_string().contains("team-b"),
            "{tool} {arguments}: {}",
            answer.text
        );
        let left = asked
            .iter()
            .filter(|asked| asked.namespace.as_deref() == Some("team-a"));
        assert_eq!(left.count(), 0, "{tool}");
    }
    // and a list over all is one over those that are allowed
    let all = world.good("list_training_jobs", json!({"namespace": "*"})).await;
    let places: Vec<&str> = all["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["namespace"].as_str().unwrap())
        .collect();
    assert!(
        !places.is_empty() && places.iter().all(|place| *place == "team-b"),
        "{all}"
    );
}

#[tokio::test]
async fn a_list_over_all_goes_through_the_namespaces_that_are_allowed() {
    let world = World::under("showcase", "policy: {namespaces: ['team-*']}", "readonly");
    let everything = World::new("showcase");
    let names = |page: &Value| -> Vec<String> {
        let jobs = page["jobs"].as_array().unwrap();
        jobs.iter()
            .map(|job| format!("{}/{}", job["namespace"], job["name"]))
            .collect()
    };
    let all = names(&everything.good("list_training_jobs", json!({"namespace": "*"})).await);
    let (whole, asked) = world.called("list_training_jobs", json!({"namespace": "*"})).await;
    assert_eq!(names(&whole.structured), all);
    // the namespaces, and one list for each that is allowed
    let asked: Vec<String> = asked.iter().map(kf_mcp_core::kube::gate::Asked::words).collect();
    assert_eq!(
        asked,
        [
            "list namespaces",
            "list trainjobs in namespace `team-a`",
            "list trainjobs in namespace `team-b`"
        ]
    );
    // page by page, with and without a filter
    for status in [Value::Null, json!("Failed")] {
        let (mut seen, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let arguments = json!({"namespace": "*", "limit": 2, "cursor": cursor, "status": status});
            let page = world.good("list_training_jobs", arguments).await;
            let rows = names(&page);
            assert!(rows.len() <= 2);
            seen.extend(rows);
            cursor = page["next_cursor"].clone();
            assert_eq!(page["has_more"], !cursor.is_null());
            if cursor.is_null() {
                break;
            }
        }
        let wanted = everything
            .good("list_training_jobs", json!({"namespace": "*", "status": status}))
            .await;
        assert_eq!(seen, names(&wanted), "{status}");
    }
    let namespaces = world.good("list_namespaces", json!({})).await;
    let rows: Vec<&Value> = namespaces["namespaces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["name"])
        .collect();
    assert_eq!(rows, ["team-a", "team-b"]);
}

#[tokio::test]
async fn free_devices_are_counted_over_all_namespaces_only_where_the_policy_says_so() {
    let bound = "policy: {namespaces: [team-a]}";
    let world = World::under("showcase", bound, "platform-admin");
    for (policy, counted) in [
        (bound, false),
        ("policy: {namespaces: [team-a], cluster_capacity: true}", true),
    ] {
        world.rule(policy);
        let answer = world.good("get_cluster_resources", json!({})).await;
        let unseen = answer["not_seen"].to_string();
        assert_eq!(!unseen.contains("pods"), counted, "{policy}: {answer}");
        // a tool that would tell of the pods themselves stays where it is
        let (_, asked) = world
            .called("inspect_controller", json!({"controller": "trainer"}))
            .await;
        let everywhere = asked
            .iter()
            .filter(|asked| asked.words() == "list pods in all namespaces");
        assert_eq!(everywhere.count(), 0, "{policy}");
    }
}

#[tokio::test]
async fn a_job_takes_no_more_than_the_policy_allows() {
    let world = World::under("showcase", "policy: {max: {nodes: 2, gpus: 4}}", "ml-engineer");
    let wish = |name: &str, nodes: u32, gpus: u32| json!({"name": name, "image": "example.com/train:1", "num_nodes": nodes, "gpu_per_node": gpus});
    let refused = async |tool: &str, arguments: Value| {
        let error = world.bad(tool, arguments).await;
        assert_eq!(error["code"], "denied_by_policy", "{error}");
        error["answered"].as_str().unwrap().to_owned()
    };
    let told = [
        refused("run_container_training", wish("a", 3, 0)).await,
        refused("run_container_training", wish("b", 2, 4)).await,
        refused(
            "run_custom_training",
            json!({"script": "x = 1", "num_nodes": 1, "gpu_per_node": 8}),
        )
        .await,
    ];
    insta::assert_snapshot!(told.join("\n"));
    let checked = world
        .good("pre_flight", json!({"num_workers": 2, "gpu_per_node": 4}))
        .await;
    let blocker = &checked["blockers"][0];
    assert_eq!(
        (&checked["ready"], &blocker["check"]),
        (&json!(false), &json!("policy")),
        "{checked}"
    );
    assert!(
        blocker["answered"].to_string().contains("at most 4 accelerators"),
        "{checked}"
    );
    let checked = world
        .good("pre_flight", json!({"num_workers": 2, "gpu_per_node": 2}))
        .await;
    assert!(!checked.to_string().contains("policy"), "{checked}");
    let mut fits = wish("fits", 2, 2);
    fits["suspend"] = json!(true);
    world.confirmed("run_container_training", fits).await;
    refused("clone_training_job", json!({"name": "fits", "num_nodes": 5})).await;
    // what was submitted before is not resumed either, but it can be paused
    world.rule("policy: {max: {gpus: 3}}");
    refused("update_training_job", json!({"name": "fits", "action": "resume"})).await;
    world
        .good("update_training_job", json!({"name": "fits", "action": "suspend"}))
        .await;
}

#[tokio::test]
async fn only_images_of_the_policy_are_named() {
    let world = World::under("showcase", "policy: {images: ['ghcr.io/org/*']}", "platform-admin");
    let call = |image: &str| json!({"name": "a", "image": image, "gpu_per_node": 0});
    let error = world.bad("run_container_training", call("ghcr.io/other/train:1")).await;
    assert_eq!(error["code"], "denied_by_policy", "{error}");
    world
        .confirmed("run_container_training", call("ghcr.io/org/train:1"))
        .await;
    let mut volume = call("ghcr.io/org/train:1");
    volume["volumes"] = json!([{"name": "x", "image": {"reference": "evil.example.com/data:1"}}]);
    volume["volume_mounts"] = json!([{"name": "x", "mountPath": "/x"}]);
    let error = world.bad("run_container_training", volume).await;
    assert_eq!(error["code"], "denied_by_policy", "{error}");
    let other = json!({"name": "a", "new_name": "b", "image": "evil.example.com/train:1"});
    assert_eq!(world.bad("clone_training_job", other).await["code"], "denied_by_policy");
    // what the runtime brings is its owner's choice
    world
        .confirmed("run_custom_training", json!({"script": "x = 1", "gpu_per_node": 0}))
        .await;
    let own = json!({"name": "own", "spec": runtime("evil.example.com/torch:1")});
    let error = world.bad("create_runtime", own).await;
    assert_eq!(error["code"], "denied_by_policy", "{error}");
}

#[tokio::test]
async fn another_policy_is_in_force_at_once_and_a_broken_one_is_not() {
    let world = World::under("showcase", "policy: {}", "ml-engineer");
    let catalogues = world.server.engine().catalogues();
    let changes = catalogues.changes();
    let before = catalogues.default();
    world.rule("policy: {deny: ['delete_*']}");
    assert!(changes.has_changed().unwrap());
    assert!(before.get("delete_training_job").is_some());
    assert!(catalogues.default().get("delete_training_job").is_none());
    let error = world.bad("delete_training_job", json!({"name": "bert-finetune"})).await;
    assert_eq!(error["code"], "denied_by_policy");
    // other personas have catalogues of their own, under the same policy
    let engineers = catalogues.of("platform-admin").unwrap();
    assert!(engineers.get("create_runtime").is_some() && engineers.get("delete_runtime").is_none());
    assert!(Arc::ptr_eq(&engineers, &catalogues.of("platform-admin").unwrap()));
    assert!(catalogues.of("nobody").is_none());
    // a policy without the persona that the server runs with
    let own = World::under("showcase", TEAM, "night-shift");
    let without = Policy::parse("policy: {}").unwrap();
    let why = own.server.engine().catalogues().replace(without).unwrap_err();
    assert!(why.contains("unknown persona `night-shift`"), "{why}");
    assert_eq!(own.server.engine().catalogue().persona(), "night-shift");
    // nor one without a persona that callers come with; who comes with one that is gone all the same may nothing
    let world = World::under("showcase", TEAM, "readonly");
    let catalogues = world.server.engine().catalogues();
    catalogues.hold("tokens", ["night-shift".to_owned()]);
    let why = catalogues.replace(Policy::parse("policy: {}").unwrap()).unwrap_err();
    assert!(
        why.contains("unknown persona `night-shift`") && why.contains("tokens give it"),
        "{why}"
    );
    assert!(catalogues.of("night-shift").is_some());
    catalogues.hold("tokens", []);
    catalogues.replace(Policy::parse("policy: {}").unwrap()).unwrap();
    assert_eq!(catalogues.of_or_none("night-shift").tools().len(), 0);
}

#[tokio::test]
async fn jobs_on_a_runtime_are_looked_for_where_the_policy_allows() {
    let world = World::under("showcase", "policy: {namespaces: [team-a]}", "platform-admin");
    let (answer, requests) = world
        .called("delete_runtime", json!({"name": "torch-distributed"}))
        .await;
    let answer = answer.structured;
    let jobs = answer["preview"]["jobs"].as_array().unwrap();
    assert!(
        !jobs.is_empty() && jobs.iter().all(|job| job["namespace"] == "team-a"),
        "{answer}"
    );
    assert!(
        answer
            .to_string()
            .contains("in namespaces that the policy does not allow"),
        "{answer}"
    );
    let lists = requests.iter().filter(|one| one.resource == "trainjobs");
    assert_eq!(
        lists.map(|one| one.namespace.as_deref()).collect::<Vec<_>>(),
        [Some("team-a")]
    );
}
