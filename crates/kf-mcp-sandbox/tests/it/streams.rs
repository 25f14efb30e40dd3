//! Watches and logs.

use futures::{AsyncReadExt as _, Stream, StreamExt as _, TryStreamExt as _};
use jiff::SignedDuration;
use kube::api::{DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::support::*;

type Event = kube::Result<WatchEvent<DynamicObject>>;

/// The next event in few words.
async fn next(events: &mut (impl Stream<Item = Event> + Unpin)) -> String {
    let name = |o: DynamicObject| o.metadata.name.unwrap();
    match events.next().await {
        None => "end".to_owned(),
        Some(Ok(WatchEvent::Added(o))) => format!("added {}", name(o)),
        Some(Ok(WatchEvent::Modified(o))) => format!("modified {}", name(o)),
        Some(Ok(WatchEvent::Deleted(o))) => format!("deleted {}", name(o)),
        Some(Ok(WatchEvent::Bookmark(b))) => {
            let initial = b.metadata.annotations.contains_key("k8s.io/initial-events-end");
            if initial {
                "initial events end".to_owned()
            } else {
                "bookmark".to_owned()
            }
        }
        Some(Ok(WatchEvent::Error(status))) => format!("{} {}", status.code, status.message),
        Some(Err(error)) => format!("error {error}"),
    }
}

fn label(value: &str) -> Patch<Value> {
    Patch::Merge(json!({"metadata": {"labels": {"tier": value}}}))
}

#[tokio::test]
async fn a_watch_tells_what_is_there_and_what_changes() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    api.create(&PostParams::default(), &runtime("a")).await.unwrap();
    let mut events = Box::pin(api.watch(&WatchParams::default(), "0").await.unwrap());
    assert_eq!(next(&mut events).await, "added a");
    assert_eq!(next(&mut events).await, "initial events end");
    api.create(&PostParams::default(), &runtime("b")).await.unwrap();
    api.patch("a", &PatchParams::default(), &label("x")).await.unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    for expected in ["added b", "modified a", "deleted a"] {
        assert_eq!(next(&mut events).await, expected);
    }
}

#[tokio::test]
async fn a_watch_goes_on_from_a_list_and_sees_only_its_namespace_and_name() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let api = api(&client, "TrainingRuntime");
    api.create(&PostParams::default(), &runtime("old")).await.unwrap();
    let version = api
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let params = WatchParams::default().fields("metadata.name=mine");
    let mut events = Box::pin(api.watch(&params, &version).await.unwrap());
    let other = Api::<DynamicObject>::namespaced_with(client, "team-b", &resource("TrainingRuntime"));
    other.create(&PostParams::default(), &runtime("mine")).await.unwrap();
    api.create(&PostParams::default(), &runtime("other")).await.unwrap();
    let made = api.create(&PostParams::default(), &runtime("mine")).await.unwrap();
    match events.next().await.unwrap().unwrap() {
        WatchEvent::Added(seen) => assert_eq!(seen, made),
        event => panic!("{event:?}"),
    }
}

#[tokio::test]
async fn entering_and_leaving_a_selection_are_additions_and_deletions() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    let version = api
        .create(&PostParams::default(), &runtime("a"))
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let mut events = Box::pin(
        api.watch(&WatchParams::default().labels("tier=gpu"), &version)
            .await
            .unwrap(),
    );
    for value in ["gpu", "cpu", "tpu", "gpu"] {
        api.patch("a", &PatchParams::default(), &label(value)).await.unwrap();
    }
    api.delete("a", &DeleteParams::default()).await.unwrap();
    for expected in ["added a", "deleted a", "added a", "deleted a"] {
        assert_eq!(next(&mut events).await, expected);
    }
}

#[tokio::test]
async fn quiet_watches_send_bookmarks_and_end_in_time() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    let mut events = Box::pin(api.watch(&WatchParams::default().timeout(90), "0").await.unwrap());
    assert_eq!(next(&mut events).await, "initial events end");
    sandbox.advance(SignedDuration::from_secs(60));
    assert_eq!(next(&mut events).await, "bookmark");
    sandbox.advance(SignedDuration::from_secs(30));
    assert_eq!(next(&mut events).await, "end");
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    api.create(&PostParams::default(), &runtime("a")).await.unwrap();
    let mut events = Box::pin(api.watch(&WatchParams::default().initial_events(), "0").await.unwrap());
    assert_eq!(next(&mut events).await, "added a");
    assert_eq!(next(&mut events).await, "initial events end");
}

#[tokio::test]
async fn a_forgotten_history_is_410_gone() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    let version = api
        .create(&PostParams::default(), &runtime("a"))
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    api.create(&PostParams::default(), &runtime("b")).await.unwrap();
    sandbox.compact();
    let mut events = Box::pin(api.watch(&WatchParams::default(), &version).await.unwrap());
    assert!(next(&mut events).await.starts_with("410 too old resource version: "));
    assert_eq!(next(&mut events).await, "end");
}

#[tokio::test]
async fn logs_need_a_pod_and_a_container_that_it_has() {
    let mut two = pod("two", json!({}));
    two["spec"]["containers"] = json!([{"name": "a"}, {"name": "b"}]);
    let mut waiting = pod("waiting", json!({}));
    waiting["spec"].as_object_mut().unwrap().remove("nodeName");
    // nothing schedules what asks for a node that is not there
    waiting["spec"]["nodeSelector"] = json!({"no": "such"});
    let sandbox = with(vec![two, waiting]);
    let client = sandbox.client();
    let pods = api(&client, "Pod");
    let read = async |name: &str, params: LogParams| {
        use k8s_openapi::api::core::v1::Pod;
        Api::<Pod>::namespaced(client.clone(), "team-a")
            .logs(name, &params)
            .await
    };
    drop(pods);
    assert_eq!(
        refused(read("none", LogParams::default()).await).message,
        "pods \"none\" not found"
    );
    let unnamed = refused(read("two", LogParams::default()).await);
    assert_eq!(unnamed.code, 400);
    assert_eq!(
        unnamed.message,
        "a container name must be specified for pod two, choose one of: [a b]"
    );
    let params = LogParams {
        container: Some("nope".to_owned()),
        ..LogParams::default()
    };
    let unknown = refused(read("two", params).await);
    assert_eq!(unknown.message, "container nope is not valid for pod two");
    let bad = LogParams {
        container: Some("a".to_owned()),
        since_seconds: Some(0),
        ..LogParams::default()
    };
    assert_eq!(refused(read("two", bad).await).code, 422);
    let (code, body) = get(&client, "/api/v1/namespaces/team-a/pods/waiting/log").await;
    assert_eq!((code, body.as_str()), (204, ""));
}

#[tokio::test]
async fn a_followed_log_ends_with_its_pod() {
    let sandbox = with(vec![pod("p", json!({}))]);
    let pods = Api::<k8s_openapi::api::core::v1::Pod>::namespaced(sandbox.client(), "team-a");
    let params = LogParams {
        follow: true,
        ..LogParams::default()
    };
    let stream = pods.log_stream("p", &params).await;
    sandbox.forbid("get pods/log");
    assert_eq!(refused(pods.logs("p", &params).await).code, 403);
    sandbox.allow_all();
    pods.delete("p", &DeleteParams::default()).await.unwrap();
    if let Ok(stream) = stream {
        let mut text = String::new();
        Box::pin(stream).read_to_string(&mut text).await.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_watch_fault_ends_the_stream() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    for name in ["a", "b", "c"] {
        api.create(&PostParams::default(), &runtime(name)).await.unwrap();
    }
    sandbox.faults().next(1, "watch *", kf_mcp_sandbox::Fault::DropWatch(2));
    let seen: Vec<_> = api
        .watch(&WatchParams::default(), "0")
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn logs_are_read_by_their_options_and_followed() {
    use k8s_openapi::api::core::v1::Pod;
    let sandbox = Sandbox::named("showcase", kf_mcp_sandbox::Clock::manual(start())).unwrap();
    let client = sandbox.client();
    // a second cluster tells which pods will print more
    let later = Sandbox::named("showcase", kf_mcp_sandbox::Clock::manual(start())).unwrap();
    later.advance(SignedDuration::from_mins(5));
    let later = later.client();
    let running = ListParams::default().fields("status.phase=Running");
    let mut found = None;
    for pod in Api::<Pod>::all(client.clone()).list(&running).await.unwrap().items {
        let (name, namespace) = (pod.metadata.name.unwrap(), pod.metadata.namespace.unwrap());
        let read = async |client: &Client| {
            let log = Api::<Pod>::namespaced(client.clone(), &namespace)
                .logs(&name, &LogParams::default())
                .await;
            log.unwrap_or_default()
        };
        let (now, then) = (read(&client).await, read(&later).await);
        if now.lines().count() > 5 && then.len() > now.len() && then.starts_with(&now) {
            found = Some((Api::<Pod>::namespaced(client.clone(), &namespace), name));
        }
    }
    let (pods, name) = found.unwrap();
    let all = pods.logs(&name, &LogParams::default()).await.unwrap();
    let tail = pods
        .logs(
            &name,
            &LogParams {
                tail_lines: Some(2),
                ..LogParams::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(tail.lines().count(), 2);
    assert!(all.ends_with(&tail));
    let head = pods
        .logs(
            &name,
            &LogParams {
                limit_bytes: Some(10),
                ..LogParams::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(head, all[..10]);
    let stamped = pods
        .logs(
            &name,
            &LogParams {
                timestamps: true,
                ..LogParams::default()
            },
        )
        .await
        .unwrap();
    let first = stamped.lines().next().unwrap();
    let (time, text) = first.split_once(' ').unwrap();
    assert_eq!(time.len(), "2026-03-01T12:00:00.000000000Z".len());
    assert!(all.starts_with(text));

    let follow = LogParams {
        follow: true,
        ..LogParams::default()
    };
    let mut stream = Box::pin(pods.log_stream(&name, &follow).await.unwrap());
    let mut seen = vec![0; all.len()];
    stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(seen, all.as_bytes());
    sandbox.advance(SignedDuration::from_mins(5));
    let more = pods.logs(&name, &LogParams::default()).await.unwrap();
    assert!(more.len() > all.len());
    let mut seen = vec![0; more.len() - all.len()];
    stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(seen, more.as_bytes()[all.len()..]);
}

#[tokio::test]
async fn the_driver_ends_with_its_sandbox() {
    let sandbox = sandbox();
    let driver = sandbox.spawn_driver();
    tokio::task::yield_now().await;
    assert!(!driver.is_finished());
    drop(sandbox);
    driver.await.unwrap();
}
