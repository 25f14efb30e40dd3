//! Strategic merge patches over the API, and what else a patch can be refused for. All that is expected here was answered
//! by a kube-apiserver 1.36.

use serde_json::json;

use crate::support::*;

const STRATEGIC: &str = "application/strategic-merge-patch+json";
const MERGE: &str = "application/merge-patch+json";
const MAPS: &str = "/api/v1/namespaces/team-a/configmaps/x";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/team-a/deployments";
const RUNTIMES: &str = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team-a/trainingruntimes/r";

async fn patch(client: &Client, path: &str, kind: &str, body: &Value) -> (u16, String, Value) {
    let (code, warning, body) = raw(client, "PATCH", path, kind, &body.to_string()).await;
    (code, warning, serde_json::from_str(&body).unwrap())
}

/// A sandbox with a ConfigMap `x`, a TrainingRuntime `r` and a Deployment `d`.
async fn world() -> Sandbox {
    let sandbox = sandbox();
    let client = sandbox.client();
    let deployment = json!({
        "metadata": {"name": "d"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {
                "containers": [
                    {"name": "a", "image": "1", "env": [{"name": "E", "value": "1"}, {"name": "F", "value": "2"}]},
                    {"name": "b", "image": "1", "ports": [{"containerPort": 80}]},
                ],
                "volumes": [{"name": "v", "emptyDir": {}}],
            },
        }},
    });
    let map = json!({"metadata": {"name": "x"}, "data": {"a": "1"}});
    for (path, body) in [(DEPLOYMENTS, deployment), (MAPS.trim_end_matches("/x"), map)] {
        let (code, _, answer) = raw(&client, "POST", path, "application/json", &body.to_string()).await;
        assert_eq!(code, 201, "{answer}");
    }
    let body = serde_json::to_string(&runtime("r")).unwrap();
    raw(
        &client,
        "POST",
        RUNTIMES.trim_end_matches("/r"),
        "application/json",
        &body,
    )
    .await;
    sandbox
}

#[tokio::test]
async fn what_kubectl_apply_sends_is_done() {
    let sandbox = world().await;
    let client = sandbox.client();
    let change = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
        "$setElementOrder/volumes": [{"name": "v"}],
        "containers": [
            {"name": "a", "$setElementOrder/env": [{"name": "G"}, {"name": "F"}], "env": [
                {"name": "G", "value": "3"}, {"$patch": "delete", "name": "E"},
            ]},
            {"name": "c", "image": "2"},
        ],
        "volumes": [{"$retainKeys": ["configMap", "name"], "name": "v", "configMap": {"name": "x"}, "emptyDir": null}],
    }}}});
    let (code, warning, patched) = patch(&client, &format!("{DEPLOYMENTS}/d"), STRATEGIC, &change).await;
    assert_eq!((code, warning.as_str()), (200, ""));
    let spec = &patched["spec"]["template"]["spec"];
    let names: Vec<&str> = spec["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|container| container["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(
        spec["containers"][0]["env"],
        json!([{"name": "G", "value": "3"}, {"name": "F", "value": "2"}])
    );
    assert_eq!(spec["containers"][1]["ports"][0]["containerPort"], 80);
    assert_eq!(spec["volumes"][0].get("emptyDir"), None);
    assert_eq!(spec["volumes"][0]["configMap"]["name"], "x");
}

#[tokio::test]
async fn single_values_are_merged_and_deleted() {
    let sandbox = world().await;
    let client = sandbox.client();
    for (change, expected) in [
        (json!({"finalizers": ["a/b", "a/c"]}), json!(["a/b", "a/c"])),
        (json!({"$deleteFromPrimitiveList/finalizers": ["a/b"]}), json!(["a/c"])),
        (
            json!({"$setElementOrder/finalizers": ["a/d", "a/c"], "finalizers": ["a/d"]}),
            json!(["a/d", "a/c"]),
        ),
        (
            json!({"$deleteFromPrimitiveList/finalizers": ["a/c", "a/d"]}),
            Value::Null,
        ),
    ] {
        let (code, _, patched) = patch(&client, MAPS, STRATEGIC, &json!({"metadata": change})).await;
        assert_eq!((code, &patched["metadata"]["finalizers"]), (200, &expected), "{change}");
    }
    let (_, _, replaced) = patch(
        &client,
        MAPS,
        STRATEGIC,
        &json!({"data": {"$patch": "replace", "z": "1"}}),
    )
    .await;
    assert_eq!(replaced["data"], json!({"z": "1"}));
    // whatever a patch of a built-in kind says about the kind, the decoder knows it
    let (code, _, same) = patch(&client, MAPS, STRATEGIC, &json!({"kind": "Pod"})).await;
    assert_eq!((code, &same["kind"]), (200, &json!("ConfigMap")));
}

#[tokio::test]
async fn patches_that_make_no_sense_are_refused() {
    let sandbox = world().await;
    let client = sandbox.client();
    let undeterminable = "the name of the object (x based on URL) was undeterminable: name must be provided";
    let other = "the name of the object (y) does not match the name on the URL (x)";
    for (kind, change, code, message) in [
        (
            STRATEGIC,
            json!([]),
            400,
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            MERGE,
            json!([]),
            400,
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            "application/json-patch+json",
            json!({}),
            400,
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            "application/json-patch+json",
            json!([{"op": "nope", "path": "/data/a"}]),
            422,
            "the server rejected our request due to an error in our request",
        ),
        (
            STRATEGIC,
            json!({"data": {"$patch": "foo"}}),
            500,
            "unknown patch type: foo in map: map[$patch:foo]",
        ),
        (
            STRATEGIC,
            json!({"$retainKeys": ["data"], "metadata": {}}),
            400,
            "invalid patch format of retainKeys",
        ),
        (
            STRATEGIC,
            json!({"metadata": {"$patch": "delete"}}),
            400,
            undeterminable,
        ),
        (MERGE, json!({"metadata": null}), 400, undeterminable),
        (STRATEGIC, json!({"metadata": {"name": "y"}}), 400, other),
        (MERGE, json!({"metadata": {"name": "y"}}), 400, other),
        (
            MERGE,
            json!({"metadata": {"namespace": "y"}}),
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            MERGE,
            json!({"metadata": {"uid": "y"}}),
            422,
            "ConfigMap \"x\" is invalid: metadata.uid: Invalid value: \"y\": field is immutable",
        ),
        ("application/json", json!({}), 415, "415: Unsupported Media Type"),
    ] {
        let (given, _, answer) = patch(&client, MAPS, kind, &change).await;
        assert_eq!(
            (given, answer["message"].as_str().unwrap()),
            (code, message),
            "{change}"
        );
    }
    let path = format!("{MAPS}?fieldValidation=Strict");
    let (code, _, answer) = patch(&client, &path, STRATEGIC, &json!({"foo": 1})).await;
    let message =
        " \"\" is invalid: patch: Invalid value: \"map[foo:1]\": strict decoding error: unknown field \"foo\"";
    assert_eq!((code, answer["message"].as_str().unwrap()), (422, message));
}

#[tokio::test]
async fn custom_resources_have_no_strategy() {
    let sandbox = world().await;
    let client = sandbox.client();
    for kind in [STRATEGIC, "application/json", "text/plain"] {
        let (code, _, answer) = patch(&client, RUNTIMES, kind, &json!({"metadata": {"labels": {"a": "b"}}})).await;
        assert_eq!(code, 415);
        assert_eq!(
            answer["message"],
            "the body of the request was in an unknown format - accepted media types include: \
             application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        );
    }
    for (change, code, message) in [
        (
            json!({"kind": "Pod"}),
            422,
            "Pod.trainer.kubeflow.org \"r\" is invalid: kind: Invalid value: \"Pod\": must be TrainingRuntime",
        ),
        (
            json!({"apiVersion": "v2"}),
            422,
            "TrainingRuntime \"r\" is invalid: apiVersion: Invalid value: \"v2\": must be trainer.kubeflow.org/v1alpha1",
        ),
        (
            json!({"apiVersion": null}),
            500,
            "Internal error occurred: Object 'apiVersion' is missing in 'object has no apiVersion field'",
        ),
    ] {
        let (given, _, answer) = patch(&client, RUNTIMES, MERGE, &change).await;
        assert_eq!(
            (given, answer["message"].as_str().unwrap()),
            (code, message),
            "{change}"
        );
    }
}

#[tokio::test]
async fn another_uid_is_another_object() {
    let sandbox = world().await;
    let client = sandbox.client();
    let body = json!({"metadata": {"name": "x", "uid": "1"}}).to_string();
    let (code, _, answer) = raw(&client, "PUT", MAPS, "application/json", &body).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let uid = sandbox.object("ConfigMap", "team-a", "x").unwrap()["metadata"]["uid"].clone();
    let message = format!(
        "Operation cannot be fulfilled on configmaps \"x\": StorageError: invalid object, Code: 4, Key: \
         /registry/configmaps/team-a/x, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in \
         precondition: 1, UID in object meta: {}",
        uid.as_str().unwrap()
    );
    assert_eq!((code, answer["message"].as_str().unwrap()), (409, message.as_str()));
}
