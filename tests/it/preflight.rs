//! `pre_flight` and what `get_cluster_resources` says of quotas and queues, on the sandbox: in words, with and without rights,
//! on clusters that lack something.

use kf_mcp_core::Answer;
use kf_mcp_tests::{World, queues};
use serde_json::{Value, json};

const QWEN: &str = "Qwen/Qwen2.5-1.5B-Instruct";
/// The most requests of a call.
const MOST: usize = 10;

/// The arguments with everything that there is to ask for.
fn everything() -> Value {
    json!({"model": "pvc://weights/llama-3.2-1b", "dataset": "s3://sets/alpaca/", "runtime": "torchtune-llama3.2-1b", "name": "tune",
        "num_workers": 1, "gpu_per_node": 1, "batch_size": 8, "quantization": "nf4", "namespace": "team-a", "s3_secret": "keys", "queue": "research"})
}

async fn flight(world: &World, arguments: Value) -> Value {
    let (answer, asked) = world.called("pre_flight", arguments.clone()).await;
    assert!(!answer.is_error, "{arguments}: {}", answer.text);
    // the API groups and the version are no objects, and so not among them
    assert!(asked.len() <= MOST, "{arguments}: {asked:?}");
    answer.structured
}

fn checks(flight: &Value) -> Vec<&str> {
    let blockers = flight["blockers"].as_array().into_iter().flatten();
    blockers.filter_map(|blocker| blocker["check"].as_str()).collect()
}

/// Changes an object of the cluster.
async fn patch(world: &World, path: &str, patch: Value) {
    let reply = world
        .place
        .ask("PATCH", path, "application/merge-patch+json", Some(&patch))
        .await;
    assert!(reply.code.is_success(), "{path}: {}", reply.text);
}

async fn made(world: &World, path: &str, object: Value) {
    let reply = world.place.ask("POST", path, "application/json", Some(&object)).await;
    assert!(reply.code.is_success(), "{path}: {}", reply.text);
}

#[tokio::test]
async fn flights_in_words() {
    let world = World::new("showcase");
    let mut told = Vec::new();
    for arguments in [
        json!({}),
        json!({"model": QWEN, "dataset": "tatsu-lab/alpaca"}),
        json!({"model": QWEN, "dataset": "tatsu-lab/alpaca", "hf_secret": "hf", "name": "tune"}),
        json!({"model": "meta-llama/Llama-3.2-1B-Instruct", "quantization": "int4"}),
        json!({"model": "meta-llama/Llama-3.3-70B-Instruct", "num_workers": 2}),
        json!({"model": "mistralai/Mistral-7B-v0.3", "runtime": "torch-distributed", "gpu_per_node": 1, "batch_size": 64}),
        json!({"runtime": "torchtune-llama3.2-3b", "num_workers": 2}),
        json!({"runtime": "torch-distibuted"}),
        json!({"num_workers": 2, "gpu_per_node": 16}),
        json!({"resources_per_node": {"tpu": 4, "cpu": 8}, "num_workers": 4}),
        json!({"namespace": "nowhere"}),
        everything(),
    ] {
        let text = world.call("pre_flight", arguments.clone()).await.text;
        told.push(format!("> {arguments}\n{text}"));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

#[tokio::test]
async fn what_the_caller_may_not_do_blocks_and_the_submit_says_the_same() {
    let world = World::new("showcase");
    world.sandbox().forbid("create trainjobs.trainer.kubeflow.org");
    let blocked = flight(&world, json!({})).await;
    assert_eq!(checks(&blocked), ["rights"], "{blocked}");
    let fix = blocked["blockers"][0]["fix"].as_str().unwrap();
    assert!(fix.contains("kubectl -n team-a create rolebinding"), "{fix}");
    let submit = json!({"image": "example.com/train:1"});
    assert_eq!(
        world.bad("run_container_training", submit.clone()).await["code"],
        "forbidden"
    );
    world.sandbox().allow_all();
    world.sandbox().forbid("get pods/log");
    let ready = flight(&world, json!({})).await;
    assert_eq!(ready["ready"], true, "{ready}");
    assert!(ready["warnings"].to_string().contains("get_training_logs"), "{ready}");
    world.good("run_container_training", submit).await;
}

#[tokio::test]
async fn what_may_not_be_looked_at_is_said_and_never_passed() {
    let world = World::new("showcase");
    for rule in [
        "list resourcequotas",
        "list nodes",
        "list deployments.apps",
        "get secrets",
        "list persistentvolumeclaims",
        "list storageclasses.storage.k8s.io",
        "get namespaces",
        "get trainjobs.trainer.kubeflow.org",
    ] {
        world.sandbox().forbid(rule);
    }
    // without Kueue a queue takes two requests, which would be missed elsewhere
    let mut arguments = everything();
    arguments["queue"] = Value::Null;
    let seen = flight(&world, arguments).await;
    let unseen = seen["not_seen"].to_string();
    for part in [
        "quotas",
        "devices",
        "controller",
        "Secret keys",
        "claims weights",
        "StorageClasses",
        "namespace team-a",
        "tune is free",
    ] {
        assert!(unseen.contains(part), "{part}: {unseen}");
    }
    assert_eq!(seen["passed"], json!(["runtime", "arguments", "rights"]), "{seen}");
    insta::assert_json_snapshot!(seen["not_seen"]);
}

#[tokio::test]
async fn without_runtimes_to_read_the_submit_fails_too() {
    let world = World::new("showcase");
    world
        .sandbox()
        .forbid("get clustertrainingruntimes.trainer.kubeflow.org");
    assert_eq!(checks(&flight(&world, json!({})).await), ["runtime"]);
    let error = world.bad("run_container_training", json!({"image": "i"})).await;
    assert_eq!(error["code"], "forbidden", "{error}");
}

#[tokio::test]
async fn a_cluster_without_trainer_says_how_to_install_it() {
    let world = World::new("no-trainer");
    let blocked = flight(&world, json!({"model": QWEN})).await;
    assert!(checks(&blocked).contains(&"runtime"), "{blocked}");
    assert!(
        blocked["blockers"][0]["fix"].to_string().contains("helm install"),
        "{blocked}"
    );
    let error = world.bad("fine_tune", json!({"model": QWEN, "dataset": "a/b"})).await;
    assert_eq!(error["code"], "not_installed", "{error}");
}

#[tokio::test]
async fn without_jobsets_kinds_nothing_would_come_of_a_job() {
    let world = World::new("showcase");
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/jobsets.jobset.x-k8s.io";
    let gone = world.place.ask("DELETE", path, "", None).await;
    assert!(gone.code.is_success(), "{}", gone.text);
    let blocked = flight(&world, json!({})).await;
    assert_eq!(checks(&blocked), ["versions"], "{blocked}");
}

/// The controller is the webhook too, so the API server refuses jobs while it is down.
#[tokio::test]
async fn a_controller_that_is_down_blocks() {
    let world = World::new("showcase");
    let pod = "/api/v1/namespaces/kubeflow-system/pods/kubeflow-trainer-controller-manager-7d9c5b8f6d-x2k4q";
    let deployment = "/apis/apps/v1/namespaces/kubeflow-system/deployments/kubeflow-trainer-controller-manager/status";
    assert_eq!(flight(&world, json!({})).await["ready"], true);
    let unready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    patch(&world, &format!("{pod}/status"), unready).await;
    let blocked = flight(&world, json!({})).await;
    assert_eq!(checks(&blocked), ["controller"], "{blocked}");
    patch(&world, deployment, json!({"status": {"readyReplicas": 0}})).await;
    world.place.ask("DELETE", pod, "", None).await;
    let blocked = flight(&world, json!({})).await;
    assert_eq!(checks(&blocked), ["controller"], "{blocked}");
    assert!(blocked.to_string().contains("0 of 1 pods are ready"), "{blocked}");
    let error = world.bad("run_container_training", json!({"image": "i"})).await;
    assert!(error.to_string().contains("failed calling webhook"), "{error}");
}

#[tokio::test]
async fn a_limit_range_speaks_for_pods_that_say_nothing() {
    let world = World::new("healthy-empty");
    let (quotas, ranges) = (
        format!("/api/v1/namespaces/{}/resourcequotas", world.namespace),
        format!("/api/v1/namespaces/{}/limitranges", world.namespace),
    );
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"limits.cpu": "100"}}});
    made(&world, &quotas, quota).await;
    assert_eq!(checks(&flight(&world, json!({})).await), ["quota"]);
    let limits = json!([{"type": "Container", "default": {"cpu": "1"}}]);
    let range =
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "r"}, "spec": {"limits": limits}});
    made(&world, &ranges, range).await;
    assert_eq!(flight(&world, json!({})).await["ready"], true);
    world.sandbox().forbid("list limitranges");
    let unseen = flight(&world, json!({})).await;
    assert!(unseen["not_seen"].to_string().contains("LimitRange"), "{unseen}");
}

#[tokio::test]
async fn bad_arguments_of_its_own_are_errors() {
    let world = World::new("showcase");
    let error = world.bad("pre_flight", json!({"quantization": "int3"})).await;
    assert_eq!(error["field"], "quantization", "{error}");
    for arguments in [json!({"moddel": "x"}), json!({"namespace": "Team A"})] {
        let (answer, asked) = world.called("pre_flight", arguments.clone()).await;
        assert!(answer.is_error && asked.is_empty(), "{arguments}: {}", answer.text);
    }
}

#[tokio::test]
async fn queues_and_claimed_devices_are_told() {
    let world = World::new("showcase");
    let without = flight(&world, json!({"queue": "research"})).await;
    assert!(
        without["warnings"].to_string().contains("Kueue is not there"),
        "{without}"
    );
    queues::define(&world.place).await;
    let (kueue, volcano) = ("/apis/kueue.x-k8s.io/v1beta2", "/apis/scheduling.volcano.sh/v1beta1");
    let local = json!({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue", "metadata": {"name": "research"},
        "spec": {"clusterQueue": "gpus"}});
    made(&world, &format!("{kueue}/namespaces/team-a/localqueues"), local).await;
    let flavors = json!([{"name": "h100", "resources": [{"name": "nvidia.com/gpu", "nominalQuota": 16}]}]);
    let cluster = json!({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ClusterQueue", "metadata": {"name": "gpus"},
        "spec": {"resourceGroups": [{"coveredResources": ["nvidia.com/gpu"], "flavors": flavors}]}});
    made(&world, &format!("{kueue}/clusterqueues"), cluster).await;
    let queue = json!({"apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue", "metadata": {"name": "default"},
        "spec": {"capability": {"nvidia.com/gpu": "8"}}});
    made(&world, &format!("{volcano}/queues"), queue).await;
    let slice = json!({"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": "s"},
        "spec": {"driver": "gpu.nvidia.com", "nodeName": "h100-0", "pool": {"name": "h100-0", "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": "gpu-0"}, {"name": "gpu-1"}]}});
    made(&world, "/apis/resource.k8s.io/v1/resourceslices", slice).await;
    assert_eq!(flight(&world, json!({"queue": "research"})).await["ready"], true);
    assert_eq!(checks(&flight(&world, json!({"queue": "reserch"})).await), ["queue"]);
    let answer: Answer = world.call("get_cluster_resources", json!({})).await;
    insta::assert_snapshot!(answer.text);
    assert_eq!(answer.structured["queues"][0]["cluster_queue"], "gpus");
    for rule in [
        "list localqueues.kueue.x-k8s.io",
        "list queues.scheduling.volcano.sh",
        "list resourceslices.resource.k8s.io",
    ] {
        world.sandbox().forbid(rule);
    }
    let unseen = world.good("get_cluster_resources", json!({})).await["not_seen"].to_string();
    for part in ["Kueue's queues", "Volcano's queues", "dynamic resource allocation"] {
        assert!(unseen.contains(part), "{part}: {unseen}");
    }
}
