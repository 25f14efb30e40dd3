//! The environment that Trainer's framework plugins put into the training container.

use serde_json::{Value, json};

use super::super::objects::{items, number};
use super::super::quantity;
use super::build::Plan;
use super::is_tune_run;

/// The port on which nodes of a job find each other.
const PORT: u16 = 29500;
/// Where a pod finds its rank.
const RANK: &str = "metadata.annotations['batch.kubernetes.io/job-completion-index']";

/// Sets an element of a list, in its place when `same` finds one like it.
pub(super) fn upsert(owner: &mut Value, list: &str, element: Value, same: impl Fn(&Value) -> bool) {
    match owner.get_mut(list).and_then(Value::as_array_mut) {
        Some(elements) => match elements.iter_mut().find(|old| same(old)) {
            Some(old) => *old = element,
            None => elements.push(element),
        },
        None => owner[list] = json!([element]),
    }
}

/// Sets an env variable, in its place when there is one of that name.
pub(super) fn upsert_env(container: &mut Value, var: Value) {
    let name = var["name"].clone();
    upsert(container, "env", var, |old| old["name"] == name);
}

/// Sets the variables that a job asks for.
pub(super) fn upsert_own(container: &mut Value, vars: &Value) {
    for var in items(vars) {
        upsert_env(container, applied(var));
    }
}

/// A variable of a job as Trainer applies it: with a value, even an empty one, or with what it knows of a source.
fn applied(var: &Value) -> Value {
    let from = &var["valueFrom"];
    if !from.is_object() {
        return json!({"name": var["name"], "value": var["value"].as_str().unwrap_or_default()});
    }
    let mut source = json!({});
    if from["fieldRef"].is_object() {
        source["fieldRef"] = json!({"fieldPath": from["fieldRef"]["fieldPath"]});
    }
    if let Some(old) = from.get("resourceFieldRef").filter(|reference| reference.is_object()) {
        let divisor = match &old["divisor"] {
            Value::Null => json!("0"),
            divisor => quantity::canonical(divisor),
        };
        source["resourceFieldRef"] = json!({
            "containerName": old["containerName"].as_str().unwrap_or_default(), "resource": old["resource"],
            "divisor": divisor,
        });
    }
    for field in ["configMapKeyRef", "secretKeyRef"] {
        if from[field].is_object() {
            source[field] = from[field].clone();
            if source[field]["name"].is_null() {
                source[field]["name"] = json!("");
            }
        }
    }
    json!({"name": var["name"], "valueFrom": source})
}

fn set(container: &mut Value, name: &str, value: impl Into<String>) {
    upsert_env(container, json!({"name": name, "value": value.into()}));
}

fn set_index(container: &mut Value, name: &str) {
    upsert_env(
        container,
        json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": RANK}}}),
    );
}

/// Opens the port; a port without a name is taken for the same as another one without a name.
fn port(container: &mut Value) {
    upsert(container, "ports", json!({"containerPort": PORT}), |old| {
        old["containerPort"] == PORT || old["name"].is_null()
    });
}

/// How many GPUs the resources of one node name: the first resource with "gpu" in its name counts.
pub(super) fn gpus(resources: &Value) -> i128 {
    ["requests", "limits"]
        .iter()
        .filter_map(|part| {
            let amounts = resources[*part].as_object()?;
            let (_, amount) = amounts.iter().find(|(name, _)| name.to_lowercase().contains("gpu"))?;
            quantity::milli(amount).map(whole)
        })
        .find(|gpus| *gpus > 0)
        .unwrap_or_default()
}

/// Thousandths as a whole number, rounded up.
fn whole(milli: i128) -> i128 {
    (milli + 999).div_euclid(1000)
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
        .filter_map(|part| quantity::milli(&resources[*part]["cpu"]))
        .find(|cpus| *cpus > 0);
    whole(cpus.unwrap_or_default()).max(1).to_string()
}

/// MPI slots per node.
pub(super) fn slots(plan: &Plan<'_>) -> i64 {
    let of_runtime = number(plan.policy, "/mpi/numProcPerNode").unwrap_or(1);
    if let Some(wanted) = plan.trainer().and_then(|trainer| number(trainer, "/numProcPerNode")) {
        return wanted;
    }
    let gpus = i64::try_from(gpus(&plan.resources)).unwrap_or_default();
    if of_runtime == 1 && gpus > 1 { gpus } else { of_runtime }
}

/// What the plugin of the runtime's framework puts into the training container, the job's own variables in their place
/// among it. Only called when the job has a `spec.trainer`.
pub(super) fn plugin(plan: &Plan<'_>, container: &mut Value, own: &Value) {
    let policy = plan.policy;
    if policy["torch"].is_object() {
        upsert_own(container, own);
        torch(plan, container, !is_tune_run(plan.job));
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
        // The plugin of plain jobs does not stand back here, and it comes first.
        upsert_own(container, own);
        set(container, "DMLC_TRACKER_URI", plan.coordinator());
        set(container, "DMLC_TRACKER_PORT", PORT.to_string());
        set_index(container, "DMLC_TASK_ID");
        let workers = i128::from(plan.nodes) * gpus(&plan.resources).max(1);
        set(container, "DMLC_NUM_WORKER", workers.to_string());
        port(container);
    } else if !policy["mpi"].is_object() {
        upsert_own(container, own);
    }
}

/// What `torchrun` reads, with or without the address of the first node.
pub(super) fn torch(plan: &Plan<'_>, container: &mut Value, address: bool) {
    set(container, "PET_NNODES", plan.nodes.to_string());
    set(container, "PET_NPROC_PER_NODE", processes(plan, &plan.resources));
    set_index(container, "PET_NODE_RANK");
    if address {
        set(container, "PET_MASTER_ADDR", plan.coordinator());
        set(container, "PET_MASTER_PORT", PORT.to_string());
    }
}

/// What OpenMPI reads in the launcher.
pub(super) fn open_mpi(plan: &Plan<'_>, container: &mut Value) {
    set(container, "OMPI_MCA_orte_default_hostfile", "/etc/mpi/hostfile");
    set(container, "OMPI_MCA_orte_keep_fqdn_hostnames", "true");
    set(container, "OMPI_MCA_orte_set_default_slots", slots(plan).to_string());
    set(container, "OMPI_MCA_plm_rsh_args", "-o ConnectionAttempts=10");
}
