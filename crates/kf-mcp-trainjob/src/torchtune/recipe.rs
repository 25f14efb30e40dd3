//! Which recipe and configuration Trainer runs for a job, and what it or torchtune would refuse.

use super::model::TuneModel;

/// How a job is spread, as Trainer counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Nodes.
    pub nodes: u32,
    /// GPUs of each node: what is called a GPU among the job's resources, or the runtime's if the job names none.
    pub gpus: u64,
    /// Processes of each node, where the job says so.
    pub processes: Option<u32>,
}

impl Layout {
    /// Whether all runs in one process, which is when Trainer takes the recipes for a single device.
    fn is_single(self) -> bool {
        self.nodes == 1 && (self.processes == Some(1) || self.gpus == 1)
    }
}

/// What a job trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// The model.
    pub model: TuneModel,
    /// How it is spread.
    pub layout: Layout,
    /// Whether adapters are trained and not the model.
    pub lora: bool,
    /// Whether the model below the adapters is quantised.
    pub quantised: bool,
    /// Whether the adapters are DoRA's. Trainer takes LoRA's configurations for them, quantised or not.
    pub dora: bool,
}

/// Why a job cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are no configurations for several nodes.
    #[error("must be 1: torchtune has no configuration of {0} for several nodes")]
    Nodes(String),
    /// On several nodes everything is trained.
    #[error("must be 1: on several nodes Trainer runs full fine-tuning only")]
    AdaptersOnNodes,
    /// There are no configurations with a quantised base.
    #[error("is QLoRA, which Trainer does not run on {0}")]
    NoQlora(String),
    /// A quantised base needs one GPU.
    #[error("must ask for exactly 1 GPU: QLoRA of {0} runs on one, and this job has {1}")]
    OneGpu(String, u64),
}

impl Refusal {
    /// The argument that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Nodes(_) | Self::AdaptersOnNodes => "num_nodes",
            Self::NoQlora(_) => "peft_method",
            Self::OneGpu(..) => "resources_per_node",
        }
    }

    /// What to do about it.
    pub fn fix(&self) -> &'static str {
        match self {
            Self::Nodes(_) => "give num_nodes=1, and more GPUs of that node in resources_per_node",
            Self::AdaptersOnNodes => "give num_nodes=1, or peft_method=full",
            Self::NoQlora(_) => "give peft_method=lora without quantize_base",
            Self::OneGpu(..) => r#"give resources_per_node={"gpu": 1}, or peft_method=lora"#,
        }
    }
}

impl Recipe {
    /// What Trainer takes for QLoRA: a quantised base, but not below DoRA.
    fn is_qlora(self) -> bool {
        self.quantised && !self.dora
    }

    /// The recipe that Trainer runs.
    pub fn name(self) -> &'static str {
        match (self.lora && self.layout.nodes == 1, self.layout.is_single()) {
            (true, true) => "lora_finetune_single_device",
            (true, false) => "lora_finetune_distributed",
            (false, true) => "full_finetune_single_device",
            (false, false) => "full_finetune_distributed",
        }
    }

    /// The configuration that it starts from.
    pub fn config(self) -> String {
        let method = match (self.is_qlora(), self.lora) {
            _ if self.layout.nodes > 1 => "full",
            (true, _) => "qlora",
            (false, true) => "lora",
            (false, false) => "full",
        };
        let spread = match self.layout {
            Layout { nodes: 2.., .. } => "_multinode",
            layout if layout.is_single() => "_single_device",
            _ => "",
        };
        format!("{}_{method}{spread}", self.model.config())
    }

    /// Everything that Trainer's webhook would refuse.
    pub fn refusals(self) -> Vec<Refusal> {
        let mut found = Vec::new();
        let model = self.model.words();
        if self.layout.nodes > 1 {
            if !self.model.many_nodes {
                found.push(Refusal::Nodes(model.clone()));
            } else if self.lora {
                found.push(Refusal::AdaptersOnNodes);
            }
        }
        // On several nodes Trainer does not look at this, and would refuse it on one.
        if self.is_qlora() && !self.model.quantises {
            found.push(Refusal::NoQlora(model));
        } else if self.is_qlora() && self.model.quantises_alone && self.layout.nodes == 1 && !self.layout.is_single() {
            found.push(Refusal::OneGpu(model, self.layout.gpus));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(runtime: &str, nodes: u32, gpus: u64, method: &str) -> Recipe {
        Recipe {
            model: TuneModel::of_runtime(runtime).unwrap(),
            layout: Layout {
                nodes,
                gpus,
                processes: None,
            },
            lora: method != "full",
            quantised: method.starts_with('q'),
            dora: method.contains("dora"),
        }
    }

    #[test]
    fn recipe_and_configuration_follow_trainers_table() {
        let llama = "torchtune-llama3.2-1b";
        for (nodes, gpus, method, name, config) in [
            (
                1,
                1,
                "qlora",
                "lora_finetune_single_device",
                "llama3_2/1B_qlora_single_device",
            ),
            (
                1,
                1,
                "lora",
                "lora_finetune_single_device",
                "llama3_2/1B_lora_single_device",
            ),
            (
                1,
                1,
                "dora",
                "lora_finetune_single_device",
                "llama3_2/1B_lora_single_device",
            ),
            (
                1,
                1,
                "qdora",
                "lora_finetune_single_device",
                "llama3_2/1B_lora_single_device",
            ),
            (
                1,
                1,
                "full",
                "full_finetune_single_device",
                "llama3_2/1B_full_single_device",
            ),
            (1, 2, "qlora", "lora_finetune_distributed", "llama3_2/1B_qlora"),
            (1, 2, "lora", "lora_finetune_distributed", "llama3_2/1B_lora"),
            (1, 2, "full", "full_finetune_distributed", "llama3_2/1B_full"),
            (2, 1, "full", "full_finetune_distributed", "llama3_2/1B_full_multinode"),
            (2, 1, "lora", "full_finetune_distributed", "llama3_2/1B_full_multinode"),
        ] {
            let recipe = recipe(llama, nodes, gpus, method);
            assert_eq!(
                (recipe.name(), recipe.config().as_str()),
                (name, config),
                "{nodes} {gpus} {method}"
            );
        }
        let mut one = recipe(llama, 1, 0, "lora");
        one.layout.processes = Some(1);
        assert_eq!(one.config(), "llama3_2/1B_lora_single_device");
    }

    #[test]
    fn what_trainer_refuses_is_refused() {
        let told = |runtime: &str, nodes, gpus, method: &str| -> Vec<&str> {
            let refusals = recipe(runtime, nodes, gpus, method).refusals();
            refusals.iter().map(Refusal::field).collect()
        };
        let (llama, qwen, large) = (
            "torchtune-llama3.2-3b",
            "torchtune-qwen2.5-1.5b",
            "torchtune-llama3.3-70b",
        );
        for method in ["lora", "dora", "full"] {
            for runtime in [llama, qwen] {
                assert!(told(runtime, 1, 2, method).is_empty());
                assert_eq!(told(runtime, 2, 2, method), ["num_nodes"]);
            }
        }
        assert_eq!(told(llama, 1, 2, "qlora"), ["resources_per_node"]);
        assert!(told(llama, 1, 1, "qlora").is_empty());
        assert_eq!(told(qwen, 1, 1, "qlora"), ["peft_method"]);
        assert_eq!(told(qwen, 1, 2, "qlora"), ["peft_method"]);
        assert_eq!(told(qwen, 2, 2, "qlora"), ["num_nodes", "peft_method"]);
        assert!(told(qwen, 1, 2, "qdora").is_empty());
        assert!(told(large, 4, 8, "full").is_empty());
        assert_eq!(told(large, 4, 8, "lora"), ["num_nodes"]);
        assert!(told(large, 1, 8, "qlora").is_empty());
    }
}
