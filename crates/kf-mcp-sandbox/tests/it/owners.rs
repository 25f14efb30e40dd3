//! Who owns which field: of a status, after creates, updates and patches, of defaults, by the client's name. All that is expected
//! here was answered by a kube-apiserver 1.36 with the definitions of Trainer 2.3.

use serde_json::json;

use crate::apply::*;
use crate::support::*;

#[tokio::test]
async fn a_status_has_owners_of_its_own() {
    let sandbox = with(vec![json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "ClusterTrainingRuntime",
        "metadata": {"name": "torch-distributed", "labels": {"trainer.kubeflow.org/framework": "torch"}},
        "spec": {"mlPolicy": {"numNodes": 1, "torch": {"numProcPerNode": "auto"}}, "template": {"spec": {"replicatedJobs": [{
            "name": "node",
            "template": {
                "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
                "spec": {"template": {"spec": {"containers": [{"name": "node", "image": "x"}]}}},
            },
        }]}}},
    })]);
    let client = sandbox.client();
    let job = |status: Value| {
        json!({
            "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": "j"},
            "spec": {
                "managedBy": "kueue.x-k8s.io/multikueue", "runtimeRef": {"name": "torch-distributed"},
                "trainer": {"numNodes": 1},
            },
            "status": status,
        })
    };
    let ready = |ready: u64| {
        let counts = json!({
            "name": "node", "ready": ready, "succeeded": 0, "failed": 0, "active": 0, "suspended": 0,
        });
        json!({"jobsStatus": [counts]})
    };
    let status = format!("{JOBS}/j/status?fieldManager=st");
    let (code, missing) = apply(&client, &status, &job(ready(1))).await;
    let message = "trainjobs.trainer.kubeflow.org \"j\" not found";
    assert_eq!((code, missing["message"].as_str().unwrap()), (404, message));
    let (code, made) = apply(&client, &format!("{JOBS}/j?fieldManager=m"), &job(ready(1))).await;
    assert_eq!((code, made.get("status")), (201, None));
    let spec = json!({"f:managedBy": {}, "f:runtimeRef": {"f:name": {}}, "f:trainer": {"f:numNodes": {}}});
    assert_eq!(owned(&made, "m"), &json!({"f:spec": spec}));
    let (code, told) = apply(&client, &status, &job(ready(1))).await;
    assert_eq!((code, &told["status"]["jobsStatus"][0]["ready"]), (200, &json!(1)));
    let entry = &told["metadata"]["managedFields"][1];
    assert_eq!(
        (&entry["manager"], &entry["subresource"]),
        (&json!("st"), &json!("status"))
    );
    let fields = json!({
        ".": {}, "f:active": {}, "f:failed": {}, "f:name": {}, "f:ready": {}, "f:succeeded": {}, "f:suspended": {},
    });
    assert_eq!(
        entry["fieldsV1"],
        json!({"f:status": {"f:jobsStatus": {"k:{\"name\":\"node\"}": fields}}})
    );
    let (_, refused) = apply(&client, &format!("{JOBS}/j/status?fieldManager=other"), &job(ready(2))).await;
    assert_eq!(
        refused["message"],
        "Apply failed with 1 conflict: conflict with \"st\" with subresource \"status\": \
         .status.jobsStatus[name=\"node\"].ready"
    );
    let labelled = json!({"metadata": {"labels": {"a": "b"}}, "status": ready(3)});
    let (_, _, patched) = send(
        &client,
        "PATCH",
        &format!("{JOBS}/j/status?fieldManager=up"),
        MERGE,
        &labelled,
    )
    .await;
    assert_eq!(patched["metadata"].get("labels"), None);
    assert_eq!(
        owned(&patched, "up"),
        &json!({"f:status": {"f:jobsStatus": {"k:{\"name\":\"node\"}": {"f:ready": {}}}}})
    );
    assert_eq!(managers(&patched), ["m Apply", "st Apply", "up Update"]);
}

#[tokio::test]
async fn creates_updates_and_patches_record_who_made_them() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let body = json!({"metadata": {"name": "x", "labels": {"l": "1"}}, "data": {"a": "1"}});
    let (_, _, made) = send(&client, "POST", &format!("{MAPS}?fieldManager=maker"), JSON, &body).await;
    assert_eq!(
        owned(&made, "maker"),
        &json!({"f:data": {".": {}, "f:a": {}}, "f:metadata": {"f:labels": {".": {}, "f:l": {}}}})
    );
    let path = format!("{MAPS}/x?fieldManager=changer");
    let (_, _, changed) = send(&client, "PATCH", &path, MERGE, &json!({"data": {"a": "2"}})).await;
    assert_eq!(owned(&changed, "changer"), &json!({"f:data": {"f:a": {}}}));
    assert_eq!(managers(&changed), ["changer Update", "maker Update"]);
    // whoever sends the list back as it was changes nothing
    let (_, _, same) = send(&client, "PUT", &path, JSON, &changed).await;
    assert_eq!(same, changed);
    // an empty list forgets all owners, and updates do not bring them back
    let mut forgotten = changed.clone();
    forgotten["metadata"]["managedFields"] = json!([]);
    forgotten["data"]["a"] = json!("3");
    let (_, _, forgotten) = send(&client, "PUT", &path, JSON, &forgotten).await;
    assert_eq!(forgotten["metadata"].get("managedFields"), None);
    let (_, _, still) = send(&client, "PATCH", &path, MERGE, &json!({"data": {"b": "1"}})).await;
    assert_eq!(still["metadata"].get("managedFields"), None);
    // the first apply finds what was there before it, and takes no time when it changes nothing
    let (_, applied) = apply(&client, &format!("{MAPS}/x?fieldManager=late"), &map(json!({"a": "3"}))).await;
    assert_eq!(managers(&applied), ["late Apply", "before-first-apply Update"]);
    assert_eq!(applied["metadata"]["managedFields"][0].get("time"), None);
    let (_, _, empty) = send(
        &client,
        "PATCH",
        &path,
        MERGE,
        &json!({"metadata": {"managedFields": [{}]}}),
    )
    .await;
    assert_eq!(empty["metadata"].get("managedFields"), None);
}

#[tokio::test]
async fn defaults_belong_to_who_creates_and_what_admission_adds_to_nobody() {
    let sandbox = sandbox();
    let client = sandbox.client();
    let body = json!({
        "metadata": {"name": "p", "labels": {"a": "b"}},
        "spec": {"containers": [{
            "name": "c", "image": "i", "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 80}],
            "resources": {"limits": {"cpu": "1"}},
        }]},
    });
    let pods = "/api/v1/namespaces/team-a/pods?fieldManager=maker&dryRun=All";
    let (code, _, made) = send(&client, "POST", pods, JSON, &body).await;
    assert_eq!(code, 201);
    let env = json!({".": {}, "k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}});
    let ports = json!({".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {
        ".": {}, "f:containerPort": {}, "f:protocol": {},
    }});
    let amounts = json!({".": {}, "f:cpu": {}});
    let container = json!({
        ".": {}, "f:env": env, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {}, "f:ports": ports,
        "f:resources": {".": {}, "f:limits": amounts, "f:requests": amounts},
        "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {},
    });
    let spec = json!({
        "f:containers": {"k:{\"name\":\"c\"}": container}, "f:dnsPolicy": {}, "f:enableServiceLinks": {},
        "f:restartPolicy": {}, "f:schedulerName": {}, "f:securityContext": {}, "f:terminationGracePeriodSeconds": {},
    });
    let fields = json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}, "f:spec": spec});
    assert_eq!(owned(&made, "maker"), &fields);
    // an applied value that takes a default along is given it back, so that nothing has changed
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
        "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never", "containers": [{
            "name": "c", "image": "i",
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        }]}}},
    });
    let path = "/apis/batch/v1/namespaces/team-a/jobs/j?fieldManager=m";
    for expected in [201, 200] {
        let (code, answer) = apply(&client, path, &job).await;
        assert_eq!(code, expected, "{answer}");
    }
}

#[tokio::test]
async fn clients_are_named_by_their_user_agent() {
    let sandbox = sandbox();
    let request = http::Request::post(MAPS)
        .header("content-type", JSON)
        .header("user-agent", "kubectl-create/v1.36.3 (linux/amd64)");
    let body = r#"{"metadata":{"name":"x"},"data":{"a":"1"}}"#;
    sandbox
        .client()
        .send(request.body(body.as_bytes().to_vec().into()).unwrap())
        .await
        .unwrap();
    let made = sandbox.object("ConfigMap", "team-a", "x").unwrap();
    assert_eq!(managers(&made), ["kubectl-create Update"]);
}
