//! Journeys of the platform team: runtimes that come, change and go, kinds and controllers that are looked at.

use serde_json::{Value, json};

use super::{job, submit, with};
use crate::World;

/// A runtime for torch with two parts.
fn spec() -> Value {
    let container = json!({"name": "node", "image": "example.com/torch:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]});
    json!({
        "mlPolicy": {"numNodes": 1, "torch": {}},
        "template": {"spec": {"replicatedJobs": [{
            "name": "node",
            "template": {
                "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
                "spec": {"template": {"spec": {"containers": [container]}}},
            },
        }]}},
    })
}

/// The life of a runtime: preview, creation, a job on it, a change that loses something, and the end, with its users told.
async fn lives(world: &World, name: &str, namespace: Option<&str>) {
    let about = |mut arguments: Value| {
        arguments["name"] = json!(name);
        if let Some(namespace) = namespace {
            arguments["namespace"] = json!(namespace);
        }
        arguments
    };
    let arguments = about(json!({"spec": spec()}));
    let preview = world.good("create_runtime", arguments.clone()).await;
    let added = preview["preview"]["server_adds"].to_string();
    assert!(added.contains("replicatedJobs[node].replicas"), "{preview}");
    let absent = world.bad("get_runtime", json!({"name": name})).await;
    assert_eq!(absent["code"], "not_found", "a preview changes nothing");
    let confirm = with(
        with(arguments.clone(), "confirmed", json!(true)),
        "plan_id",
        preview["plan_id"].clone(),
    );
    let created = world.good("create_runtime", confirm.clone()).await;
    assert_eq!(created["already_created"], false, "{created}");
    // the same confirmation again, as after a lost answer; and another runtime of that name
    let again = world.good("create_runtime", confirm).await;
    assert_eq!(again["already_created"], true, "{again}");
    assert_eq!(again["uid"], created["uid"]);
    let taken = world
        .bad("create_runtime", with(arguments, "confirmed", json!(true)))
        .await;
    assert_eq!(taken["code"], "already_exists", "{taken}");

    let listed = world.good("list_runtimes", json!({"limit": 500})).await;
    let row = listed["runtimes"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|row| row["name"] == name)
        .cloned();
    assert_eq!(row.unwrap_or_default()["framework"], "torch", "{listed}");
    let on_it = |job: &str| with(submit(job, 1, 0), "runtime", json!(name));
    world.confirmed("run_container_training", on_it("walks")).await;
    world
        .confirmed("run_container_training", with(on_it("rests"), "suspend", json!(true)))
        .await;
    world.status("walks", "Running").await;
    world.status("rests", "Suspended").await;

    // the list of variables is replaced whole, so B goes; the preview says so
    let container = json!({"name": "node", "image": "example.com/torch:2", "env": [{"name": "A", "value": "3"}]});
    let mut patch = json!({"mlPolicy": {"numNodes": 2}, "template": spec()["template"]});
    patch["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]["containers"] =
        json!([container]);
    let changed = world
        .confirmed("patch_runtime", about(json!({"patch": patch.clone()})))
        .await;
    let told = changed["changes"].to_string();
    assert!(
        told.contains("containers[node].image") && told.contains("mlPolicy.numNodes"),
        "{changed}"
    );
    assert!(changed["warnings"].to_string().contains("env[B]"), "{changed}");
    assert!(
        !told.contains("replicas\""),
        "defaults that come back are no change: {changed}"
    );
    assert_eq!(changed["generation"], 2, "{changed}");
    let same = world
        .good("patch_runtime", about(json!({"patch": patch, "confirmed": true})))
        .await;
    assert_eq!(
        (&same["changed"], &same["generation"]),
        (&json!(false), &json!(2)),
        "{same}"
    );
    let facts = world.good("get_runtime", json!({"name": name})).await;
    assert_eq!(
        (&facts["nodes"], &facts["image"]),
        (&json!(2), &json!("example.com/torch:2"))
    );

    let preview = world.good("delete_runtime", about(json!({}))).await;
    let plan = &preview["preview"];
    assert_eq!(
        (&plan["jobs_in_all"], &plan["jobs_suspended"]),
        (&json!(2), &json!(1)),
        "{preview}"
    );
    assert_eq!(plan["jobs"][0]["name"], "rests", "{preview}");
    assert!(plan["warnings"].to_string().contains("refuses to resume"), "{preview}");
    let gone = world.confirmed("delete_runtime", about(json!({}))).await;
    assert_eq!(gone["deleted"], true, "{gone}");
    let error = world.bad("delete_runtime", about(json!({}))).await;
    assert_eq!(error["code"], "not_found", "{error}");
    world.status("walks", "Running").await;
    for name in ["walks", "rests"] {
        world.confirmed("delete_training_job", job(name)).await;
    }
}

/// A namespace's own.
pub async fn a_runtime_of_a_namespace_comes_changes_and_goes(world: &World) {
    lives(world, "mine", Some(&world.namespace)).await;
}

/// The cluster's; its name is nobody else's.
pub async fn a_runtime_of_the_cluster_comes_changes_and_goes(world: &World) {
    lives(world, &format!("all-{}", world.namespace), None).await;
}

/// A runtime whose jobs cannot be paused, repaired as the guide on runtimes says: what there is of its volume claims cannot
/// be changed, so it is removed and set.
pub async fn a_runtime_whose_jobs_cannot_be_paused_is_repaired(world: &World) {
    let mut claiming = spec();
    let set = &mut claiming["template"]["spec"];
    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    set["volumeClaimPolicies"] = json!([{"templates": [claim]}]);
    set["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "data", "mountPath": "/data"}]);
    let about = |more: Value| {
        let mut arguments = json!({"name": "claims", "namespace": world.namespace});
        for (key, value) in more.as_object().into_iter().flatten() {
            arguments[key] = value.clone();
        }
        arguments
    };
    let made = world
        .confirmed("create_runtime", about(json!({"spec": claiming})))
        .await;
    assert!(made["warnings"].to_string().contains("cannot be suspended"), "{made}");
    let policies = |value: Value| about(json!({"patch": {"template": {"spec": {"volumeClaimPolicies": value}}}}));
    let repaired = json!([{"retentionPolicy": {"whenDeleted": "Delete"}, "templates": [claim]}]);
    let error = world.bad("patch_runtime", policies(repaired.clone())).await;
    assert_eq!(error["code"], "admission_denied", "{error}");
    assert!(error["fix"].to_string().contains("patch it with null first"), "{error}");
    world.confirmed("patch_runtime", policies(json!(null))).await;
    world.confirmed("patch_runtime", policies(repaired)).await;

    let on_it = with(submit("pauses", 1, 0), "runtime", json!("claims"));
    world.confirmed("run_container_training", on_it).await;
    world.status("pauses", "Running").await;
    for (action, status) in [("suspend", "Suspended"), ("resume", "Running")] {
        let done = world
            .confirmed("update_training_job", json!({"name": "pauses", "action": action}))
            .await;
        assert_eq!(done["took_effect"], true, "{done}");
        world.status("pauses", status).await;
    }
    world.confirmed("delete_training_job", job("pauses")).await;
    world.confirmed("delete_runtime", about(json!({}))).await;
}

/// What Trainer would refuse, and what it would take of a changed runtime although no job could run on it.
pub async fn a_runtime_that_cannot_work_is_refused(world: &World) {
    let create = |spec: Value| json!({"name": "odd", "namespace": world.namespace, "spec": spec});
    let mut bare = spec();
    bare["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]["containers"][0]["name"] =
        json!("main");
    bare["mlPolicy"]["mpi"] = json!({});
    let error = world.bad("create_runtime", create(bare)).await;
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("invalid_argument"), &json!("spec")),
        "{error}"
    );
    assert!(error.to_string().contains("must have one called node"), "{error}");
    assert!(error.to_string().contains("torch and mpi"), "{error}");
    let error = world
        .bad(
            "create_runtime",
            json!({"name": "odd", "namespace": "no-such-place", "spec": spec()}),
        )
        .await;
    assert_eq!(error["code"], "not_found", "{error}");

    world.confirmed("create_runtime", create(spec())).await;
    let patch = |patch: Value| json!({"name": "odd", "namespace": world.namespace, "patch": patch});
    let error = world
        .bad("patch_runtime", patch(json!({"spec": {"mlPolicy": {"jax": {}}}})))
        .await;
    assert!(error.to_string().contains("torch and jax"), "{error}");
    let error = world
        .bad(
            "patch_runtime",
            patch(json!({"template": {"spec": {"replicatedJobs": null}}})),
        )
        .await;
    assert!(error.to_string().contains("at least one part"), "{error}");
    // the other scope is pointed to
    let error = world
        .bad(
            "patch_runtime",
            json!({"name": "odd", "patch": {"mlPolicy": {"numNodes": 2}}}),
        )
        .await;
    assert!(error["fix"].to_string().contains("give namespace"), "{error}");
    // moving from one policy to another is possible
    let moved = world
        .confirmed(
            "patch_runtime",
            patch(json!({"spec": {"mlPolicy": {"torch": null, "jax": {}}}})),
        )
        .await;
    assert_eq!(moved["changed"], true, "{moved}");
    world
        .confirmed("delete_runtime", json!({"name": "odd", "namespace": world.namespace}))
        .await;
}

/// Versions, and one level of one part.
pub async fn a_kind_tells_its_versions_and_a_part_of_its_schema(world: &World) {
    let told = world
        .good("inspect_crd", json!({"name": "TrainJob", "path": "spec.trainer"}))
        .await;
    assert_eq!(told["crds"][0]["versions"][0]["name"], "v1alpha1", "{told}");
    assert_eq!(told["crds"][0]["established"], true, "{told}");
    let fields = told["schema"]["fields"].as_array().cloned().unwrap_or_default();
    assert!(
        fields
            .iter()
            .any(|field| field["name"] == "numNodes" && field["type"] == "integer"),
        "{told}"
    );
    let error = world
        .bad(
            "inspect_crd",
            json!({"name": "TrainJob", "path": "spec.trainer.numNode"}),
        )
        .await;
    assert!(error["fix"].to_string().contains("did you mean `numNodes`?"), "{error}");
    let all = world.good("inspect_crd", json!({})).await;
    let names = all["crds"].to_string();
    assert!(
        names.contains("jobsets.jobset.x-k8s.io") && names.contains("clustertrainingruntimes"),
        "{all}"
    );
    let error = world.bad("inspect_crd", json!({"name": "widgets.example.com"})).await;
    assert_eq!(error["code"], "not_found", "{error}");
}

/// A controller is what has its labels, wherever it is. Where there is none, that is an answer too.
pub async fn a_controller_is_found_by_its_labels(world: &World) {
    let look = json!({"namespace": world.namespace, "tail_lines": 2});
    let nobody = world.good("inspect_controller", look.clone()).await;
    assert!(nobody["why"].to_string().contains("outside this cluster"), "{nobody}");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "manager-0", "labels": {"app.kubernetes.io/name": "trainer", "app.kubernetes.io/component": "manager"}},
        "spec": {"containers": [{"name": "manager", "image": "example.com/manager:1", "env": [
            {"name": "SIM_RUN", "value": "10h"}, {"name": "SIM_LOG", "value": "begins\ntoken=abcdefgh12345678\nworks"}]}]},
    });
    world.create("pods", &pod).await;
    let told = world
        .place
        .until("the controller's log", async || {
            let told = world.good("inspect_controller", look.clone()).await;
            (told["lines"] == json!(["token=***", "works"])).then_some(told)
        })
        .await;
    assert_eq!(told["pods"][0]["name"], "manager-0", "{told}");
    assert!(told["truncated"].is_string(), "{told}");
    let events = world
        .good("inspect_controller", with(look, "view", json!("events")))
        .await;
    assert!(events["events"].to_string().contains("Scheduled"), "{events}");
}
