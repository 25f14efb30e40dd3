//! Tables: what `kubectl get` prints. Cells of all kinds are compared with a real server's beside the code that makes
//! them.

use serde_json::json;

use crate::support::*;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,\
                     application/json";

async fn ask(client: &Client, path: &str, accept: &str) -> (u16, Value) {
    use http_body_util::BodyExt;
    let request = http::Request::get(path).header("accept", accept);
    let response = client.send(request.body(Vec::new().into()).unwrap()).await.unwrap();
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&body).unwrap())
}

/// A ConfigMap and two pods.
fn cluster() -> Sandbox {
    let mut done = pod("b-done", json!({}));
    done["status"] = json!({"phase": "Succeeded"});
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "team-a"},
        "data": {"a": "1", "b": "2"},
    });
    let mut waiting = pod("a-waiting", json!({}));
    waiting["spec"] = json!({"nodeSelector": {"no": "such"}, "containers": [{"name": "node", "image": "x"}]});
    waiting["status"] = json!({"phase": "Pending"});
    with(vec![waiting, done, map])
}

#[tokio::test]
async fn lists_and_objects_become_tables() {
    let sandbox = cluster();
    let client = sandbox.client();
    let (code, table) = ask(&client, "/api/v1/namespaces/team-a/pods?limit=1", TABLE).await;
    assert_eq!(
        (code, &table["kind"], &table["apiVersion"]),
        (200, &json!("Table"), &json!("meta.k8s.io/v1"))
    );
    assert_eq!(table["metadata"]["remainingItemCount"], 1);
    assert!(table["metadata"]["continue"].is_string());
    assert_eq!(
        table["columnDefinitions"][1],
        json!({
            "name": "Ready", "type": "string", "format": "", "priority": 0,
            "description": "The aggregate readiness state of this pod for accepting traffic.",
        })
    );
    assert_eq!(
        table["rows"][0]["cells"],
        json!([
            "a-waiting",
            "0/1",
            "Pending",
            "0",
            "0s",
            "<none>",
            "<none>",
            "<none>",
            "<none>"
        ])
    );
    let (_, table) = ask(&client, "/api/v1/namespaces/team-a/pods/b-done", TABLE).await;
    assert_eq!(
        table["rows"][0]["conditions"],
        json!([{
            "type": "Completed", "status": "True", "reason": "Succeeded",
            "message": "The pod has completed successfully.",
        }])
    );
    assert_eq!(
        table["metadata"]["resourceVersion"],
        table["rows"][0]["object"]["metadata"]["resourceVersion"]
    );
    let (_, none) = ask(&client, "/api/v1/namespaces/team-b/pods", TABLE).await;
    assert_eq!(none["rows"], json!([]));
    let (code, missing) = ask(&client, "/api/v1/namespaces/team-a/pods/nope", TABLE).await;
    assert_eq!((code, &missing["kind"]), (404, &json!("Status")));
}

#[tokio::test]
async fn a_row_brings_as_much_of_its_object_as_is_wanted() {
    let sandbox = cluster();
    let client = sandbox.client();
    let path = "/api/v1/namespaces/team-a/configmaps/cm";
    for (include, kind) in [
        ("", json!("PartialObjectMetadata")),
        ("Metadata", json!("PartialObjectMetadata")),
        ("Object", json!("ConfigMap")),
        ("None", Value::Null),
    ] {
        let (_, table) = ask(&client, &format!("{path}?includeObject={include}"), TABLE).await;
        assert_eq!(table["rows"][0]["object"]["kind"], kind, "{include}");
        assert_eq!(table["rows"][0]["cells"][1], 2);
    }
    let (code, refused) = ask(&client, &format!("{path}?includeObject=Foo"), TABLE).await;
    assert_eq!(
        (code, refused["message"].as_str().unwrap()),
        (
            400,
            "Unable to convert to Table as requested: includeObject: Invalid value: \"Foo\": must be 'Metadata', \
             'Object', 'None', or empty"
        )
    );
    let old = "application/json;as=Table;v=v1beta1;g=meta.k8s.io";
    let (_, table) = ask(&client, path, old).await;
    assert_eq!(
        (&table["apiVersion"], &table["rows"][0]["object"]["apiVersion"]),
        (&json!("meta.k8s.io/v1beta1"), &json!("meta.k8s.io/v1beta1"))
    );
}

#[tokio::test]
async fn custom_kinds_have_the_columns_of_their_definition() {
    let sandbox = sandbox();
    let client = sandbox.client();
    api(&client, "TrainingRuntime")
        .create(&kube::api::PostParams::default(), &runtime("a"))
        .await
        .unwrap();
    let path = "/apis/trainer.kubeflow.org/v1alpha1/trainingruntimes";
    let names = |table: &Value| -> Vec<String> {
        let columns = table["columnDefinitions"].as_array().unwrap();
        columns.iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect()
    };
    let (_, table) = ask(&client, path, TABLE).await;
    assert_eq!(names(&table), ["Name", "Age"]);
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/trainingruntimes.trainer.kubeflow.org";
    let patch = json!({"spec": {"versions": [{
        "name": "v1alpha1", "served": true, "storage": true,
        "additionalPrinterColumns": [{"name": "Nodes", "type": "integer", "jsonPath": ".spec.mlPolicy.numNodes"}],
    }]}});
    raw(
        &client,
        "PATCH",
        definition,
        "application/merge-patch+json",
        &patch.to_string(),
    )
    .await;
    let (_, table) = ask(&client, path, TABLE).await;
    assert_eq!(names(&table), ["Name", "Nodes"]);
    assert_eq!(table["rows"][0]["cells"], json!(["a", 1]));
}

#[tokio::test]
async fn a_watch_describes_its_columns_once() {
    let sandbox = cluster();
    let client = sandbox.client();
    let path = "/api/v1/namespaces/team-a/pods?watch=1&allowWatchBookmarks=1&timeoutSeconds=1&includeObject=None";
    let request = http::Request::get(path)
        .header("accept", TABLE)
        .body(Vec::new())
        .unwrap();
    let lines = client.request_text(request);
    let text = tokio::select! {
        text = lines => text.unwrap(),
        () = ended(&sandbox) => unreachable!("the clock does not end by itself"),
    };
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["ADDED", "ADDED", "BOOKMARK"]);
    assert!(events[0]["object"]["columnDefinitions"].is_array());
    assert_eq!(events[1]["object"]["columnDefinitions"], Value::Null);
    assert_eq!(events[1]["object"]["rows"][0]["cells"][0], "b-done");
    assert_eq!(events[1]["object"]["rows"][0]["object"], Value::Null);
    // who waits for the end of the initial events must find its mark
    let mark = &events[2]["object"]["rows"][0]["object"]["metadata"]["annotations"];
    assert_eq!(mark, &json!({"k8s.io/initial-events-end": "true"}));
}

/// Moves the clock until whoever waits for it has gone on.
async fn ended(sandbox: &Sandbox) {
    loop {
        tokio::task::yield_now().await;
        sandbox.advance(jiff::SignedDuration::from_secs(1));
    }
}
