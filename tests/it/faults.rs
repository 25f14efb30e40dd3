//! What a caller reads when the cluster misbehaves: a code, the words of the server, and what to do next.

use std::time::Duration;

use kf_mcp_sandbox::Fault;
use kf_mcp_tests::World;
use serde_json::json;

async fn meets(fault: Fault) -> serde_json::Value {
    let world = World::new("showcase");
    world.sandbox().faults().add("* trainjobs.trainer.kubeflow.org", fault);
    world.bad("list_training_jobs", json!({})).await
}

#[tokio::test]
async fn each_fault_has_its_code_and_a_way_on() {
    let errors = json!([
        meets(Fault::Forbidden).await,
        meets(Fault::TooManyRequests { retry_after: 7 }).await,
        meets(Fault::Internal).await,
        meets(Fault::Cut(10)).await,
    ]);
    insta::assert_json_snapshot!(errors);
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_is_a_timeout_after_ten_seconds() {
    let begun = tokio::time::Instant::now();
    let error = meets(Fault::Slow(Duration::from_secs(3600))).await;
    assert_eq!(error["code"], "timeout");
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn an_expired_cursor_says_to_start_again() {
    let world = World::new("thousand");
    let first = world.good("list_training_jobs", json!({"limit": 10})).await;
    world
        .sandbox()
        .faults()
        .add("list trainjobs.trainer.kubeflow.org", Fault::ExpiredContinue);
    let error = world
        .bad(
            "list_training_jobs",
            json!({"limit": 10, "cursor": first["next_cursor"]}),
        )
        .await;
    assert_eq!(error["code"], "expired_cursor");
}

#[tokio::test]
async fn rights_that_are_missing_are_named_with_who_can_grant_them() {
    let world = World::new("no-rbac");
    insta::assert_json_snapshot!(json!([
        world.bad("list_training_jobs", json!({"namespace": "*"})).await,
        world.bad("list_training_jobs", json!({"namespace": "team-b"})).await,
    ]));
    let jobs = world.good("list_training_jobs", json!({"namespace": "team-a"})).await;
    assert!(!jobs["jobs"].as_array().unwrap().is_empty());
    let namespaces = world.good("list_namespaces", json!({})).await;
    assert_eq!(namespaces["complete"], false);
    assert_eq!(namespaces["namespaces"][0]["name"], "team-a");
}

#[tokio::test]
async fn without_the_trainer_the_fix_is_how_to_install_it() {
    let world = World::new("no-trainer");
    let error = world.bad("list_training_jobs", json!({})).await;
    assert_eq!(error["code"], "not_installed");
    assert_eq!(error["tool"], "check_compatibility");
    let report = world.good("check_compatibility", json!({})).await;
    assert_eq!(report["compatible"], false);
    assert!(report.to_string().contains("helm install"), "{report}");
}
