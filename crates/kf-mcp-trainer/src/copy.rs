//! A new training job made from one that exists: its spec as it is, without what servers and controllers wrote into it, and
//! with the changes that are asked for.

use std::collections::BTreeMap;

use kf_mcp_trainjob::{API_VERSION, RuntimeScope};
use serde_json::{Map, Value, json};

use crate::devices::is_accelerator;
use crate::differences::{Difference, differences};
use crate::pods::outside;

/// Where Kueue writes what it admitted a job with.
const KUEUE_MANAGER: &str = "kueue.x-k8s.io/manager";
/// On Trainer 2.1 its overrides have no name: this annotation says where in the list they begin.
const KUEUE_INDEX: &str = "kueue.x-k8s.io/override-idx";
/// What users themselves write for Kueue; its other marks are its own.
const KUEUE_WISHES: [&str; 3] = [
    "kueue.x-k8s.io/queue-name",
    "kueue.x-k8s.io/priority-class",
    "kueue.x-k8s.io/max-exec-time-seconds",
];
/// Marks by which a deployment tool knows what is its own, and removes what its source does not have.
const DEPLOYED: [&str; 5] = [
    "argocd.argoproj.io/",
    "meta.helm.sh/",
    "helm.sh/",
    "helm.toolkit.fluxcd.io/",
    "kustomize.toolkit.fluxcd.io/",
];

/// What the new job has otherwise than the old one. What is none or empty stays as it was.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) runtime: Option<(RuntimeScope, String)>,
    pub(crate) image: Option<String>,
    pub(crate) args: Option<Vec<String>>,
    /// Variables as Kubernetes writes them: each takes the place of the one of its name.
    pub(crate) env: Vec<Value>,
    pub(crate) num_nodes: Option<u32>,
    /// Taken over one by one. A device takes the place of all devices.
    pub(crate) resources: BTreeMap<String, String>,
    pub(crate) active_deadline_seconds: Option<i64>,
    /// Whether the new job waits to be resumed; that the old one did is no reason.
    pub(crate) suspend: bool,
}

/// A job that is made from another.
#[derive(Debug)]
pub(crate) struct Copied {
    /// The body, without our marks.
    pub(crate) body: Value,
    /// What is otherwise.
    pub(crate) changes: Vec<Difference>,
    /// What was not taken over because it belongs to the old one.
    pub(crate) left_out: Vec<String>,
}

/// Makes it.
pub(crate) fn copied(source: &Value, changes: &Changes, name: &str, namespace: &str) -> Copied {
    let mut left_out = Vec::new();
    let mut spec = source.get("spec").cloned().unwrap_or_default();
    without_admission(&mut spec, source, &mut left_out);
    let was = json!({"spec": spec});
    change(&mut spec, changes);
    let now = json!({"spec": spec});
    let mut metadata = json!({"name": name, "namespace": namespace});
    for kind in ["labels", "annotations"] {
        let marks = marks(source, kind, &mut left_out);
        if !marks.is_empty() {
            metadata[kind] = Value::Object(marks);
        }
    }
    Copied {
        body: json!({"apiVersion": API_VERSION, "kind": "TrainJob", "metadata": metadata, "spec": now["spec"]}),
        changes: differences(&was, &now),
        left_out,
    }
}

/// Labels or annotations that are the user's.
fn marks(source: &Value, kind: &str, left_out: &mut Vec<String>) -> Map<String, Value> {
    let mut marks = source["metadata"][kind].as_object().cloned().unwrap_or_default();
    marks.retain(|key, _| {
        // The server's own, which the new job gets anew, are not worth a word.
        if key.starts_with("kubeflow-mcp/") || key == "kubectl.kubernetes.io/last-applied-configuration" {
            return false;
        }
        let kept = !belongs_to_others(key);
        if !kept {
            left_out.push(format!("{} {}", kind.trim_end_matches('s'), outside(key)));
        }
        kept
    });
    marks
}

fn belongs_to_others(key: &str) -> bool {
    if key.starts_with("kueue.x-k8s.io/") {
        return !KUEUE_WISHES.contains(&key);
    }
    matches!(key, "app.kubernetes.io/managed-by" | "app.kubernetes.io/instance")
        || DEPLOYED.iter().any(|prefix| key.starts_with(prefix))
}

/// Takes out where Kueue sent the pods of the old job, and when patches were written.
fn without_admission(spec: &mut Value, source: &Value, left_out: &mut Vec<String>) {
    if let Some(patches) = spec.get_mut("runtimePatches").and_then(Value::as_array_mut) {
        let before = patches.len();
        patches.retain(|patch| patch["manager"] != KUEUE_MANAGER);
        if patches.len() < before {
            left_out.push("Kueue's runtime patch".into());
        }
        for patch in patches.iter_mut().filter_map(Value::as_object_mut) {
            patch.remove("time");
        }
        if patches.is_empty()
            && let Some(spec) = spec.as_object_mut()
        {
            spec.remove("runtimePatches");
        }
    }
    let begin = source["metadata"]["annotations"][KUEUE_INDEX].as_str();
    let begin = begin.and_then(|index| index.parse::<usize>().ok());
    if let Some(begin) = begin
        && let Some(overrides) = spec.get_mut("podTemplateOverrides").and_then(Value::as_array_mut)
        && begin < overrides.len()
    {
        overrides.truncate(begin);
        left_out.push("Kueue's pod template overrides".into());
    }
}

fn change(spec: &mut Value, changes: &Changes) {
    if let Some((scope, name)) = &changes.runtime {
        spec["runtimeRef"] = json!({"apiGroup": "trainer.kubeflow.org", "kind": scope.kind(), "name": name});
    }
    if let Some(image) = &changes.image {
        spec["trainer"]["image"] = json!(image);
    }
    if let Some(args) = &changes.args {
        spec["trainer"]["args"] = json!(args);
    }
    if let Some(nodes) = changes.num_nodes {
        spec["trainer"]["numNodes"] = json!(nodes);
    }
    for variable in &changes.env {
        set_variable(&mut spec["trainer"]["env"], variable);
    }
    if !changes.resources.is_empty() {
        set_resources(&mut spec["trainer"]["resourcesPerNode"], &changes.resources);
    }
    if let Some(seconds) = changes.active_deadline_seconds {
        spec["activeDeadlineSeconds"] = json!(seconds);
    }
    if changes.suspend || spec.get("suspend").is_some() {
        spec["suspend"] = json!(changes.suspend);
    }
}

fn set_variable(env: &mut Value, variable: &Value) {
    if !env.is_array() {
        *env = json!([]);
    }
    let Some(env) = env.as_array_mut() else { return };
    match env.iter_mut().find(|known| known["name"] == variable["name"]) {
        Some(known) => *known = variable.clone(),
        None => env.push(variable.clone()),
    }
}

/// Limits and requests alike, as for a new job.
fn set_resources(resources: &mut Value, changed: &BTreeMap<String, String>) {
    let other_devices = changed.keys().any(|name| is_accelerator(name));
    for kind in ["limits", "requests"] {
        if let Some(amounts) = resources.get_mut(kind).and_then(Value::as_object_mut)
            && other_devices
        {
            amounts.retain(|name, _| !is_accelerator(name));
        }
        for (name, amount) in changed {
            resources[kind][name] = json!(amount);
        }
    }
}

/// What the name of the copy begins with: the name of the job, without the end that this server made for a job of its own.
pub(crate) fn called(name: &str, ours: bool) -> &str {
    // The letters of a seed: no vowels, so that a word is not taken for one.
    let is_seed = |end: &str| end.len() == 5 && end.bytes().all(|c| b"bcdfghjklmnpqrstvwxz2456789".contains(&c));
    match name.rsplit_once('-') {
        Some((head, end)) if ours && is_seed(end) && !head.is_empty() => head,
        _ => name,
    }
}

#[cfg(test)]
#[path = "copy_tests.rs"]
mod tests;
