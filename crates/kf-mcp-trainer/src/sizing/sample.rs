//! The plan that tests change what they are about of.

use super::{Given, Method, Optimizer, Plan, Precision, Sharding, Weights, facts};

/// Training a model of the table on one GPU, as Hugging Face's Trainer does with checkpointing.
pub(super) fn plan(model: &str, method: Method) -> Plan {
    let facts = facts(model, &Given::default()).unwrap();
    Plan {
        model: facts.model,
        known_dims: true,
        method: Method::Lora,
        weights: Weights::Bf16,
        precision: Precision::Mixed,
        optimizer: Optimizer::Adamw,
        lora_rank: 8,
        batch: 1,
        sequence: 2048,
        checkpointing: true,
        sharding: Sharding::Fsdp,
        gpus: 1,
    }
    .with_method(method)
}
