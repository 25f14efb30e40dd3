//! What to know before a plan is submitted to Kubeflow Trainer, and how to make a plan smaller.

use super::memory::{GIB, gib, per_gpu};
use super::method::{Method, Plan, Precision};

/// Models that Trainer's torchtune runtimes train without an image of one's own.
const TORCHTUNE: [(&str, &str); 3] = [
    ("llama-3.2-1b", "torchtune-llama3.2-1b"),
    ("llama-3.2-3b", "torchtune-llama3.2-3b"),
    ("qwen2.5-1.5b", "torchtune-qwen2.5-1.5b"),
];

/// What small GPUs (24 GB) have: below, nothing needs to be saved.
const SMALL: f64 = 22.0 * GIB;

/// What to know of a plan for this model of the table, on so many nodes.
pub(crate) fn hints(plan: &Plan, name: Option<&str>, nodes: u32) -> Vec<String> {
    let mut hints = Vec::new();
    let runtime = TORCHTUNE
        .iter()
        .find(|(model, _)| Some(*model) == name)
        .map(|(_, runtime)| runtime);
    if let Some(runtime) = runtime {
        if plan.method == Method::Qlora && runtime.contains("qwen") {
            hints.push(format!("runtime {runtime} refuses QLoRA; use method=lora"));
        } else if plan.method == Method::Qlora && plan.gpus > 1 {
            hints.push(format!("runtime {runtime} takes QLoRA on exactly one GPU"));
        } else if nodes > 1 {
            hints.push(format!("runtime {runtime} takes one node; use gpu_per_node"));
        }
        if plan.precision == Precision::Mixed {
            hints.push(format!(
                "runtime {runtime} trains in pure bf16: precision=pure estimates it"
            ));
        }
    }
    let parts = per_gpu(plan);
    let need = parts.total().mid;
    if !plan.checkpointing {
        let recomputed = Plan {
            checkpointing: true,
            ..*plan
        };
        let saved = need - per_gpu(&recomputed).total().mid;
        if saved > GIB {
            hints.push(format!("activation_checkpointing saves {}", gib(saved)));
        }
    }
    let moving = parts.activations.mid + parts.logits.mid;
    if plan.batch > 1 && need > SMALL && moving > 0.15 * need {
        let one = per_gpu(&Plan { batch: 1, ..*plan }).total();
        hints.push(format!(
            "batch_size=1 with gradient accumulation takes {}",
            gib(one.mid)
        ));
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::super::{Given, facts, sample};
    use super::*;

    fn plan(name: &str, method: Method, gpus: u32) -> Plan {
        Plan {
            precision: Precision::Pure,
            sequence: 512,
            gpus,
            ..sample::plan(name, method)
        }
    }

    fn told(name: &str, method: Method, nodes: u32, gpus: u32) -> Vec<String> {
        let facts = facts(name, &Given::default()).unwrap();
        hints(&plan(name, method, gpus), facts.name, nodes)
    }

    #[test]
    fn what_trainers_runtimes_refuse_is_told_before() {
        assert_eq!(
            told("Qwen/Qwen2.5-1.5B-Instruct", Method::Qlora, 1, 1),
            ["runtime torchtune-qwen2.5-1.5b refuses QLoRA; use method=lora"]
        );
        assert_eq!(
            told("Llama-3.2-1B", Method::Qlora, 1, 2),
            ["runtime torchtune-llama3.2-1b takes QLoRA on exactly one GPU"]
        );
        assert_eq!(
            told("Llama-3.2-3B", Method::Lora, 2, 2),
            ["runtime torchtune-llama3.2-3b takes one node; use gpu_per_node"]
        );
        assert!(told("Llama-3.2-3B", Method::Lora, 1, 2).is_empty());
        assert!(told("Llama-3.1-8B", Method::Lora, 1, 1).is_empty());
    }

    #[test]
    fn what_would_save_much_is_told() {
        let large = Plan {
            batch: 8,
            sequence: 4096,
            checkpointing: false,
            ..plan("Llama-3.1-8B", Method::Lora, 1)
        };
        let told = hints(&large, None, 1);
        assert!(told[0].starts_with("activation_checkpointing saves 1"), "{told:?}");
        assert!(told[1].starts_with("batch_size=1 "), "{told:?}");
    }
}
