//! The optimizer's tools on the sandbox's Katib Experiments.

use kf_mcp_tests::World;
use serde_json::json;

#[tokio::test]
async fn experiments_are_listed_with_their_best_value() {
    let world = World::new("showcase");
    let answer = world.call("list_optimization_jobs", json!({"namespace": "*"})).await;
    insta::assert_snapshot!(answer.text);
    let running = world
        .good("list_optimization_jobs", json!({"namespace": "*", "status": "Running"}))
        .await;
    assert_eq!(running["jobs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_experiment_comes_with_its_trials() {
    let world = World::new("showcase");
    let answer = world
        .call("get_optimization_job", json!({"name": "bert-lr-search"}))
        .await;
    insta::assert_snapshot!(answer.text);
}

#[tokio::test]
async fn the_best_trials_are_recomputed_from_the_metrics() {
    let world = World::new("showcase");
    let answer = world
        .call(
            "get_best_hyperparameters",
            json!({"name": "bert-lr-search", "top_k": 2}),
        )
        .await;
    insta::assert_snapshot!(answer.text);
    let error = world.bad("get_best_hyperparameters", json!({"name": "nobody"})).await;
    assert_eq!(
        (&error["code"], &error["tool"]),
        (&json!("not_found"), &json!("list_optimization_jobs"))
    );
}

#[tokio::test]
async fn without_katib_it_says_so() {
    let world = World::new("no-trainer");
    let error = world.bad("list_optimization_jobs", json!({})).await;
    assert_eq!(error["code"], "not_installed");
}
