//! Trainer's webhooks: what they change, and what a TrainJob must be to fit its runtime.

mod overrides;
mod patches;
mod runtime;
mod torchtune;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::custom::undecodable;
use super::problem::joined;
use super::types::{text, trainjob as types};
use crate::controllers::objects::{items, kind, number};
use crate::controllers::trainjob::torchtune::is_tune_run;
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{Store, text as string};

/// Env variables that the torch plugin sets itself.
const TORCH: &[&str] = &[
    "PET_NNODES",
    "PET_NPROC_PER_NODE",
    "PET_NODE_RANK",
    "PET_MASTER_ADDR",
    "PET_MASTER_PORT",
];
/// Those of the MPI plugin.
const MPI: &[&str] = &[
    "OMPI_MCA_orte_default_hostfile",
    "OMPI_MCA_plm_rsh_args",
    "OMPI_MCA_orte_keep_fqdn_hostnames",
    "OMPI_MCA_orte_set_default_slots",
];
/// Those of the XGBoost plugin.
const XGBOOST: &[&str] = &[
    "DMLC_TRACKER_URI",
    "DMLC_TRACKER_PORT",
    "DMLC_TASK_ID",
    "DMLC_NUM_WORKER",
];
/// What the API server says when nobody answers for the webhook.
const DOWN: &str = "Internal error occurred: failed calling webhook \"defaulter.trainjob.trainer.kubeflow.org\": failed to call \
                    webhook: Post \"https://kubeflow-trainer-controller-manager.kubeflow-system.svc:443/\
                    mutate-trainer-kubeflow-org-v1alpha1-trainjob?timeout=10s\": no endpoints available for service \
                    \"kubeflow-trainer-controller-manager\"";
/// Where the label says that a runtime's owner does not want it checked.
const UNCHECKED: &str = "/metadata/labels/trainer.kubeflow.org~1webhook-validation";

/// What the mutating webhook does. It refuses what it cannot decode.
pub(super) fn mutate(
    store: &Store,
    kind: &Kind,
    object: &mut Value,
    before: Option<&Value>,
    now: Timestamp,
) -> Result<(), Status> {
    if kind.kind == "TrainJob" && is_down(store) {
        return Err(Status::new(500, "InternalError", DOWN));
    }
    if let Some(why) = undecodable(kind, object) {
        let hook = "defaulter.trainjob.trainer.kubeflow.org";
        return Err(Status::new(400, "", refused(hook, &why)));
    }
    if kind.kind == "TrainJob" {
        patches::stamp(object, before, now);
    }
    Ok(())
}

/// What the validating webhooks say: warnings, or a refusal. It is a 403 like one of RBAC; only the text tells them
/// apart.
pub(super) fn validate(
    store: &Store,
    kind: &Kind,
    object: &Value,
    before: Option<&Value>,
) -> Result<Vec<String>, Status> {
    let denied = |hook: &str, why: &str| Status::new(403, "Forbidden", refused(hook, why));
    match kind.kind {
        "TrainJob" => {
            trainjob(store, object, before).map_err(|why| denied("validator.trainjob.trainer.kubeflow.org", &why))
        }
        "TrainingRuntime" | "ClusterTrainingRuntime"
            if before.is_none() && object.pointer(UNCHECKED).is_none_or(|value| value != "disabled") =>
        {
            let hook = format!("validator.{}.trainer.kubeflow.org", kind.kind.to_lowercase());
            runtime::validate(object).map_err(|why| denied(&hook, &why))?;
            Ok(Vec::new())
        }
        _ => Ok(Vec::new()),
    }
}

/// Whether Trainer's controller, which is the webhook, has no pod that answers. A world without its Deployment has it
/// somewhere else.
fn is_down(store: &Store) -> bool {
    store
        .get(
            kind("Deployment"),
            "kubeflow-system",
            "kubeflow-trainer-controller-manager",
        )
        .is_some_and(|trainer| trainer["status"]["readyReplicas"].as_i64().unwrap_or_default() == 0)
}

fn refused(hook: &str, why: &str) -> String {
    format!("admission webhook \"{hook}\" denied the request: {why}")
}

fn trainjob(store: &Store, job: &Value, before: Option<&Value>) -> Result<Vec<String>, String> {
    let (runtime, warnings) = runtime_of(store, job)?;
    let mut problems = Vec::new();
    initializers(job, &runtime, &mut problems);
    patches::check(store, job, before, &mut problems);
    overrides::check(job, &runtime, &mut problems);
    let policy = &runtime["spec"]["mlPolicy"];
    if policy["torch"].is_object() {
        torch_targets(&runtime, &mut problems);
        reserved(job, TORCH, &mut problems);
        if is_tune_run(job) {
            torchtune::check(job, &runtime, &mut problems);
        }
    }
    if policy["mpi"].is_object() {
        launcher(job, &runtime, &mut problems);
        reserved(job, MPI, &mut problems);
    }
    if policy["xgboost"].is_object() {
        for (index, var) in items(&job["spec"]["trainer"]["env"]).enumerate() {
            let name = var["name"].as_str().unwrap_or_default();
            if XGBOOST.contains(&name) {
                let why = format!("{name} is reserved for the XGBoost runtime");
                problems.push(format!("spec.trainer.env[{index}]: Forbidden: {why}"));
            }
        }
    }
    if problems.is_empty() {
        Ok(warnings)
    } else {
        Err(joined(problems))
    }
}

fn reference(job: &Value) -> String {
    text::json(&types::REFERENCE_TO_RUNTIME, &job["spec"]["runtimeRef"])
}

fn runtime_of(store: &Store, job: &Value) -> Result<(Arc<Value>, Vec<String>), String> {
    let wanted = &job["spec"]["runtimeRef"];
    let (name, group, of) = (
        string(wanted, "/name"),
        string(wanted, "/apiGroup"),
        string(wanted, "/kind"),
    );
    let (path, word, namespace) = match of.as_str() {
        "ClusterTrainingRuntime" if group == "trainer.kubeflow.org" => {
            ("spec.RuntimeRef", "clusterTrainingRuntime", String::new())
        }
        "TrainingRuntime" if group == "trainer.kubeflow.org" => {
            ("spec.runtimeRef", "trainingRuntime", string(job, "/metadata/namespace"))
        }
        _ => {
            let dot = if group.is_empty() { "" } else { "." };
            return Err(format!("unsupported runtime: {of}{dot}{group}"));
        }
    };
    let Some(runtime) = store.get(kind(&of), &namespace, &name) else {
        return Err(format!(
            "{path}: Invalid value: {}: {of}.trainer.kubeflow.org \"{name}\" not found: specified {word} must be \
             created before the TrainJob is created",
            reference(job)
        ));
    };
    let mut warnings = Vec::new();
    if namespace.is_empty() && runtime["metadata"]["labels"]["trainer.kubeflow.org/support"] == "deprecated" {
        warnings.push(format!(
            "Referenced ClusterTrainingRuntime \"{name}\" is deprecated and will be removed in a future release of \
             Kubeflow Trainer. See runtime deprecation policy: \
             https://www.kubeflow.org/docs/components/trainer/operator-guides/runtime/#runtime-deprecation-policy"
        ));
    }
    Ok((Arc::clone(runtime), warnings))
}

/// The replicated jobs of a runtime.
fn jobs(runtime: &Value) -> impl Iterator<Item = &Value> {
    items(&runtime["spec"]["template"]["spec"]["replicatedJobs"])
}

/// The pod of a replicated job.
fn pod(job: &Value) -> &Value {
    &job["template"]["spec"]["template"]["spec"]
}

/// The containers of a pod, those that initialise it first.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    items(&pod["initContainers"]).chain(items(&pod["containers"]))
}

fn initializers(job: &Value, runtime: &Value, problems: &mut Vec<String>) {
    for (part, name, config) in [
        ("dataset", "dataset-initializer", "datasetConfig"),
        ("model", "model-initializer", "modelConfig"),
    ] {
        if job["spec"]["initializer"][part].is_null() {
            continue;
        }
        let mounts = |container: &Value| items(&container["volumeMounts"]).any(|m| m["name"] == "initializer");
        let why = match jobs(runtime).find(|job| job["name"] == name).map(pod) {
            None => format!("must have {name} job when trainJob is configured with input {config}"),
            Some(pod) if !containers(pod).any(|container| container["name"] == name) => {
                format!("must have container with name - {name} in the {name} job")
            }
            Some(pod) if !items(&pod["containers"]).any(|container| container["name"] == name && mounts(container)) => {
                format!("must have volumeMount with name - initializer in container {name} of the {name} job")
            }
            Some(_) => continue,
        };
        problems.push(format!("spec.runtimeRef: Invalid value: {}: {why}", reference(job)));
    }
}

fn torch_targets(runtime: &Value, problems: &mut Vec<String>) {
    for target in items(&runtime["spec"]["mlPolicy"]["torch"]["envInjection"]["targets"]) {
        for name in items(&target["containerNames"]) {
            let there = jobs(runtime)
                .filter(|job| job["name"] == target["jobName"])
                .any(|job| containers(pod(job)).any(|container| container["name"] == *name));
            if !there {
                problems.push(format!(
                    "spec.runtimeRef: Invalid value: {{\"jobName\":{},\"containerNames\":{}}}: envInjection target podSet \
                     {} container {name} not found in runtime template",
                    target["jobName"], target["containerNames"], target["jobName"]
                ));
            }
        }
    }
}

fn reserved(job: &Value, names: &[&str], problems: &mut Vec<String>) {
    let env = &job["spec"]["trainer"]["env"];
    let hits: BTreeSet<&str> = items(env)
        .filter_map(|var| var["name"].as_str())
        .filter(|name| names.contains(name))
        .collect();
    if !hits.is_empty() {
        let hits: Vec<&str> = hits.into_iter().collect();
        problems.push(format!(
            "spec.trainer.env: Invalid value: {}: must not have reserved envs, invalid envs configured: [{}]",
            text::json(&types::VARIABLES, env),
            hits.join(" ")
        ));
    }
}

fn launcher(job: &Value, runtime: &Value, problems: &mut Vec<String>) {
    let nodes = number(job, "/spec/trainer/numNodes").unwrap_or(1);
    let as_node = runtime["spec"]["mlPolicy"]["mpi"]["runLauncherAsNode"] == true;
    let has = |name: &str| jobs(runtime).any(|job| job["name"] == name);
    if as_node && nodes >= 2 && !(has("launcher") && has("node")) {
        problems.push(format!(
            "spec.trainer.numNodes: Invalid value: {nodes}: must have 1 when MPI trainingRuntime with enabled \
             runLauncherAsNode does not have either launcher and node"
        ));
    }
}
