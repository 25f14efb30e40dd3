//! The platform team's tools on the sandbox, in words.

use kf_mcp_tests::World;
use serde_json::{Value, json};

/// A runtime for torch, with what surprises in it.
fn spec() -> Value {
    let container = json!({"name": "node", "image": "example.com/torch:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]});
    json!({
        "mlPolicy": {"numNodes": 1, "torch": {}},
        "template": {"spec": {
            "volumeClaimPolicies": [{"templates": [{"metadata": {"name": "data"}}]}],
            "replicatedJobs": [{"name": "node", "template": {
                "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
                "spec": {"template": {"spec": {"containers": [container]}}},
            }}],
        }},
    })
}

async fn told(world: &World, calls: Vec<(&str, Value)>) -> String {
    let mut told = Vec::new();
    for (tool, arguments) in calls {
        let text = world.call(tool, arguments.clone()).await.text;
        // plan ids begin with chance
        let text = text.split("plan_id=").next().unwrap_or_default().to_owned();
        told.push(format!("> {tool} {arguments}\n{text}"));
    }
    told.join("\n\n")
}

#[tokio::test]
async fn runtimes_are_made_changed_and_deleted() {
    let world = World::new("showcase");
    let env = json!([{"name": "A", "value": "1"}, {"name": "HF_HOME", "value": "/cache"}]);
    let container = json!({"name": "node", "image": "example.com/torch:2", "env": env});
    let jobs = json!([{"name": "node", "template": {
        "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
        "spec": {"template": {"spec": {"containers": [container]}}}}}]);
    let calls = vec![
        (
            "create_runtime",
            json!({"name": "mine", "namespace": "team-a", "spec": spec()}),
        ),
        (
            "create_runtime",
            json!({"name": "mine", "namespace": "team-a", "spec": spec(), "confirmed": true}),
        ),
        (
            "patch_runtime",
            json!({"name": "mine", "namespace": "team-a", "patch": {"template": {"spec": {"replicatedJobs": jobs}}}}),
        ),
        (
            "patch_runtime",
            json!({"name": "mine", "namespace": "team-a", "confirmed": true,
                "patch": {"labels": {"trainer.kubeflow.org/framework": "mine"}, "mlPolicy": {"numNodes": 4}}}),
        ),
        (
            "patch_runtime",
            json!({"name": "mine", "namespace": "team-a", "patch": {"mlPolicy": {"numNodes": 4}}}),
        ),
        (
            "delete_runtime",
            json!({"name": "mine", "namespace": "team-a", "confirmed": true}),
        ),
        ("delete_runtime", json!({"name": "torch-distributed"})),
    ];
    insta::assert_snapshot!(told(&world, calls).await);
}

#[tokio::test]
async fn what_is_wrong_with_a_runtime_is_told_with_its_place() {
    let world = World::new("showcase");
    let mut odd = spec();
    odd["labels"] = json!({"a": 1});
    odd["mlpolicy"] = json!({});
    let mut secret = spec();
    let part = &mut secret["template"]["spec"]["replicatedJobs"][0];
    part["replicas"] = json!(2);
    part["template"]["spec"]["template"]["spec"]["containers"][0] =
        json!({"name": "main", "env": [{"name": "HF_TOKEN", "value": "hf_abcdefghijklmnopqrst"}]});
    let calls = vec![
        ("create_runtime", json!({"name": "odd"})),
        ("create_runtime", json!({"name": "Odd", "spec": spec()})),
        ("create_runtime", json!({"name": "odd", "spec": odd})),
        ("create_runtime", json!({"name": "odd", "spec": secret})),
        (
            "create_runtime",
            json!({"name": "odd", "spec": spec(), "framework": "a b"}),
        ),
        (
            "create_runtime",
            json!({"name": "odd", "spec": spec(), "namespace": "nowhere"}),
        ),
        ("create_runtime", json!({"name": "torch-distributed", "spec": spec()})),
        ("patch_runtime", json!({"name": "torch-distributed"})),
        (
            "patch_runtime",
            json!({"name": "torch-distributed", "patch": {"spec": {"mlPolicy": {"jax": {}}}}}),
        ),
        (
            "patch_runtime",
            json!({"name": "torch-distributed", "patch": {"metadata": {"name": "b", "finalizers": []}}}),
        ),
        (
            "patch_runtime",
            json!({"name": "torch-distributed", "namespace": "team-a", "patch": {"mlPolicy": {}}}),
        ),
        ("delete_runtime", json!({"name": "nobody"})),
    ];
    let told = told(&world, calls).await;
    assert!(
        !told
            .split("\n\n")
            .any(|told| told.lines().skip(1).any(|line| line.contains("hf_abc"))),
        "{told}"
    );
    insta::assert_snapshot!(told);
    let asked = world
        .called("create_runtime", json!({"name": "odd", "spec": {"template": {}}}))
        .await
        .1;
    assert_eq!(asked, [], "nothing is asked before the arguments are right");
}

#[tokio::test]
async fn a_plan_is_about_one_runtime_in_one_state() {
    let world = World::new("showcase");
    let patch = json!({"name": "torch-distributed", "patch": {"mlPolicy": {"numNodes": 3}}});
    let plan = world.good("patch_runtime", patch.clone()).await["plan_id"].clone();
    let mut other = patch.clone();
    other["patch"]["mlPolicy"]["numNodes"] = json!(5);
    other["confirmed"] = json!(true);
    world.good("patch_runtime", other).await;
    let mut stale = patch;
    stale["confirmed"] = json!(true);
    stale["plan_id"] = plan;
    assert_eq!(world.bad("patch_runtime", stale).await["code"], "stale_plan");
    let plan = world.good("delete_runtime", json!({"name": "torch-distributed"})).await["plan_id"].clone();
    let job = json!({"name": "late", "image": "example.com/train:1", "gpu_per_node": 0, "confirmed": true});
    world.good("run_container_training", job).await;
    let stale = json!({"name": "torch-distributed", "confirmed": true, "plan_id": plan});
    assert_eq!(
        world.bad("delete_runtime", stale).await["code"],
        "stale_plan",
        "a job has come since"
    );
}

#[tokio::test]
async fn kinds_and_controllers_are_looked_at() {
    let world = World::new("showcase");
    let calls = vec![
        ("inspect_crd", json!({})),
        (
            "inspect_crd",
            json!({"name": "ClusterTrainingRuntime", "path": "spec.mlPolicy.mpi"}),
        ),
        ("inspect_crd", json!({"name": "trainjobs.trainer.kubeflow.org"})),
        ("inspect_crd", json!({"name": "trial"})),
        ("inspect_crd", json!({"name": "trainjbos"})),
        ("inspect_crd", json!({"name": "trainjob.trainer.kubeflow.org"})),
        ("inspect_crd", json!({"path": "spec"})),
        ("inspect_controller", json!({})),
        (
            "inspect_controller",
            json!({"view": "deployment", "namespace": "kubeflow-system"}),
        ),
        ("inspect_controller", json!({"view": "events"})),
        ("inspect_controller", json!({"namespace": "team-a"})),
        ("inspect_controller", json!({"tail_lines": 0})),
        ("inspect_controller", json!({"view": "status"})),
    ];
    insta::assert_snapshot!(told(&world, calls).await);
}

#[tokio::test]
async fn the_log_of_a_controller_that_crashes_is_that_of_the_run_before() {
    let world = World::new("showcase");
    let pod = "/api/v1/namespaces/kubeflow-system/pods/kubeflow-trainer-controller-manager-7d9c5b8f6d-x2k4q";
    let crash = json!({"metadata": {"annotations": {"sim/run": "0s", "sim/exit": "1", "sim/log": "panic: no config\ntoken=abcdefgh12345678"}}});
    let reply = world
        .place
        .ask("PATCH", pod, "application/merge-patch+json", Some(&crash))
        .await;
    assert!(reply.code.is_success(), "{}", reply.text);
    let told = world
        .place
        .until("the crash loop", async || {
            let told = world.good("inspect_controller", json!({})).await;
            told["pods"][0]["state"]
                .to_string()
                .contains("CrashLoopBackOff")
                .then_some(told)
        })
        .await;
    assert_eq!(told["previous"], true, "{told}");
    assert_eq!(told["lines"], json!(["panic: no config", "token=***"]), "{told}");
    assert_eq!(told["pods"][0]["last_end"], "Error, exit code 1", "{told}");
}

#[tokio::test]
async fn without_rights_the_controllers_are_looked_for_where_they_usually_are() {
    let world = World::new("showcase");
    let sandbox = world.sandbox();
    sandbox.forbid("list trainjobs.trainer.kubeflow.org");
    let plan = world.good("delete_runtime", json!({"name": "torch-distributed"})).await;
    assert!(
        plan["preview"]["not_seen"].to_string().contains("may not list"),
        "{plan}"
    );
    sandbox.forbid("list pods");
    sandbox.forbid("list deployments.apps");
    let told = world.good("inspect_controller", json!({})).await;
    assert!(told["why"].to_string().contains("as far as you may look"), "{told}");
    assert_eq!(told["not_seen"].as_array().map(Vec::len), Some(6), "{told}");
}
