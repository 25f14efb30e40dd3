//! Section 18's table: runtimes that are made, changed and removed; the controller; versions.

use kf_mcp_tests::World;
use serde_json::json;

use super::{RUNTIMES, container, empty, runtime};

/// A runtime has a policy and a framework, without which nobody can use it.
#[tokio::test]
async fn s18_25_a_runtime_is_made_that_jobs_can_use() {
    let world = empty();
    let spec = runtime("own", json!({"torch": {}}), json!({}), json!({}))["spec"].clone();
    let create = json!({"name": "own", "namespace": world.namespace, "framework": "torch", "spec": spec});
    world.confirmed("create_runtime", create).await;
    let made = world.object(RUNTIMES, "own").await.unwrap();
    assert_eq!(
        made["metadata"]["labels"]["trainer.kubeflow.org/framework"], "torch",
        "{made}"
    );
    assert!(made["spec"]["mlPolicy"]["torch"].is_object(), "{made}");
    world
        .confirmed("run_container_training", container("a", json!({"runtime": "own"})))
        .await;
    world.status("a", "Running").await;
}

/// The patch is a merge patch, which replaces lists as a whole: the tool's description says so, and the preview shows what
/// changes.
#[tokio::test]
async fn s18_26_a_patch_is_a_merge_patch_and_says_so() {
    let world = empty();
    world
        .create(RUNTIMES, &runtime("own", json!({"torch": {}}), json!({}), json!({})))
        .await;
    let patch = json!({"name": "own", "namespace": world.namespace, "patch": {"mlPolicy": {"numNodes": 3}}});
    let preview = world.good("patch_runtime", patch.clone()).await;
    assert!(preview.to_string().contains("numNodes"), "{preview}");
    world.confirmed("patch_runtime", patch).await;
    let stored = world.object(RUNTIMES, "own").await.unwrap();
    assert_eq!(
        stored["spec"]["mlPolicy"],
        json!({"numNodes": 3, "torch": {}}),
        "{stored}"
    );
    assert!(description("patch_runtime").contains("replace"));
}

/// What a tool says of itself and of its arguments.
fn description(name: &str) -> String {
    let selection = kf_mcp_core::Selection {
        clients: vec!["trainer".into()],
        persona: kf_mcp_core::Persona::PlatformAdmin,
    };
    let catalogue = kf_mcp_core::Catalogue::new(kf_mcp_tests::MODULES, &selection).unwrap();
    let tool = catalogue.get(name).unwrap();
    format!("{} {}", tool.description, json!(*tool.input_schema))
}

/// Jobs that run keep their copy of the runtime: what is said of them is what will happen.
#[tokio::test]
async fn s18_27_a_removal_tells_what_becomes_of_jobs() {
    let world = empty();
    world
        .create(RUNTIMES, &runtime("own", json!({"torch": {}}), json!({}), json!({})))
        .await;
    world
        .confirmed("run_container_training", container("a", json!({"runtime": "own"})))
        .await;
    world
        .confirmed(
            "run_container_training",
            container("b", json!({"runtime": "own", "suspend": true})),
        )
        .await;
    world.status("a", "Running").await;
    let answer = world
        .call("delete_runtime", json!({"name": "own", "namespace": world.namespace}))
        .await;
    for part in ["jobs that run go on", "suspended jobs on it: 1"] {
        assert!(answer.text.contains(part), "{part}: {}", answer.text);
    }
}

/// The controller is found by its labels, wherever it is installed.
#[tokio::test]
async fn s18_28_the_controller_is_found_in_any_namespace() {
    let world = empty();
    let path = "/apis/apps/v1/namespaces/kubeflow-system/deployments/kubeflow-trainer-controller-manager";
    let mut moved = world.place.ask("GET", path, "", None).await.json();
    moved["metadata"] = json!({"name": "elsewhere", "labels": moved["metadata"]["labels"]});
    world.create("deployments.apps", &moved).await;
    let told = world.good("inspect_controller", json!({})).await.to_string();
    assert!(
        told.contains("elsewhere") && told.contains("kubeflow-trainer-controller-manager"),
        "{told}"
    );
}

/// Versions are compared, and what is missing is told.
#[tokio::test]
async fn s18_29_versions_are_told_and_judged() {
    let told = empty().call("check_compatibility", json!({})).await;
    for part in [
        "v1.36.3",
        "1.31",
        "v2.3.0",
        "trainjobs.trainer.kubeflow.org",
        "jobsets.jobset.x-k8s.io",
    ] {
        assert!(told.text.contains(part), "{part}: {}", told.text);
    }
    let without = World::new("no-trainer").call("check_compatibility", json!({})).await;
    assert!(without.text.contains("compatible: no"), "{}", without.text);
}
