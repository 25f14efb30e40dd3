//! The TrainJob CRD: known fields, their types, and the rules that hold without any webhook.

use serde_json::Value;

use super::Problem;
use crate::controllers::objects::items;

/// The shape of a field.
enum Shape {
    /// A type of Kubernetes itself, taken as it comes.
    Any,
    Text,
    Whole,
    Flag,
    Map,
    List(&'static Shape),
    Object(&'static [(&'static str, Shape)]),
}

use Shape::{Any, Flag, List, Map, Object, Text, Whole};

const INITIALIZER: Shape = Object(&[
    ("storageUri", Text),
    ("env", List(&Any)),
    ("secretRef", Object(&[("name", Text)])),
]);
const META: Shape = Object(&[("labels", Map), ("annotations", Map)]);
const CONTAINER: Shape = Object(&[
    ("name", Text),
    ("env", List(&Any)),
    ("volumeMounts", List(&Any)),
    ("securityContext", Any),
]);
const POD: Shape = Object(&[
    ("affinity", Any),
    ("containers", List(&CONTAINER)),
    ("imagePullSecrets", List(&Any)),
    ("initContainers", List(&CONTAINER)),
    ("nodeSelector", Map),
    ("schedulingGates", List(&Any)),
    ("securityContext", Any),
    ("serviceAccountName", Text),
    ("terminationGracePeriodSeconds", Whole),
    ("tolerations", List(&Any)),
    ("volumes", List(&Any)),
]);
const POD_TEMPLATE: Shape = Object(&[("metadata", META), ("spec", POD)]);
const JOB: Shape = Object(&[("metadata", META), ("spec", Object(&[("template", POD_TEMPLATE)]))]);
const REPLICATED: Shape = Object(&[("name", Text), ("template", JOB)]);
const JOBSET: Shape = Object(&[
    ("metadata", META),
    ("spec", Object(&[("replicatedJobs", List(&REPLICATED))])),
]);
const PATCH: Shape = Object(&[
    ("manager", Text),
    ("time", Text),
    ("trainingRuntimeSpec", Object(&[("template", JOBSET)])),
]);
const TRAINER: Shape = Object(&[
    ("image", Text),
    ("command", List(&Text)),
    ("args", List(&Text)),
    ("env", List(&Any)),
    ("numNodes", Whole),
    ("resourcesPerNode", Any),
    ("numProcPerNode", Whole),
]);
const TRAIN_JOB: Shape = Object(&[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", Any),
    ("status", Any),
    (
        "spec",
        Object(&[
            (
                "runtimeRef",
                Object(&[("name", Text), ("apiGroup", Text), ("kind", Text)]),
            ),
            (
                "initializer",
                Object(&[("dataset", INITIALIZER), ("model", INITIALIZER)]),
            ),
            ("trainer", TRAINER),
            ("runtimePatches", List(&PATCH)),
            ("suspend", Flag),
            ("activeDeadlineSeconds", Whole),
            ("managedBy", Text),
        ]),
    ),
]);

/// Drops unknown fields and names them as the API server does.
pub(super) fn prune(object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    walk(&TRAIN_JOB, object, "", &mut unknown);
    unknown
}

fn walk(shape: &Shape, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    match (shape, value) {
        (Object(fields), Value::Object(map)) => {
            map.retain(|key, value| match fields.iter().find(|(name, _)| name == key) {
                Some((_, shape)) => {
                    walk(shape, value, &join(path, key), unknown);
                    true
                }
                None => {
                    unknown.push(format!("unknown field \"{}\"", join(path, key)));
                    false
                }
            });
        }
        (List(shape), Value::Array(elements)) => {
            for (index, element) in elements.iter_mut().enumerate() {
                walk(shape, element, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Types, required fields and the CRD's CEL rules.
pub(super) fn validate(object: &Value, before: Option<&Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    types(&TRAIN_JOB, object, "", &mut problems);
    let runtime = &object["spec"]["runtimeRef"];
    if runtime.is_null() {
        problems.push(Problem::required("spec.runtimeRef"));
    } else if runtime["name"].is_null() {
        problems.push(Problem::required("spec.runtimeRef.name"));
    } else if runtime["name"] == "" {
        let why = "spec.runtimeRef.name in body should be at least 1 chars long";
        problems.push(Problem::invalid("spec.runtimeRef.name", &runtime["name"], why));
    }
    if problems.is_empty() {
        rules(object, &mut problems);
        if let Some(before) = before {
            immutable(object, before, &mut problems);
        }
    }
    problems
}

fn types(shape: &Shape, value: &Value, path: &str, problems: &mut Vec<Problem>) {
    let (wanted, fits) = match shape {
        Any => return,
        Text => ("string", value.is_string()),
        Whole => ("integer", value.is_i64()),
        Flag => ("boolean", value.is_boolean()),
        Map => ("object", value.is_object()),
        List(_) => ("array", value.is_array()),
        Object(_) => ("object", value.is_object()),
    };
    if value.is_null() {
        return;
    }
    if !fits {
        let got = match value {
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_i64() => "integer",
            Value::Number(_) => "number",
            Value::Array(_) => "array",
            _ => "object",
        };
        let why = format!("{path} in body must be of type {wanted}: \"{got}\"");
        problems.push(Problem::invalid(path, &Value::from(got), &why));
        return;
    }
    match shape {
        Object(fields) => {
            for (name, shape) in *fields {
                if let Some(inner) = value.get(name) {
                    types(shape, inner, &join(path, name), problems);
                }
            }
        }
        List(shape) => {
            for (index, element) in items(value).enumerate() {
                types(shape, element, &format!("{path}[{index}]"), problems);
            }
        }
        _ => {}
    }
}

fn rules(object: &Value, problems: &mut Vec<Problem>) {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label =
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(inner) && !name.ends_with('-');
    if !is_label {
        let why = "metadata.name must match RFC 1035 DNS label format";
        problems.push(Problem::invalid("<nil>", &Value::Null, why));
    }
    if name.len() > 63 {
        let why = "metadata.name must be no more than 63 characters";
        problems.push(Problem::invalid("<nil>", &Value::Null, why));
    }
    let spec = &object["spec"];
    if spec["activeDeadlineSeconds"]
        .as_i64()
        .is_some_and(|seconds| seconds < 1)
    {
        let why = "spec.activeDeadlineSeconds in body should be greater than or equal to 1";
        problems.push(Problem::invalid(
            "spec.activeDeadlineSeconds",
            &spec["activeDeadlineSeconds"],
            why,
        ));
    }
    for part in ["dataset", "model"] {
        let uri = &spec["initializer"][part]["storageUri"];
        if uri.as_str().is_some_and(|uri| !uri.is_empty() && !is_uri(uri)) {
            let why = "storageUri may be empty, or it must be a valid URI (scheme://...)";
            problems.push(Problem::invalid(
                format!("spec.initializer.{part}.storageUri"),
                uri,
                why,
            ));
        }
    }
    let managed_by = &spec["managedBy"];
    if !matches!(
        managed_by.as_str(),
        Some("trainer.kubeflow.org/trainjob-controller" | "kueue.x-k8s.io/multikueue")
    ) {
        let why = "ManagedBy must be trainer.kubeflow.org/trainjob-controller or kueue.x-k8s.io/multikueue if set";
        problems.push(Problem::invalid("spec.managedBy", managed_by, why));
    }
}

fn is_uri(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return false;
    };
    !rest.is_empty()
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-'))
}

/// Transition rules are only looked at where the field was there before and still is.
fn immutable(object: &Value, before: &Value, problems: &mut Vec<Problem>) {
    for field in [
        "activeDeadlineSeconds",
        "initializer",
        "managedBy",
        "runtimeRef",
        "trainer",
    ] {
        let (old, new) = (&before["spec"][field], &object["spec"][field]);
        if !old.is_null() && !new.is_null() && old != new {
            problems.push(Problem::invalid(format!("spec.{field}"), new, "field is immutable"));
        }
    }
    let pod = |job: &Value| job["template"]["spec"]["template"]["spec"].clone();
    for (index, new) in items(&object["spec"]["runtimePatches"]).enumerate() {
        let Some(old) = items(&before["spec"]["runtimePatches"]).find(|old| old["manager"] == new["manager"]) else {
            continue;
        };
        let jobs = |patch: &Value| patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"].clone();
        for (at, job) in items(&jobs(new)).enumerate() {
            let Some(was) = items(&jobs(old)).find(|was| was["name"] == job["name"]).map(pod) else {
                continue;
            };
            let is = pod(job);
            for field in [
                "containers",
                "imagePullSecrets",
                "initContainers",
                "securityContext",
                "serviceAccountName",
                "terminationGracePeriodSeconds",
                "volumes",
            ] {
                if !was[field].is_null() && !is[field].is_null() && was[field] != is[field] {
                    let path = format!(
                        "spec.runtimePatches[{index}].trainingRuntimeSpec.template.spec.replicatedJobs[{at}].template.\
                         spec.template.spec.{field}"
                    );
                    problems.push(Problem::invalid(path, &is[field], "field is immutable"));
                }
            }
        }
    }
}
