//! Section 21: what is sent for scripts and containers.

use kf_mcp_tests::script::carried;
use serde_json::{Value, json};

use super::{TRAIN_JOBS, and, container, empty, manifest, runtime, warnings};

/// The unquoted heredoc of the SDK: expansions, and a line that ends it.
#[tokio::test]
async fn s21_01_a_script_travels_without_a_shell() {
    let world = empty();
    let script = "print('$HOME `id` \\\\ \\$')\ntext = '''\nEOM\necho INJECTED\n'''\n\ndef train(a):\n    print(a)\n";
    let arguments = json!({"name": "a", "script": script, "func_args": {"a": "$(id) `id` EOM"}, "gpu_per_node": 0});
    world.confirmed("run_custom_training", arguments).await;
    let job = world.object(TRAIN_JOBS, "a").await.unwrap();
    let task = carried(&job["spec"]["trainer"]["args"]).unwrap();
    assert_eq!(task["script"], script);
    assert_eq!(task["func_args"], json!({"a": "$(id) `id` EOM"}));
    assert!(!job["spec"]["trainer"].to_string().contains("INJECTED"));
}

/// Without GPUs torchrun starts one process per CPU: the plan says so, and another number can be given.
#[tokio::test]
async fn s21_13_processes_are_told_and_can_be_set() {
    let world = empty();
    let cpu = container("a", json!({"resources_per_node": {"cpu": 8}}));
    let told = warnings(&world, "run_container_training", cpu.clone()).await;
    assert!(told.contains("torchrun starts 8 processes"), "{told}");
    let one = and(cpu, json!({"num_proc_per_node": 1}));
    let job = manifest(&world, "run_container_training", one.clone()).await;
    assert_eq!(job["spec"]["trainer"]["numProcPerNode"], 1);
    assert!(
        !warnings(&world, "run_container_training", one)
            .await
            .contains("torchrun")
    );
}

/// Without `spec.trainer` Trainer sets no variables.
#[tokio::test]
async fn s21_14_nodes_are_always_sent() {
    let world = empty();
    let tune = super::tune(json!({}));
    for (tool, arguments) in [
        ("run_container_training", json!({"image": "i"})),
        ("run_custom_training", json!({"script": "x = 1"})),
        ("fine_tune", tune),
    ] {
        let job = manifest(&world, tool, arguments).await;
        assert_eq!(job["spec"]["trainer"]["numNodes"], 1, "{tool}: {job}");
    }
}

/// Names begin with a letter, and leave room for the names of the pods: 33 characters on torchtune's runtimes.
#[tokio::test]
async fn s21_15_names_that_only_an_event_would_refuse_are_refused_at_once() {
    let world = empty();
    let long = "a".repeat(34);
    for (tool, arguments) in [
        ("run_container_training", container("1st", json!({}))),
        ("run_container_training", container("Bad_Name", json!({}))),
        ("run_container_training", container(&"a".repeat(63), json!({}))),
        ("fine_tune", super::tune(json!({"name": long}))),
    ] {
        let (answer, asked) = world.called(tool, arguments).await;
        let error = &answer.structured["error"];
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("invalid_argument"), &json!("name")),
            "{error}"
        );
        assert!(asked.iter().all(|one| one.verb != "create"), "{asked:?}");
    }
    let generated = json!({"image": format!("example.com/{}:1", "long".repeat(25))});
    let job = manifest(&world, "run_container_training", generated).await;
    assert!(
        job["metadata"]["name"].as_str().is_some_and(|name| name.len() <= 52),
        "{job}"
    );
}

/// What the SDK cannot set: suspension, processes, and one patch with a manager of our own.
#[tokio::test]
async fn s21_20_all_options_go_into_one_patch_of_our_own() {
    let world = empty();
    let job = manifest(
        &world,
        "run_container_training",
        container(
            "a",
            json!({"suspend": true, "num_proc_per_node": 2, "node_selector": {"zone": "a"},
            "tolerations": [{"operator": "Exists"}], "service_account_name": "trainer"}),
        ),
    )
    .await;
    let spec = &job["spec"];
    assert_eq!(
        (&spec["suspend"], &spec["trainer"]["numProcPerNode"]),
        (&json!(true), &json!(2))
    );
    let patches = spec["runtimePatches"].as_array().unwrap();
    assert_eq!(patches.len(), 1, "{patches:?}");
    assert_eq!(patches[0]["manager"], "mcp.kubeflow.org/kubeflow-mcp");
    assert_eq!(spec["trainer"]["env"], json!([{"name": "SIM_RUN", "value": "10h"}]));
    assert!(!patches[0].to_string().contains("SIM_RUN"), "{patches:?}");
}

/// Keys that the API does not know would vanish in the SDK: the trial is strict.
#[tokio::test]
async fn s21_21_an_unknown_key_is_refused_by_its_name() {
    let world = empty();
    let typo = container("a", json!({"affinity": {"nodeAfinity": {}}, "confirmed": true}));
    let error = world.bad("run_container_training", typo).await;
    assert!(error.to_string().contains("nodeAfinity"), "{error}");
    assert!(world.object(TRAIN_JOBS, "a").await.is_none());
}

/// The SDK sends 1.0 and counts "2.0" devices.
#[tokio::test]
async fn s21_22_quantities_are_texts_and_devices_whole_numbers() {
    let world = empty();
    let arguments = json!({"image": "i", "resources_per_node": {"gpu": 1.0, "cpu": 0.5, "memory": "1Gi"}});
    let preview = world.good("run_container_training", arguments).await["preview"].clone();
    let limits = &preview["manifest"]["spec"]["trainer"]["resourcesPerNode"]["limits"];
    assert!(limits.as_object().unwrap().values().all(Value::is_string), "{limits}");
    assert_eq!(limits["nvidia.com/gpu"], "1");
    assert_eq!(preview["devices"]["per_node"], json!(1), "{preview}");
}

/// The shipped runtime with a data cache has no place for an initializer of the job's: none is sent.
#[tokio::test]
async fn s21_27_a_runtime_without_a_place_for_it_gets_no_initializer() {
    let world = empty();
    let runtimes: Vec<Value> = serde_json::from_str(include_str!("../../fixtures/sdk/runtimes.json")).unwrap();
    let cache = runtimes
        .iter()
        .find(|one| one["metadata"]["name"] == "torch-distributed-with-cache")
        .unwrap();
    world
        .create("clustertrainingruntimes.trainer.kubeflow.org", cache)
        .await;
    let arguments = json!({"script": "x = 1", "runtime": "torch-distributed-with-cache", "gpu_per_node": 0});
    let job = manifest(&world, "run_custom_training", arguments).await;
    assert!(job["spec"]["initializer"].is_null(), "{job}");
}

/// Labels of a job are not those of its pods: the plan says so.
#[tokio::test]
async fn s21_29_labels_are_said_to_stay_on_the_job() {
    let world = empty();
    let labelled = container("a", json!({"labels": {"team": "a"}}));
    let told = warnings(&world, "run_container_training", labelled).await;
    assert!(told.contains("do not reach its pods"), "{told}");
}

/// What Trainer's own documents say of runtimes is stale: the CRD decides, and what it does not know is refused, or said to
/// be meant otherwise.
#[tokio::test]
async fn s21_28_fields_of_stale_documents_are_not_sent() {
    let world = empty();
    let create = |policy: Value, annotations: Value| {
        let mut spec = runtime("stale", policy, json!({}), json!({}))["spec"].clone();
        spec["annotations"] = annotations;
        json!({"name": "stale", "spec": spec, "namespace": world.namespace, "confirmed": true})
    };
    for field in ["numNodes", "numProcPerNode"] {
        let policy = json!({"torch": {field: 2}});
        let error = world.bad("create_runtime", create(policy, Value::Null)).await;
        assert!(error.to_string().contains(field), "{error}");
        assert!(world.object(super::RUNTIMES, "stale").await.is_none());
    }
    let annotated = create(json!({"torch": {}}), json!({"a": "b"}));
    let answer = world.call("create_runtime", annotated).await;
    assert!(answer.text.contains("spec.annotations is no field"), "{}", answer.text);
    let made = world.object(super::RUNTIMES, "stale").await.unwrap();
    assert_eq!(
        (&made["metadata"]["annotations"]["a"], &made["spec"]["annotations"]),
        (&json!("b"), &Value::Null)
    );
}
