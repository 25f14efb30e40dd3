//! Server-side apply. All that is expected here was answered by a kube-apiserver 1.36 with the
//! definitions of Trainer 2.3.

use serde_json::json;

use crate::support::*;

pub(crate) const APPLY: &str = "application/apply-patch+yaml";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const JSON: &str = "application/json";
pub(crate) const MAPS: &str = "/api/v1/namespaces/team-a/configmaps";
pub(crate) const RUNTIMES: &str = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team-a/trainingruntimes";
pub(crate) const JOBS: &str = "/apis/trainer.kubeflow.org/v1alpha1/namespaces/team-a/trainjobs";

/// One request: code, `Warning` and the body.
pub(crate) async fn send(client: &Client, method: &str, path: &str, kind: &str, body: &Value) -> (u16, String, Value) {
    let (code, warning, body) = raw(client, method, path, kind, &body.to_string()).await;
    (code, warning, serde_json::from_str(&body).unwrap())
}

pub(crate) async fn apply(client: &Client, path: &str, body: &Value) -> (u16, Value) {
    let (code, _, body) = send(client, "PATCH", path, APPLY, body).await;
    (code, body)
}

pub(crate) fn map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data})
}

/// The fields of a manager.
pub(crate) fn owned<'a>(object: &'a Value, manager: &str) -> &'a Value {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["manager"] == manager);
    entry.map_or(&Value::Null, |entry| &entry["fieldsV1"])
}

/// The managers with their operations, in order.
pub(crate) fn managers(object: &Value) -> Vec<String> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    entries
        .map(|entry| format!("{} {}", text(entry, "manager"), text(entry, "operation")))
        .collect()
}

#[tokio::test]
async fn what_is_applied_is_created_changed_and_owned() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let path = format!("{MAPS}/x?fieldManager=m1");
    let (code, made) = apply(&client, &path, &map(json!({"a": "1", "b": "2"}))).await;
    assert_eq!(code, 201);
    assert_eq!(
        made["metadata"]["managedFields"],
        json!([{
            "manager": "m1", "operation": "Apply", "apiVersion": "v1", "time": "2026-03-01T12:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}},
        }])
    );
    sandbox.advance(jiff::SignedDuration::from_secs(5));
    // nothing new is nothing at all, not even a new time
    let (code, again) = apply(&client, &path, &map(json!({"a": "1", "b": "2"}))).await;
    assert_eq!((code, &again), (200, &made));
    let (code, changed) = apply(&client, &path, &map(json!({"a": "1", "c": null}))).await;
    assert_eq!((code, &changed["data"]), (200, &json!({"a": "1", "c": ""})));
    assert_eq!(changed["metadata"]["managedFields"][0]["time"], "2026-03-01T12:00:05Z");
    // YAML does as well, and a dry run changes nothing
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  a: '2'\n";
    let (code, _, body) = raw(&client, "PATCH", &format!("{path}&dryRun=All"), APPLY, yaml).await;
    assert_eq!((code, body.contains(r#""data":{"a":"2"}"#)), (200, true), "{body}");
    assert_eq!(
        serde_json::from_str::<Value>(&get(&client, &format!("{MAPS}/x")).await.1).unwrap(),
        changed
    );
}

#[tokio::test]
async fn others_fields_are_conflicts() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let path = |manager: &str| format!("{MAPS}/x?fieldManager={manager}");
    apply(&client, &path("m1"), &map(json!({"a": "1", "b": "2"}))).await;
    let (code, refused) = apply(&client, &path("m2"), &map(json!({"a": "3", "b": "4"}))).await;
    let cause =
        |field: &str| json!({"reason": "FieldManagerConflict", "message": "conflict with \"m1\"", "field": field});
    assert_eq!((code, &refused["reason"]), (409, &json!("Conflict")));
    assert_eq!(
        refused["message"],
        "Apply failed with 2 conflicts: conflicts with \"m1\":\n- .data.a\n- .data.b"
    );
    assert_eq!(
        refused["details"],
        json!({"causes": [cause(".data.a"), cause(".data.b")]})
    );
    let (_, refused) = apply(&client, &path("m2"), &map(json!({"a": "3"}))).await;
    assert_eq!(
        refused["message"],
        "Apply failed with 1 conflict: conflict with \"m1\": .data.a"
    );
    let (code, forced) = apply(&client, &format!("{}&force=true", path("m2")), &map(json!({"a": "3"}))).await;
    assert_eq!((code, &forced["data"]), (200, &json!({"a": "3", "b": "2"})));
    assert_eq!(owned(&forced, "m1"), &json!({"f:data": {"f:b": {}}}));
    assert_eq!(owned(&forced, "m2"), &json!({"f:data": {"f:a": {}}}));
    // what only m1 had goes with it, what both want stays
    let (_, shared) = apply(&client, &path("m1"), &map(json!({"a": "3"}))).await;
    assert_eq!(shared["data"], json!({"a": "3"}));
    assert_eq!(owned(&shared, "m1"), owned(&shared, "m2"));
    // updates own as well
    send(&client, "PATCH", &path("m3"), MERGE, &json!({"data": {"a": "9"}})).await;
    let (_, refused) = apply(&client, &path("m1"), &map(json!({"a": "3"}))).await;
    assert_eq!(
        refused["message"],
        "Apply failed with 1 conflict: conflict with \"m3\" using v1: .data.a"
    );
}

#[tokio::test]
async fn an_apply_says_what_it_must() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let forced = format!("{MAPS}/x?fieldManager=m&force=true");
    apply(&client, &forced, &map(json!({"a": "1"}))).await;
    let with = |field: &str, value: Value| {
        let mut body = map(json!({"a": "1"}));
        body[field] = value;
        body
    };
    let options = "PatchOptions.meta.k8s.io \"\" is invalid: ";
    let long = "m".repeat(129);
    for (path, body, code, message) in [
        (
            format!("{MAPS}/x"),
            map(json!({})),
            422,
            format!("{options}fieldManager: Required value: is required for apply patch"),
        ),
        (
            format!("{MAPS}/x?fieldManager={long}"),
            map(json!({})),
            422,
            format!("{options}fieldManager: Too long: may not be more than 128 bytes"),
        ),
        (
            format!("{MAPS}/x?fieldManager=a%0Ab"),
            map(json!({})),
            422,
            format!("{options}fieldManager: Invalid value: \"a\\nb\": invalid character U+000A (at position 1)"),
        ),
        (
            forced.clone(),
            with("kind", json!("Pod")),
            400,
            "invalid object type: /v1, Kind=Pod".to_owned(),
        ),
        (
            forced.clone(),
            with("apiVersion", json!("")),
            400,
            "invalid object type: /, Kind=ConfigMap".to_owned(),
        ),
        (
            forced.clone(),
            with("metadata", json!({"name": "y"})),
            400,
            "the name of the object (y) does not match the name on the URL (x)".to_owned(),
        ),
        (
            forced.clone(),
            with("metadata", json!({"namespace": "team-b"})),
            400,
            "the namespace of the provided object does not match the namespace sent on the request".to_owned(),
        ),
        (
            forced.clone(),
            with("metadata", json!({"managedFields": []})),
            400,
            "metadata.managedFields must be nil".to_owned(),
        ),
        (
            forced.clone(),
            with("metadata", json!({"resourceVersion": "1"})),
            409,
            "Operation cannot be fulfilled on configmaps \"x\": the object has been modified; please apply your changes \
             to the latest version and try again"
                .to_owned(),
        ),
        (
            forced.clone(),
            with("metadata", json!({"uid": "1"})),
            422,
            "ConfigMap \"x\" is invalid: metadata.uid: Invalid value: \"1\": field is immutable".to_owned(),
        ),
        (
            format!("{MAPS}/new?fieldManager=m"),
            with("metadata", json!({"name": "new", "uid": "1"})),
            409,
            "Operation cannot be fulfilled on configmaps \"new\": uid mismatch: the provided object specified uid 1, and \
             no existing object was found"
                .to_owned(),
        ),
        (
            format!("{MAPS}/new?fieldManager=m"),
            with("metadata", json!({})),
            400,
            "the name of the object (new based on URL) was undeterminable: name must be provided".to_owned(),
        ),
        (
            forced.clone(),
            with("foo", json!(1)),
            500,
            "failed to create typed patch object (/x; /v1, Kind=ConfigMap): .foo: field not declared in schema"
                .to_owned(),
        ),
        (
            forced.clone(),
            with("data", json!({"a": 3})),
            500,
            "failed to create typed patch object (/x; /v1, Kind=ConfigMap): .data.a: expected string, got \
             &value.valueUnstructured{Value:3}"
                .to_owned(),
        ),
        (
            forced.clone(),
            json!(["a"]),
            400,
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go \
             value of type map[string]interface {}"
                .to_owned(),
        ),
    ] {
        let (given, answer) = apply(&client, &path, &body).await;
        assert_eq!((given, &answer["message"]), (code, &json!(message)), "{path} {body}");
    }
    let (code, _, answer) = send(&client, "PATCH", &forced, MERGE, &json!({})).await;
    let message = format!("{options}force: Forbidden: may not be specified for non-apply patch");
    assert_eq!((code, &answer["message"]), (422, &json!(message)));
    let twice = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1","a":"2"}}"#;
    let (code, warning, _) = raw(&client, "PATCH", &forced, APPLY, twice).await;
    let said = r#"299 - "line 1: key \"a\" already set in map""#;
    assert_eq!((code, warning.as_str()), (200, said));
    let (code, _, body) = raw(
        &client,
        "PATCH",
        &format!("{forced}&fieldValidation=Strict"),
        APPLY,
        twice,
    )
    .await;
    assert_eq!(
        (code, body.contains("error strict decoding YAML")),
        (400, true),
        "{body}"
    );
}

#[tokio::test]
async fn lists_of_custom_resources_merge_as_their_definition_says() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let runtime = |containers: Value| {
        let spec = json!({"template": {"spec": {"containers": containers}}});
        json!({
            "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime", "metadata": {"name": "r"},
            "spec": {"template": {"spec": {"replicatedJobs": [{"name": "node", "template": {"spec": spec}}]}}},
        })
    };
    let path = |manager: &str| format!("{RUNTIMES}/r?fieldManager={manager}");
    let (code, made) = apply(&client, &path("m1"), &runtime(json!([{"name": "node", "image": "a"}]))).await;
    assert_eq!(code, 201);
    let job = |object: &Value| object["spec"]["template"]["spec"]["replicatedJobs"][0].clone();
    // the definition's defaults come in, and are nobody's
    assert_eq!(
        (&job(&made)["groupName"], &job(&made)["replicas"]),
        (&json!("default"), &json!(1))
    );
    let node = json!({".": {}, "f:image": {}, "f:name": {}});
    let inner = |containers: Value| {
        json!({"f:spec": {"f:template": {"f:spec": {"f:replicatedJobs": {"k:{\"name\":\"node\"}": {
            ".": {}, "f:name": {},
            "f:template": {"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}},
        }}}}}})
    };
    assert_eq!(owned(&made, "m1"), &inner(json!({"k:{\"name\":\"node\"}": node})));
    let env = json!([{"name": "side", "image": "b"}, {"name": "node", "env": [{"name": "E", "value": "1"}]}]);
    let (code, both) = apply(&client, &path("m2"), &runtime(env)).await;
    assert_eq!(code, 200);
    let containers = |object: &Value| job(object)["template"]["spec"]["template"]["spec"]["containers"].clone();
    assert_eq!(
        containers(&both),
        json!([{"name": "side", "image": "b"}, {"name": "node", "image": "a", "env": [{"name": "E", "value": "1"}]}])
    );
    // what m2 no longer wants goes, though not what m1 has
    let (_, left) = apply(&client, &path("m2"), &runtime(json!([{"name": "node"}]))).await;
    assert_eq!(containers(&left), json!([{"name": "node", "image": "a"}]));
    let (code, refused) = apply(
        &client,
        &path("m1"),
        &json!({
            "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainingRuntime", "metadata": {"name": "r"},
            "spec": {"foo": 1},
        }),
    )
    .await;
    assert_eq!(
        (code, refused["message"].as_str().unwrap()),
        (
            500,
            "failed to create typed patch object (/r; trainer.kubeflow.org/v1alpha1, Kind=TrainingRuntime): .spec.foo: \
             field not declared in schema"
        )
    );
}

#[tokio::test]
async fn who_may_not_create_may_not_apply_to_nothing() {
    let sandbox = sandbox();
    sandbox.forbid("create configmaps");
    let client = sandbox.client();
    let (code, refused) = apply(&client, &format!("{MAPS}/x?fieldManager=m"), &map(json!({}))).await;
    assert_eq!(code, 403);
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("cannot create resource \"configmaps\""), "{message}");
}

#[tokio::test]
async fn bodies_come_as_yaml_too() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let yaml = "application/yaml";
    let text = "# one\nmetadata: {name: x}\ndata:\n  a: 'yes'\n---\ndata: {b: c}\n";
    let (code, _, body) = raw(&client, "POST", MAPS, yaml, text).await;
    assert_eq!((code, body.contains(r#""data":{"a":"yes"}"#)), (201, true), "{body}");
    let (code, _, body) = raw(&client, "PUT", &format!("{MAPS}/x"), yaml, "metadata: {name: x}\n").await;
    assert_eq!((code, body.contains(r#""data":"#)), (200, false), "{body}");
    for (path, text, message) in [
        (
            MAPS,
            "a: b: c",
            "the object provided is unrecognized (must be of type ConfigMap): yaml: mapping values are not allowed in \
             this context (613a20623a2063)",
        ),
        (
            RUNTIMES,
            "",
            "the object provided is unrecognized (must be of type TrainingRuntime): Object 'Kind' is missing in '' \
             (<empty>)",
        ),
        (
            RUNTIMES,
            "apiVersion: v1\nkind: ConfigMap",
            "the API version in the data (v1) does not match the expected API version (trainer.kubeflow.org/v1alpha1)",
        ),
    ] {
        let (code, _, body) = raw(&client, "POST", path, yaml, text).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((code, body["message"].as_str().unwrap()), (400, message));
    }
    for kind in ["application/cbor", "application/vnd.kubernetes.protobuf", "text/plain"] {
        let (code, _, body) = raw(&client, "POST", MAPS, kind, "{}").await;
        let accepted = "accepted media types include: application/json, application/yaml, \
                        application/vnd.kubernetes.protobuf";
        assert_eq!((code, body.contains(accepted)), (415, true), "{body}");
    }
}

#[tokio::test]
async fn fields_that_there_are_not_are_told_and_dropped() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let body = r#"{"metadata":{"name":"x"},"data":{"a":"1","a":"2"},"foo":1}"#;
    let (code, warning, answer) = raw(&client, "POST", MAPS, JSON, body).await;
    assert_eq!((code, warning.as_str()), (201, r#"299 - "duplicate field \"data.a\"""#));
    assert!(!answer.contains("foo"), "{answer}");
    let (code, _, answer) = raw(&client, "POST", &format!("{MAPS}?fieldValidation=Strict"), JSON, body).await;
    let said = "ConfigMap in version \\\"v1\\\" cannot be handled as a ConfigMap: strict decoding error: duplicate field \
                \\\"data.a\\\", unknown field \\\"foo\\\"";
    assert_eq!((code, answer.contains(said)), (400, true), "{answer}");
    let path = format!("{MAPS}/x");
    let (code, warning, _) = raw(&client, "PATCH", &path, MERGE, r#"{"foo":1}"#).await;
    assert_eq!((code, warning.as_str()), (200, r#"299 - "unknown field \"foo\"""#));
}
