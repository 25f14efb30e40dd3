//! Section 21: what is asked of the cluster, and how.

use serde_json::json;

use super::{RUNTIMES, TRAIN_JOBS, container, empty, gone, runtime, stored};
use kf_mcp_tests::World;

/// One odd runtime, or one job whose runtime is gone, does not break a list.
#[tokio::test]
async fn s21_05_odd_objects_are_rows_of_a_list() {
    let world = empty();
    let limits = |limits| json!({"resources": {"limits": limits}});
    for odd in [
        runtime(
            "amd",
            json!({"torch": {}}),
            json!({}),
            limits(json!({"amd.com/gpu": "2"})),
        ),
        runtime(
            "memory",
            json!({"torch": {}}),
            json!({}),
            limits(json!({"memory": "1Gi"})),
        ),
        runtime("plain", json!(null), json!({}), json!({})),
    ] {
        world.create(RUNTIMES, &odd).await;
    }
    let mut unlabelled = runtime("unlabelled", json!({"numNodes": 1}), json!({}), json!({}));
    unlabelled["metadata"]["labels"] = json!({});
    world.create(RUNTIMES, &unlabelled).await;
    let listed = world.good("list_runtimes", json!({})).await.to_string();
    for name in ["amd", "memory", "plain", "unlabelled", "torch-distributed"] {
        assert!(listed.contains(&format!("\"{name}\"")), "{name}: {listed}");
    }
    world
        .create(
            TRAIN_JOBS,
            &stored(
                "odd",
                "amd",
                json!({"runtimeRef": {"name": "amd", "kind": "TrainingRuntime"}}),
            ),
        )
        .await;
    gone(&world, "amd").await;
    let listed = world.good("list_training_jobs", json!({})).await;
    assert_eq!(listed["jobs"][0]["name"], "odd", "{listed}");
    assert_eq!(
        world.good("get_training_job", json!({"name": "odd"})).await["name"],
        "odd"
    );
}

/// A page of jobs is one request, however many jobs there are.
#[tokio::test]
async fn s21_06_a_page_of_jobs_is_one_request() {
    let world = World::new("thousand");
    let (answer, asked) = world.called("list_training_jobs", json!({"limit": 50})).await;
    assert_eq!(answer.structured["jobs"].as_array().unwrap().len(), 50);
    assert_eq!(asked.len(), 1, "{asked:?}");
}

/// A wait is a watch, and lasts as long as it is told.
#[tokio::test(start_paused = true)]
async fn s21_24_a_wait_is_a_watch_that_lasts_as_long_as_it_is_told() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({})))
        .await;
    world.status("a", "Running").await;
    let wait = json!({"name": "a", "target_statuses": ["Complete"], "timeout_seconds": 7, "polling_interval": 2});
    let begun = tokio::time::Instant::now();
    let (answer, asked) = world.called("wait_for_training", wait).await;
    assert!(asked.iter().any(|one| one.verb == "watch"), "{asked:?}");
    assert_eq!(begun.elapsed().as_secs(), 7, "{}", answer.text);
    assert_eq!(answer.structured["reached"], false, "{}", answer.text);
    let polls = asked.iter().filter(|one| one.verb == "get").count();
    assert!(polls <= 2, "{asked:?}");
}

/// What a cluster has is told by its CRDs: the version alone says too little.
#[tokio::test]
async fn s21_34_the_kinds_are_looked_for_and_not_concluded_from_a_version() {
    let world = empty();
    let (answer, asked) = world.called("check_compatibility", json!({})).await;
    assert_eq!(answer.structured["compatible"], true, "{}", answer.text);
    let definitions = asked
        .iter()
        .filter(|one| one.resource == "customresourcedefinitions")
        .count();
    assert!(definitions >= 4, "{asked:?}");
    let without = World::new("no-trainer").good("check_compatibility", json!({})).await;
    assert_eq!(without["compatible"], false, "{without}");
}
