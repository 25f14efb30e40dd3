//! What `tune run` can be asked for.

use serde_json::{Value, json};

use super::jobs;
use crate::controllers::objects::{items, number};
use crate::controllers::quantity;
use crate::controllers::trainjob::torchtune::{self, Adapter};
use crate::store::text;

/// Models that `tune run` knows, with whether they may use several nodes.
const MODELS: [(&str, bool); 4] = [
    ("llama3_2/1B", false),
    ("llama3_2/3B", false),
    ("llama3_3/70B", true),
    ("qwen2_5/1.5B", false),
];

/// Why a job that runs `tune run` is refused.
pub(super) fn check(job: &Value, runtime: &Value, problems: &mut Vec<String>) {
    let trainer = &job["spec"]["trainer"];
    let name = text(job, "/spec/runtimeRef/name");
    let model = torchtune::model_of(&name).unwrap_or_default();
    let known = MODELS.iter().find(|(known, _)| *known == model);
    if known.is_none() {
        problems.push(format!(
            "spec.runtimeRef.name: Invalid value: \"{name}\": must have a supported pretrained model, invalid model \
             configured: {model}"
        ));
    }
    let nodes = number(trainer, "/numNodes").unwrap_or(1);
    if nodes > 1 && known.is_none_or(|(_, many)| !many) {
        problems.push(format!(
            "spec.trainer.numNodes: Invalid value: {nodes}: must be 1 for {model} model"
        ));
    }
    if nodes == 1 && torchtune::adapter(job) == Adapter::Qlora {
        qlora(trainer, runtime, &name, &model, problems);
    }
    let single = |arg: &str| arg.contains("model.lora_attn_modules");
    let lora = items(&trainer["args"]).filter_map(Value::as_str).any(single);
    if nodes > 1 && (lora || torchtune::adapter(job) == Adapter::Qlora) {
        problems.push(format!(
            "spec.trainer.numNodes: Invalid value: {nodes}: LoRA fine-tuning is not supported for multi-node training in \
             TorchTune"
        ));
    }
    for (index, arg) in items(&trainer["args"]).enumerate() {
        let key = arg.as_str().and_then(|arg| arg.split('=').next()).unwrap_or_default();
        if torchtune::KEPT.contains(&key) {
            problems.push(format!(
                "spec.trainer.args[{index}]: Invalid value: {arg}: must not set immutable config \"{key}\" in trainer \
                 args; it is managed by the runtime"
            ));
        }
    }
}

fn qlora(trainer: &Value, runtime: &Value, name: &str, model: &str, problems: &mut Vec<String>) {
    if model == "qwen2_5/1.5B" {
        problems.push(format!(
            "spec.runtimeRef.name: Invalid value: \"{name}\": QLoRA is not supported for {model} model"
        ));
    }
    let own = jobs(runtime)
        .find(|job| job["name"] == "node")
        .and_then(|job| job.pointer("/template/spec/template/spec/containers/0/resources"))
        .unwrap_or(&Value::Null);
    let given = &trainer["resourcesPerNode"];
    let gpus = quantity::effective(if given.is_object() { given } else { own })
        .into_iter()
        .find(|(name, _)| name.to_lowercase().contains("gpu"))
        .map(|(_, amount)| amount / 1000)
        .unwrap_or_default();
    let processes = number(trainer, "/numProcPerNode");
    if torchtune::single_device(processes, gpus) || !model.starts_with("llama3_2") {
        return;
    }
    let processes = processes.map_or(json!("auto"), |n| json!(n));
    problems.push(format!(
        "spec.trainer.numProcPerNode: Invalid value: {processes}: must be auto or 1 for {model} model when using QLoRA"
    ));
    problems.push(format!(
        "spec.trainer.resourcesPerNode: Invalid value: {}: must have gpu resource with value 1 for {model} model when \
         using QLoRA",
        resources(given)
    ));
}

/// Resources as Go writes them, with amounts in the form in which they are stored.
fn resources(given: &Value) -> String {
    if !given.is_object() {
        return Value::Null.to_string();
    }
    let amounts = |part: &str| {
        let amounts = given[part].as_object()?;
        let amounts: Vec<String> = amounts
            .iter()
            .map(|(name, amount)| format!("\"{name}\":{}", quantity::canonical(amount)))
            .collect();
        Some(format!("\"{part}\":{{{}}}", amounts.join(",")))
    };
    let parts: Vec<String> = ["limits", "requests"].into_iter().filter_map(amounts).collect();
    format!("{{{}}}", parts.join(","))
}
