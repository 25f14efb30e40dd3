//! What is known to go wrong around Kubeflow Trainer, and that it does not go wrong here: one test, or a reason for none,
//! for each item of the facts' section 21 (surprises, bugs and limits of Trainer and of its SDK), named `s21_ITEM_…`, and
//! for each row of section 18's table (what the first MCP server for Trainer did), named `s18_ROW_…` in the table's order.
//!
//! The tests go through the tools; where a journey tells the whole story, the test here is the short one that names the item.

mod s18_platform;
mod s18_reading;
mod s18_training;
mod s21_changing;
mod s21_cluster;
mod s21_fine_tuning;
mod s21_reading;
mod s21_training;

use kf_mcp_tests::World;
use serde_json::{Value, json};

const TRAIN_JOBS: &str = "trainjobs.trainer.kubeflow.org";
const RUNTIMES: &str = "trainingruntimes.trainer.kubeflow.org";

/// The items of section 21.
const ITEMS: u32 = 34;
/// The rows of section 18's table.
const ROWS: u32 = 30;

/// Items and rows without a test, each with the reason.
const WITHOUT_TEST: [(&str, &str); 5] = [
    (
        "s21_26",
        "no tool edits the runtimePatches of a job that exists: update_training_job suspends and resumes, and no more",
    ),
    (
        "s21_33",
        "clusters with Trainer v2.0 and v2.1 are worlds of their own, with tests of their own",
    ),
    (
        "s18_02",
        "HF_HOME in the training container is a work-around of one image layout: the SDK sends none, and neither do we",
    ),
    (
        "s18_03",
        "the same for the initializers, whose images bring a home that can be written to",
    ),
    (
        "s18_15",
        "the variable of a pod patch that nobody called: ours have one place, spec.trainer.env (s21_20)",
    ),
];

/// Every item and every row has a test that bears its number, or a reason.
#[test]
fn each_item_and_row_has_a_test_or_a_reason() {
    let sources = [
        include_str!("s18_platform.rs"),
        include_str!("s18_reading.rs"),
        include_str!("s18_training.rs"),
        include_str!("s21_changing.rs"),
        include_str!("s21_cluster.rs"),
        include_str!("s21_fine_tuning.rs"),
        include_str!("s21_reading.rs"),
        include_str!("s21_training.rs"),
    ]
    .concat();
    let items = (1..=ITEMS).map(|item| format!("s21_{item:02}"));
    let rows = (1..=ROWS).map(|row| format!("s18_{row:02}"));
    for number in items.chain(rows) {
        let tests = sources.matches(&format!("async fn {number}_")).count();
        let reasons = WITHOUT_TEST.iter().filter(|(without, _)| *without == number).count();
        assert_eq!(tests + reasons, 1, "{number}: {tests} tests, {reasons} reasons");
    }
    assert!(WITHOUT_TEST.iter().all(|(_, reason)| reason.len() > 40));
}

/// An empty cluster that could train.
fn empty() -> World {
    World::new("healthy-empty")
}

/// Arguments with others beside them.
fn and(mut arguments: Value, more: Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        arguments[key] = value.clone();
    }
    arguments
}

/// A fine-tuning of a Llama, which takes every method.
fn tune(more: Value) -> Value {
    and(
        json!({"name": "tuned", "model": "meta-llama/Llama-3.2-1B", "dataset": "tatsu-lab/alpaca"}),
        more,
    )
}

/// A container that runs until it is told to end.
fn container(name: &str, more: Value) -> Value {
    and(
        json!({"name": name, "image": "example.com/train:1", "gpu_per_node": 0, "env": {"SIM_RUN": "10h"}}),
        more,
    )
}

/// The job that a tool would create, as its preview shows it.
async fn manifest(world: &World, tool: &str, arguments: Value) -> Value {
    world.good(tool, arguments).await["preview"]["manifest"].clone()
}

/// The warnings of a preview, in one text.
async fn warnings(world: &World, tool: &str, arguments: Value) -> String {
    world.good(tool, arguments).await["preview"]["warnings"].to_string()
}

/// The arguments that torchtune gets.
async fn torchtune(world: &World, more: Value) -> Vec<String> {
    let manifest = manifest(world, "fine_tune", tune(more)).await;
    serde_json::from_value(manifest["spec"]["trainer"]["args"].clone()).unwrap()
}

/// A runtime of this world's namespace: a part `node` with one container, and what is special about it.
fn runtime(name: &str, policy: Value, job: Value, container: Value) -> Value {
    let container = and(json!({"name": "node", "image": "example.com/none:1"}), container);
    let job = and(json!({"template": {"spec": {"containers": [container]}}}), job);
    let labels = json!({"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"});
    json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime",
        "metadata": {"name": name, "labels": {"trainer.kubeflow.org/framework": "torch"}},
        "spec": {"mlPolicy": policy, "template": {"spec": {"replicatedJobs": [
            {"name": "node", "template": {"metadata": {"labels": labels}, "spec": job}}]}}},
    })
}

/// A job as it is stored, on a runtime.
fn stored(name: &str, runtime: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": name},
        "spec": and(json!({"runtimeRef": {"name": runtime}}), spec),
    })
}

/// Removes a runtime of this world's namespace, though jobs hold on to it.
async fn gone(world: &World, name: &str) {
    let path = format!(
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{}/trainingruntimes/{name}",
        world.namespace
    );
    world.place.ask("DELETE", &path, "", None).await;
    if world.object(RUNTIMES, name).await.is_some() {
        world
            .merge(RUNTIMES, name, &json!({"metadata": {"finalizers": null}}))
            .await;
    }
    assert!(world.object(RUNTIMES, name).await.is_none(), "{name} is still there");
}
