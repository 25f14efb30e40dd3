//! Suspending, resuming and waiting on the sandbox: what is said, what is asked, and how a wait survives its watch.

use kf_mcp_core::{CallMeta, Called, Progress};
use kf_mcp_sandbox::Fault;
use kf_mcp_tests::World;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const WATCH: &str = "watch trainjobs.trainer.kubeflow.org";

/// A job that runs.
async fn running(world: &World, name: &str) {
    let arguments = json!({"name": name, "image": "example.com/train:1", "env": {"SIM_RUN": "10h"}});
    world.confirmed("run_container_training", arguments).await;
    world.status(name, "Running").await;
}

/// Returns when a job is watched.
async fn watched(world: &World) {
    while !world.sandbox().requests().iter().any(|asked| asked.verb == "watch") {
        tokio::task::yield_now().await;
    }
}

/// The plan id is new each time.
fn without_id(text: &str) -> String {
    match text.split_once("plan_id=") {
        Some((head, _)) => format!("{head}plan_id=…"),
        None => text.to_owned(),
    }
}

#[tokio::test]
async fn previews_answers_and_refusals_of_a_suspension() {
    let world = World::new("showcase");
    let mut told = Vec::new();
    for arguments in [
        json!({"name": "llama3-8b-pretrain", "action": "suspend"}),
        json!({"name": "llama3-8b-pretrain", "action": "suspend", "confirmed": true}),
        json!({"name": "llama3-8b-pretrain", "action": "suspend"}),
        json!({"name": "llama3-8b-pretrain", "action": "suspend", "confirmed": true}),
        json!({"name": "llama3-8b-pretrain", "action": "resume"}),
        json!({"name": "llama3-8b-pretrain", "action": "resume", "confirmed": true}),
        json!({"name": "qwen-sft", "action": "suspend"}),
        json!({"name": "llama-lora", "action": "suspend"}),
        json!({"name": "bert-sentiment-finetune", "action": "suspend"}),
        json!({"name": "nobody", "action": "suspend"}),
        json!({"name": "nobody", "action": "pause"}),
    ] {
        let answer = world.call("update_training_job", arguments.clone()).await;
        told.push(format!("> {arguments}\n{}", without_id(&answer.text)));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

#[tokio::test]
async fn a_plan_is_for_the_job_as_it_is() {
    let world = World::new("healthy-empty");
    running(&world, "one").await;
    let preview = world
        .good("update_training_job", json!({"name": "one", "action": "suspend"}))
        .await;
    let confirm = json!({"name": "one", "action": "suspend", "confirmed": true, "plan_id": preview["plan_id"]});
    world
        .merge(
            "trainjobs.trainer.kubeflow.org",
            "one",
            &json!({"spec": {"activeDeadlineSeconds": 99}}),
        )
        .await;
    assert_eq!(world.bad("update_training_job", confirm).await["code"], "stale_plan");
}

#[tokio::test]
async fn only_the_wish_is_written() {
    let world = World::new("healthy-empty");
    running(&world, "one").await;
    world.sandbox().take_requests();
    world
        .confirmed("update_training_job", json!({"name": "one", "action": "suspend"}))
        .await;
    let requests = world.sandbox().take_requests();
    let writes: Vec<&str> = requests
        .iter()
        .filter(|request| request.method != "GET")
        .map(|request| request.query.as_str())
        .collect();
    // a trial for the preview, one for the confirmation, and the write
    let tried = writes.iter().filter(|query| query.contains("dryRun=All")).count();
    assert_eq!((writes.len(), tried), (3, 2), "{writes:?}");
}

#[tokio::test]
async fn without_rights_to_pods_and_runtimes_it_works_and_says_what_it_did_not_see() {
    let world = World::new("healthy-empty");
    running(&world, "one").await;
    for rule in ["list pods", "get clustertrainingruntimes.trainer.kubeflow.org"] {
        world.sandbox().forbid(rule);
    }
    let preview = world
        .good("update_training_job", json!({"name": "one", "action": "suspend"}))
        .await;
    assert_eq!(
        preview["preview"]["not_seen"].as_array().map(Vec::len),
        Some(2),
        "{preview}"
    );
    let done = world
        .confirmed("update_training_job", json!({"name": "one", "action": "suspend"}))
        .await;
    assert_eq!(done["took_effect"], true, "{done}");
    assert!(done["not_seen"].to_string().contains("pods"), "{done}");
}

#[tokio::test]
async fn a_wait_tells_its_time_and_what_to_do_then() {
    let world = World::new("healthy-empty");
    running(&world, "one").await;
    let waited = world
        .good("wait_for_training", json!({"name": "one", "timeout_seconds": 1}))
        .await;
    assert_eq!(
        waited,
        json!({"name": "one", "namespace": world.namespace, "status": "Running", "reached": false, "ended": "timeout",
            "waited_seconds": 1, "hints": ["call again with the same arguments to wait on"]})
    );
    let error = world.bad("wait_for_training", json!({"name": "nobody"})).await;
    assert_eq!(
        (&error["code"], &error["tool"]),
        (&json!("not_found"), &json!("list_training_jobs"))
    );
    let error = world
        .bad("wait_for_training", json!({"name": "one", "target_statuses": ["Done"]}))
        .await;
    assert_eq!(error["field"], "target_statuses[0]", "{error}");
}

/// No call waits for longer than the operator lets it.
#[tokio::test]
async fn a_wait_is_no_longer_than_the_operator_allows() {
    let with = |seconds: Value| {
        World::with("healthy-empty", move |mut settings| {
            settings.insert("trainer".into(), json!({"max_wait_seconds": seconds}));
            settings
        })
    };
    let world = with(json!("1"));
    running(&world, "one").await;
    let arguments = json!({"name": "one", "timeout_seconds": 60});
    let waited = world.good("wait_for_training", arguments.clone()).await;
    assert_eq!(
        (&waited["ended"], &waited["waited_seconds"]),
        (&json!("timeout"), &json!(1)),
        "{waited}"
    );
    assert!(waited["hints"].to_string().contains("1 s is the longest"), "{waited}");
    for wrong in [json!(0), json!("soon"), json!([1])] {
        let error = with(wrong).bad("wait_for_training", arguments.clone()).await;
        assert_eq!(error["code"], "internal", "{error}");
        assert!(error.to_string().contains("configuration"), "{error}");
    }
}

/// Watches that end after each event, or whose version is too old, are taken up again.
#[tokio::test]
async fn a_wait_outlives_its_watches() {
    for fault in [Fault::DropWatch(1), Fault::ExpiredWatch] {
        let world = World::new("healthy-empty");
        running(&world, "one").await;
        world.sandbox().faults().next(2, WATCH, fault);
        let waiting = world.good(
            "wait_for_training",
            json!({"name": "one", "target_statuses": "Complete"}),
        );
        let end = async {
            watched(&world).await;
            world.end("one", 0).await;
            world.status("one", "Complete").await;
        };
        let (waited, ()) = tokio::join!(waiting, end);
        assert_eq!(waited["ended"], "target", "{waited}");
    }
}

/// The server is asked to keep a watch for what is left of the wait, and for no longer than servers do.
#[tokio::test]
async fn a_watch_lasts_no_longer_than_its_wait() {
    for (seconds, least, most) in [(30, 30, 40), (600, 290, 290)] {
        let world = World::new("healthy-empty");
        running(&world, "one").await;
        let waiting = world.good("wait_for_training", json!({"name": "one", "timeout_seconds": seconds}));
        let end = async {
            watched(&world).await;
            world.end("one", 0).await;
            world.status("one", "Complete").await;
        };
        tokio::join!(waiting, end);
        let asked = world.sandbox().requests();
        let watch = asked.iter().find(|asked| asked.verb == "watch").unwrap();
        let within = watch
            .query
            .split('&')
            .find_map(|part| part.strip_prefix("timeoutSeconds="));
        let within: u32 = within.unwrap().parse().unwrap();
        assert!((least..=most).contains(&within), "{}", watch.query);
    }
}

#[tokio::test]
async fn a_job_that_is_deleted_ends_the_wait() {
    let world = World::new("healthy-empty");
    running(&world, "one").await;
    let waiting = world.good("wait_for_training", json!({"name": "one"}));
    let delete = async {
        watched(&world).await;
        world.confirmed("delete_training_job", json!({"name": "one"})).await;
    };
    let (waited, _) = tokio::join!(waiting, delete);
    assert_eq!(waited["ended"], "deleted", "{waited}");
}

/// A wait for the job `one`, what it reports, and how it is given up.
fn heard(
    world: &World,
) -> (
    impl Future<Output = Option<Called>>,
    mpsc::Receiver<Progress>,
    CancellationToken,
) {
    let (sink, reports) = mpsc::channel(32);
    let cancelled = CancellationToken::new();
    let meta = CallMeta {
        cancelled: cancelled.clone(),
        progress: Some(sink),
        ..CallMeta::local()
    };
    let arguments = json!({"name": "one"}).as_object().cloned().unwrap_or_default();
    let waiting = world.server.engine().call("wait_for_training", arguments, meta);
    (waiting, reports, cancelled)
}

#[tokio::test]
async fn each_change_is_reported_and_a_cancellation_ends_the_wait_at_once() {
    let world = World::new("healthy-empty");
    running(&world, "one").await;
    let (waiting, mut reports, cancelled) = heard(&world);
    let steer = async {
        let mut heard: Vec<String> = Vec::new();
        let first: Progress = reports.recv().await.unwrap();
        heard.push(first.message);
        world
            .merge(
                "trainjobs.trainer.kubeflow.org",
                "one",
                &json!({"metadata": {"labels": {"a": "b"}}}),
            )
            .await;
        heard.push(reports.recv().await.unwrap().message);
        cancelled.cancel();
        heard
    };
    // a wait that did not hear of it would go on for minutes
    let (called, heard) = tokio::join!(waiting, steer);
    assert_eq!(heard, ["Running", "still Running"]);
    let answer = called.unwrap().answer;
    assert_eq!(answer.structured["error"]["code"], "cancelled", "{}", answer.text);
}

#[tokio::test]
async fn a_wait_that_is_given_up_at_once_has_opened_no_watch() {
    let world = World::new("healthy-empty");
    running(&world, "one").await;
    let (waiting, mut reports, cancelled) = heard(&world);
    let give_up = async {
        reports.recv().await.unwrap();
        cancelled.cancel();
    };
    let (called, ()) = tokio::join!(waiting, give_up);
    let asked = called.unwrap().asked;
    assert_eq!(asked.iter().map(|one| one.verb).collect::<Vec<_>>(), ["list"]);
}

#[tokio::test]
async fn without_rights_to_pods_a_wait_says_what_it_did_not_see() {
    let world = World::new("showcase");
    world.sandbox().forbid("list pods");
    let waited: Value = world
        .good("wait_for_training", json!({"name": "llama-lora", "timeout_seconds": 1}))
        .await;
    assert!(waited["not_seen"].to_string().contains("pods"), "{waited}");
}
