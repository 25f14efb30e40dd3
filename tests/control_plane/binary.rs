//! The built binary and kubectl, beside each other on the control plane.

use std::path::{Path, PathBuf};
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
    tests.add("binary::the_printed_rights_are_enough_and_no_more", 0, async |stage| {
        the_printed_rights_are_enough_and_no_more(&stage).await;
    });
    tests.add(
        "binary::a_user_with_the_shipped_role_works_in_one_namespace",
        0,
        async |stage| {
            a_user_with_the_shipped_role_works_in_one_namespace(&stage).await;
        },
    );
}

/// What `kubeflow-mcp rbac` prints is enough for the tools it is printed for, and for no others.
async fn the_printed_rights_are_enough_and_no_more(stage: &Arc<Stage>) {
    let world: World = stage.world("rbac").await;
    for (persona, scope) in [
        ("ml-engineer", "namespace"),
        ("ml-engineer", "cluster"),
        ("platform-admin", "cluster"),
    ] {
        printed_rights(stage, &world, persona, scope).await;
    }
}

async fn printed_rights(stage: &Arc<Stage>, world: &World, persona: &str, scope: &str) {
    let namespace = world.namespace.as_str();
    let admin = stage.plane.layout().kubeconfig();
    let folder = tempfile::tempdir().unwrap();
    let (mcp, kubectl) = (built("kubeflow-mcp"), stage.plane.kubectl());
    let name = format!("{persona}-{scope}-{namespace}");
    let account = format!("{namespace}/{name}");
    let place = ["--scope", scope, "--namespace", namespace];
    let printed = [
        &["rbac", "--persona", persona, "--service-account", &account],
        &place[..],
    ]
    .concat();
    let (good, manifests) = run(&mcp, &admin, &printed).await;
    assert!(good, "{manifests}");
    let file = folder.path().join("rbac.yaml");
    std::fs::write(&file, manifests).unwrap();
    for arguments in [
        &["create", "serviceaccount", &name, "-n", namespace][..],
        &["apply", "-f", file.to_str().unwrap()],
    ] {
        let (good, said) = run(&kubectl, &admin, arguments).await;
        assert!(good, "{said}");
    }
    let (good, token) = run(&kubectl, &admin, &["create", "token", &name, "-n", namespace]).await;
    assert!(good, "{token}");
    let own = kubeconfig_with(stage, folder.path(), &serde_json::json!({"token": token.trim()}));
    let call = async |tool: &str, arguments: &[&str]| {
        let own_flags = ["call", tool, "--persona", "platform-admin", "--namespace", namespace];
        let all = [&own_flags[..], arguments].concat();
        run(&mcp, &own, &all).await
    };
    // rights that were just given reach the API server's authorizer a moment later
    let may = async || call("list_training_jobs", &[]).await.0.then_some(());
    world.place.until("the rights", may).await;
    let job = [
        "name=hers",
        "image=example.com/train:1",
        "gpu_per_node=0",
        "confirmed=true",
    ];
    for (tool, arguments) in [
        ("run_container_training", &job[..]),
        ("get_training_job", &["name=hers"]),
        ("get_training_events", &["name=hers"]),
        ("get_training_progress", &["name=hers"]),
        (
            "wait_for_training",
            &["name=hers", "target_statuses=Running", "timeout_seconds=30"],
        ),
        ("get_training_logs", &["name=hers"]),
        ("list_training_jobs", &["status=Running"]),
        ("clone_training_job", &["name=hers", "new_name=again", "confirmed=true"]),
        ("delete_training_job", &["name=again", "confirmed=true"]),
        ("run_custom_training", &["script=x = 1"]),
        ("fine_tune", &["model=Qwen/Qwen2.5-1.5B", "dataset=a/b"]),
        ("check_compatibility", &[]),
        ("get_cluster_resources", &[]),
        ("estimate_resources", &["model=Llama-3.1-8B"]),
        ("get_runtime", &["name=torch-distributed"]),
        ("inspect_crd", &["name=TrainJob"]),
        ("inspect_controller", &[]),
        (
            "update_training_job",
            &["name=hers", "action=suspend", "confirmed=true"],
        ),
        ("diagnose_training_job", &["name=hers"]),
        ("pre_flight", &["gpu_per_node=0"]),
        ("list_runtimes", &[]),
        ("delete_training_job", &["name=hers", "confirmed=true"]),
    ] {
        let (good, said) = call(tool, arguments).await;
        // what lies in other namespaces is not seen with the rights in one
        let bad = |line: &str| line.contains("forbidden") && !(scope == "namespace" && line.starts_with("not seen:"));
        assert!(good && !said.lines().any(bad), "{tool}: {said}");
    }
    doctor_agrees(&mcp, &own, persona, &place, &account).await;
    let spec = r#"spec={"template": {"spec": {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": {"spec": {"containers": [{"name": "node", "image": "a"}]}}}}}]}}}"#;
    let own_runtime = format!("name={name}");
    let (good, said) = call("create_runtime", &[&own_runtime, spec, "confirmed=true"]).await;
    if persona == "platform-admin" {
        assert!(good, "{said}");
        for (tool, arguments) in [
            ("patch_runtime", &[r#"patch={"mlPolicy": {"numNodes": 2}}"#][..]),
            ("delete_runtime", &[]),
        ] {
            let (good, said) = call(
                tool,
                &[&[own_runtime.as_str(), "confirmed=true"][..], arguments].concat(),
            )
            .await;
            assert!(good, "{tool}: {said}");
        }
    } else {
        assert!(!good && said.contains("forbidden"), "{said}");
    }
    let (good, said) = run(&mcp, &own, &["call", "list_training_jobs", "namespace=*"]).await;
    assert!(
        good == (scope == "cluster") && good != said.contains("forbidden"),
        "{said}"
    );
    for kind in ["clusterrole", "clusterrolebinding"] {
        let (good, said) = run(&kubectl, &admin, &["delete", kind, &name]).await;
        assert!(good, "{said}");
    }
}

/// `kubeflow-mcp doctor` finds all rights that were printed, and misses those of a stronger persona.
async fn doctor_agrees(mcp: &Path, kubeconfig: &Path, persona: &str, place: &[&str], account: &str) {
    let doctor = async |persona: &str| {
        let arguments = [&["doctor", "--persona", persona], place].concat();
        run(mcp, kubeconfig, &arguments).await
    };
    let (good, said) = doctor(persona).await;
    assert!(good && said.contains("are there"), "{said}");
    if persona != "platform-admin" {
        let (good, said) = doctor("platform-admin").await;
        let lost = "create, delete, patch clustertrainingruntimes.trainer.kubeflow.org: fails without: create_runtime, delete_runtime";
        let account = format!(" --service-account {account} | kubectl apply -f -");
        assert!(!good && said.contains(lost) && said.contains(&account), "{said}");
    }
}

/// The administrator's kubeconfig, with other credentials instead of the certificate.
pub(crate) fn kubeconfig_with(stage: &Stage, folder: &Path, credentials: &Value) -> PathBuf {
    let admin = std::fs::read_to_string(stage.plane.layout().kubeconfig()).unwrap();
    let mut config: Value = serde_saphyr::from_str(&admin).unwrap();
    config["users"][0]["user"] = credentials.clone();
    let file = folder.join("kubeconfig");
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

/// Runs a program as the user of a kubeconfig; whether it succeeded, and what it printed.
pub(crate) async fn run(program: &Path, kubeconfig: &Path, arguments: &[&str]) -> (bool, String) {
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
