//! Every world loads, rests, and tells the stories it promises.

use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::controllers::objects::{is_true, kind};
use crate::controllers::{settle, step};
use crate::logs;
use crate::store::{Store, text};

fn now() -> Timestamp {
    "2026-05-04T10:00:00Z".parse().unwrap()
}

/// The scenario in a new store, as the sandbox fills it.
fn fill(scenario: &Scenario) -> Store {
    crate::load::store(scenario.objects.clone(), now())
}

fn job(store: &Store, namespace: &str, name: &str) -> Value {
    (**store.get(kind("TrainJob"), namespace, name).unwrap()).clone()
}

fn pods(store: &Store, namespace: &str, job: &str) -> Vec<Value> {
    store
        .list(kind("Pod"), Some(namespace))
        .filter(|pod| pod["metadata"]["labels"]["jobset.sigs.k8s.io/jobset-name"] == job)
        .map(|pod| (**pod).clone())
        .collect()
}

fn log(pod: &Value, previous: bool) -> String {
    let lines = logs::lines(pod, &text(pod, "/spec/containers/0/name"), previous, now()).unwrap();
    lines.into_iter().map(|line| line.text + "\n").collect()
}

#[test]
fn every_scenario_is_at_rest_when_it_is_loaded() {
    for name in names() {
        let mut store = fill(&load(name, now()).unwrap());
        assert_eq!(step(&store, now()), [], "{name}");
        let before = store.version();
        let next = settle(&mut store, now());
        assert_eq!(store.version(), before, "{name}");
        assert_eq!(next, None, "{name}");
    }
}

#[test]
fn the_showcase_goes_on_running() {
    let mut store = fill(&load("showcase", now()).unwrap());
    let before = store.version();
    settle(&mut store, now() + jiff::SignedDuration::from_hours(50));
    assert_eq!(store.version(), before);
}

#[test]
fn the_showcase_tells_six_stories() {
    let scenario = load("showcase", now()).unwrap();
    assert_eq!(scenario.default_namespace, "team-a");
    let store = fill(&scenario);
    for of in ["JobSet", "Job", "Pod"] {
        let owned = |o: &Value| o["metadata"]["ownerReferences"][0]["uid"].is_string();
        assert!(store.list(kind(of), Some("team-a")).all(|o| owned(o)), "{of}");
    }

    let workers = pods(&store, "team-a", "llama3-8b-pretrain");
    let restarts: Vec<i64> = workers
        .iter()
        .map(|p| p["status"]["containerStatuses"][0]["restartCount"].as_i64().unwrap())
        .collect();
    assert_eq!(restarts, [0, 0, 1, 0]);
    assert!(workers.iter().all(|pod| pod["status"]["phase"] == "Running"));
    assert!(log(&workers[2], true).contains("ChildFailedError"));
    assert!(log(&workers[2], false).contains("resuming from checkpoint"));
    assert!(log(&workers[0], false).contains("[rank0] step "));

    let bert = job(&store, "team-a", "bert-sentiment-finetune");
    assert!(is_true(&bert, "Complete"));
    assert_eq!(bert["status"]["trainerStatus"]["metrics"][0]["value"], "0.935");
    assert!(log(&pods(&store, "team-a", "bert-sentiment-finetune")[0], false).contains("accuracy=0.935"));

    assert!(is_true(&job(&store, "team-a", "gpt2-pretrain"), "Failed"));
    let kept = pods(&store, "team-a", "gpt2-pretrain");
    let killed = &kept.last().unwrap()["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(
        (kept.len(), killed["exitCode"].as_i64(), killed["reason"].as_str()),
        (1, Some(137), Some("OOMKilled"))
    );
    assert!(text(&kept[0], "/metadata/name").starts_with("gpt2-pretrain-node-0-3-"));
    assert!(log(&kept[0], false).trim_end().ends_with("in use."));

    let lora = pods(&store, "team-a", "llama-lora");
    let waiting = lora
        .iter()
        .find(|pod| text(pod, "/metadata/name").contains("-node-"))
        .unwrap();
    assert_eq!(waiting["status"]["phase"], "Pending");
    let name = text(waiting, "/metadata/name");
    let event = store
        .list(kind("Event"), Some("team-a"))
        .find(|event| event["involvedObject"]["name"] == name && event["reason"] == "FailedScheduling")
        .unwrap();
    assert!(
        text(event, "/message").starts_with("0/11 nodes are available: "),
        "{}",
        text(event, "/message")
    );

    let sft = job(&store, "team-a", "qwen-sft");
    assert!(is_true(&sft, "Suspended"));
    assert_eq!(sft["status"]["trainerStatus"]["metrics"][0]["value"], "52000");
    assert_eq!(pods(&store, "team-a", "qwen-sft").len(), 0);

    let jax = pods(&store, "team-b", "gemma-jax");
    assert_eq!(jax.iter().filter(|pod| pod["status"]["phase"] == "Running").count(), 4);
    assert!(jax.iter().all(|pod| text(pod, "/spec/nodeName").starts_with("tpu-")));
}

#[test]
fn cancelling_the_big_job_lets_the_waiting_one_in() {
    let mut store = fill(&load("showcase", now()).unwrap());
    store
        .delete(kind("TrainJob"), "team-a", "llama3-8b-pretrain", false)
        .unwrap();
    assert_eq!(pods(&store, "team-a", "llama3-8b-pretrain").len(), 0);
    settle(&mut store, now());
    settle(&mut store, now() + jiff::SignedDuration::from_secs(10));
    let lora = pods(&store, "team-a", "llama-lora");
    assert_eq!(lora.iter().filter(|pod| pod["status"]["phase"] == "Running").count(), 1);
}

#[test]
fn a_suspended_job_of_the_showcase_can_be_resumed() {
    let mut store = fill(&load("showcase", now()).unwrap());
    let mut sft = job(&store, "team-a", "qwen-sft");
    sft["spec"]["suspend"] = serde_json::json!(false);
    store.update(kind("TrainJob"), sft).unwrap();
    settle(&mut store, now());
    // Eight of its sixteen nodes are all that the namespace's quota of GPUs has left.
    assert_eq!(pods(&store, "team-a", "qwen-sft").len(), 8);
    assert!(!is_true(&job(&store, "team-a", "qwen-sft"), "Suspended"));
}

#[test]
fn worlds_differ_in_what_they_lack() {
    let count = |name: &str, of: &str| fill(&load(name, now()).unwrap()).count(kind(of), None);
    assert_eq!(count("healthy-empty", "TrainJob"), 0);
    assert_eq!(count("healthy-empty", "ClusterTrainingRuntime"), 8);
    assert_eq!(count("healthy-empty", "CustomResourceDefinition"), 8);
    assert_eq!(count("no-trainer", "CustomResourceDefinition"), 0);
    assert_eq!(count("no-trainer", "Deployment"), 0);
    assert_eq!(count("thousand", "TrainJob"), 1000);
    assert_eq!(count("thousand?jobs=25", "TrainJob"), 25);
    assert!(!load("no-rbac", now()).unwrap().forbidden.is_empty());
    let store = fill(&load("thousand", now()).unwrap());
    let suspended = store
        .list(kind("TrainJob"), None)
        .filter(|job| is_true(job, "Suspended"))
        .count();
    assert_eq!(suspended, 100);
}

#[test]
fn a_name_or_parameter_that_is_wrong_is_explained() {
    for (name, said) in [
        (
            "showcas",
            "there is no scenario `showcas`. Did you mean `showcase`? Scenarios: showcase, healthy-empty, no-trainer, \
             no-rbac, legacy, thousand.",
        ),
        (
            "thousand?job=3",
            "scenario `thousand` has no parameter `job`. Did you mean `jobs`? Parameters: jobs.",
        ),
        (
            "thousand?jobs=x",
            "`jobs` of scenario `thousand` must be a number from 1 to 100000, got `x`.",
        ),
        (
            "healthy-empty?trainr=v2.1",
            "scenario `healthy-empty` has no parameter `trainr`. Did you mean `trainer`? Parameters: trainer.",
        ),
        (
            "healthy-empty?trainer=v1.9",
            "`trainer` of scenario `healthy-empty` must be one of v2.0, v2.1, v2.3, got `v1.9`.",
        ),
        (
            "showcase?jobs=3",
            "scenario `showcase` takes no parameters, got `jobs`.",
        ),
    ] {
        assert_eq!(load(name, now()).unwrap_err().0, said);
    }
}

#[test]
fn ten_thousand_jobs_come_to_rest() {
    let mut store = fill(&load("thousand?jobs=10000", now()).unwrap());
    settle(&mut store, now());
    let settled = store.version();
    settle(&mut store, now());
    assert_eq!(store.version(), settled, "controllers had nothing left to do");
}

#[test]
fn nothing_is_older_than_what_owns_it() {
    let now: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    let scenario = load("showcase", now).unwrap();
    let born = |object: &Value| object["metadata"]["creationTimestamp"].as_str().unwrap().to_owned();
    for object in &scenario.objects {
        for owner in object["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
            let of = scenario.objects.iter().find(|other| {
                other["kind"] == owner["kind"]
                    && other["metadata"]["name"] == owner["name"]
                    && other["metadata"]["namespace"] == object["metadata"]["namespace"]
            });
            let of = of.unwrap();
            assert!(
                born(of) <= born(object),
                "{} {}",
                object["kind"],
                object["metadata"]["name"]
            );
        }
    }
}
