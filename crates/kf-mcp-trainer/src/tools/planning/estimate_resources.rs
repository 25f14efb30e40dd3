//! `estimate_resources`: how much GPU memory a training takes, and which free device has it.

use std::ops::RangeInclusive;

use kf_mcp_core::{Access, Cx, Next, Phase, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::Deserialize;

use super::estimate::Estimate;
use super::readings::count;
use crate::hugging_face::{self, Found};
use crate::refusal::said;
use crate::sizing::fit::Layout;
use crate::sizing::{Facts, Given, Method, Optimizer, Plan, Precision, Published, Sharding, Weights, facts_with};

/// The longest name of a model that is looked at.
const LONGEST_NAME: usize = 300;

/// Estimate the GPU memory of training a model, and which free device fits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EstimateResources {
    /// Name, Hub id or path.
    model: Option<String>,
    /// Nodes.
    #[schemars(with = "Option<i32>", range(min = 1))]
    num_workers: Option<u32>,
    /// Default 1.
    #[schemars(with = "Option<i32>", range(min = 1))]
    gpu_per_node: Option<u32>,
    /// Per GPU.
    #[serde(default = "four")]
    #[schemars(with = "i32", range(min = 1))]
    batch_size: u32,
    /// Default 2048.
    #[schemars(with = "Option<i32>", range(min = 1))]
    sequence_length: Option<u32>,
    /// Also fp32, fp16, int8, nf4.
    #[serde(default = "bf16")]
    quantization: String,
    /// Default lora.
    method: Option<Method>,
    /// pure: as torchtune.
    precision: Option<Precision>,
    /// Default adamw; adamw_8bit, adafactor, sgd.
    optimizer: Option<String>,
    /// Default fsdp.
    sharding: Option<Sharding>,
    /// Recompute.
    #[serde(default = "yes")]
    activation_checkpointing: bool,
    /// Default 8.
    #[schemars(with = "Option<i32>", range(min = 1))]
    lora_rank: Option<u32>,
    /// Model's.
    #[schemars(with = "Option<i64>", range(min = 1))]
    param_count: Option<u64>,
    /// Model's.
    #[schemars(with = "Option<i32>", range(min = 1))]
    hidden_size: Option<u32>,
    /// Model's.
    #[schemars(with = "Option<i32>", range(min = 1))]
    layers: Option<u32>,
}

fn four() -> u32 {
    4
}

fn yes() -> bool {
    true
}

fn bf16() -> String {
    "bf16".into()
}

impl Tool for EstimateResources {
    type Output = Estimate;
    const SPEC: ToolSpec = ToolSpec::read("estimate_resources", Phase::Planning)
        .access(&[
            Access::new("", "nodes", &["list"]).cluster().degrades(),
            Access::new("", "pods", &["list"]).cluster().degrades().sums(),
        ])
        .opens(crate::settings::opens)
        .next(&[Next::to("run_container_training", "resources are chosen")]);

    async fn run(self, cx: &Cx) -> Result<Estimate, ToolError> {
        // All that is wrong with the arguments is told before anybody is asked.
        let (asked, given) = (self.layout()?, self.given()?);
        let plan = self.plan(asked)?;
        let known = facts_with(self.model(), &given, &Published::default());
        // The Hub is asked where something would be guessed.
        let ask = known.as_ref().is_none_or(|facts| !facts.known_dims()) && hugging_face::may_ask(cx, self.model())?;
        if known.is_none() && !ask {
            return Err(self.unknown(&[]));
        }
        let hub = async {
            if ask {
                hugging_face::look_up(cx, self.model()).await
            } else {
                Ok(Found::default())
            }
        };
        let (counted, hub) = futures::join!(count(cx), hub);
        let hub = hub?;
        let Some(facts) = facts_with(self.model(), &given, &hub.published) else {
            return Err(self.unknown(&hub.not_seen));
        };
        let plan = plan(&facts);
        // The estimate does without the cluster.
        let (seen, mut not_seen) = match counted {
            Ok(counted) => (Some(counted.sums), counted.not_seen),
            Err(error) => (None, vec![format!("the cluster's devices: {}", said(error))]),
        };
        not_seen.extend(hub.not_seen);
        Ok(Estimate::of(&plan, &facts, asked, seen.as_ref(), not_seen))
    }
}

kf_mcp_core::register!(EstimateResources);

impl EstimateResources {
    /// The model's name; none has none.
    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    /// The layout that is asked for.
    fn layout(&self) -> Result<Layout, ToolError> {
        Ok(Layout {
            nodes: within("num_workers", self.num_workers, 1, 1..=1024)?,
            per_node: within("gpu_per_node", self.gpu_per_node, 1, 1..=16)?,
        })
    }

    /// What the caller says of the model.
    fn given(&self) -> Result<Given, ToolError> {
        let params = self
            .param_count
            .map(|_| within("param_count", self.param_count, 0, 1_000_000..=100_000_000_000_000));
        let hidden = self
            .hidden_size
            .map(|_| within("hidden_size", self.hidden_size, 0, 64..=1_000_000));
        let layers = self.layers.map(|_| within("layers", self.layers, 0, 1..=10_000));
        Ok(Given {
            params: params.transpose()?,
            hidden: hidden.transpose()?,
            layers: layers.transpose()?,
        })
    }

    /// What is trained, in which numbers; LoRA on a quantised model is what QLoRA is.
    fn method(&self) -> Result<(Method, Weights), ToolError> {
        let weights = weights(&self.quantization)?;
        match (self.method.unwrap_or_default(), weights.quantised()) {
            (Method::Full, true) => {
                let why = format!("is {}, which full tuning cannot train", weights.as_str());
                Err(ToolError::argument("quantization", why).fix("give method=qlora, or quantization=bf16"))
            }
            (Method::Lora, true) => Ok((Method::Qlora, weights)),
            (Method::Qlora, false) => Ok((Method::Qlora, Weights::Nf4)),
            (method, _) => Ok((method, weights)),
        }
    }

    fn optimizer(&self) -> Result<Optimizer, ToolError> {
        let asked = self.optimizer.as_deref().unwrap_or(Optimizer::Adamw.as_str());
        Optimizer::read(asked).ok_or_else(|| {
            let known = Optimizer::ALL.map(Optimizer::as_str).join(", ");
            ToolError::argument("optimizer", format!("is `{asked}`, not one of {known}"))
        })
    }

    /// The refusal of a model whose size nobody tells.
    fn unknown(&self, not_seen: &[String]) -> ToolError {
        let mut why = match self.model {
            Some(_) => "is not in the table of models, and its name has no size of the whole model such as 7b",
            None => "is not given, and the other arguments do not tell its size",
        }
        .to_owned();
        for told in not_seen {
            why = format!("{why}; {told}");
        }
        let mut fix = "give param_count, or hidden_size and layers".to_owned();
        if not_seen.is_empty() && hugging_face::repository(self.model()).is_some() {
            fix.push_str("; the operator can let this server ask the Hugging Face Hub with --hub-lookup");
        }
        ToolError::argument("model", why).fix(fix)
    }

    /// What is asked, from what is known here: the facts about the model, and how it is trained.
    pub(super) fn known(&self, asked: Layout) -> Result<(Facts, Plan), ToolError> {
        let plan = self.plan(asked)?;
        let facts = facts_with(self.model(), &self.given()?, &Published::default());
        let facts = facts.ok_or_else(|| self.unknown(&[]))?;
        let plan = plan(&facts);
        Ok((facts, plan))
    }

    /// How a model is trained, once the facts about it are known; all arguments are checked before.
    fn plan(&self, asked: Layout) -> Result<impl Fn(&Facts) -> Plan, ToolError> {
        let named = |model: &String| (1..=LONGEST_NAME).contains(&model.trim().chars().count());
        if !self.model.as_ref().is_none_or(named) {
            let why = format!("must have 1 to {LONGEST_NAME} characters");
            return Err(ToolError::argument("model", why));
        }
        let (method, weights) = self.method()?;
        let optimizer = self.optimizer()?;
        let lora_rank = within("lora_rank", self.lora_rank, 8, 1..=4096)?;
        let batch = within("batch_size", Some(self.batch_size), 4, 1..=65_536)?;
        let sequence = self.sequence_length;
        within("sequence_length", sequence, 1, 1..=10_000_000)?;
        let (precision, sharding) = (self.precision.unwrap_or_default(), self.sharding.unwrap_or_default());
        let checkpointing = self.activation_checkpointing;
        Ok(move |facts: &Facts| Plan {
            model: facts.model,
            known_dims: facts.known_dims(),
            method,
            weights,
            precision,
            optimizer,
            lora_rank,
            batch,
            sequence: sequence.unwrap_or(facts.model.sequence),
            checkpointing,
            sharding,
            gpus: asked.gpus(),
        })
    }
}

/// The numbers in which a model is held, as people write them.
pub(super) fn weights(quantization: &str) -> Result<Weights, ToolError> {
    Weights::read(quantization).ok_or_else(|| {
        let why = format!("is `{quantization}`, not one of fp32, fp16, bf16, int8, nf4");
        ToolError::argument("quantization", why)
    })
}

/// The number that was given, or else this one. Bounds are told here and not in the schema, which every model reads.
fn within<N: Copy + PartialOrd + std::fmt::Display>(
    field: &str,
    given: Option<N>,
    otherwise: N,
    bounds: RangeInclusive<N>,
) -> Result<N, ToolError> {
    match given {
        Some(number) if !bounds.contains(&number) => {
            let why = format!("must be {} to {}, not {number}", bounds.start(), bounds.end());
            Err(ToolError::argument(field, why))
        }
        given => Ok(given.unwrap_or(otherwise)),
    }
}
