//! Jobs of the training operator v1 on the sandbox: every tool that serves them, what they cost, and what is said where
//! they are not.

use kf_mcp_tests::World;
use kf_mcp_tests::journeys::define_v1;
use serde_json::{Value, json};

/// The plan id is new each time.
fn without_id(text: &str) -> String {
    match text.split_once("plan_id=") {
        Some((head, _)) => format!("{head}plan_id=…"),
        None => text.to_owned(),
    }
}

#[tokio::test]
async fn a_cluster_on_its_way_from_v1_tells_its_stories() {
    let world = World::new("legacy");
    let mut told = Vec::new();
    for (tool, arguments) in [
        ("list_training_jobs", json!({})),
        ("list_training_jobs", json!({"kind": "*"})),
        ("list_training_jobs", json!({"kind": "pytorchjobs", "namespace": "*"})),
        ("list_training_jobs", json!({"kind": "*", "status": "Failed"})),
        ("list_training_jobs", json!({"namespace": "team-b"})),
        ("get_training_job", json!({"name": "bert-ddp"})),
        ("get_training_job", json!({"name": "mnist-ps", "kind": "TFJob"})),
        ("get_training_job", json!({"name": "horovod", "kind": "MPIJob"})),
        ("get_training_job", json!({"name": "churn"})),
        ("get_training_job", json!({"name": "gemma-jax-old"})),
        ("get_training_job", json!({"name": "ocr"})),
        ("get_training_job", json!({"name": "bert-ddp", "kind": "TFJob"})),
        ("get_training_job", json!({"name": "nobody"})),
        ("get_training_logs", json!({"name": "bert-ddp"})),
        (
            "get_training_logs",
            json!({"name": "bert-ddp", "step": "worker-9", "kind": "PyTorchJob"}),
        ),
        ("get_training_logs", json!({"name": "churn", "kind": "XGBoostJob"})),
        ("get_training_logs", json!({"name": "horovod"})),
        ("get_training_logs", json!({"name": "mnist-ps"})),
        ("get_training_logs", json!({"name": "gemma-jax-old"})),
        ("get_training_events", json!({"name": "bert-ddp"})),
        ("get_training_events", json!({"name": "ocr", "kind": "PaddleJob"})),
        ("update_training_job", json!({"name": "bert-ddp", "action": "suspend"})),
        (
            "update_training_job",
            json!({"name": "bert-ddp", "action": "suspend", "kind": "PyTorchJob"}),
        ),
        (
            "update_training_job",
            json!({"name": "gemma-jax-old", "action": "resume", "kind": "JAXJob"}),
        ),
        (
            "update_training_job",
            json!({"name": "churn", "action": "suspend", "kind": "XGBoostJob"}),
        ),
        ("delete_training_job", json!({"name": "bert-ddp"})),
        ("delete_training_job", json!({"name": "bert-ddp", "kind": "PyTorchJob"})),
        ("delete_training_job", json!({"name": "bert-v2"})),
        ("list_training_jobs", json!({"kind": "SparkJob"})),
    ] {
        let answer = world.call(tool, arguments.clone()).await;
        told.push(format!("> {tool} {arguments}\n{}", without_id(&answer.text)));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

/// What a call asked for, as `verb resource`.
async fn asked(world: &World, tool: &str, arguments: Value) -> Vec<String> {
    let (_, asked) = world.called(tool, arguments).await;
    asked
        .iter()
        .map(|request| format!("{} {}", request.verb, request.resource))
        .collect()
}

#[tokio::test]
async fn v1_costs_nothing_where_it_is_not_and_little_where_it_is() {
    let world = World::new("showcase");
    assert_eq!(asked(&world, "list_training_jobs", json!({})).await, ["list trainjobs"]);
    let nobody = json!({"name": "nobody"});
    world.sandbox().take_requests();
    assert_eq!(
        asked(&world, "get_training_job", nobody.clone()).await,
        ["get trainjobs", "list pods"]
    );
    let paths: Vec<String> = world
        .sandbox()
        .take_requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let looks = paths
        .iter()
        .filter(|path| path.starts_with("/apis/kubeflow.org"))
        .collect::<Vec<_>>();
    assert_eq!(looks, ["/apis/kubeflow.org"], "one look, which finds Katib alone");

    let world = World::new("legacy");
    let bert = json!({"name": "bert-ddp", "kind": "PyTorchJob"});
    for (tool, requests) in [
        ("get_training_job", &["get pytorchjobs", "list pods"][..]),
        ("get_training_logs", &["list pods", "get pods/log"]),
        ("get_training_events", &["list events"]),
        ("delete_training_job", &["get pytorchjobs", "delete pytorchjobs"]),
    ] {
        assert_eq!(asked(&world, tool, bert.clone()).await, requests, "{tool}");
    }
    assert_eq!(
        asked(&world, "list_training_jobs", json!({"kind": "PyTorchJob"})).await,
        ["list pytorchjobs"]
    );
    assert_eq!(asked(&world, "list_training_jobs", json!({})).await, ["list trainjobs"]);
}

#[tokio::test]
async fn all_kinds_are_one_list_whatever_the_size_of_its_pages() {
    let world = World::new("legacy");
    let whole = world.good("list_training_jobs", json!({"kind": "*"})).await;
    assert_eq!(whole["has_more"], false);
    let names = |page: &Value| -> Vec<String> {
        let rows = page["jobs"].as_array().into_iter().flatten();
        rows.map(|row| {
            format!(
                "{}/{}",
                row["kind"].as_str().unwrap_or("TrainJob"),
                row["name"].as_str().unwrap()
            )
        })
        .collect()
    };
    assert_eq!(names(&whole).len(), 7);
    for limit in 1..4 {
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let page = world
                .good(
                    "list_training_jobs",
                    json!({"kind": "*", "limit": limit, "cursor": cursor}),
                )
                .await;
            assert!(names(&page).len() <= limit);
            all.extend(names(&page));
            cursor = page["next_cursor"].clone();
            if page["has_more"] == false {
                break;
            }
        }
        assert_eq!(all, names(&whole), "pages of {limit}");
    }
    // a cursor is good for the list that gave it alone
    let first = world.good("list_training_jobs", json!({"kind": "*", "limit": 1})).await;
    let error = world
        .bad("list_training_jobs", json!({"cursor": first["next_cursor"]}))
        .await;
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("invalid_argument"), &json!("cursor"))
    );
    let error = world
        .bad("list_training_jobs", json!({"kind": "*", "cursor": "abc"}))
        .await;
    assert_eq!(error["field"], "cursor", "{error}");
}

#[tokio::test]
async fn what_may_not_be_read_is_said() {
    let world = World::new("legacy");
    for rule in [
        "get pytorchjobs.kubeflow.org",
        "get tfjobs.kubeflow.org",
        "list persistentvolumeclaims",
    ] {
        world.sandbox().forbid(rule);
    }
    let error = world.bad("get_training_job", json!({"name": "bert-ddp"})).await;
    assert_eq!(error["code"], "not_found");
    assert!(error["fix"].as_str().unwrap().contains("PyTorchJob, TFJob"), "{error}");
    let error = world
        .bad("get_training_job", json!({"name": "bert-ddp", "kind": "PyTorchJob"}))
        .await;
    assert_eq!(error["code"], "forbidden");
    let plan = world.good("delete_training_job", json!({"name": "bert-v2"})).await;
    assert!(
        plan["preview"]["not_seen"].to_string().contains("volume claims"),
        "{plan}"
    );
}

#[tokio::test]
async fn a_name_that_two_kinds_have_wants_its_kind() {
    let world = World::new("legacy");
    let twin = json!({"apiVersion": "kubeflow.org/v1", "kind": "TFJob", "metadata": {"name": "churn"},
        "spec": {"tfReplicaSpecs": {"Worker": {"template": {"spec": {"containers": [{"name": "tensorflow"}]}}}}}});
    world.create("tfjobs.kubeflow.org", &twin).await;
    let error = world.bad("get_training_job", json!({"name": "churn"})).await;
    assert!(
        error["fix"].as_str().unwrap().contains("kind (TFJob, XGBoostJob)"),
        "{error}"
    );
    let told = world
        .good("get_training_job", json!({"name": "churn", "kind": "tfjob"}))
        .await;
    assert_eq!(told["steps"], json!([]), "the pods of the other are not its own");
    let told = world
        .good("get_training_job", json!({"name": "churn", "kind": "XGBoostJob"}))
        .await;
    assert_eq!(told["steps"][0]["name"], "master-0");
}

#[tokio::test]
async fn the_mpi_operators_own_version_is_served_where_v1_is_not() {
    let world = World::new("healthy-empty");
    define_v1(&world, &[("MPIJob", "mpijobs", "v2beta1")]).await;
    let job = json!({"apiVersion": "kubeflow.org/v2beta1", "kind": "MPIJob", "metadata": {"name": "ring", "namespace": "default"},
        "spec": {"mpiReplicaSpecs": {"Launcher": {"template": {"spec": {"containers": [{"name": "own"}]}}}, "Worker": {"replicas": 2}}}});
    let path = "/apis/kubeflow.org/v2beta1/namespaces/default/mpijobs";
    let made = world.place.ask("POST", path, "application/json", Some(&job)).await;
    assert!(made.code.is_success(), "{}", made.text);
    for kind in [json!("MPIJob"), json!("*")] {
        let listed = world.good("list_training_jobs", json!({"kind": kind})).await;
        assert_eq!(
            (&listed["jobs"][0]["name"], &listed["jobs"][0]["nodes"]),
            (&json!("ring"), &json!(3)),
            "{listed}"
        );
    }
    let told = world.good("get_training_job", json!({"name": "ring"})).await;
    assert_eq!(told["kind"], "MPIJob");
    let done = world
        .confirmed("delete_training_job", json!({"name": "ring", "kind": "MPIJob"}))
        .await;
    assert_eq!(done["deleted"], true, "{done}");
    let error = world.bad("list_training_jobs", json!({"kind": "TFJob"})).await;
    assert_eq!(error["code"], "not_installed", "{error}");
}
