//! From a TrainJob and its runtime to the JobSet and the small objects beside it.

use serde_json::{Value, json};

use super::super::Action;
use super::super::objects::{hash, items, kind, number, owned_by};
use super::super::quantity;
use super::{env, patches, torchtune};
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
    /// How many nodes are wanted.
    pub(super) nodes: i64,
}

impl<'a> Plan<'a> {
    fn new(job: &'a Value, runtime: &'a Value) -> Self {
        let policy = &runtime["spec"]["mlPolicy"];
        let nodes = number(job, "/spec/trainer/numNodes")
            .or_else(|| number(policy, "/numNodes"))
            .unwrap_or(1);
        let name = text(job, "/metadata/name");
        Self {
            job,
            name,
            runtime: text(runtime, "/metadata/name"),
            policy,
            nodes,
        }
    }

    /// Where the first node of the job is found by the others.
    pub(super) fn coordinator(&self) -> String {
        format!("{0}-node-0-0.{0}", self.name)
    }

    /// `spec.trainer`, `None` when it is absent.
    pub(super) fn trainer(&self) -> Option<&'a Value> {
        self.job["spec"].get("trainer").filter(|trainer| trainer.is_object())
    }

    /// Whether the launcher of an MPI job is one of the nodes.
    fn launcher_is_node(&self) -> bool {
        self.policy["mpi"]["runLauncherAsNode"] == true
    }
}

/// The JobSet, or the error that JobSet's webhook would answer.
pub(super) fn jobset(job: &Value, runtime: &Value) -> Result<Value, String> {
    let plan = Plan::new(job, runtime);
    let template = &runtime["spec"]["template"];
    let mut spec = template["spec"].clone();
    let mut metadata = json!({
        "name": plan.name, "namespace": job["metadata"]["namespace"], "ownerReferences": owned_by(job),
    });
    for part in ["labels", "annotations"] {
        if template["metadata"][part].is_object() {
            metadata[part] = template["metadata"][part].clone();
        }
    }
    for replicated in spec
        .get_mut("replicatedJobs")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        apply_job(&plan, replicated);
    }
    for patch in items(&job["spec"]["runtimePatches"]) {
        patches::apply(&mut metadata, &mut spec, &patch["trainingRuntimeSpec"]["template"]);
    }
    spec["suspend"] = json!(job["spec"]["suspend"] == true);
    defaults(&mut spec);
    check_names(&plan, &spec)?;
    Ok(json!({"metadata": metadata, "spec": spec}))
}

fn apply_job(plan: &Plan<'_>, replicated: &mut Value) {
    let name = text(replicated, "/name");
    let ancestor = replicated["template"]["metadata"]["labels"][ANCESTOR]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let mpi = plan.policy["mpi"].is_object();
    let is_trainer = ancestor == "trainer";
    let counted = if mpi { name == "node" } else { is_trainer };
    let nodes = match () {
        () if counted && mpi && plan.launcher_is_node() => (plan.nodes - 1).max(1),
        () if counted => plan.nodes,
        () => 1,
    };
    replicated["replicas"] = json!(1);
    let job = &mut replicated["template"]["spec"];
    if job.is_null() {
        *job = json!({});
    }
    job["parallelism"] = json!(nodes);
    job["completions"] = json!(nodes);
    let shares = mpi && plan.launcher_is_node() && name == "node";
    let containers = job["template"]["spec"]
        .get_mut("containers")
        .and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        match (ancestor.as_str(), container["name"].as_str()) {
            ("dataset-initializer", Some("dataset-initializer")) => {
                initializer(container, &plan.job["spec"]["initializer"]["dataset"]);
            }
            ("model-initializer", Some("model-initializer")) => {
                initializer(container, &plan.job["spec"]["initializer"]["model"]);
            }
            (_, Some("node")) if is_trainer || shares => {
                trainer(plan, container, is_trainer);
            }
            _ => {}
        }
    }
    if mpi {
        env::mpi_volumes(plan, replicated, is_trainer);
    }
}

fn initializer(container: &mut Value, config: &Value) {
    if let Some(uri) = config["storageUri"].as_str() {
        env::upsert(container, json!({"name": "STORAGE_URI", "value": uri}));
    }
    for var in items(&config["env"]) {
        env::upsert(container, var.clone());
    }
    if let Some(secret) = config["secretRef"]["name"].as_str() {
        container["envFrom"] = json!([{"secretRef": {"name": secret}}]);
    }
}

fn trainer(plan: &Plan<'_>, container: &mut Value, is_trainer: bool) {
    // The resources the plugins look at are those of the runtime unless the job brings its own: no merge here.
    let own = container["resources"].clone();
    let Some(trainer) = plan.trainer() else { return };
    let looked_at = if trainer["resourcesPerNode"].is_object() {
        trainer["resourcesPerNode"].clone()
    } else {
        own
    };
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
            container["command"] = json!(torchtune::command(plan, &looked_at, &runtime_command));
        }
    }
    for var in items(&trainer["env"]) {
        env::upsert(container, var.clone());
    }
    for part in ["limits", "requests"] {
        for (name, value) in trainer["resourcesPerNode"][part].as_object().into_iter().flatten() {
            container["resources"][part][name] = value.clone();
        }
    }
    for part in ["limits", "requests"] {
        let amounts = container["resources"].get_mut(part).and_then(Value::as_object_mut);
        for (_, value) in amounts.into_iter().flatten() {
            *value = quantity::canonical(value);
        }
    }
    if container["resources"].is_null() {
        container.as_object_mut().map(|c| c.remove("resources"));
    }
    if is_trainer {
        env::plugin(plan, container, &looked_at);
    }
}

/// What JobSet's webhook and CRD fill in. The retention policy of claims is left out on purpose: see `keeps_claims`.
fn defaults(spec: &mut Value) {
    for (field, inner, value) in [
        ("network", "enableDNSHostnames", json!(true)),
        ("network", "publishNotReadyAddresses", json!(true)),
        ("successPolicy", "operator", json!("All")),
        ("startupPolicy", "startupPolicyOrder", json!("AnyOrder")),
    ] {
        if spec[field][inner].is_null() {
            spec[field][inner] = value;
        }
    }
    for replicated in spec
        .get_mut("replicatedJobs")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if replicated["groupName"].is_null() {
            replicated["groupName"] = json!("default");
        }
        let job = &mut replicated["template"]["spec"];
        if job["completionMode"].is_null() {
            job["completionMode"] = json!("Indexed");
        }
        if job["backoffLimit"].is_null() {
            job["backoffLimit"] = json!(6);
        }
        if job["template"]["spec"]["restartPolicy"].is_null() {
            job["template"]["spec"]["restartPolicy"] = json!("OnFailure");
        }
    }
}

fn check_names(plan: &Plan<'_>, spec: &Value) -> Result<(), String> {
    let mut problems = Vec::new();
    for (index, replicated) in items(&spec["replicatedJobs"]).enumerate() {
        let job = format!("{}-{}-0", plan.name, text(replicated, "/name"));
        let last = number(replicated, "/template/spec/completions").unwrap_or(1) - 1;
        let pod = format!("{job}-{last}-abcde");
        for (name, of) in [(job, "job"), (pod, "pod")] {
            if name.len() > 63 {
                problems.push(format!(
                    "spec.replicatedJobs[{index}].name: Invalid value: \"{name}\": JobSet name is too long, {of} names \
                     generated for this JobSet will exceed 63 characters"
                ));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!(
        "admission webhook \"vjobset.kb.io\" denied the request: JobSet.jobset.x-k8s.io \"{}\" is invalid: [{}]",
        plan.name,
        problems.join(", ")
    ))
}

/// What an MPI job has beside its JobSet.
pub(super) fn companions(job: &Value, runtime: &Value) -> Vec<Action> {
    let plan = Plan::new(job, runtime);
    if !plan.policy["mpi"].is_object() {
        return Vec::new();
    }
    let meta = |suffix: &str| {
        json!({
            "name": format!("{}-{suffix}", plan.name), "namespace": job["metadata"]["namespace"],
            "ownerReferences": owned_by(job),
        })
    };
    let slots = env::slots(&plan);
    let mut hosts = Vec::new();
    let mut workers = plan.nodes;
    if plan.launcher_is_node() {
        hosts.push(format!("{0}-launcher-0-0.{0} slots={slots}\n", plan.name));
        workers = (plan.nodes - 1).max(1);
    }
    hosts.extend((0..workers).map(|index| format!("{0}-node-0-{index}.{0} slots={slots}\n", plan.name)));
    let hostfile = json!({"metadata": meta("mpi-hostfile"), "data": {"hostfile": hosts.concat()}});
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
