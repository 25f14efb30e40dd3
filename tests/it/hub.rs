//! The hub's tools on the sandbox's Model Registry.

use kf_mcp_tests::World;
use serde_json::{Value, json};

#[tokio::test]
async fn models_are_listed_by_page_and_filter() {
    let world = World::new("showcase");
    let live = world.good("list_models", json!({})).await;
    assert!(
        live["models"]
            .as_array()
            .unwrap()
            .iter()
            .all(|model| model["state"] == "LIVE")
    );
    let mut names = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let page = world
            .good("list_models", json!({"state": "ANY", "limit": 1, "cursor": cursor}))
            .await;
        names.extend(
            page["models"]
                .as_array()
                .unwrap()
                .iter()
                .map(|model| model["name"].as_str().unwrap().to_owned()),
        );
        if page["has_more"] != true {
            break;
        }
        cursor = page["next_cursor"].clone();
    }
    names.sort();
    assert_eq!(names, ["bert-sentiment", "churn-xgboost", "community-summarizer"]);
    let found = world.good("list_models", json!({"query": "bert"})).await;
    assert_eq!(found["models"][0]["name"], "bert-sentiment");
    let error = world
        .bad(
            "list_models",
            json!({"state": "LIVE", "limit": 1, "cursor": "nonsense"}),
        )
        .await;
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("invalid_argument"), &json!("cursor"))
    );
}

#[tokio::test]
async fn a_model_comes_with_its_newest_versions() {
    let world = World::new("showcase");
    let answer = world
        .call("get_model", json!({"name": "bert-sentiment", "include_versions": 2}))
        .await;
    insta::assert_snapshot!(answer.text);
    assert_eq!(answer.structured["versions"].as_array().unwrap().len(), 2);
    let error = world.bad("get_model", json!({"name": "bert_sentiment"})).await;
    // `_` is a wildcard of the registry's lookup, not of ours.
    assert_eq!(error["code"], "not_found");
    assert_eq!(world.bad("get_model", json!({})).await["code"], "invalid_argument");
}

#[tokio::test]
async fn untrusted_descriptions_are_labelled_and_bounded() {
    let world = World::new("showcase");
    let answer = world.call("list_models", json!({})).await;
    assert!(answer.text.contains("untrusted"), "{}", answer.text);
}

#[tokio::test]
async fn a_registry_that_is_not_there_says_where_it_was_looked_for() {
    let world = World::new("healthy-empty");
    let error = world.bad("list_models", json!({})).await;
    assert_eq!(error["code"], "not_installed");
    assert!(error.to_string().contains("KUBEFLOW_MCP_HUB_URL"), "{error}");
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let world = World::with("showcase", |mut settings| {
        settings.insert("hub".into(), json!({"url": format!("http://{free}")}));
        settings
    });
    let error = world.bad("list_models", json!({})).await;
    assert_eq!(error["code"], "unreachable");
    assert!(
        error["answered"].as_str().unwrap().contains(&free.to_string()),
        "{error}"
    );
}
