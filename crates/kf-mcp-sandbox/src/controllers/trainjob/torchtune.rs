//! `tune run`: which recipe and which configuration a fine-tuning job gets.

use serde_json::Value;

use super::build::Plan;
use super::env;
use crate::controllers::objects::{items, number};

/// Keys of the runtime's command that survive, and that a job must not set itself.
pub const KEPT: [&str; 4] = [
    "output_dir",
    "tokenizer.path",
    "checkpointer.checkpoint_dir",
    "tokenizer.merges_file",
];

/// Whether a TrainJob's command is exactly `tune run`.
pub fn is_tune_run(job: &Value) -> bool {
    let command = &job["spec"]["trainer"]["command"];
    command.as_array().is_some_and(|c| c.len() == 2) && command[0] == "tune" && command[1] == "run"
}

/// The torchtune model that a runtime's name stands for (`torchtune-llama3.2-1b` is `llama3_2/1B`).
pub fn model_of(runtime: &str) -> Option<String> {
    let fields: Vec<&str> = runtime.split('-').collect();
    let [_, family, size] = fields.as_slice() else {
        return None;
    };
    Some(format!("{}/{}", family.replace('.', "_"), size.to_uppercase()))
}

/// How a fine-tuning job adapts the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// All weights.
    Full,
    /// Low-rank adapters.
    Lora,
    /// Low-rank adapters on a quantised base.
    Qlora,
}

/// Reads the adapter off a job's args.
pub fn adapter(job: &Value) -> Adapter {
    let args: Vec<&str> = items(&job["spec"]["trainer"]["args"])
        .filter_map(Value::as_str)
        .collect();
    let is_true = |key: &str| {
        args.iter().any(|arg| {
            arg.split_once('=')
                .is_some_and(|(k, v)| k == key && v.eq_ignore_ascii_case("true"))
        })
    };
    if is_true("model.quantize_base") && !is_true("model.use_dora") {
        Adapter::Qlora
    } else if args.iter().any(|arg| arg.contains("model.lora_attn_modules")) {
        Adapter::Lora
    } else {
        Adapter::Full
    }
}

/// Whether a job runs on exactly one device.
pub fn single_device(processes: Option<i64>, gpus: i128) -> bool {
    processes == Some(1) || gpus == 1
}

/// The recipe and the suffix of the configuration's name.
pub fn recipe(nodes: i64, single: bool, adapter: Adapter) -> (&'static str, &'static str) {
    match (nodes, single, adapter) {
        (2.., _, _) => ("full_finetune_distributed", "_full_multinode"),
        (_, true, Adapter::Qlora) => ("lora_finetune_single_device", "_qlora_single_device"),
        (_, true, Adapter::Lora) => ("lora_finetune_single_device", "_lora_single_device"),
        (_, true, Adapter::Full) => ("full_finetune_single_device", "_full_single_device"),
        (_, false, Adapter::Qlora) => ("lora_finetune_distributed", "_qlora"),
        (_, false, Adapter::Lora) => ("lora_finetune_distributed", "_lora"),
        (_, false, Adapter::Full) => ("full_finetune_distributed", "_full"),
    }
}

/// The container's command.
pub(super) fn command(plan: &Plan<'_>, runtime_command: &Value) -> Vec<String> {
    let resources = &plan.resources;
    let processes = plan.trainer().and_then(|trainer| number(trainer, "/numProcPerNode"));
    let gpus = env::gpus(resources);
    let mut command = vec!["tune".to_owned(), "run".to_owned()];
    let many = match env::processes(plan, resources).parse::<i64>() {
        Ok(number) => number > 1,
        Err(_) => gpus > 1,
    };
    if plan.nodes > 1 || many {
        command.push(format!("--rdzv_endpoint={}:29500", plan.coordinator()));
    }
    let (recipe, suffix) = recipe(plan.nodes, single_device(processes, gpus), adapter(plan.job));
    command.push(recipe.to_owned());
    command.push("--config".to_owned());
    command.push(format!("{}{suffix}", model_of(&plan.runtime).unwrap_or_default()));
    let kept = items(runtime_command)
        .filter_map(Value::as_str)
        .filter(|item| item.split_once('=').is_some_and(|(key, _)| KEPT.contains(&key)));
    command.extend(kept.map(str::to_owned));
    command
}
