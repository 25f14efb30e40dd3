//! [`TuneOptions`]: how the model is trained, and how its dataset is read.

use std::collections::BTreeMap;

use kf_mcp_trainjob::torchtune::{Data, Dtype, Format, LOSS, Lora, Tuning};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::sizing::Method;
use crate::submit::Problems;

/// The rank and scale of adapters that nobody chose, as for the peer.
const RANK: u32 = 8;
const ALPHA: u32 = 16;
/// As long as a prompt before each sample may be.
const LONGEST_PROMPT: usize = 16_384;

/// How the model is trained.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct TuneOptions {
    /// Default lora.
    pub(crate) peft_method: Option<Method>,
    /// Per GPU.
    #[serde(default = "four")]
    #[schemars(with = "i32")]
    pub(crate) batch_size: u32,
    /// Passes.
    #[serde(default = "one")]
    #[schemars(with = "i32")]
    pub(crate) epochs: u32,
    /// bf16, fp32.
    pub(crate) dtype: Option<String>,
    /// Class.
    pub(crate) loss: Option<String>,
    /// Rank.
    #[serde(default = "eight")]
    #[schemars(with = "i32")]
    pub(crate) lora_rank: u32,
    /// Scale.
    #[serde(default = "sixteen")]
    #[schemars(with = "i32")]
    pub(crate) lora_alpha: u32,
    /// Rate.
    pub(crate) lora_dropout: Option<f64>,
    /// DoRA.
    pub(crate) use_dora: Option<bool>,
    /// QLoRA.
    pub(crate) quantize_base: Option<bool>,
    /// Adapt it.
    pub(crate) apply_lora_to_mlp: Option<bool>,
    /// Adapt it.
    pub(crate) apply_lora_to_output: Option<bool>,
    /// Like q_proj.
    pub(crate) lora_attn_modules: Option<Vec<String>>,
    /// Format.
    pub(crate) dataset_source: Option<String>,
    /// Like train[:95%].
    pub(crate) dataset_split: Option<String>,
    /// Learn prompts.
    pub(crate) dataset_train_on_input: Option<bool>,
    /// Prompt.
    pub(crate) dataset_system_prompt: Option<String>,
    /// {"input", "output"}.
    #[schemars(with = "Option<Map<String, Value>>")]
    pub(crate) dataset_column_map: Option<BTreeMap<String, String>>,
}

fn one() -> u32 {
    1
}

fn four() -> u32 {
    4
}

fn eight() -> u32 {
    RANK
}

fn sixteen() -> u32 {
    ALPHA
}

/// What is trained, as the arguments say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trained {
    /// Adapters and not the model.
    pub(crate) lora: bool,
    /// The model below them is quantised.
    pub(crate) quantised: bool,
    /// The adapters are DoRA's.
    pub(crate) dora: bool,
}

impl Trained {
    /// The method, as it is estimated: what is quantised counts more than how the adapters are made.
    pub(crate) fn method(self) -> Method {
        match self {
            Self { lora: false, .. } => Method::Full,
            Self { quantised: true, .. } => Method::Qlora,
            Self { dora: true, .. } => Method::Dora,
            _ => Method::Lora,
        }
    }
}

impl TuneOptions {
    /// What is trained. LoRA on a quantised model is what QLoRA is, and a switch may add to a method but not contradict it.
    pub(crate) fn trained(&self, problems: &mut Problems) -> Trained {
        let method = self.peft_method.unwrap_or(Method::Lora);
        let asked = format!("contradicts peft_method={}", method.as_str());
        if method == Method::Qlora && self.quantize_base == Some(false) {
            problems.add("quantize_base", asked.as_str());
        }
        if method == Method::Dora && self.use_dora == Some(false) {
            problems.add("use_dora", asked.as_str());
        }
        if method == Method::Full {
            for field in self.of_adapters() {
                problems.add(field, "is about adapters, and peft_method=full trains none");
            }
        }
        Trained {
            lora: method != Method::Full,
            quantised: method == Method::Qlora || self.quantize_base == Some(true),
            dora: method == Method::Dora || self.use_dora == Some(true),
        }
    }

    /// The arguments about adapters that say something. Defaults say nothing: clients fill them in by themselves.
    fn of_adapters(&self) -> Vec<&'static str> {
        let on = |switch: Option<bool>| switch == Some(true);
        [
            ("lora_rank", self.lora_rank != RANK),
            ("lora_alpha", self.lora_alpha != ALPHA),
            ("lora_dropout", self.lora_dropout.is_some_and(|dropout| dropout > 0.0)),
            ("use_dora", on(self.use_dora)),
            ("quantize_base", on(self.quantize_base)),
            ("apply_lora_to_mlp", on(self.apply_lora_to_mlp)),
            ("apply_lora_to_output", on(self.apply_lora_to_output)),
            (
                "lora_attn_modules",
                self.lora_attn_modules.iter().flatten().next().is_some(),
            ),
        ]
        .into_iter()
        .filter_map(|(field, says)| says.then_some(field))
        .collect()
    }

    /// What torchtune is told about a dataset at this place.
    pub(crate) fn tuning(&self, data: Data, trained: Trained, problems: &mut Problems) -> Tuning {
        for (field, number, most) in [
            ("batch_size", self.batch_size, 65_536),
            ("epochs", self.epochs, 10_000),
            ("lora_rank", self.lora_rank, 4096),
            ("lora_alpha", self.lora_alpha, 65_536),
        ] {
            if !(1..=most).contains(&number) {
                problems.add(field, format!("must be between 1 and {most}"));
            }
        }
        let usual = Tuning::of(data);
        Tuning {
            dtype: self.dtype(problems),
            batch_size: Some(self.batch_size),
            epochs: Some(self.epochs),
            loss: self.loss(problems),
            lora: trained.lora.then(|| self.lora(trained, problems)),
            format: self.format(problems).unwrap_or(usual.format),
            split: self.split(problems),
            train_on_input: self.dataset_train_on_input,
            system_prompt: self.prompt(problems),
            column_map: self.columns(problems),
            ..usual
        }
    }

    /// torchtune ends with an error where one of its two names is missing, after all devices were taken.
    fn columns(&self, problems: &mut Problems) -> BTreeMap<String, String> {
        let columns = self.dataset_column_map.clone().unwrap_or_default();
        let known = |name: &String| matches!(name.as_str(), "input" | "output");
        let both = columns.keys().filter(|name| known(name)).count() == 2;
        if !columns.is_empty() && !both {
            problems.add(
                "dataset_column_map",
                r#"must name the dataset's columns for both input and output, like {"input": "instruction", "output": "response"}"#,
            );
        } else if let Some(odd) = columns.keys().find(|name| !known(name)) {
            problems.add(
                format!("dataset_column_map.{odd}"),
                "is not read: there are input and output",
            );
        }
        columns
    }

    fn dtype(&self, problems: &mut Problems) -> Option<Dtype> {
        let read = self.dtype.as_deref().map(Dtype::read)?;
        if read.is_none() {
            problems.add("dtype", "must be bf16 or fp32");
        }
        read
    }

    fn loss(&self, problems: &mut Problems) -> bool {
        let short = LOSS.rsplit('.').next().unwrap_or_default();
        match self.loss.as_deref().map(str::trim) {
            None | Some("") => false,
            Some(loss) if loss == LOSS || loss == short => true,
            Some(_) => {
                problems.add("loss", format!("must be {short}, the only one that can be chosen"));
                false
            }
        }
    }

    fn lora(&self, trained: Trained, problems: &mut Problems) -> Lora {
        let lora = Lora {
            apply_to_mlp: self.apply_lora_to_mlp,
            apply_to_output: self.apply_lora_to_output,
            rank: Some(self.lora_rank),
            alpha: Some(self.lora_alpha),
            dropout: self.lora_dropout,
            quantize_base: if trained.quantised {
                Some(true)
            } else {
                self.quantize_base
            },
            use_dora: if trained.dora { Some(true) } else { self.use_dora },
            attn_modules: self.lora_attn_modules.clone().unwrap_or_default(),
        };
        if lora.dropout.is_some_and(|dropout| !(0.0..1.0).contains(&dropout)) {
            problems.add("lora_dropout", "must be at least 0 and below 1");
        }
        if lora.unknown_module().is_some() {
            let known = Lora::modules().join(", ");
            problems.add("lora_attn_modules", format!("has a name that is none of {known}"));
        }
        lora
    }

    fn format(&self, problems: &mut Problems) -> Option<Format> {
        let read = self.dataset_source.as_deref().map(Format::read)?;
        if read.is_none() {
            problems.add("dataset_source", format!("must be one of {}", Format::ALL.join(", ")));
        }
        read
    }

    fn split(&self, problems: &mut Problems) -> Option<String> {
        let split = self
            .dataset_split
            .as_deref()
            .map(str::trim)
            .filter(|split| !split.is_empty())?;
        let good = split.len() <= 200
            && split.starts_with(|c: char| c.is_ascii_alphabetic())
            && split
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"_-.[]:%+()".contains(&c));
        if !good {
            problems.add("dataset_split", "must be like train, train[:95%] or train[:80%]+test");
        }
        Some(split.to_owned())
    }

    fn prompt(&self, problems: &mut Problems) -> Option<String> {
        let prompt = self.dataset_system_prompt.clone().filter(|prompt| !prompt.is_empty())?;
        if prompt.len() > LONGEST_PROMPT {
            problems.add(
                "dataset_system_prompt",
                format!("must have at most {LONGEST_PROMPT} bytes"),
            );
        }
        if prompt.contains('\0') {
            problems.add("dataset_system_prompt", "has a character that no command line can hold");
        }
        Some(prompt)
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
