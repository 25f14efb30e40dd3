//! The environment that Trainer's framework plugins put into the training container.

use serde_json::{Value, json};

use super::super::objects::{items, number};
use super::super::quantity;
use super::build::Plan;

/// The port on which nodes of a job find each other.
const PORT: u16 = 29500;

/// Sets an env variable, in its place when there is one of that name.
pub(super) fn upsert(container: &mut Value, var: Value) {
    match container.get_mut("env").and_then(Value::as_array_mut) {
        Some(env) => match env.iter_mut().find(|old| old["name"] == var["name"]) {
            Some(old) => *old = var,
            None => env.push(var),
        },
        None => container["env"] = json!([var]),
    }
}

fn set(container: &mut Value, name: &str, value: impl Into<String>) {
    upsert(container, json!({"name": name, "value": value.into()}));
}

fn set_index(container: &mut Value, name: &str) {
    let path = "metadata.annotations['batch.kubernetes.io/job-completion-index']";
    upsert(
        container,
        json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}),
    );
}

fn port(container: &mut Value) {
    let port = json!({"containerPort": PORT, "protocol": "TCP"});
    match container.get_mut("ports").and_then(Value::as_array_mut) {
        Some(ports) => ports.push(port),
        None => container["ports"] = json!([port]),
    }
}

/// How many GPUs the resources of one node name: the first resource with "gpu" in its name counts.
pub(super) fn gpus(resources: &Value) -> i128 {
    quantity::effective(resources)
        .into_iter()
        .find(|(name, _)| name.to_lowercase().contains("gpu"))
        .map(|(_, amount)| amount / 1000)
        .unwrap_or_default()
}

/// `PET_NPROC_PER_NODE`: what was asked for, `auto` with GPUs, else one process per CPU.
pub(super) fn processes(plan: &Plan<'_>, resources: &Value) -> String {
    if let Some(wanted) = plan.trainer().and_then(|trainer| number(trainer, "/numProcPerNode")) {
        return wanted.to_string();
    }
    if gpus(resources) > 0 {
        return "auto".to_owned();
    }
    let cpus = ["requests", "limits"]
        .iter()
        .find_map(|part| quantity::milli(&resources[*part]["cpu"]));
    (cpus.unwrap_or_default() + 999).div_euclid(1000).max(1).to_string()
}

/// MPI slots per node.
pub(super) fn slots(plan: &Plan<'_>) -> i64 {
    let of_runtime = number(plan.policy, "/mpi/numProcPerNode").unwrap_or(1);
    let Some(trainer) = plan.trainer() else {
        return of_runtime;
    };
    if let Some(wanted) = number(trainer, "/numProcPerNode") {
        return wanted;
    }
    let gpus = i64::try_from(gpus(&trainer["resourcesPerNode"])).unwrap_or_default();
    if of_runtime == 1 && gpus > 1 { gpus } else { of_runtime }
}

/// What the plugin of the runtime's framework injects. Only called when the job has a `spec.trainer`.
pub(super) fn plugin(plan: &Plan<'_>, container: &mut Value, resources: &Value) {
    let policy = plan.policy;
    if policy["torch"].is_object() {
        set(container, "PET_NNODES", plan.nodes.to_string());
        set(container, "PET_NPROC_PER_NODE", processes(plan, resources));
        set_index(container, "PET_NODE_RANK");
        if !super::is_tune_run(plan.job) {
            set(container, "PET_MASTER_ADDR", plan.coordinator());
            set(container, "PET_MASTER_PORT", PORT.to_string());
        }
        port(container);
    } else if policy["jax"].is_object() {
        set(container, "JAX_NUM_PROCESSES", plan.nodes.to_string());
        set_index(container, "JAX_PROCESS_ID");
        set(
            container,
            "JAX_COORDINATOR_ADDRESS",
            format!("{}:{PORT}", plan.coordinator()),
        );
        port(container);
    } else if policy["xgboost"].is_object() {
        set(container, "DMLC_TRACKER_URI", plan.coordinator());
        set(container, "DMLC_TRACKER_PORT", PORT.to_string());
        set_index(container, "DMLC_TASK_ID");
        let workers = i128::from(plan.nodes) * gpus(resources).max(1);
        set(container, "DMLC_NUM_WORKER", workers.to_string());
        port(container);
    } else if policy["mpi"].is_object() {
        set(container, "OMPI_MCA_orte_default_hostfile", "/etc/mpi/hostfile");
        set(container, "OMPI_MCA_orte_keep_fqdn_hostnames", "true");
        set(container, "OMPI_MCA_orte_set_default_slots", slots(plan).to_string());
        set(container, "OMPI_MCA_plm_rsh_args", "-o ConnectionAttempts=10");
    }
}

/// The ssh key and the host file of an MPI job.
pub(super) fn mpi_volumes(plan: &Plan<'_>, replicated: &mut Value, is_launcher: bool) {
    let ssh = plan.policy["mpi"]["sshAuthMountPath"]
        .as_str()
        .unwrap_or("/root/.ssh")
        .to_owned();
    let spec = &mut replicated["template"]["spec"]["template"]["spec"];
    let mut volumes: Vec<Value> = items(&spec["volumes"]).cloned().collect();
    volumes.push(json!({
        "name": "mpi-ssh-auth",
        "secret": {
            "secretName": format!("{}-mpi-ssh-auth", plan.name),
            "items": [
                {"key": "ssh-privatekey", "path": "id_rsa"}, {"key": "ssh-publickey", "path": "id_rsa.pub"},
                {"key": "ssh-publickey", "path": "authorized_keys"},
            ],
        },
    }));
    let mut mounts = vec![json!({"name": "mpi-ssh-auth", "mountPath": ssh})];
    if is_launcher {
        volumes.push(json!({
            "name": "mpi-hostfile",
            "configMap": {
                "name": format!("{}-mpi-hostfile", plan.name), "items": [{"key": "hostfile", "path": "hostfile"}],
            },
        }));
        mounts.push(json!({"name": "mpi-hostfile", "mountPath": "/etc/mpi"}));
    }
    spec["volumes"] = json!(volumes);
    for container in spec
        .get_mut("containers")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if container["name"] == "node" {
            let all: Vec<Value> = items(&container["volumeMounts"])
                .cloned()
                .chain(mounts.clone())
                .collect();
            container["volumeMounts"] = json!(all);
        }
    }
}
