//! What there is to look at in the namespace of a visit.

use kf_mcp_core::ToolSpec;
use kf_mcp_tests::journeys::{define_all_v1, one_of_each};
use kf_mcp_tests::{World, queues};
use serde_json::json;

use super::calls::runtime;
use crate::katib;
use crate::stage::Stage;

/// Makes what the tool's calls are about; the name of an experiment that has trials.
pub(super) async fn furnish(stage: &Stage, world: &World, spec: &ToolSpec) -> String {
    let registry = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "model-registry-service"},
        "spec": {"ports": [{"name": "http-api", "port": 8080}], "selector": {"app": "nobody"}},
    });
    world.create("services", &registry).await;
    katib::define(&stage.api).await;
    let experiment = katib::copy(&stage.api, &world.namespace).await;
    define_all_v1(world).await;
    for (resource, object) in one_of_each() {
        world.create(&resource, &object).await;
    }
    let submit = |name: &str, gpus: u32| {
        json!({"name": name, "image": "example.com/train:1", "num_nodes": 1, "gpu_per_node": gpus, "confirmed": true,
            "env": {"SIM_RUN": "10h", "SIM_LOG": "epoch 1\nepoch 2"}})
    };
    world.good("run_container_training", submit("walk", 0)).await;
    world.good("run_container_training", submit("spare", 0)).await;
    if spec.name == "diagnose_training_job" {
        let mut broken = submit("broken", 0);
        broken["env"] = json!({"SIM_RUN": "500ms", "SIM_EXIT": "1", "SIM_BACKOFF": "10m", "SIM_LOG": "no luck"});
        world.good("run_container_training", broken).await;
        world
            .job("broken", "the crash loop", |told| told["reason"] == "CrashLoop")
            .await;
    }
    if matches!(spec.name, "update_training_job" | "clone_training_job") {
        let path = "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes/torch-distributed";
        let mut runtime = stage.api.get(path).await.unwrap();
        runtime["kind"] = json!("TrainingRuntime");
        runtime["metadata"] = json!({"name": "own", "labels": runtime["metadata"]["labels"]});
        world.create("trainingruntimes.trainer.kubeflow.org", &runtime).await;
        let mut housed = submit("housed", 0);
        housed["runtime"] = json!("own");
        world.good("run_container_training", housed).await;
    }
    if matches!(spec.name, "get_training_logs" | "wait_for_training") {
        world.good("run_container_training", submit("stuck", 64)).await;
        world
            .job("stuck", "the reason", |told| told["reason"] == "Unschedulable")
            .await;
    }
    world.running("walk", 1).await;
    world.status("walk", "Running").await;
    match spec.name {
        "get_cluster_resources" | "pre_flight" => {
            queues::define(&world.place).await;
            let queue = json!({"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue",
                "metadata": {"name": "research"}, "spec": {"clusterQueue": "gpus"}});
            let path = format!(
                "/apis/kueue.x-k8s.io/v1beta2/namespaces/{}/localqueues",
                world.namespace
            );
            let made = world.place.ask("POST", &path, "application/json", Some(&queue)).await;
            assert!(made.code.is_success(), "{}", made.text);
            let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "told"},
                "spec": {"hard": {"requests.cpu": "1000"}}});
            world.create("resourcequotas", &quota).await;
            world
                .place
                .until("a quota that counts", async || {
                    let quota = world.object("resourcequotas", "told").await?;
                    quota["status"]["used"]["requests.cpu"].is_string().then_some(())
                })
                .await;
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "stringData": {"ACCESS_TOKEN": "x"}});
            world.create("secrets", &secret).await;
        }
        "patch_runtime" | "delete_runtime" => {
            for (kind, name) in [
                ("TrainingRuntime", "own".to_owned()),
                ("ClusterTrainingRuntime", format!("for-{}", world.namespace)),
            ] {
                let mut runtime = runtime();
                runtime["kind"] = json!(kind);
                runtime["metadata"] = json!({"name": name});
                world
                    .create(&format!("{}s.trainer.kubeflow.org", kind.to_lowercase()), &runtime)
                    .await;
            }
        }
        "inspect_controller" => {
            let labels = json!({"app.kubernetes.io/name": "trainer", "app.kubernetes.io/component": "manager"});
            let container = json!({"name": "manager", "image": "example.com/manager:1",
                "env": [{"name": "SIM_RUN", "value": "10h"}, {"name": "SIM_LOG", "value": "works"}]});
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "manager-0", "labels": labels},
                "spec": {"containers": [container]}});
            world.create("pods", &pod).await;
            world
                .place
                .until("the controller's pod", async || {
                    let pod = world.object("pods", "manager-0").await?;
                    (pod["status"]["phase"] == "Running").then_some(())
                })
                .await;
        }
        _ => {}
    }
    experiment
}
