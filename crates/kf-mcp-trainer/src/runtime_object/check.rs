//! What Trainer asks of a runtime, told before a request; and what it takes without a word although jobs will suffer.

use std::collections::BTreeSet;

use kf_mcp_core::redact;
use kf_mcp_core::text;
use kf_mcp_trainjob::FRAMEWORK_LABEL;
use serde_json::Value;

use super::Problem;

/// The label that says which step of a training a part does. It is on the template of the Job.
const STEP: &str = "trainer.kubeflow.org/trainjob-ancestor-step";
const POLICIES: [&str; 5] = ["torch", "mpi", "jax", "xgboost", "flux"];
const JOBS: &str = "spec.template.spec.replicatedJobs";

/// What is wrong with a runtime. Trainer's webhook says the same of a new one, and nothing of a changed one.
pub(crate) fn problems(runtime: &Value) -> Vec<Problem> {
    let mut found: Vec<Problem> = Vec::new();
    let mut add = |field: String, why: String| found.push((field, why));
    let policies = policies(runtime);
    if policies.len() > 1 {
        add(
            "spec.mlPolicy".into(),
            format!(
                "must have one of {}, not {}",
                POLICIES.join(", "),
                policies.join(" and ")
            ),
        );
    }
    let nodes = runtime.pointer("/spec/mlPolicy/numNodes").and_then(Value::as_i64);
    if nodes.is_some_and(|nodes| nodes < 1) {
        add("spec.mlPolicy.numNodes".into(), "must be at least 1".into());
    }
    let parts = parts(runtime);
    if parts.is_empty() {
        add(
            JOBS.into(),
            "must have at least one part, like the one called node".into(),
        );
    }
    let mut seen = BTreeSet::new();
    for (index, part) in parts.iter().enumerate() {
        let name = name(part);
        let path = if name.is_empty() {
            format!("{JOBS}[{index}]")
        } else {
            format!("{JOBS}[{}]", text::bounded(&text::clean(name), 80))
        };
        if name.is_empty() {
            add(format!("{path}.name"), "is missing".into());
        } else if !seen.insert(name) {
            add(path.clone(), "is there twice".into());
        }
        let pods = containers(part);
        if let Some(needed) = needed(part) {
            let replicas = part.get("replicas").filter(|replicas| !replicas.is_null());
            if let Some(replicas) = replicas.filter(|replicas| **replicas != 1) {
                add(
                    format!("{path}.replicas"),
                    format!("must be 1, not {replicas}: the number of nodes is mlPolicy.numNodes"),
                );
            }
            if !pods.iter().any(|container| self::name(container) == needed) {
                let there: Vec<String> = pods.iter().map(|pod| text::clean(self::name(pod))).collect();
                let there = if there.is_empty() {
                    "none".to_owned()
                } else {
                    there.join(", ")
                };
                add(
                    format!("{path}.template.spec.template.spec.containers"),
                    format!(
                        "must have one called {needed}, because the step is {}; there is {there}",
                        step(part)
                    ),
                );
            }
        }
        for container in pods {
            for variable in secrets(container) {
                add(
                    format!("{path}…env[{variable}]"),
                    "looks like a secret, which everybody who may read runtimes could read: use valueFrom.secretKeyRef"
                        .into(),
                );
            }
        }
    }
    found
}

/// What is right and yet surprises. `framework` is told separately.
pub(crate) fn warnings(runtime: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |warning: String| found.push(warning);
    if label(runtime, FRAMEWORK_LABEL).is_none() {
        add(format!(
            "without the label {FRAMEWORK_LABEL} the Kubeflow SDK does not see the runtime"
        ));
    }
    if policies(runtime).is_empty() {
        add(format!(
            "mlPolicy names none of {}: the nodes of a job are not told of each other",
            POLICIES.join(", ")
        ));
    }
    let parts = parts(runtime);
    if !parts.is_empty() && !parts.iter().any(|part| step(part) == "trainer") {
        add(format!(
            "no part's Job template has the label {STEP}: trainer, so what a job says of image, command and resources reaches \
             no container"
        ));
    }
    for part in parts {
        let (step, name) = (step(part), text::clean(name(part)));
        if !step.is_empty() && needed(part).is_none() {
            add(format!(
                "part {name}: the step {} means nothing to Trainer",
                text::clean(step)
            ));
        }
        let mounts = containers(part)
            .iter()
            .filter(|container| self::name(container) == step);
        let lacks = |container: &Value| {
            !list(container.get("volumeMounts"))
                .iter()
                .any(|m| self::name(m) == "initializer")
        };
        if step.ends_with("-initializer") && mounts.clone().any(lacks) {
            add(format!(
                "part {name}: its container mounts no volume called initializer, so Trainer refuses jobs that say what to fetch"
            ));
        }
    }
    let policies = list(runtime.pointer("/spec/template/spec/volumeClaimPolicies"));
    if policies
        .iter()
        .any(|policy| policy.pointer("/retentionPolicy/whenDeleted").is_none())
    {
        add(
            "jobs on it cannot be suspended or resumed (a defect of Trainer with JobSet) unless every entry of \
             volumeClaimPolicies says retentionPolicy: {whenDeleted: Delete}"
                .into(),
        );
    }
    found
}

/// The framework that a runtime is for, where its policy or command tells: what its label should be.
pub(crate) fn framework(runtime: &Value) -> Option<&'static str> {
    if label(runtime, FRAMEWORK_LABEL).is_some() {
        return None;
    }
    let tunes = |container: &Value| {
        list(container.get("command"))
            .first()
            .is_some_and(|word| word == "tune")
    };
    match policies(runtime)[..] {
        ["torch"] if parts(runtime).iter().any(|part| containers(part).iter().any(tunes)) => Some("torchtune"),
        ["torch"] => Some("torch"),
        ["jax"] => Some("jax"),
        ["xgboost"] => Some("xgboost"),
        ["flux"] => Some("flux"),
        // what runs under mpirun is not told by the policy: deepspeed, mlx, …
        _ => None,
    }
}

fn policies(runtime: &Value) -> Vec<&'static str> {
    let policy = runtime.pointer("/spec/mlPolicy").unwrap_or(&Value::Null);
    let set = |key: &&str| policy.get(key).is_some_and(|value| !value.is_null());
    POLICIES.into_iter().filter(|key| set(key)).collect()
}

fn label<'a>(runtime: &'a Value, label: &str) -> Option<&'a str> {
    runtime.pointer("/metadata/labels")?.get(label)?.as_str()
}

fn parts(runtime: &Value) -> &[Value] {
    list(runtime.pointer("/spec/template/spec/replicatedJobs"))
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn name(value: &Value) -> &str {
    value.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn step(part: &Value) -> &str {
    let labels = part.pointer("/template/metadata/labels");
    labels.and_then(|labels| labels.get(STEP)?.as_str()).unwrap_or_default()
}

fn containers(part: &Value) -> &[Value] {
    list(part.pointer("/template/spec/template/spec/containers"))
}

/// The container that the step of a part asks for.
fn needed(part: &Value) -> Option<&str> {
    match step(part) {
        "trainer" => Some("node"),
        step @ ("dataset-initializer" | "model-initializer") => Some(step),
        _ => None,
    }
}

/// Variables with a secret written down.
fn secrets(container: &Value) -> impl Iterator<Item = String> + '_ {
    list(container.get("env")).iter().filter_map(|variable| {
        let value = variable.get("value")?.as_str()?;
        let harmless = value.is_empty() || value.starts_with('/') || value.contains("$(");
        (!harmless && redact::is_secret_name(name(variable))).then(|| text::clean(name(variable)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part(name: &str, step: &str, container: Value) -> Value {
        json!({"name": name, "template": {"metadata": {"labels": {STEP: step}}, "spec": {"template": {"spec": {
            "containers": [container]}}}}})
    }

    fn runtime(policy: Value, parts: Value) -> Value {
        json!({"metadata": {"labels": {}}, "spec": {"mlPolicy": policy, "template": {"spec": {"replicatedJobs": parts}}}})
    }

    fn told(runtime: &Value) -> Vec<String> {
        problems(runtime)
            .into_iter()
            .map(|(field, why)| format!("{field} {why}"))
            .collect()
    }

    #[test]
    fn a_good_runtime_has_no_problems() {
        let good = runtime(
            json!({"torch": {}}),
            json!([part("node", "trainer", json!({"name": "node"}))]),
        );
        assert_eq!(told(&good), [""; 0]);
        assert_eq!(framework(&good), Some("torch"));
        assert_eq!(warnings(&good).len(), 1, "only the label is missing");
    }

    #[test]
    fn what_the_webhook_would_refuse_is_told_first() {
        let mut second = part("data", "dataset-initializer", json!({"name": "fetch"}));
        second["replicas"] = json!(2);
        let secret = json!({"name": "main", "env": [{"name": "HF_TOKEN", "value": "abc"}, {"name": "TOKEN_FILE", "value": "/x"}]});
        let bad = runtime(
            json!({"torch": {}, "mpi": {}, "numNodes": 0}),
            json!([
                part("node", "trainer", secret),
                second,
                part("node", "", json!({"name": "x"})),
                {}
            ]),
        );
        assert_eq!(
            told(&bad),
            [
                "spec.mlPolicy must have one of torch, mpi, jax, xgboost, flux, not torch and mpi",
                "spec.mlPolicy.numNodes must be at least 1",
                "spec.template.spec.replicatedJobs[node].template.spec.template.spec.containers must have one called node, \
                 because the step is trainer; there is main",
                "spec.template.spec.replicatedJobs[node]…env[HF_TOKEN] looks like a secret, which everybody who may read \
                 runtimes could read: use valueFrom.secretKeyRef",
                "spec.template.spec.replicatedJobs[data].replicas must be 1, not 2: the number of nodes is mlPolicy.numNodes",
                "spec.template.spec.replicatedJobs[data].template.spec.template.spec.containers must have one called \
                 dataset-initializer, because the step is dataset-initializer; there is fetch",
                "spec.template.spec.replicatedJobs[node] is there twice",
                "spec.template.spec.replicatedJobs[3].name is missing",
            ]
        );
        assert_eq!(
            told(&json!({})),
            ["spec.template.spec.replicatedJobs must have at least one part, like the one called node"]
        );
    }

    #[test]
    fn what_surprises_is_warned_of() {
        let mut odd = runtime(
            json!({}),
            json!([
                part("data", "dataset-initializer", json!({"name": "dataset-initializer"})),
                part("node", "train", json!({"name": "node"}))
            ]),
        );
        odd["spec"]["template"]["spec"]["volumeClaimPolicies"] = json!([{"templates": []}]);
        let warnings = warnings(&odd);
        assert_eq!(warnings.len(), 6, "{warnings:#?}");
        let tuned = runtime(
            json!({"torch": {}}),
            json!([part(
                "node",
                "trainer",
                json!({"name": "node", "command": ["tune", "run"]})
            )]),
        );
        assert_eq!(framework(&tuned), Some("torchtune"));
        assert_eq!(framework(&runtime(json!({"mpi": {}}), json!([]))), None);
    }
}
