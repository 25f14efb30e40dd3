//! Lists and selectors.

use kube::api::{ListParams, PostParams};
use serde_json::json;

use crate::support::*;

async fn five(client: &Client) -> Api<DynamicObject> {
    let api = api(client, "TrainingRuntime");
    for (i, name) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        let mut sent = runtime(name);
        sent.metadata.labels = Some(
            [
                ("odd".to_owned(), (i % 2 == 1).to_string()),
                (format!("is-{name}"), String::new()),
            ]
            .into(),
        );
        api.create(&PostParams::default(), &sent).await.unwrap();
    }
    api
}

fn names(list: &kube::core::ObjectList<DynamicObject>) -> String {
    list.items
        .iter()
        .filter_map(|o| o.metadata.name.clone())
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn lists_come_in_pages() {
    let sandbox = sandbox();
    let api = five(&sandbox.client()).await;
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(names(&first), "a b");
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    let params = ListParams::default()
        .limit(2)
        .continue_token(first.metadata.continue_.as_ref().unwrap());
    let second = api.list(&params).await.unwrap();
    assert_eq!(names(&second), "c d");
    assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
    let params = ListParams::default()
        .limit(2)
        .continue_token(second.metadata.continue_.as_ref().unwrap());
    let last = api.list(&params).await.unwrap();
    assert_eq!(
        (
            names(&last).as_str(),
            last.metadata.continue_.as_deref(),
            last.metadata.remaining_item_count
        ),
        // lists of custom kinds say that there is no more where those of built-in kinds say nothing
        ("e", Some(""), None)
    );

    let selected = api
        .list(&ListParams::default().limit(1).labels("odd=true"))
        .await
        .unwrap();
    assert_eq!(selected.metadata.remaining_item_count, None);
    assert!(selected.metadata.continue_.is_some());

    let bad = refused(api.list(&ListParams::default().continue_token("nonsense")).await);
    assert_eq!(bad.code, 400);
    assert!(bad.message.contains("continue key is not valid"), "{}", bad.message);
}

#[tokio::test]
async fn an_expired_token_brings_another_that_goes_on() {
    let sandbox = sandbox();
    let api = five(&sandbox.client()).await;
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    api.create(&PostParams::default(), &runtime("f")).await.unwrap();
    sandbox.compact();
    let old = first.metadata.continue_.unwrap();
    let gone = refused(api.list(&ListParams::default().continue_token(&old)).await);
    assert_eq!((gone.code, gone.reason.as_str()), (410, "Expired"));
    let token = gone.metadata.unwrap().continue_.unwrap();
    let rest = api.list(&ListParams::default().continue_token(&token)).await.unwrap();
    assert_eq!(names(&rest), "c d e f");
}

#[tokio::test]
async fn selectors_choose() {
    let sandbox = with(vec![pod("p-0", json!({"app": "x"})), pod("p-1", json!({"app": "y"}))]);
    let api = five(&sandbox.client()).await;
    for (selector, expected) in [
        ("odd=true", "b d"),
        ("odd!=true", "a c e"),
        ("odd in (true,false),!is-a", "b c d e"),
        ("is-c", "c"),
        ("odd notin (true)", "a c e"),
    ] {
        assert_eq!(
            names(&api.list(&ListParams::default().labels(selector)).await.unwrap()),
            expected,
            "{selector}"
        );
    }
    assert_eq!(
        names(
            &api.list(&ListParams::default().fields("metadata.name!=a"))
                .await
                .unwrap()
        ),
        "b c d e"
    );
    let refusal = refused(api.list(&ListParams::default().fields("spec.x=y")).await);
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (400, "field label not supported: spec.x")
    );
    assert_eq!(
        refused(api.list(&ListParams::default().labels("a in (b")).await).code,
        400
    );
    let pods = crate::support::api(&sandbox.client(), "Pod");
    let params = ListParams::default().fields("spec.nodeName=node-0,metadata.name=p-1");
    assert_eq!(names(&pods.list(&params).await.unwrap()), "p-1");
}

#[tokio::test]
async fn items_of_typed_lists_have_no_type_and_custom_ones_do() {
    let sandbox = sandbox();
    let client = sandbox.client();
    five(&client).await;
    let (_, runtimes) = get(&client, "/apis/trainer.kubeflow.org/v1alpha1/trainingruntimes").await;
    let runtimes: Value = serde_json::from_str(&runtimes).unwrap();
    assert_eq!(runtimes["kind"], "TrainingRuntimeList");
    assert_eq!(runtimes["items"][0]["kind"], "TrainingRuntime");
    let (_, accounts) = get(&client, "/api/v1/serviceaccounts").await;
    let accounts: Value = serde_json::from_str(&accounts).unwrap();
    assert_eq!(accounts["items"][0].get("kind"), None);
    let metadata = crate::support::api(&client, "TrainingRuntime")
        .list_metadata(&ListParams::default())
        .await
        .unwrap();
    assert_eq!(metadata.items.len(), 5);
}
