//! What an MPI job has beside the others: a key for ssh, a file of hosts, and where they are mounted.

use serde_json::{Value, json};

use super::super::Action;
use super::super::objects::{hash, kind, owned_by};
use super::build::Plan;
use super::env;
use super::shape::each;
use crate::store::text;

/// Mounts the key and the file of hosts, and tells OpenMPI where they are.
pub(super) fn equip(plan: &Plan<'_>, replicated: &mut Value) {
    let name = text(replicated, "/name");
    if !matches!(name.as_str(), "node" | "launcher") {
        return;
    }
    let launcher = name == "launcher";
    let ssh = plan.policy["mpi"]["sshAuthMountPath"]
        .as_str()
        .unwrap_or("/root/.ssh")
        .to_owned();
    let spec = &mut replicated["template"]["spec"]["template"]["spec"];
    volume(
        spec,
        json!({
            "name": "mpi-ssh-auth",
            "secret": {
                "secretName": format!("{}-mpi-ssh-auth", plan.name), "defaultMode": 0o400,
                "items": [
                    {"key": "ssh-privatekey", "path": "id_rsa", "mode": 0o640},
                    {"key": "ssh-publickey", "path": "id_rsa.pub", "mode": 0o644},
                    {"key": "ssh-publickey", "path": "authorized_keys", "mode": 0o644},
                ],
            },
        }),
    );
    if launcher {
        volume(
            spec,
            json!({
                "name": "mpi-hostfile",
                "configMap": {
                    "name": format!("{}-mpi-hostfile", plan.name),
                    "items": [{"key": "hostfile", "path": "hostfile", "mode": 0o444}],
                },
            }),
        );
    }
    for container in each(spec, "containers").filter(|container| container["name"] == "node") {
        mount(container, "mpi-ssh-auth", &ssh);
        if launcher {
            mount(container, "mpi-hostfile", "/etc/mpi");
            env::open_mpi(plan, container);
        }
    }
}

fn volume(spec: &mut Value, volume: Value) {
    let name = volume["name"].clone();
    env::upsert(spec, "volumes", volume, |old| old["name"] == name);
}

fn mount(container: &mut Value, name: &str, path: &str) {
    env::upsert(
        container,
        "volumeMounts",
        json!({"name": name, "mountPath": path}),
        |old| old["mountPath"] == path,
    );
}

/// The Secret and the ConfigMap of a job; `spec` is that of its JobSet.
pub(super) fn companions(plan: &Plan<'_>, spec: &Value) -> Vec<Action> {
    let meta = |suffix: &str| {
        json!({
            "name": format!("{}-{suffix}", plan.name), "namespace": plan.job["metadata"]["namespace"],
            "ownerReferences": owned_by(plan.job),
        })
    };
    let hostfile = json!({"metadata": meta("mpi-hostfile"), "data": {"hostfile": hosts(plan, spec)}});
    // Not a key: sandbox containers do not run, and a secret that looks like one must not lie about.
    let stub = format!("c2FuZGJveC1rZXkt{:016x}", hash(&plan.name));
    let secret = json!({
        "metadata": meta("mpi-ssh-auth"), "type": "kubernetes.io/ssh-auth", "immutable": true,
        "data": {"ssh-privatekey": stub, "ssh-publickey": stub},
    });
    vec![
        Action::Create(kind("Secret"), secret),
        Action::Create(kind("ConfigMap"), hostfile),
    ]
}

/// One line for each pod that takes part, in the order of the JobSet.
fn hosts(plan: &Plan<'_>, spec: &Value) -> String {
    let slots = env::slots(plan);
    let subdomain = spec["network"]["subdomain"].as_str().unwrap_or(&plan.name);
    let mut lines = String::new();
    for replicated in super::super::objects::items(&spec["replicatedJobs"]) {
        let name = text(replicated, "/name");
        if name != "node" && !(name == "launcher" && plan.launcher_is_node()) {
            continue;
        }
        for replica in 0..replicated["replicas"].as_i64().unwrap_or(1) {
            for pod in 0..replicated["template"]["spec"]["parallelism"].as_i64().unwrap_or(1) {
                let host = format!("{}-{name}-{replica}-{pod}.{subdomain}", plan.name);
                lines.push_str(&format!("{host} slots={slots}\n"));
            }
        }
    }
    lines
}
