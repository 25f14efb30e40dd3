//! Submitting to clusters with Trainer v2.0 and v2.1, whose TrainJobs have other fields: served where they can be, else refused
//! with a sentence.

use kf_mcp_tests::World;
use serde_json::{Value, json};

const JOBS: &str = "trainjobs.trainer.kubeflow.org";

/// All options that pods can be given in v2.0.
fn asked(name: &str) -> Value {
    json!({
        "name": name, "image": "example.com/train:1", "num_nodes": 2, "node_selector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}], "volumes": [{"name": "data", "emptyDir": {}}],
        "volume_mounts": [{"name": "data", "mountPath": "/data"}],
    })
}

fn with(mut call: Value, more: Value) -> Value {
    let more = more.as_object().cloned().unwrap();
    call.as_object_mut().unwrap().extend(more);
    call
}

#[tokio::test]
async fn pod_options_are_sent_in_the_form_that_the_cluster_knows() {
    for (release, field, tries) in [
        ("v2.3", "runtimePatches", 1),
        ("v2.1", "podTemplateOverrides", 2),
        ("v2.0", "podSpecOverrides", 3),
    ] {
        let world = World::new(&format!("healthy-empty?trainer={release}"));
        let (preview, asks) = world.called("run_container_training", asked("a")).await;
        assert!(!preview.is_error, "{release}: {}", preview.text);
        let creates = asks.iter().filter(|asked| asked.verb == "create").count();
        assert_eq!(creates, tries, "{release}");
        let told = preview.structured["preview"]["warnings"].to_string();
        assert_eq!(told.contains(field), release != "v2.3", "{release}: {told}");
        world.confirmed("run_container_training", asked("a")).await;
        let job = world.object(JOBS, "a").await.unwrap();
        for other in ["runtimePatches", "podTemplateOverrides", "podSpecOverrides"] {
            assert_eq!(job["spec"].get(other).is_some(), other == field, "{release}: {other}");
        }
        world.running("a", 2).await;
        for pod in world.pods("a").await {
            assert_eq!(
                pod["spec"]["nodeSelector"],
                json!({"kubernetes.io/os": "linux"}),
                "{release}"
            );
            assert_eq!(pod["spec"]["volumes"][0]["name"], "data", "{release}");
            assert_eq!(
                pod["spec"]["containers"][0]["volumeMounts"][0]["mountPath"], "/data",
                "{release}"
            );
            let tolerations = pod["spec"]["tolerations"].as_array().unwrap();
            assert!(tolerations.iter().any(|bears| bears["key"] == "gpu"), "{release}");
        }
        // Whatever changes the job later finds the field where it was.
        world
            .confirmed("update_training_job", json!({"name": "a", "action": "suspend"}))
            .await;
        let job = world.object(JOBS, "a").await.unwrap();
        assert!(
            job["spec"][field].is_array() && job["spec"]["suspend"] == true,
            "{release}"
        );
    }
}

#[tokio::test]
async fn a_script_and_a_plain_job_run_on_an_older_cluster() {
    for release in ["v2.1", "v2.0"] {
        let world = World::new(&format!("healthy-empty?trainer={release}"));
        let script = json!({"name": "s", "script": "print(1)", "gpu_per_node": 0});
        world.confirmed("run_custom_training", script).await;
        world.running("s", 1).await;
        let job = world.object(JOBS, "s").await.unwrap();
        for field in ["runtimePatches", "podTemplateOverrides", "podSpecOverrides"] {
            assert!(job["spec"].get(field).is_none(), "{release}: {job}");
        }
    }
}

#[tokio::test]
async fn what_an_older_cluster_cannot_do_is_refused_with_the_arguments_that_ask_for_it() {
    let mut told = Vec::new();
    let container = |more| ("run_container_training", with(asked("a"), more));
    let tune = |method| {
        let call = json!({"name": "f", "model": "Qwen/Qwen2.5-1.5B-Instruct", "dataset": "a/b", "peft_method": method});
        ("fine_tune", call)
    };
    let spread = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}});
    for (release, (tool, call)) in [
        ("v2.1", container(json!({"active_deadline_seconds": 60}))),
        ("v2.0", container(json!({"active_deadline_seconds": 60}))),
        (
            "v2.0",
            container(json!({"affinity": spread, "image_pull_secrets": [{"name": "registry"}]})),
        ),
        // A field that no release has is no sign of an older one.
        (
            "v2.0",
            container(json!({"tolerations": [{"operator": "Exists", "kay": "gpu"}]})),
        ),
        ("v2.0", tune("lora")),
    ] {
        let world = World::new(&format!("healthy-empty?trainer={release}"));
        let error = world.bad(tool, call).await;
        let fields = ["code", "answered", "fix", "tool", "field"];
        let said: Vec<String> = fields
            .iter()
            .filter_map(|field| error[*field].as_str())
            .map(str::to_owned)
            .collect();
        told.push(format!("{release} {tool}: {}", said.join(" | ")));
        assert!(world.object(JOBS, "a").await.is_none());
    }
    insta::assert_snapshot!(told.join("\n"));
    // What v2.1 can, it does; and v2.0 what needs no adapters.
    for (release, method) in [("v2.1", "lora"), ("v2.0", "full")] {
        let world = World::new(&format!("healthy-empty?trainer={release}"));
        let (tool, call) = tune(method);
        world.good(tool, call).await;
    }
    let world = World::new("healthy-empty?trainer=v2.1");
    let (tool, call) = container(json!({"affinity": spread, "image_pull_secrets": [{"name": "registry"}]}));
    world.good(tool, call).await;
}
