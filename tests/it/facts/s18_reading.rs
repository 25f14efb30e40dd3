//! Section 18's table: jobs, logs, events and runtimes that are read.

use serde_json::json;

use super::{container, empty};

/// The peer says Created of a paused job, and that this is how it is.
#[tokio::test]
async fn s18_18_a_paused_job_is_suspended() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({"suspend": true})))
        .await;
    let told = world.status("a", "Suspended").await;
    assert_eq!(told["suspended"], true, "{told}");
}

/// The status can be listed by, and waited for.
#[tokio::test]
async fn s18_19_paused_jobs_are_listed_and_waited_for() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({"suspend": true})))
        .await;
    world
        .confirmed("run_container_training", container("b", json!({})))
        .await;
    world.status("a", "Suspended").await;
    let listed = world.good("list_training_jobs", json!({"status": "Suspended"})).await;
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["jobs"][0]["name"], "a", "{listed}");
    let waited = world
        .good(
            "wait_for_training",
            json!({"name": "a", "target_statuses": "Suspended"}),
        )
        .await;
    assert_eq!(waited["reached"], true, "{waited}");
}

/// More than a name: nodes, steps with pods, times, image, runtime.
#[tokio::test]
async fn s18_20_a_job_is_told_in_full() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({"num_nodes": 2})))
        .await;
    world.running("a", 2).await;
    let told = world.status("a", "Running").await;
    assert_eq!(
        (&told["nodes"], &told["image"]),
        (&json!(2), &json!("example.com/train:1")),
        "{told}"
    );
    let steps = told["steps"].as_array().unwrap();
    assert!(
        steps.len() == 2 && steps.iter().all(|step| step["pod"].is_string()),
        "{told}"
    );
    assert!(told["created"].is_string() && told["started"].is_string(), "{told}");
    let whole = world
        .good("get_training_job", json!({"name": "a", "include_spec": true}))
        .await;
    assert!(whole.to_string().contains("runtimeRef"), "{whole}");
}

/// The end of a log is what says how it went; the peer cut it off.
#[tokio::test]
async fn s18_21_the_end_of_a_long_log_is_kept() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({})))
        .await;
    world.running("a", 1).await;
    let lines: Vec<String> = (0..3000)
        .map(|line| format!("step {line} {}", "x".repeat(30)))
        .collect();
    let log = format!("{}\nRuntimeError: the end", lines.join("\n"));
    world.annotate("a", &json!({"sim/log": log})).await;
    let read = world
        .call("get_training_logs", json!({"name": "a", "tail_lines": 1000}))
        .await;
    let last = read.structured["lines"]
        .as_array()
        .and_then(|lines| lines.last())
        .cloned();
    assert_eq!(last, Some(json!("RuntimeError: the end")));
    assert!(read.text.trim_end().contains("RuntimeError: the end"));
}

/// The newest events come first; the peer showed the oldest.
#[tokio::test]
async fn s18_22_the_newest_events_are_kept() {
    let world = empty();
    world
        .confirmed("run_container_training", container("a", json!({})))
        .await;
    world.running("a", 1).await;
    world.pass(60);
    world
        .confirmed("update_training_job", json!({"name": "a", "action": "suspend"}))
        .await;
    world.status("a", "Suspended").await;
    let all = world
        .good("get_training_events", json!({"name": "a", "limit": 100}))
        .await;
    let newest = world
        .good("get_training_events", json!({"name": "a", "limit": 1}))
        .await;
    assert!(all["events"].as_array().unwrap().len() > 3, "{all}");
    assert_eq!(newest["events"][0]["reason"], all["events"][0]["reason"], "{newest}");
    let times: Vec<&str> = all["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["time"].as_str())
        .collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
}

/// A runtime is told in full, and nothing is started to find out about its packages.
#[tokio::test]
async fn s18_23_a_runtime_is_told_and_nothing_is_started() {
    let world = empty();
    let ask = json!({"name": "torchtune-llama3.2-1b", "include_packages": true});
    let (answer, asked) = world.called("get_runtime", ask).await;
    let told = &answer.structured;
    assert_eq!(told["framework"], "torchtune", "{told}");
    assert!(told.to_string().contains("torchtune-trainer"), "{told}");
    assert!(asked.iter().all(|one| one.verb == "get"), "{asked:?}");
}

/// More than names.
#[tokio::test]
async fn s18_24_a_list_of_runtimes_tells_which_to_take() {
    let listed = empty().good("list_runtimes", json!({})).await;
    let runtimes = listed["runtimes"].as_array().unwrap();
    let tune = runtimes
        .iter()
        .find(|one| one["name"] == "torchtune-llama3.2-1b")
        .unwrap();
    assert_eq!(tune["framework"], "torchtune", "{tune}");
    assert!(tune.to_string().contains("nvidia.com/gpu"), "{tune}");
}
