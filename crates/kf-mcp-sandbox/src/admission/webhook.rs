//! Trainer's validating webhook: what a TrainJob must be to fit its runtime.

use std::sync::Arc;

use serde_json::Value;

use crate::controllers::objects::{items, kind, number};
use crate::controllers::quantity;
use crate::controllers::trainjob::torchtune::{self, Adapter};
use crate::store::{Store, text};

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
/// Models that `tune run` knows, with whether they may use several nodes.
const MODELS: [(&str, bool); 4] = [
    ("llama3_2/1B", false),
    ("llama3_2/3B", false),
    ("llama3_3/70B", true),
    ("qwen2_5/1.5B", false),
];

/// Warnings, or why the job is refused.
pub(super) fn validate(store: &Store, job: &Value, before: Option<&Value>) -> Result<Vec<String>, String> {
    let (runtime, warnings) = runtime(store, job)?;
    let mut problems = Vec::new();
    initializers(job, &runtime, &mut problems);
    patches(store, job, before, &runtime, &mut problems);
    let policy = &runtime["spec"]["mlPolicy"];
    if policy["torch"].is_object() {
        reserved(job, TORCH, &mut problems);
        if torchtune::is_tune_run(job) {
            tune_run(job, &runtime, &mut problems);
        }
    }
    if policy["mpi"].is_object() {
        reserved(job, MPI, &mut problems);
        launcher(job, &runtime, &mut problems);
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
    match problems.as_slice() {
        [] => Ok(warnings),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

/// `runtimeRef` as Go writes it: in the order of its fields.
fn reference(job: &Value) -> String {
    let runtime = &job["spec"]["runtimeRef"];
    format!(
        r#"{{"name":{},"apiGroup":{},"kind":{}}}"#,
        runtime["name"], runtime["apiGroup"], runtime["kind"]
    )
}

fn runtime(store: &Store, job: &Value) -> Result<(Arc<Value>, Vec<String>), String> {
    let wanted = &job["spec"]["runtimeRef"];
    let (name, group, of) = (text(wanted, "/name"), text(wanted, "/apiGroup"), text(wanted, "/kind"));
    let (path, word, namespace) = match of.as_str() {
        "ClusterTrainingRuntime" if group == "trainer.kubeflow.org" => {
            ("spec.RuntimeRef", "clusterTrainingRuntime", String::new())
        }
        "TrainingRuntime" if group == "trainer.kubeflow.org" => {
            ("spec.runtimeRef", "trainingRuntime", text(job, "/metadata/namespace"))
        }
        _ => return Err(format!("unsupported runtime: {of}.{group}")),
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

fn jobs(runtime: &Value) -> impl Iterator<Item = &Value> {
    items(&runtime["spec"]["template"]["spec"]["replicatedJobs"])
}

fn initializers(job: &Value, runtime: &Value, problems: &mut Vec<String>) {
    for (part, name, config) in [
        ("dataset", "dataset-initializer", "datasetConfig"),
        ("model", "model-initializer", "modelConfig"),
    ] {
        if job["spec"]["initializer"][part].is_null() {
            continue;
        }
        let why = match jobs(runtime).find(|job| job["name"] == name) {
            None => format!("must have {name} job when trainJob is configured with input {config}"),
            Some(step) => {
                let mut containers = items(&step["template"]["spec"]["template"]["spec"]["containers"]);
                match containers.find(|container| container["name"] == name) {
                    None => format!("must have container with name - {name} in the {name} job"),
                    Some(container) if !items(&container["volumeMounts"]).any(|m| m["name"] == "initializer") => {
                        format!("must have volumeMount with name - initializer in container {name}")
                    }
                    Some(_) => continue,
                }
            }
        };
        problems.push(format!("spec.runtimeRef: Invalid value: {}: {why}", reference(job)));
    }
}

fn reserved(job: &Value, names: &[&str], problems: &mut Vec<String>) {
    let env = &job["spec"]["trainer"]["env"];
    let hits: Vec<&str> = items(env)
        .filter_map(|var| var["name"].as_str())
        .filter(|name| names.contains(name))
        .collect();
    if !hits.is_empty() {
        problems.push(format!(
            "spec.trainer.env: Invalid value: {env}: must not have reserved envs, invalid envs configured: [{}]",
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
            "spec.trainer.numNodes: Invalid value: {nodes}: must have launcher and node jobs in the runtime when \
             runLauncherAsNode is true and numNodes is greater than 1"
        ));
    }
}

fn tune_run(job: &Value, runtime: &Value, problems: &mut Vec<String>) {
    let trainer = &job["spec"]["trainer"];
    let name = text(runtime, "/metadata/name");
    let model = torchtune::model_of(&name).unwrap_or_default();
    let Some((model, many)) = MODELS.iter().find(|(known, _)| *known == model) else {
        problems.push(format!(
            "spec.runtimeRef.name: Invalid value: \"{name}\": must have a supported pretrained model, invalid model \
             configured: {model}"
        ));
        return;
    };
    let nodes = number(trainer, "/numNodes")
        .or_else(|| number(runtime, "/spec/mlPolicy/numNodes"))
        .unwrap_or(1);
    if nodes > 1 && !many {
        problems.push(format!(
            "spec.trainer.numNodes: Invalid value: {nodes}: must be 1 for {model} model"
        ));
    }
    let own = jobs(runtime)
        .find(|job| job["name"] == "node")
        .and_then(|job| job.pointer("/template/spec/template/spec/containers/0/resources"))
        .unwrap_or(&Value::Null);
    let resources = if trainer["resourcesPerNode"].is_object() {
        &trainer["resourcesPerNode"]
    } else {
        own
    };
    let gpus = quantity::effective(resources)
        .into_iter()
        .find(|(name, _)| name.to_lowercase().contains("gpu"))
        .map(|(_, amount)| amount / 1000)
        .unwrap_or_default();
    let single = torchtune::single_device(number(trainer, "/numProcPerNode"), gpus);
    let args = &trainer["args"];
    let mut refuse = |why: String| problems.push(format!("spec.trainer.args: Invalid value: {args}: {why}"));
    match torchtune::adapter(job) {
        Adapter::Full => {}
        _ if nodes > 1 => refuse("must not use LoRA, QLoRA or DoRA with multiple nodes".to_owned()),
        Adapter::Qlora if model.starts_with("qwen") => refuse(format!("QLoRA is not supported for {model} model")),
        Adapter::Qlora if model.starts_with("llama3_2") && !single => {
            refuse(format!("must use a single device for QLoRA with {model} model"));
        }
        _ => {}
    }
    let set: Vec<&str> = items(args)
        .filter_map(|arg| arg.as_str()?.split_once('='))
        .map(|(key, _)| key)
        .filter(|key| torchtune::KEPT.contains(key))
        .collect();
    if !set.is_empty() {
        refuse(format!(
            "must not set immutable torchtune configs, invalid configs: [{}]",
            set.join(" ")
        ));
    }
}

fn patches(store: &Store, job: &Value, before: Option<&Value>, runtime: &Value, problems: &mut Vec<String>) {
    let patches = &job["spec"]["runtimePatches"];
    let mut refuse = |path: &str, value: &Value, why: &str| {
        problems.push(format!("spec.runtimePatches{path}: Invalid value: {value}: {why}"));
    };
    for patch in items(patches) {
        let manager = patch["manager"].as_str().unwrap_or_default();
        let is_path = manager
            .split_once('/')
            .is_some_and(|(domain, path)| domain.contains('.') && !path.is_empty());
        if !is_path {
            let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            refuse(".manager", &patch["manager"], why);
        }
        for patched in items(&patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]) {
            let Some(of_runtime) = jobs(runtime).find(|job| job["name"] == patched["name"]) else {
                let why = "must not have replicated job that doesn't exist in the runtime job template";
                refuse("", patches, why);
                continue;
            };
            let theirs = &of_runtime["template"]["spec"]["template"]["spec"];
            let ours = &patched["template"]["spec"]["template"]["spec"];
            let owned = ["node", "dataset-initializer", "model-initializer"];
            for (list, word) in [("containers", "container"), ("initContainers", "initContainer")] {
                for container in items(&ours[list]) {
                    if !items(&theirs[list]).any(|known| known["name"] == container["name"]) {
                        let of = text(patched, "/name");
                        let why = format!("must not have {word} that doesn't exist in the runtime job {of}");
                        refuse("", patches, &why);
                    }
                    let name = container["name"].as_str().unwrap_or_default();
                    if owned.contains(&name) && items(&container["env"]).next().is_some() {
                        let why = "must not have envs for the dataset-initializer, model-initializer, node containers";
                        refuse("", patches, why);
                    }
                }
            }
        }
    }
    let Some(before) = before else { return };
    if without_times(patches) == without_times(&before["spec"]["runtimePatches"]) {
        return;
    }
    if job["spec"]["suspend"] != true && before["spec"]["suspend"] != true {
        problems.push(
            "spec.runtimePatches: Forbidden: RuntimePatches can only be modified when the TrainJob is suspended before \
             or after the update"
                .to_owned(),
        );
        return;
    }
    let jobset = store.get(
        kind("JobSet"),
        &text(job, "/metadata/namespace"),
        &text(job, "/metadata/name"),
    );
    let active = jobset
        .into_iter()
        .flat_map(|jobset| items(&jobset["status"]["replicatedJobsStatus"]))
        .any(|status| number(status, "/active").unwrap_or_default() > 0);
    if active {
        problems.push(
            "spec.runtimePatches: Forbidden: RuntimePatches cannot be modified while the JobSet has active jobs"
                .to_owned(),
        );
    }
}

fn without_times(patches: &Value) -> Vec<Value> {
    items(patches)
        .map(|patch| {
            let mut patch = patch.clone();
            patch.as_object_mut().map(|patch| patch.remove("time"));
            patch
        })
        .collect()
}
