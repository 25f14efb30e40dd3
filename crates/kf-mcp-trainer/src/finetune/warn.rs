//! What surprises those who fine-tune, and how much memory it likely takes.

use kf_mcp_trainjob::Runtime;
use kf_mcp_trainjob::torchtune::{Source, TuneModel};

use super::devices::Devices;
use super::fetch::{FetchOptions, Origins, is_hub, is_s3};
use super::options::{Trained, TuneOptions};
use crate::sizing::fit::{Layout, usual};
use crate::sizing::memory::gib;
use crate::sizing::{Given, Optimizer, Plan, Precision, Sharding, Weights, facts, per_gpu};

/// Tokens of a sample that the estimate assumes: datasets of instructions have short ones.
const SEQUENCE: u32 = 512;
/// The label by which Kueue takes a job, and suspends it until there is room.
const KUEUE: &str = "kueue.x-k8s.io/queue-name";

/// What is warned of.
#[derive(Debug)]
pub(crate) struct Warned<'a> {
    /// The name of the job.
    pub(crate) name: &'a str,
    pub(crate) origins: &'a Origins,
    pub(crate) fetch: &'a FetchOptions,
    pub(crate) runtime: &'a Runtime,
    pub(crate) model: TuneModel,
    pub(crate) trained: Trained,
    /// The labels of the job.
    pub(crate) labels: Vec<&'a str>,
}

/// Warnings about a fine-tuning that would be accepted.
pub(crate) fn warnings(warned: &Warned, devices: &Devices) -> Vec<String> {
    let mut told = Vec::new();
    for claim in &warned.runtime.claims {
        told.push(format!(
            "the trained weights lie in /workspace/output of the job's own claim {claim}-{}: deleting the job deletes them, so \
             copy them before",
            warned.name
        ));
    }
    if warned.runtime.claims_block_suspension {
        let kueue = if warned.labels.contains(&KUEUE) {
            ". Kueue starts its jobs by resuming them, so this one would never run"
        } else {
            ""
        };
        told.push(format!(
            "jobs of this runtime cannot be suspended and resumed: Trainer says they are, and their pods go on or never \
             start{kueue}"
        ));
    }
    told.extend(devices.notes.iter().cloned());
    origins(warned, &mut told);
    if warned.trained.dora && warned.trained.quantised {
        told.push("DoRA on a quantised model runs with the configuration of LoRA, not of QLoRA".into());
    }
    told
}

/// What the sources are like.
fn origins(warned: &Warned, told: &mut Vec<String>) {
    let Warned {
        origins,
        fetch,
        runtime,
        model,
        ..
    } = warned;
    let own = super::fetch::storage_uri(runtime, kf_mcp_trainjob::torchtune::MODEL_STEP);
    let is_own = own.and_then(|uri| Source::model(uri).ok()).as_ref() == Some(&origins.model);
    if !is_own && !model.is_named(origins.model.name()) {
        told.push(format!(
            "the runtime trains {}, and the model's name does not say that it is one: other weights fail to load",
            model.words()
        ));
    }
    told.extend(gated(&origins.model, fetch));
    if let Some(name) = fetch.hf_secret.as_ref().filter(|_| origins.any(is_hub)) {
        told.push(format!("the Secret {name} must have the key ACCESS_TOKEN or HF_TOKEN"));
    }
    if origins.any(is_s3) {
        told.push(match &fetch.s3_secret {
            Some(name) => format!("the Secret {name} must have the keys ACCESS_KEY_ID and SECRET_ACCESS_KEY"),
            None if fetch.s3_secret_access_key.is_none() => {
                "no s3_secret is given: S3 is read with what the pods' service account may".into()
            }
            None => "the S3 key is readable in the job by everybody who may read jobs".into(),
        });
    }
    if fetch.hf_token.is_some() {
        told.push("the Hub's token is readable in the job by everybody who may read jobs".into());
    }
    for (what, source, step) in [
        ("model", &origins.model, kf_mcp_trainjob::torchtune::MODEL_STEP),
        ("dataset", &origins.dataset, kf_mcp_trainjob::torchtune::DATASET_STEP),
    ] {
        if let Source::Claim { claim, .. } = source {
            told.push(format!(
                "the {what} is read from the claim {claim}, mounted in the training pod; the {step} still asks {} for its list \
                 of files, and fetches none",
                super::fetch::storage_uri(runtime, step).unwrap_or_default()
            ));
        }
    }
}

/// A model that the Hub gives to those only who have accepted its licence.
pub(crate) fn gated(model: &Source, fetch: &FetchOptions) -> Option<String> {
    let with_token = fetch.hf_secret.is_some() || fetch.hf_token.is_some();
    match model {
        Source::Hub { repo, .. } if repo.starts_with("meta-llama/") && !with_token => {
            Some(format!("{repo} is gated: without hf_secret it cannot be fetched"))
        }
        _ => None,
    }
}

/// What one GPU likely needs, in one line; none for a model whose size is not known.
pub(crate) fn memory(options: &TuneOptions, trained: Trained, model: TuneModel, devices: &Devices) -> Option<String> {
    let facts = facts(&model.words().replace(' ', "-"), &Given::default())?;
    let layout = Layout {
        nodes: devices.layout.nodes,
        per_node: u32::try_from(devices.per_node).ok().filter(|gpus| *gpus > 0)?,
    };
    let weights = match options.dtype.as_deref().map(str::trim) {
        _ if trained.quantised => Weights::Nf4,
        Some("fp32") => Weights::Fp32,
        _ => Weights::Bf16,
    };
    let plan = Plan {
        model: facts.model,
        known_dims: facts.known_dims(),
        method: trained.method(),
        weights,
        precision: Precision::Pure,
        optimizer: Optimizer::Adamw,
        lora_rank: options.lora_rank,
        batch: options.batch_size,
        sequence: SEQUENCE,
        checkpointing: false,
        sharding: Sharding::Fsdp,
        gpus: layout.gpus(),
    };
    let need = per_gpu(&plan).total();
    let fits = usual(&plan, layout)
        .filter(|(fitting, _)| *fitting == layout)
        .map(|(_, gb)| format!(", as GPUs of {gb} GB have"))
        .unwrap_or_default();
    Some(format!(
        "each GPU needs about {}, at most {}{fits} (samples of {SEQUENCE} tokens)",
        gib(need.mid),
        gib(need.high)
    ))
}

#[cfg(test)]
#[path = "warn_tests.rs"]
mod tests;
