//! The built binary and kubectl, beside each other on the control plane.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use kf_mcp_tests::World;
use serde_json::Value;

use crate::Tests;
use crate::stage::{Stage, built};

/// Adds the tests of the binary.
pub(crate) fn add(tests: &mut Tests) {
    tests.add("binary::a_submitted_job_runs_and_kubectl_agrees", 2, async |stage| {
        a_submitted_job_runs_and_kubectl_agrees(&stage).await;
    });
    tests.add(
        "binary::a_user_with_the_shipped_role_works_in_one_namespace",
        0,
        async |stage| {
            a_user_with_the_shipped_role_works_in_one_namespace(&stage).await;
        },
    );
}

/// Runs a program as the user of a kubeconfig; whether it succeeded, and what it printed.
async fn run(program: &Path, kubeconfig: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .env("KUBECACHEDIR", kubeconfig.with_extension("cache"))
        .stdin(Stdio::null());
    let done = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (done.status.success(), text.concat())
}

/// What the README promises: one line submits, kubectl sees the pods on GPU nodes.
async fn a_submitted_job_runs_and_kubectl_agrees(stage: &Arc<Stage>) {
    let world: World = stage.world("binary").await;
    let kubeconfig = stage.plane.layout().kubeconfig();
    let namespace = format!("namespace={}", world.namespace);
    let arguments = [
        "call",
        "run_container_training",
        "--persona",
        "data-scientist",
        "name=hello",
        "image=example.com/train:1",
        "num_nodes=2",
        "gpu_per_node=1",
        "confirmed=true",
        &namespace,
    ];
    let (good, said) = run(&built("kubeflow-mcp"), &kubeconfig, &arguments).await;
    assert!(good, "{said}");
    world.running("hello", 2).await;
    let kubectl = stage.plane.kubectl();
    let (good, jobs) = run(&kubectl, &kubeconfig, &["get", "trainjobs", "-n", &world.namespace]).await;
    assert!(good && jobs.contains("hello"), "{jobs}");
    let (good, pods) = run(
        &kubectl,
        &kubeconfig,
        &["get", "pods", "-o", "json", "-n", &world.namespace],
    )
    .await;
    assert!(good, "{pods}");
    let pods: Value = serde_json::from_str(&pods).unwrap();
    let nodes: Vec<&str> = pods["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|pod| pod["spec"]["nodeName"].as_str())
        .collect();
    assert!(
        nodes.len() == 2 && nodes.iter().all(|node| node.starts_with("gpu-")),
        "{nodes:?}"
    );
    world.end("hello", 0).await;
    world.status("hello", "Complete").await;
}

/// Somebody who has only the role that Trainer ships for users, and only in one namespace.
async fn a_user_with_the_shipped_role_works_in_one_namespace(stage: &Arc<Stage>) {
    let mark = stage.audit().mark();
    let user = stage.unique("alice");
    let kubeconfig = stage.plane.user(&user, &["team-a"], "team-a").unwrap();
    let job = stage.unique("hers");
    let name = format!("name={job}");
    let submit = |namespace: &'static str| {
        let name = name.clone();
        let kubeconfig = kubeconfig.clone();
        async move {
            let arguments = [
                "call",
                "run_container_training",
                "--persona",
                "ml-engineer",
                &name,
                "image=example.com/train:1",
                "confirmed=true",
                namespace,
            ];
            run(&built("kubeflow-mcp"), &kubeconfig, &arguments).await
        }
    };
    let (good, said) = submit("namespace=team-a").await;
    assert!(good, "{said}");
    let (good, said) = submit("namespace=team-b").await;
    assert!(
        !good && said.contains("forbidden") && said.contains("trainjobs"),
        "{said}"
    );
    let (good, listed) = run(&built("kubeflow-mcp"), &kubeconfig, &["call", "list_training_jobs"]).await;
    assert!(good && listed.contains(&job), "{listed}");
    let (good, said) = run(
        &built("kubeflow-mcp"),
        &kubeconfig,
        &["call", "list_training_jobs", "namespace=*"],
    )
    .await;
    assert!(!good && said.contains("forbidden"), "{said}");
    let (good, said) = run(
        &built("kubeflow-mcp"),
        &kubeconfig,
        &[
            "call",
            "delete_training_job",
            "--persona",
            "ml-engineer",
            &name,
            "confirmed=true",
        ],
    )
    .await;
    assert!(good, "{said}");
    let asked = stage.audit().since(mark, &user).unwrap();
    assert!(
        asked.iter().any(|entry| entry.verb == "create" && entry.code == 201),
        "{asked:?}"
    );
}
