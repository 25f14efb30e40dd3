//! Create, get, delete: the life of an object.

use kube::api::{DeleteParams, ListParams, PostParams, Preconditions, PropagationPolicy};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn an_object_gets_an_identity_and_is_read_back() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    let mut sent = runtime("a");
    sent.metadata.creation_timestamp = Some(serde_json::from_value(json!("2001-01-01T00:00:00Z")).unwrap());
    sent.metadata.uid = Some("mine".to_owned());
    let made = api.create(&PostParams::default(), &sent).await.unwrap();
    assert_eq!(made.metadata.namespace.as_deref(), Some("team-a"));
    assert_eq!(made.metadata.generation, Some(1));
    assert_ne!(made.metadata.uid.as_deref(), Some("mine"));
    assert_eq!(json!(made.metadata.creation_timestamp), "2026-03-01T12:00:00Z");
    assert_eq!(api.get("a").await.unwrap(), made);
}

#[tokio::test]
async fn refusals_have_the_words_of_a_real_server() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    let missing = refused(api.get("x").await);
    assert_eq!(missing.message, "trainingruntimes.trainer.kubeflow.org \"x\" not found");
    assert_eq!((missing.code, missing.reason.as_str()), (404, "NotFound"));
    let details = missing.details.unwrap();
    assert_eq!(
        (details.name.as_str(), details.kind.as_str()),
        ("x", "trainingruntimes")
    );
    assert_eq!(details.group, "trainer.kubeflow.org");

    api.create(&PostParams::default(), &runtime("x")).await.unwrap();
    let twice = refused(api.create(&PostParams::default(), &runtime("x")).await);
    assert_eq!(
        twice.message,
        "trainingruntimes.trainer.kubeflow.org \"x\" already exists"
    );
    assert_eq!((twice.code, twice.reason.as_str()), (409, "AlreadyExists"));

    let bad = refused(api.create(&PostParams::default(), &runtime("No_Name")).await);
    assert_eq!((bad.code, bad.reason.as_str()), (422, "Invalid"));
    assert!(bad.message.starts_with(
        "TrainingRuntime.trainer.kubeflow.org \"No_Name\" is invalid: metadata.name: Invalid value: \"No_Name\": a \
         lowercase RFC 1123 subdomain must consist of"
    ));
    assert_eq!(bad.details.unwrap().causes[0].field, "metadata.name");
}

#[tokio::test]
async fn an_object_needs_its_namespace_and_the_paths_names() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let nowhere = Api::<DynamicObject>::namespaced_with(client.clone(), "nowhere", &resource("ConfigMap"));
    let refusal = refused(
        nowhere
            .create(&PostParams::default(), &config_map("a", json!({})))
            .await,
    );
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (404, "namespaces \"nowhere\" not found")
    );

    let mut other = config_map("a", json!({}));
    other.metadata.namespace = Some("team-b".to_owned());
    let refusal = refused(api(&client, "ConfigMap").create(&PostParams::default(), &other).await);
    assert_eq!(refusal.code, 400);
    assert_eq!(
        refusal.message,
        "the namespace of the provided object does not match the namespace sent on the request"
    );
    let body = r#"{"metadata":{"name":"b"}}"#;
    let path = "/api/v1/namespaces/team-a/configmaps/a";
    let (code, _, body) = raw(&client, "PUT", path, "application/json", body).await;
    assert_eq!(code, 400);
    assert!(
        body.contains("the name of the object (b) does not match the name on the URL (a)"),
        "{body}"
    );
}

#[tokio::test]
async fn bodies_that_are_no_objects_are_refused() {
    let client = sandbox().client();
    let path = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team-a/trainingruntimes";
    for (content_type, body, code, words) in [
        (
            "application/json",
            "{nope",
            400,
            "the object provided is unrecognized (must be of type TrainingRuntime)",
        ),
        (
            "application/json",
            r#"{"metadata":{}}"#,
            400,
            "Object 'Kind' is missing",
        ),
        (
            "application/json",
            r#"{"apiVersion":"v1","kind":"Pod"}"#,
            400,
            "the API version in the data (v1)",
        ),
        (
            "text/plain",
            "{}",
            415,
            "the body of the request was in an unknown format",
        ),
    ] {
        let (got, _, answer) = raw(&client, "POST", path, content_type, body).await;
        assert_eq!(got, code, "{answer}");
        let status: Value = serde_json::from_str(&answer).unwrap();
        assert!(status["message"].as_str().unwrap().contains(words), "{answer}");
    }
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(3 * 1024 * 1024));
    assert_eq!(raw(&client, "POST", path, "application/json", &large).await.0, 413);
}

#[tokio::test]
async fn names_are_generated() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "ConfigMap");
    let mut sent = config_map("", json!({}));
    sent.metadata.name = None;
    assert_eq!(refused(api.create(&PostParams::default(), &sent).await).code, 422);
    sent.metadata.generate_name = Some("run-".to_owned());
    let first = api
        .create(&PostParams::default(), &sent)
        .await
        .unwrap()
        .metadata
        .name
        .unwrap();
    let second = api
        .create(&PostParams::default(), &sent)
        .await
        .unwrap()
        .metadata
        .name
        .unwrap();
    assert!(
        first.starts_with("run-") && first.len() == 9 && first != second,
        "{first} {second}"
    );
}

#[tokio::test]
async fn a_deletion_takes_what_is_owned_unless_it_is_orphaned() {
    for (policy, left) in [(PropagationPolicy::Background, 0), (PropagationPolicy::Orphan, 1)] {
        let sandbox = sandbox();
        let client = sandbox.client();
        let owner = api(&client, "TrainingRuntime")
            .create(&PostParams::default(), &runtime("a"))
            .await
            .unwrap();
        let mut owned = config_map("owned", json!({}));
        owned.metadata.owner_references = Some(vec![
            serde_json::from_value(json!({
                "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime", "name": "a",
                "uid": owner.metadata.uid,
            }))
            .unwrap(),
        ]);
        api(&client, "ConfigMap")
            .create(&PostParams::default(), &owned)
            .await
            .unwrap();
        let params = DeleteParams {
            propagation_policy: Some(policy),
            ..DeleteParams::default()
        };
        // an orphaning deletion is answered with the object, which something else has to let go of first
        let answered = api(&client, "TrainingRuntime").delete("a", &params).await.unwrap();
        let answered = answered.either(
            |object| object.metadata.uid.unwrap(),
            |status| status.details.unwrap().uid,
        );
        assert_eq!(answered, owner.metadata.uid.unwrap());
        let maps = api(&client, "ConfigMap")
            .list(&ListParams::default())
            .await
            .unwrap()
            .items;
        assert_eq!(maps.len(), left);
        assert!(
            maps.iter()
                .all(|m| m.metadata.owner_references.as_ref().is_none_or(Vec::is_empty))
        );
    }
}

#[tokio::test]
async fn a_foreground_deletion_answers_with_the_object() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    api.create(&PostParams::default(), &runtime("a")).await.unwrap();
    let object = api
        .delete("a", &DeleteParams::foreground())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(object.metadata.deletion_timestamp.is_some());
    assert_eq!(refused(api.get("a").await).code, 404);
}

#[tokio::test]
async fn preconditions_hold_a_deletion_back() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "TrainingRuntime");
    api.create(&PostParams::default(), &runtime("a")).await.unwrap();
    for preconditions in [
        Preconditions {
            uid: Some("other".to_owned()),
            resource_version: None,
        },
        Preconditions {
            uid: None,
            resource_version: Some("1".to_owned()),
        },
    ] {
        let params = DeleteParams {
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        let refusal = refused(api.delete("a", &params).await);
        assert_eq!((refusal.code, refusal.reason.as_str()), (409, "Conflict"));
        assert!(refusal.message.contains("in the precondition"), "{}", refusal.message);
    }
    api.get("a").await.unwrap();
}

#[tokio::test]
async fn finalizers_keep_an_object_until_they_are_gone() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "ConfigMap");
    let mut sent = config_map("a", json!({}));
    sent.metadata.finalizers = Some(vec!["example.com/wait".to_owned()]);
    api.create(&PostParams::default(), &sent).await.unwrap();
    let marked = api.delete("a", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert!(marked.metadata.deletion_timestamp.is_some());
    let mut kept = api.get("a").await.unwrap();
    kept.metadata.finalizers = None;
    api.replace("a", &PostParams::default(), &kept).await.unwrap();
    assert_eq!(refused(api.get("a").await).code, 404);
}

#[tokio::test]
async fn collections_are_deleted_by_selector() {
    let sandbox = sandbox();
    let api = api(&sandbox.client(), "ConfigMap");
    for (name, tier) in [("a", "x"), ("b", "x"), ("c", "y")] {
        api.create(&PostParams::default(), &config_map(name, json!({"tier": tier})))
            .await
            .unwrap();
    }
    let gone = api
        .delete_collection(&DeleteParams::default(), &ListParams::default().labels("tier=x"))
        .await;
    assert_eq!(gone.unwrap().left().unwrap().items.len(), 2);
    let left = api.list(&ListParams::default()).await.unwrap();
    assert_eq!(
        left.items
            .iter()
            .map(|o| o.metadata.name.as_deref().unwrap())
            .collect::<Vec<_>>(),
        ["c"]
    );
}

#[tokio::test]
async fn a_namespace_comes_with_a_service_account_and_goes_with_everything() {
    let sandbox = sandbox();
    let namespaces = Api::<DynamicObject>::all_with(sandbox.client(), &resource("Namespace"));
    let sent = serde_json::from_value(namespace("new")).unwrap();
    let made = namespaces.create(&PostParams::default(), &sent).await.unwrap();
    assert_eq!(made.data["status"]["phase"], "Active");
    assert!(sandbox.object("ServiceAccount", "new", "default").is_some());
    namespaces.delete("new", &DeleteParams::default()).await.unwrap();
    assert!(sandbox.object("ServiceAccount", "new", "default").is_none());
}
