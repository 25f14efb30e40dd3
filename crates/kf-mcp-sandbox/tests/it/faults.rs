//! Things that go wrong on purpose.

use std::time::Duration;

use jiff::SignedDuration;
use kf_mcp_sandbox::Fault;
use kube::api::{ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn writes_meet_conflicts_a_number_of_times() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    sandbox.faults().next(2, "* trainingruntimes", Fault::Conflict);
    api.create(&PostParams::default(), &runtime("a")).await.unwrap();
    let patch = Patch::Merge(json!({"metadata": {"labels": {"x": "y"}}}));
    for _ in 0..2 {
        assert_eq!(refused(api.patch("a", &PatchParams::default(), &patch).await).code, 409);
    }
    api.patch("a", &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn refusals_are_switched_on_and_off() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let api = api(&client, "Pod");
    for (fault, code) in [
        (Fault::Forbidden, 403),
        (Fault::TooManyRequests { retry_after: 7 }, 429),
        (Fault::Internal, 500),
    ] {
        sandbox.faults().add("list pods", fault);
        let refusal = refused(api.list(&ListParams::default()).await);
        assert_eq!(refusal.code, code, "{}", refusal.message);
        if code == 429 {
            let request = http::Request::get("/api/v1/pods")
                .body(kube::client::Body::empty())
                .unwrap();
            assert_eq!(client.send(request).await.unwrap().headers()["retry-after"], "7");
        }
        sandbox.faults().clear();
        api.list(&ListParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn answers_break_off() {
    let sandbox = sandbox();
    sandbox.faults().next(1, "list pods", Fault::Cut(10));
    let api = api(&sandbox.client(), "Pod");
    let error = api.list(&ListParams::default()).await.unwrap_err();
    assert!(!matches!(error, kube::Error::Api(_)), "{error:?}");
    api.list(&ListParams::default()).await.unwrap();
}

#[tokio::test]
async fn slow_answers_wait_for_the_clock() {
    let sandbox = sandbox();
    sandbox
        .faults()
        .next(1, "list pods", Fault::Slow(Duration::from_secs(30)));
    let api = api(&sandbox.client(), "Pod");
    let slow = tokio::spawn(async move { api.list(&ListParams::default()).await });
    while sandbox.faults().waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!slow.is_finished());
    sandbox.advance(SignedDuration::from_secs(30));
    slow.await.unwrap().unwrap();
}

#[tokio::test]
async fn tokens_and_watches_expire() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    for name in ["a", "b"] {
        api.create(&PostParams::default(), &runtime(name)).await.unwrap();
    }
    let first = api.list(&ListParams::default().limit(1)).await.unwrap().metadata;
    sandbox.faults().next(1, "list *", Fault::ExpiredContinue);
    let token = first.continue_.unwrap();
    assert_eq!(
        refused(api.list(&ListParams::default().continue_token(&token)).await).code,
        410
    );
    api.list(&ListParams::default().continue_token(&token)).await.unwrap();

    sandbox.faults().next(1, "watch *", Fault::ExpiredWatch);
    let mut events = Box::pin(
        api.watch(&WatchParams::default(), &first.resource_version.unwrap())
            .await
            .unwrap(),
    );
    match futures::StreamExt::next(&mut events).await.unwrap().unwrap() {
        WatchEvent::Error(status) => assert_eq!(status.code, 410),
        event => panic!("{event:?}"),
    }
}

#[tokio::test]
async fn services_are_proxied() {
    let service = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "team-a"},
            "spec": {"selector": {"app": name}, "ports": [{"port": 8080, "name": "http-api"}]},
        })
    };
    let sandbox = with(vec![service("model-registry-service"), service("other")]);
    let client = sandbox.client();
    let base = "/api/v1/namespaces/team-a/services";
    let (code, body) = get(&client, &format!("{base}/none/proxy/x")).await;
    assert_eq!(
        (code, body.contains("services \\\"none\\\" not found")),
        (404, true),
        "{body}"
    );
    let (code, body) = get(&client, &format!("{base}/http:other:8080/proxy/x")).await;
    assert_eq!(
        (code, body.contains("no endpoints available for service")),
        (503, true),
        "{body}"
    );
    // what the registry knows is its own affair: that it answers, and not the API server, shows in the body
    let (_, body) = get(&client, &format!("{base}/model-registry-service:8080/proxy/nope")).await;
    assert!(!body.contains("\"kind\":\"Status\""), "{body}");
    sandbox.forbid("get services/proxy");
    assert_eq!(
        get(&client, &format!("{base}/model-registry-service:8080/proxy/nope"))
            .await
            .0,
        403
    );
}
