//! Logs over real TLS, with pods from memory.

mod world;

use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::json;

use self::world::{PATIENCE, World, append, ended, running};
use crate::pki::{Authority, MASTERS, Pair};

#[tokio::test]
async fn only_clients_with_a_certificate_of_the_authority_are_heard() {
    let world = World::new(running()).await;
    let uri = format!("https://{}/healthz", world.addr);
    let ask = async |shown: Option<&Pair>, h2| {
        let answer = world.client(shown, h2).get(uri.parse().unwrap()).await.ok()?;
        Some((
            answer.status().as_u16(),
            answer.into_body().collect().await.ok()?.to_bytes(),
        ))
    };
    assert_eq!(
        ask(Some(&world.apiserver()), false).await.unwrap(),
        (200, Bytes::from("ok"))
    );
    assert_eq!(
        ask(Some(&world.apiserver()), true).await.unwrap(),
        (200, Bytes::from("ok"))
    );
    assert_eq!(ask(None, false).await, None);
    let stranger = Authority::new()
        .unwrap()
        .0
        .client("kube-apiserver-kubelet-client", &[MASTERS]);
    assert_eq!(ask(Some(&stranger.unwrap()), false).await, None);
    // those who say nothing hold nobody up
    let silent = tokio::net::TcpStream::connect(world.addr).await.unwrap();
    assert!(ask(Some(&world.apiserver()), false).await.is_some());
    drop(silent);
}

#[tokio::test]
async fn refusals_are_the_kubelets() {
    let world = World::new(running()).await;
    for (path, code, words) in [
        ("/containerLogs/team-a/q/node", 404, "pod \"q\" does not exist"),
        ("/containerLogs/team-b/p/node", 404, "pod \"p\" does not exist"),
        ("/containerLogs/team-a/%2e%2e/node", 404, "pod \"..\" does not exist"),
        (
            "/containerLogs/team-a/p/nope",
            404,
            "container \"nope\" not found in pod \"p\"",
        ),
        (
            "/containerLogs/team-a/p/init",
            400,
            "container \"init\" in pod \"p\" is not available",
        ),
        (
            "/containerLogs/team-a/p/late",
            400,
            "container \"late\" in pod \"p\" is waiting to start: ContainerCreating",
        ),
        (
            "/containerLogs/team-a/p/node?previous=true",
            400,
            "previous terminated container \"node\" in pod \"p\" not found",
        ),
        // before anything is looked up
        (
            "/containerLogs/team-a/q/node?tailLines=x",
            400,
            r#"{"message": "Unable to decode query."}"#,
        ),
        (
            "/containerLogs/team-a/q/node?tailLines=-1",
            422,
            r#"{"message": "Invalid request."}"#,
        ),
        ("/pods", 404, "404 page not found\n"),
    ] {
        let (status, text) = world.get(path).await;
        assert_eq!((status.as_u16(), text.as_str()), (code, words), "{path}");
    }
}

#[tokio::test]
async fn the_first_source_that_is_there_is_told() {
    let mut pod = running();
    assert_eq!(World::new(pod.clone()).await.log("").await, "");
    pod["spec"]["containers"][0]["env"] = json!([{"name": "SIM_LOG", "value": "from env\n{time}"}]);
    let world = World::new(pod).await;
    assert_eq!(world.log("").await, "from env\n2026-11-21T02:00:01Z\n");
    world.annotate("sim/log", "from an annotation");
    assert_eq!(
        world.log("timestamps=true").await,
        "2026-11-21T02:00:00.000000000Z from an annotation\n"
    );
    std::fs::write(world.file("log"), "2026-11-21T05:00:00Z stdout F from a file\n").unwrap();
    assert_eq!(
        world.log("timestamps=true").await,
        "2026-11-21T05:00:00.000000000Z from a file\n"
    );

    // the run before has words of its own, and only the variable speaks for both
    world.change(|pod| {
        let status = &mut pod.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0];
        status.restart_count = 1;
        status.last_state = serde_json::from_value(ended()).unwrap();
    });
    assert_eq!(world.log("previous=true").await, "from env\n2026-11-21T02:00:01Z\n");
    world.annotate("sim/previous-log", "before");
    assert_eq!(world.log("previous=true").await, "before\n");
    assert_eq!(world.log("").await, "from a file\n");
    world.state(json!({"waiting": {"reason": "CrashLoopBackOff"}}));
    assert_eq!(world.log("").await, "before\n");
    std::fs::write(world.file("previous"), "before, in a file\n").unwrap();
    assert_eq!(world.log("previous=true").await, "before, in a file\n");
    assert_eq!(world.log("follow=true").await, "before, in a file\n");
}

#[tokio::test]
async fn a_large_file_is_told_whole_or_in_part() {
    let world = World::new(running()).await;
    let lines: Vec<String> = (0..20_000)
        .map(|i| format!("line {i} {}\n", "x".repeat(i % 90)))
        .collect();
    let cri: Vec<String> = lines
        .iter()
        .map(|line| format!("2026-11-21T05:00:00.5Z stdout F {line}"))
        .collect();
    for text in [lines.concat(), cri.concat()] {
        std::fs::write(world.file("log"), text).unwrap();
        assert!(world.log("").await == lines.concat());
        assert_eq!(world.log("tailLines=2").await, lines[19_998..].concat());
        assert_eq!(world.log("tailLines=0").await, "");
        assert!(world.log("tailLines=30000").await == lines.concat());
        assert_eq!(world.log("tailLines=2&limitBytes=9").await, lines[19_998][..9]);
        assert!(world.log("limitBytes=200001").await == lines.concat()[..200_001]);
    }
    assert_eq!(world.log("sinceTime=2026-11-21T05:00:01Z").await, "");
    assert_eq!(
        world.log("tailLines=3&sinceTime=2026-11-21T05:00:00Z").await,
        lines[19_997..].concat()
    );
}

#[tokio::test]
async fn followers_see_a_file_grow_until_the_container_ends() {
    let world = World::new(running()).await;
    let log = world.file("log");
    let mut early = world.follow("").await;
    std::fs::write(
        &log,
        "2026-11-21T05:00:00Z stdout F one\n2026-11-21T05:00:01Z stdout F t",
    )
    .unwrap();
    early.tells("one\n").await;
    let mut late = world.follow("tailLines=0").await;
    let limited = world.follow("limitBytes=6").await;
    append(&log, "wo\n2026-11-21T05:00:02Z stdout P th");
    early.tells("one\ntwo\n").await;
    late.tells("two\n").await;
    limited.ends("one\ntw").await;
    append(&log, "r\n2026-11-21T05:00:02Z stdout F ee\n");
    world.state(ended());
    early.ends("one\ntwo\nthree\n").await;
    late.ends("two\nthree\n").await;
    assert_eq!(world.log("follow=true&tailLines=1").await, "ee\n");
}

#[tokio::test]
async fn followers_see_an_annotation_grow_until_the_pod_is_gone() {
    let world = World::new(running()).await;
    let mut followed = world.follow("").await;
    world.annotate("sim/log", "one");
    followed.tells("one\n").await;
    world.annotate("sim/log", "one\ntwo\nthree\n");
    followed.tells("one\ntwo\nthree\n").await;
    world.pods.0.send_replace(None);
    followed.ends("one\ntwo\nthree\n").await;
}

#[tokio::test]
async fn a_restart_ends_a_follower() {
    let world = World::new(running()).await;
    world.annotate("sim/log", "one");
    let mut followed = world.follow("").await;
    followed.tells("one\n").await;
    world.change(|pod| pod.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0].restart_count = 1);
    followed.ends("one\n").await;
}

#[tokio::test]
async fn nobody_is_watched_for_a_client_that_went_away() {
    let world = World::new(running()).await;
    let followed = world.follow("").await;
    assert_eq!(world.pods.0.receiver_count(), 1);
    drop(followed);
    tokio::time::timeout(PATIENCE, world.pods.0.closed()).await.unwrap();
}

#[tokio::test]
async fn shutting_down_ends_followers_and_then_the_server() {
    let world = World::new(running()).await;
    world.annotate("sim/log", "one");
    let mut followed = world.follow("").await;
    followed.tells("one\n").await;
    world.stop.cancel();
    followed.ends("one\n").await;
    tokio::time::timeout(PATIENCE, world.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
