//! Updates, patches, status and dry runs.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams, ValidationDirective};
use serde_json::json;

use crate::support::*;

async fn one(sandbox: &Sandbox) -> (Api<DynamicObject>, DynamicObject) {
    let api = api(&sandbox.client(), "TrainingRuntime");
    let made = api.create(&PostParams::default(), &runtime("a")).await.unwrap();
    (api, made)
}

#[tokio::test]
async fn a_merge_patch_changes_and_removes() {
    let sandbox = sandbox();
    let (api, made) = one(&sandbox).await;
    let patch = json!({"metadata": {"labels": {"x": "y"}}, "spec": {"mlPolicy": {"numNodes": 3}}});
    let changed = api
        .patch("a", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    assert_eq!(changed.data["spec"]["mlPolicy"]["numNodes"], 3);
    assert_eq!(changed.metadata.generation, Some(2));
    assert_ne!(changed.metadata.resource_version, made.metadata.resource_version);
    let removed = api
        .patch(
            "a",
            &PatchParams::default(),
            &Patch::Merge(json!({"metadata": {"labels": null}})),
        )
        .await;
    assert_eq!(removed.unwrap().metadata.labels, None);
    let renamed = refused(
        api.patch(
            "a",
            &PatchParams::default(),
            &Patch::Merge(json!({"metadata": {"name": "b"}})),
        )
        .await,
    );
    assert_eq!(
        (renamed.code, renamed.message.as_str()),
        (400, "the name of the object (b) does not match the name on the URL (a)")
    );
    let nothing = api
        .patch("a", &PatchParams::default(), &Patch::Merge(json!({})))
        .await
        .unwrap();
    let again = api
        .patch("a", &PatchParams::default(), &Patch::Merge(json!({})))
        .await
        .unwrap();
    assert_eq!(nothing.metadata.resource_version, again.metadata.resource_version);
}

#[tokio::test]
async fn a_json_patch_applies_as_a_whole_or_not_at_all() {
    let sandbox = sandbox();
    let client = sandbox.client();
    one(&sandbox).await;
    let path = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team-a/trainingruntimes/a";
    let good = r#"[{"op":"test","path":"/spec/mlPolicy/numNodes","value":1},
                   {"op":"replace","path":"/spec/mlPolicy/numNodes","value":2}]"#;
    let (code, _, body) = raw(&client, "PATCH", path, "application/json-patch+json", good).await;
    assert_eq!((code, body.contains("\"numNodes\":2")), (200, true), "{body}");
    let (code, _, body) = raw(&client, "PATCH", path, "application/json-patch+json", good).await;
    assert_eq!(code, 422);
    assert!(
        body.contains("the server rejected our request due to an error in our request"),
        "{body}"
    );
    assert_eq!(
        raw(&client, "PATCH", path, "application/merge-patch+json", "{nope")
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn late_writers_meet_a_conflict() {
    let sandbox = sandbox();
    let (api, made) = one(&sandbox).await;
    let mut first = made.clone();
    first.data["spec"]["mlPolicy"]["numNodes"] = json!(2);
    api.replace("a", &PostParams::default(), &first).await.unwrap();
    let refusal = refused(api.replace("a", &PostParams::default(), &made).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        refusal.message,
        "Operation cannot be fulfilled on trainingruntimes.trainer.kubeflow.org \"a\": the object has been modified; \
         please apply your changes to the latest version and try again"
    );
    let old = json!({"metadata": {"resourceVersion": made.metadata.resource_version, "labels": {"x": "y"}}});
    assert_eq!(
        refused(api.patch("a", &PatchParams::default(), &Patch::Merge(old)).await).code,
        409
    );
    let mut blind = made;
    blind.metadata.resource_version = None;
    assert_eq!(
        refused(api.replace("a", &PostParams::default(), &blind).await).code,
        422
    );
}

#[tokio::test]
async fn status_and_the_rest_are_written_apart() {
    // a kind with a status that no controller of the sandbox needs here, and whose generations nobody counts
    let sandbox = sandbox();
    let claims = api(&sandbox.client(), "Service");
    let sent: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 80}]}, "status": {"ignored": true},
    }))
    .unwrap();
    let made = claims.create(&PostParams::default(), &sent).await.unwrap();
    assert_eq!(made.data["status"].get("ignored"), None);
    let patch = json!({"status": {"loadBalancer": {}}, "spec": {"ports": []}});
    let changed = claims
        .patch_status("s", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    assert_eq!(changed.data["status"], json!({"loadBalancer": {}}));
    assert_eq!(changed.data["spec"]["ports"][0]["port"], 80);
    assert_eq!(changed.metadata.generation, None);
    let patch = json!({"status": {"loadBalancer": null}, "spec": {"ports": [{"port": 81}]}});
    let changed = claims
        .patch("s", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    assert_eq!(changed.data["status"], json!({"loadBalancer": {}}));
    assert_eq!(changed.data["spec"]["ports"][0]["port"], 81);
    let mut whole = claims.get_status("s").await.unwrap();
    let status = json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.1", "ipMode": "VIP"}]}});
    whole.data["status"] = status.clone();
    let replaced = claims
        .replace_status("s", &PostParams::default(), &whole)
        .await
        .unwrap();
    assert_eq!(replaced.data["status"], status);
}

#[tokio::test]
async fn a_dry_run_answers_and_stores_nothing() {
    let sandbox = sandbox();
    let (api, made) = one(&sandbox).await;
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let pretended = api.create(&dry, &runtime("b")).await.unwrap();
    assert!(pretended.metadata.uid.is_some());
    assert_eq!(refused(api.get("b").await).code, 404);
    assert_eq!(refused(api.create(&dry, &runtime("a")).await).code, 409);
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"spec": {"mlPolicy": {"numNodes": 9}}}));
    let pretended = api.patch("a", &params, &patch).await.unwrap();
    assert_eq!(
        (
            pretended.metadata.generation,
            &pretended.data["spec"]["mlPolicy"]["numNodes"]
        ),
        (Some(2), &json!(9))
    );
    api.delete(
        "a",
        &DeleteParams {
            dry_run: true,
            ..DeleteParams::default()
        },
    )
    .await
    .unwrap();
    assert_eq!(api.get("a").await.unwrap(), made);

    let path = "/api/v1/namespaces/team-a/configmaps?dryRun=Some";
    let (code, _, body) = raw(
        &sandbox.client(),
        "POST",
        path,
        "application/json",
        r#"{"metadata":{"name":"x"}}"#,
    )
    .await;
    assert_eq!(code, 422);
    assert!(
        body.contains(r#"dryRun: Unsupported value: [\"Some\"]: supported values: \"All\""#),
        "{body}"
    );
}

#[tokio::test]
async fn field_validation_is_read() {
    let sandbox = sandbox();
    let (api, _) = one(&sandbox).await;
    let strict = PatchParams {
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    api.patch("a", &strict, &Patch::Merge(json!({"metadata": {"labels": {"x": "y"}}})))
        .await
        .unwrap();
    let path = "/api/v1/namespaces/team-a/configmaps?fieldValidation=Never";
    let (code, _, body) = raw(
        &sandbox.client(),
        "POST",
        path,
        "application/json",
        r#"{"metadata":{"name":"x"}}"#,
    )
    .await;
    assert_eq!(code, 422);
    assert!(body.contains("fieldValidation"), "{body}");
}

#[tokio::test]
async fn a_deleted_job_warns_of_its_pods() {
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "team-a"},
        "spec": {"suspend": true},
    });
    let sandbox = with(vec![job]);
    let (code, warning, _) = raw(
        &sandbox.client(),
        "DELETE",
        "/apis/batch/v1/namespaces/team-a/jobs/j",
        "application/json",
        "",
    )
    .await;
    assert_eq!(code, 200);
    assert!(
        warning.starts_with("299 - \"child pods are preserved by default"),
        "{warning}"
    );
}
