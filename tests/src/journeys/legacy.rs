//! Journeys of jobs of the training operator v1. Nothing reconciles them here or there: what their operator would do, the
//! journey does, and what the tools make of it is looked at.

use serde_json::{Value, json};

use super::{job, with};
use crate::World;

/// Kind, plural, replica field and container of all kinds, with the type that leads.
const KINDS: [(&str, &str, &str, &str, &str); 6] = [
    ("PyTorchJob", "pytorchjobs", "pytorchReplicaSpecs", "pytorch", "Master"),
    ("TFJob", "tfjobs", "tfReplicaSpecs", "tensorflow", "Chief"),
    ("MPIJob", "mpijobs", "mpiReplicaSpecs", "mpi", "Launcher"),
    ("XGBoostJob", "xgboostjobs", "xgbReplicaSpecs", "xgboost", "Master"),
    ("JAXJob", "jaxjobs", "jaxReplicaSpecs", "jax", "Worker"),
    ("PaddleJob", "paddlejobs", "paddleReplicaSpecs", "paddle", "Master"),
];

/// Defines kinds (kind, plural, version) of `kubeflow.org` without schemas, where they are not yet, and waits until they
/// are served.
///
/// # Panics
/// When the server refuses.
pub async fn define_v1(world: &World, kinds: &[(&str, &str, &str)]) {
    for (kind, plural, version) in kinds {
        let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.kubeflow.org"),
                "annotations": {"api-approved.kubernetes.io": "unapproved, stands for the training operator in tests"}},
            "spec": {
                "group": "kubeflow.org", "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
                "versions": [{"name": version, "served": true, "storage": true, "schema": schema, "subresources": {"status": {}}}],
            },
        });
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let made = world
            .place
            .ask("POST", path, "application/json", Some(&definition))
            .await;
        assert!(
            made.code.is_success() || made.code.as_u16() == 409,
            "define {kind}: {}",
            made.text
        );
    }
    for (_, plural, version) in kinds {
        let path = format!("/apis/kubeflow.org/{version}/{plural}");
        // Objects are served before discovery tells of the kind.
        let told = format!("\"name\":\"{plural}\"");
        world
            .place
            .until("the old kinds", async || {
                let served = world.place.ask("GET", &path, "", None).await.code.is_success();
                let list = world
                    .place
                    .ask("GET", &format!("/apis/kubeflow.org/{version}"), "", None)
                    .await;
                (served && list.text.contains(&told)).then_some(())
            })
            .await;
    }
}

/// Defines all kinds of v1.
pub async fn define_all_v1(world: &World) {
    let kinds: Vec<_> = KINDS.iter().map(|(kind, plural, ..)| (*kind, *plural, "v1")).collect();
    define_v1(world, &kinds).await;
}

/// A job of each kind, as it is stored, called after its plural. They are paused: with nobody to answer, what resumes them
/// need not wait.
#[must_use]
pub fn one_of_each() -> Vec<(String, Value)> {
    let of = |(kind, plural, field, container, lead): &(&str, &str, &str, &str, &str)| {
        let template = json!({"spec": {"containers": [{"name": container, "image": "example.com/train:1"}]}});
        let mut specs = json!({});
        specs[*lead] = json!({"replicas": 1, "template": template});
        let object = json!({"apiVersion": "kubeflow.org/v1", "kind": kind, "metadata": {"name": plural},
            "spec": {"runPolicy": {"suspend": true}, *field: specs}});
        (format!("{plural}.kubeflow.org"), object)
    };
    KINDS.iter().map(of).collect()
}

/// Writes the status of a job as its operator would: this condition holds, the others do not.
async fn report(world: &World, resource: &str, name: &str, condition: &str) {
    let holds = |of: &str| {
        let status = if of == condition || of == "Created" {
            "True"
        } else {
            "False"
        };
        json!({"type": of, "status": status, "reason": format!("PyTorchJob{of}"), "message": format!("it is {of}"),
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let status = json!({"status": {"conditions": [holds("Created"), holds("Running"), holds("Suspended"), holds(condition)],
        "replicaStatuses": {"Master": {"active": 1}, "Worker": {"active": 1}}}});
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    let path = format!("/apis/{group}/v1/namespaces/{}/{plural}/{name}/status", world.namespace);
    let reply = world
        .place
        .ask("PATCH", &path, "application/merge-patch+json", Some(&status))
        .await;
    assert!(reply.code.is_success(), "report {condition}: {}", reply.text);
}

/// Makes a PyTorchJob with a master and a worker whose pods run; it writes to a claim.
async fn torch(world: &World, name: &str) {
    const RESOURCE: &str = "pytorchjobs.kubeflow.org";
    let container = json!({"name": "pytorch", "image": "example.com/train:1", "args": ["--output_dir=/data/run-1"],
        "env": [{"name": "SIM_RUN", "value": "10h"}, {"name": "SIM_LOG", "value": "epoch 1 loss 0.9\nepoch 2 loss 0.7"}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}]});
    let template = json!({"spec": {"containers": [container], "volumes": [
        {"name": "data", "persistentVolumeClaim": {"claimName": "shared"}}]}});
    let replica = json!({"replicas": 1, "restartPolicy": "OnFailure", "template": template});
    let object = json!({"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {"name": name},
        "spec": {"runPolicy": {"suspend": false, "activeDeadlineSeconds": 7200},
            "pytorchReplicaSpecs": {"Master": replica, "Worker": replica}}});
    let stored = world.create(RESOURCE, &object).await;
    let owner = json!([{"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "name": name, "uid": stored["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true}]);
    for of in ["master", "worker"] {
        let labels = json!({"training.kubeflow.org/job-name": name, "training.kubeflow.org/operator-name": "pytorchjob-controller",
            "training.kubeflow.org/replica-type": of, "training.kubeflow.org/replica-index": "0"});
        let mut spec = template["spec"].clone();
        // the claim is not there, and a pod of it would wait for it
        spec["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("{name}-{of}-0"), "labels": labels,
            "ownerReferences": owner}, "spec": spec});
        world.create("pods", &pod).await;
    }
    report(world, RESOURCE, name, "Running").await;
}

/// Suspends or resumes, while the operator answers as soon as it is told.
async fn told(world: &World, name: &str, action: &str) -> Value {
    let arguments = with(with(job(name), "action", json!(action)), "kind", json!("PyTorchJob"));
    let change = world.confirmed("update_training_job", arguments);
    let operator = async {
        world
            .place
            .until("the wish", async || {
                let stored = world.object("pytorchjobs.kubeflow.org", name).await?;
                let wish = stored["spec"]["runPolicy"]["suspend"] == (action == "suspend");
                wish.then_some(())
            })
            .await;
        let condition = if action == "suspend" { "Suspended" } else { "Running" };
        report(world, "pytorchjobs.kubeflow.org", name, condition).await;
    };
    tokio::join!(change, operator).0
}

/// A PyTorchJob is listed, read, its log and events are found, it is paused, resumed and deleted with its pods.
pub async fn a_v1_job_is_listed_read_paused_resumed_and_deleted(world: &World) {
    define_all_v1(world).await;
    let empty = world.good("list_training_jobs", json!({})).await;
    assert!(empty["hint"].to_string().contains("PyTorchJob"), "{empty}");
    torch(world, "old").await;
    let listed = world.good("list_training_jobs", json!({"kind": "PyTorchJob"})).await;
    assert_eq!(
        (
            &listed["jobs"][0]["name"],
            &listed["jobs"][0]["status"],
            &listed["jobs"][0]["nodes"]
        ),
        (&json!("old"), &json!("Running"), &json!(2)),
        "{listed}"
    );
    let all = world.good("list_training_jobs", json!({"kind": "*"})).await;
    assert_eq!(all["jobs"][0]["kind"], "PyTorchJob", "{all}");

    // without its kind it is found too
    let running = world
        .job("old", "running pods", |told| {
            let steps = told["steps"].as_array().into_iter().flatten();
            steps.filter(|step| step["status"] == "Running").count() == 2
        })
        .await;
    assert_eq!(running["kind"], "PyTorchJob");
    let names: Vec<_> = running["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|step| &step["name"])
        .collect();
    assert_eq!(names, ["master-0", "worker-0"]);
    assert_eq!(
        running["outputs"],
        json!([{"path": "/data/run-1", "from": "argument output_dir", "claim": "shared"}]),
        "{running}"
    );
    let log = world
        .place
        .until("the log", async || {
            let logs = world.good("get_training_logs", job("old")).await;
            logs["lines"].to_string().contains("loss 0.7").then_some(logs)
        })
        .await;
    assert_eq!(
        (&log["step"], &log["container"]),
        (&json!("master-0"), &json!("pytorch")),
        "{log}"
    );
    let events = world
        .good("get_training_events", with(job("old"), "kind", json!("PyTorchJob")))
        .await;
    assert!(events["events"].to_string().contains("Pod/old-master-0"), "{events}");

    // a change wants the kind, and says whose the job is
    let error = world
        .bad("update_training_job", with(job("old"), "action", json!("suspend")))
        .await;
    assert_eq!(error["code"], "not_found");
    assert!(error["fix"].to_string().contains("kind=PyTorchJob"), "{error}");
    let wish = with(
        with(job("old"), "action", json!("suspend")),
        "kind",
        json!("PyTorchJob"),
    );
    let preview = world.good("update_training_job", wish).await;
    assert!(
        preview["preview"]["warnings"]
            .to_string()
            .contains("not created through this server"),
        "{preview}"
    );
    let done = told(world, "old", "suspend").await;
    assert_eq!(
        (&done["kind"], &done["took_effect"], &done["status"]),
        (&json!("PyTorchJob"), &json!(true), &json!("Suspended")),
        "{done}"
    );
    let done = told(world, "old", "resume").await;
    assert_eq!(
        (&done["took_effect"], &done["status"]),
        (&json!(true), &json!("Running")),
        "{done}"
    );

    let error = world.bad("delete_training_job", job("old")).await;
    assert!(error["fix"].to_string().contains("kind=PyTorchJob"), "{error}");
    let arguments = with(job("old"), "kind", json!("PyTorchJob"));
    let preview = world.good("delete_training_job", arguments.clone()).await;
    assert_eq!(
        preview["preview"]["keeps"],
        json!(["PersistentVolumeClaim shared"]),
        "{preview}"
    );
    let done = world.confirmed("delete_training_job", arguments.clone()).await;
    assert_eq!(done["deleted"], true, "{done}");
    world
        .place
        .until("the end of its pods", async || {
            let gone = world.object("pods", "old-master-0").await.is_none();
            (gone && world.object("pytorchjobs.kubeflow.org", "old").await.is_none()).then_some(())
        })
        .await;
    assert_eq!(world.bad("delete_training_job", arguments).await["code"], "not_found");
}

/// Jobs of all six kinds are read by their own fields, resumed and deleted.
pub async fn every_v1_kind_is_read_resumed_and_deleted(world: &World) {
    define_all_v1(world).await;
    for (resource, object) in one_of_each() {
        world.create(&resource, &object).await;
    }
    for (kind, plural, .., lead) in KINDS {
        let one = with(job(plural), "kind", json!(kind));
        let told = world.good("get_training_job", one.clone()).await;
        assert_eq!(told["replicas"][0]["type"], lead, "{told}");
        assert_eq!(
            (&told["image"], &told["status"]),
            (&json!("example.com/train:1"), &json!("Suspended")),
            "{told}"
        );
        let done = world
            .confirmed("update_training_job", with(one.clone(), "action", json!("resume")))
            .await;
        assert_eq!(
            (&done["kind"], &done["status"]),
            (&json!(kind), &json!("Created")),
            "{done}"
        );
        let done = world.confirmed("delete_training_job", one).await;
        assert_eq!(
            (&done["kind"], &done["deleted"]),
            (&json!(kind), &json!(true)),
            "{done}"
        );
    }
}
