//! From a TrainJob and its runtime to the JobSet that Trainer applies.

use serde_json::{Value, json};

use super::super::objects::{items, number, owned_by};
use super::shape::each;
use super::{env, mpi, overrides, patches, shape, torchtune};
use crate::store::text;

/// The label of a replicated job's template that says which part it plays.
const ANCESTOR: &str = "trainer.kubeflow.org/trainjob-ancestor-step";

/// What the builder and its helpers need to know of a job.
pub(super) struct Plan<'a> {
    /// The TrainJob.
    pub(super) job: &'a Value,
    /// `metadata.name`.
    pub(super) name: String,
    /// The runtime's name.
    pub(super) runtime: String,
    /// `spec.mlPolicy` of the runtime.
    pub(super) policy: &'a Value,
    /// The training step; of several, the first.
    first: String,
    /// How many pods it has.
    pub(super) nodes: i64,
    /// The resources of a node that the plugins look at: the job's, else the runtime's.
    pub(super) resources: Value,
}

impl Plan<'_> {
    /// Where the first node of the job is found by the others.
    pub(super) fn coordinator(&self) -> String {
        format!("{0}-node-0-0.{0}", self.name)
    }

    /// `spec.trainer`, `None` when it is absent.
    pub(super) fn trainer(&self) -> Option<&Value> {
        self.job["spec"].get("trainer").filter(|trainer| trainer.is_object())
    }

    /// Whether the launcher of an MPI job is one of the nodes.
    pub(super) fn launcher_is_node(&self) -> bool {
        self.policy["mpi"]["runLauncherAsNode"] == true
    }

    /// Whether a replicated job is given the job's variables and resources.
    fn trains(&self, replicated: &Value) -> bool {
        ancestor(replicated) == "trainer" || (self.launcher_is_node() && replicated["name"] == "node")
    }
}

/// What Trainer applies: the JobSet, and what belongs to it beside it.
pub(super) struct Built {
    /// The JobSet, without what its webhook adds.
    pub(super) jobset: Value,
    /// Objects of the framework.
    pub(super) companions: Vec<super::super::Action>,
}

/// Builds everything of a job, or says why it cannot be built.
pub(super) fn build(job: &Value, runtime: &Value) -> Result<Built, String> {
    let template = &runtime["spec"]["template"];
    let mut spec = template["spec"].clone();
    let mut metadata = json!({
        "name": job["metadata"]["name"], "namespace": job["metadata"]["namespace"], "ownerReferences": owned_by(job),
    });
    for part in ["labels", "annotations"] {
        if template["metadata"][part].is_object() {
            metadata[part] = template["metadata"][part].clone();
        }
    }
    for patch in items(&job["spec"]["runtimePatches"]) {
        patches::apply(&mut metadata, &mut spec, &patch["trainingRuntimeSpec"]["template"])?;
    }
    overrides::apply(&mut spec, job)?;
    shape::jobset(&mut spec);
    let mut plan = Plan {
        job,
        name: text(job, "/metadata/name"),
        runtime: text(runtime, "/metadata/name"),
        policy: &runtime["spec"]["mlPolicy"],
        first: String::new(),
        nodes: 1,
        resources: Value::Null,
    };
    count(&mut plan, &mut spec);
    plan.resources = match &job["spec"]["trainer"]["resourcesPerNode"] {
        Value::Object(_) => job["spec"]["trainer"]["resourcesPerNode"].clone(),
        _ => resources(&spec),
    };
    for replicated in each(&mut spec, "replicatedJobs") {
        fill(&plan, replicated);
    }
    spec["suspend"] = json!(job["spec"]["suspend"] == true);
    let companions = if plan.policy["mpi"].is_object() {
        mpi::companions(&plan, &spec)
    } else {
        Vec::new()
    };
    Ok(Built {
        jobset: json!({"metadata": metadata, "spec": spec}),
        companions,
    })
}

/// Which part a replicated job plays, empty for none.
fn ancestor(replicated: &Value) -> &str {
    replicated["template"]["metadata"]["labels"][ANCESTOR]
        .as_str()
        .unwrap_or_default()
}

/// Sets how many pods each replicated job has, and the plan's own number.
fn count(plan: &mut Plan<'_>, spec: &mut Value) {
    let mpi = plan.policy["mpi"].is_object();
    let wanted = number(plan.job, "/spec/trainer/numNodes");
    plan.first = items(&spec["replicatedJobs"])
        .find(|replicated| ancestor(replicated) == "trainer")
        .map(|replicated| text(replicated, "/name"))
        .unwrap_or_default();
    for replicated in each(spec, "replicatedJobs") {
        let of_trainer = ancestor(replicated) == "trainer";
        let mut pods = number(replicated, "/template/spec/parallelism").unwrap_or(1);
        if of_trainer && plan.policy.is_object() {
            pods = number(plan.policy, "/numNodes").unwrap_or(1);
        }
        match wanted {
            Some(wanted) if mpi && replicated["name"] == "node" => {
                // The launcher is one of the nodes, but there is always another one.
                pods = if plan.launcher_is_node() {
                    (wanted - 1).max(1)
                } else {
                    wanted
                };
            }
            Some(wanted) if !mpi && of_trainer && replicated["name"] == plan.first.as_str() => pods = wanted,
            _ => {}
        }
        if replicated["name"] == plan.first.as_str() {
            plan.nodes = pods;
        }
        let job = &mut replicated["template"]["spec"];
        job["parallelism"] = json!(pods);
        job["completions"] = json!(pods);
    }
}

/// The resources of the runtime's training container.
fn resources(spec: &Value) -> Value {
    items(&spec["replicatedJobs"])
        .filter(|replicated| replicated["name"] == "node" || ancestor(replicated) == "trainer")
        .flat_map(|replicated| items(&replicated["template"]["spec"]["template"]["spec"]["containers"]))
        .find(|container| container["name"] == "node")
        .map(|container| container["resources"].clone())
        .unwrap_or_default()
}

fn fill(plan: &Plan<'_>, replicated: &mut Value) {
    let part = ancestor(replicated).to_owned();
    let trains = plan.trains(replicated);
    let first = replicated["name"] == plan.first.as_str();
    if matches!(part.as_str(), "trainer" | "dataset-initializer" | "model-initializer") {
        replicated["replicas"] = json!(1);
    }
    if plan.policy["mpi"].is_object() {
        mpi::equip(plan, replicated);
    }
    inject(plan, replicated);
    let containers = &mut replicated["template"]["spec"]["template"]["spec"];
    for container in each(containers, "containers") {
        match (part.as_str(), container["name"].as_str()) {
            ("dataset-initializer", Some("dataset-initializer")) => {
                initializer(container, &plan.job["spec"]["initializer"]["dataset"]);
            }
            ("model-initializer", Some("model-initializer")) => {
                initializer(container, &plan.job["spec"]["initializer"]["model"]);
            }
            (_, Some("node")) if trains => trainer(plan, container, part == "trainer", first),
            _ => {}
        }
    }
}

/// What a runtime wants `torchrun` to find in other containers than the training one.
fn inject(plan: &Plan<'_>, replicated: &mut Value) {
    let name = text(replicated, "/name");
    let targets = &plan.policy["torch"]["envInjection"]["targets"];
    for target in items(targets).filter(|target| target["jobName"] == name.as_str()) {
        let pod = &mut replicated["template"]["spec"]["template"]["spec"];
        for list in ["containers", "initContainers"] {
            for container in each(pod, list) {
                if items(&target["containerNames"]).any(|name| *name == container["name"]) {
                    env::torch(plan, container, true);
                }
            }
        }
    }
}

fn initializer(container: &mut Value, config: &Value) {
    if let Some(uri) = config["storageUri"].as_str() {
        env::upsert_env(container, json!({"name": "STORAGE_URI", "value": uri}));
    }
    env::upsert_own(container, &config["env"]);
    if let Some(secret) = config["secretRef"]["name"].as_str() {
        let source = json!({"secretRef": {"name": secret}});
        env::upsert(container, "envFrom", source, |_| false);
    }
}

fn trainer(plan: &Plan<'_>, container: &mut Value, is_trainer: bool, first: bool) {
    let Some(trainer) = plan.trainer() else { return };
    if first {
        env::plugin(plan, container, &trainer["env"]);
    }
    if is_trainer {
        if let Some(image) = trainer["image"].as_str() {
            container["image"] = json!(image);
        }
        let runtime_command = container["command"].clone();
        for field in ["command", "args"] {
            if trainer[field].as_array().is_some_and(|list| !list.is_empty()) {
                container[field] = trainer[field].clone();
            }
        }
        if plan.policy["torch"].is_object() && torchtune::is_tune_run(plan.job) {
            container["command"] = json!(torchtune::command(plan, &runtime_command));
        } else if container["command"].is_null() {
            container.as_object_mut().map(|container| container.remove("command"));
        }
    }
    env::upsert_own(container, &trainer["env"]);
    for part in ["limits", "requests"] {
        for (name, value) in trainer["resourcesPerNode"][part].as_object().into_iter().flatten() {
            container["resources"][part][name] = value.clone();
        }
    }
    shape::amounts(&mut container["resources"]);
}
