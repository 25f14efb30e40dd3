//! How a model is trained: what is trained, in which numbers, with which optimizer, spread how.

use schemars::JsonSchema;
use serde::Deserialize;

use super::model::Model;

/// What is trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Method {
    Full,
    #[default]
    Lora,
    Qlora,
    Dora,
}

impl Method {
    pub(crate) const ALL: [Self; 4] = [Self::Full, Self::Lora, Self::Qlora, Self::Dora];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Lora => "lora",
            Self::Qlora => "qlora",
            Self::Dora => "dora",
        }
    }
}

/// In which numbers the trained parameters are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Precision {
    // 32 bit for what is trained, 16 bit for the computation: Hugging Face Trainer, PEFT, DeepSpeed, Megatron.
    #[default]
    Mixed,
    // 16 bit for everything, and the loss in chunks: torchtune.
    Pure,
}

/// The optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optimizer {
    Adamw,
    Adamw8bit,
    PagedAdamw8bit,
    Adafactor,
    Sgd,
}

impl Optimizer {
    pub(crate) const ALL: [Self; 5] = [
        Self::Adamw,
        Self::Adamw8bit,
        Self::PagedAdamw8bit,
        Self::Adafactor,
        Self::Sgd,
    ];

    /// What people write for it: `AdamW`, `adamw_torch_fused`, `paged_adamw_8bit`, `bitsandbytes.optim.AdamW8bit`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (adam, paged) = (text.contains("adam"), text.contains("paged"));
        Some(match () {
            () if adam && paged => Self::PagedAdamw8bit,
            () if adam && (text.contains("8bit") || text.contains("8-bit") || text.contains("bnb")) => Self::Adamw8bit,
            () if adam => Self::Adamw,
            () if text.contains("adafactor") => Self::Adafactor,
            () if text == "sgd" || text.ends_with(".sgd") => Self::Sgd,
            () => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Adamw => "adamw",
            Self::Adamw8bit => "adamw_8bit",
            Self::PagedAdamw8bit => "paged_adamw_8bit",
            Self::Adafactor => "adafactor",
            Self::Sgd => "sgd",
        }
    }

    /// Bytes of its states per trained parameter whose states have numbers of this size: least, likely, most.
    ///
    /// Adam keeps two moments (Kingma & Ba 2015); the 8-bit one keeps them in a byte each and 2 · 4/256 of scales (Dettmers
    /// et al. 2022, block size 256), in pages that move to the host when the GPU is full (QLoRA, §3); Adafactor keeps a row
    /// and a column for each matrix (Shazeer & Stern 2018); SGD keeps nothing, or one momentum.
    pub(super) fn states(self, number: f64) -> [f64; 3] {
        match self {
            Self::Adamw => [2.0 * number; 3],
            Self::Adamw8bit => [2.0, 2.03, 2.1],
            Self::PagedAdamw8bit => [0.0, 1.0, 2.1],
            Self::Adafactor => [0.0, 0.02, 0.1],
            Self::Sgd => [0.0, 0.0, number],
        }
    }
}

/// How the states are spread over the GPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sharding {
    // Each GPU holds a part of everything: FSDP, ZeRO-3.
    #[default]
    Fsdp,
    // Gradients and optimizer in parts, weights whole.
    Zero2,
    // The optimizer in parts.
    Zero1,
    // Each GPU holds everything: data parallel.
    None,
}

impl Sharding {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fsdp => "fsdp",
            Self::Zero2 => "zero2",
            Self::Zero1 => "zero1",
            Self::None => "none",
        }
    }
}

/// In which numbers the model's weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weights {
    Fp32,
    Fp16,
    Bf16,
    Int8,
    Nf4,
}

impl Weights {
    /// What people write for it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase().replace(['-', '_', ' '], "");
        Some(match text.as_str() {
            "fp32" | "float32" | "f32" | "32bit" => Self::Fp32,
            "fp16" | "float16" | "f16" | "half" => Self::Fp16,
            "bf16" | "bfloat16" | "16bit" | "none" | "" => Self::Bf16,
            "int8" | "8bit" | "fp8" | "q8" => Self::Int8,
            "nf4" | "int4" | "4bit" | "fp4" | "q4" => Self::Nf4,
            _ => return None,
        })
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Nf4 => "nf4",
        }
    }

    /// Whether they are too coarse to be trained.
    pub(crate) fn quantised(self) -> bool {
        matches!(self, Self::Int8 | Self::Nf4)
    }

    /// Bytes of a number that is computed with.
    pub(super) fn compute(self) -> f64 {
        if self == Self::Fp32 { 4.0 } else { 2.0 }
    }

    /// Bytes of one weight of a block's matrix: least, likely, most.
    ///
    /// NF4 is 4 bits and its scales: 8/64 + 32/(64 · 256) = 0.127 bits with double quantisation, 32/64 = 0.5 bits without
    /// (Dettmers et al. 2023, QLoRA, §3). LLM.int8() keeps a byte and a scale for each row (Dettmers et al. 2022).
    pub(super) fn matrix(self) -> [f64; 3] {
        match self {
            Self::Nf4 => [4.127 / 8.0, 4.127 / 8.0, 4.5 / 8.0],
            Self::Int8 => [1.0, 1.0, 1.05],
            other => [other.compute(); 3],
        }
    }
}

/// A model and how it is trained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) model: Model,
    /// Whether the dimensions are known, and not guessed from a count.
    pub(crate) known_dims: bool,
    pub(crate) method: Method,
    pub(crate) weights: Weights,
    pub(crate) precision: Precision,
    pub(crate) optimizer: Optimizer,
    pub(crate) lora_rank: u32,
    /// Sequences of one GPU and step.
    pub(crate) batch: u32,
    /// Tokens of a sequence.
    pub(crate) sequence: u32,
    /// Whether activations are computed again in the backward pass.
    pub(crate) checkpointing: bool,
    pub(crate) sharding: Sharding,
    /// GPUs in all.
    pub(crate) gpus: u32,
}

impl Plan {
    /// The same with another method, its weights as that method has them.
    pub(crate) fn with_method(self, method: Method) -> Self {
        let weights = match (method, self.weights.quantised()) {
            (Method::Qlora, false) => Weights::Nf4,
            (Method::Full | Method::Lora | Method::Dora, true) => Weights::Bf16,
            _ => self.weights,
        };
        Self {
            method,
            weights,
            ..self
        }
    }

    /// The same on so many GPUs, sharded as far as it goes.
    pub(crate) fn spread(self, gpus: u32) -> Self {
        Self {
            gpus,
            sharding: Sharding::Fsdp,
            ..self
        }
    }

    /// Tokens of one GPU and step.
    pub(super) fn tokens(&self) -> f64 {
        f64::from(self.batch) * f64::from(self.sequence)
    }

    /// Parameters of adapters on every matrix of the blocks, as QLoRA (§4) and PEFT's `all-linear` have them: r·(in + out)
    /// for each (Hu et al. 2021, LoRA, §4), and for DoRA a magnitude for each output (Liu et al. 2024, §4).
    pub(super) fn adapter_params(&self) -> f64 {
        let dims = &self.model.dims;
        let (hidden, wide) = (f64::from(dims.hidden), f64::from(dims.intermediate));
        let attention = 2.0 * (hidden + dims.queries()) + 2.0 * (hidden + dims.keys());
        let feed_forward = f64::from(dims.experts) * dims.wide() * (hidden + wide);
        let layers = f64::from(dims.layers);
        let edges = layers * (attention + feed_forward) + f64::from(dims.cross_layers) * attention;
        let magnitudes = if self.method == Method::Dora {
            layers * self.outputs()
        } else {
            0.0
        };
        f64::from(self.lora_rank) * edges + magnitudes
    }

    /// Width of all outputs of one block's matrices, for one token.
    pub(super) fn outputs(&self) -> f64 {
        let dims = &self.model.dims;
        let feed_forward = (dims.wide() - 1.0) * f64::from(dims.intermediate) * f64::from(dims.active_experts);
        dims.queries() + 2.0 * dims.keys() + 2.0 * f64::from(dims.hidden) + feed_forward
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_precisions_in_many_ways() {
        for (text, want) in [
            ("bf16", Some("bf16")),
            ("BFloat16", Some("bf16")),
            ("4-bit", Some("nf4")),
            ("int4", Some("nf4")),
            ("load_in_8bit", None),
            ("8bit", Some("int8")),
            ("none", Some("bf16")),
        ] {
            assert_eq!(Weights::read(text).map(Weights::as_str), want, "{text}");
        }
    }

    #[test]
    fn people_write_optimizers_in_many_ways() {
        for (text, want) in [
            ("AdamW", Some("adamw")),
            ("adamw_torch_fused", Some("adamw")),
            ("adamw_bnb_8bit", Some("adamw_8bit")),
            ("bitsandbytes.optim.PagedAdamW8bit", Some("paged_adamw_8bit")),
            ("adafactor", Some("adafactor")),
            ("torch.optim.SGD", Some("sgd")),
            ("lion", None),
        ] {
            assert_eq!(Optimizer::read(text).map(Optimizer::as_str), want, "{text}");
        }
    }

    /// Dettmers et al. 2023: "from 0.5 to 0.127 bits per parameter", 3 GB less for 65 billion of them.
    #[test]
    fn double_quantisation_saves_three_gigabytes_of_65b() {
        let [double, _, single] = Weights::Nf4.matrix();
        let saved = (single - double) * 65e9 / 1e9;
        assert!((saved - 3.0).abs() < 0.1, "{saved}");
    }
}
