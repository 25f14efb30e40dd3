//! [`Tuning`]: what torchtune is told on its command line, in the order and spelling of the official SDK.

use std::collections::BTreeMap;

use super::source::Data;
use super::yaml;

/// The loss that can be chosen; others need another output layer.
pub const LOSS: &str = "torchtune.modules.loss.CEWithChunkedOutputLoss";
/// What the SDK adapts, and torchtune's own configurations too.
const MODULES: [&str; 3] = ["q_proj", "v_proj", "output_proj"];
/// What can be adapted.
const KNOWN_MODULES: [&str; 4] = ["q_proj", "k_proj", "v_proj", "output_proj"];
/// The component that reads datasets of instructions.
const DATASET: &str = "torchtune.datasets.instruct_dataset";

/// The numbers that are trained in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// 16 bit.
    Bf16,
    /// 32 bit.
    Fp32,
}

impl Dtype {
    /// Reads what people write; none for what torchtune does not train in.
    pub fn read(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "bf16" | "bfloat16" => Some(Self::Bf16),
            "fp32" | "float32" => Some(Self::Fp32),
            _ => None,
        }
    }

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Fp32 => "fp32",
        }
    }
}

/// The format of a dataset: the loader that reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format(&'static str);

impl Format {
    /// The format of Trainer's own runtimes.
    pub const PARQUET: Self = Self("parquet");
    /// All that there are.
    pub const ALL: [&str; 6] = ["json", "csv", "parquet", "arrow", "text", "xml"];

    /// Reads what people write; none when there is no such loader.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|known| *known == text).map(Self)
    }

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

/// The adapters, where adapters are trained.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lora {
    /// Whether the feed-forward layers get adapters too.
    pub apply_to_mlp: Option<bool>,
    /// Whether the output layer gets one too.
    pub apply_to_output: Option<bool>,
    /// Their rank.
    pub rank: Option<u32>,
    /// Their scale.
    pub alpha: Option<u32>,
    /// Their dropout.
    pub dropout: Option<f64>,
    /// Whether the model below is quantised.
    pub quantize_base: Option<bool>,
    /// Whether they are DoRA's.
    pub use_dora: Option<bool>,
    /// The layers of the attention that get adapters. Empty means the usual ones: Trainer would take a job that names none
    /// for full fine-tuning.
    pub attn_modules: Vec<String>,
}

impl Lora {
    /// The layer that nobody can adapt, if one is named.
    pub fn unknown_module(&self) -> Option<&str> {
        let known = |name: &&String| !KNOWN_MODULES.contains(&name.as_str());
        self.attn_modules.iter().find(known).map(String::as_str)
    }

    /// The layers that can be adapted.
    pub fn modules() -> [&'static str; 4] {
        KNOWN_MODULES
    }

    fn args(&self, out: &mut Vec<String>) {
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                out.push(format!("model.{key}={value}"));
            }
        };
        put("apply_lora_to_mlp", self.apply_to_mlp.map(python));
        put("apply_lora_to_output", self.apply_to_output.map(python));
        put("lora_rank", self.rank.map(|rank| rank.to_string()));
        put("lora_alpha", self.alpha.map(|alpha| alpha.to_string()));
        put("lora_dropout", self.dropout.map(|dropout| format!("{dropout:?}")));
        put("quantize_base", self.quantize_base.map(python));
        put("use_dora", self.use_dora.map(python));
        let modules = if self.attn_modules.is_empty() {
            MODULES.join(",")
        } else {
            self.attn_modules.join(",")
        };
        put("lora_attn_modules", Some(format!("[{modules}]")));
    }
}

/// What torchtune is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// The numbers.
    pub dtype: Option<Dtype>,
    /// Samples of a step on each GPU.
    pub batch_size: Option<u32>,
    /// How often the dataset is gone through.
    pub epochs: Option<u32>,
    /// Whether [`LOSS`] is chosen.
    pub loss: bool,
    /// Where the dataset is.
    pub data: Data,
    /// The adapters; none trains the model itself.
    pub lora: Option<Lora>,
    /// The format of the dataset.
    pub format: Format,
    /// The part of it, such as `train[:95%]`.
    pub split: Option<String>,
    /// Whether the prompts are learnt too.
    pub train_on_input: Option<bool>,
    /// What stands before each prompt.
    pub system_prompt: Option<String>,
    /// Columns of the dataset, by what they are used for.
    pub column_map: BTreeMap<String, String>,
}

impl Tuning {
    /// A full fine-tuning with the configuration's own numbers.
    pub fn of(data: Data) -> Self {
        let format = data.format().and_then(Format::read).unwrap_or(Format::PARQUET);
        Self {
            dtype: None,
            batch_size: None,
            epochs: None,
            loss: false,
            data,
            lora: None,
            format,
            split: None,
            train_on_input: None,
            system_prompt: None,
            column_map: BTreeMap::new(),
        }
    }

    /// The arguments. Of the runtime's own command Trainer keeps nothing about the dataset, and torchtune would fetch
    /// another one, so the dataset is always told.
    pub fn args(&self) -> Vec<String> {
        let mut args = Vec::new();
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                args.push(format!("{key}={value}"));
            }
        };
        put("dtype", self.dtype.map(|dtype| dtype.as_str().to_owned()));
        put("batch_size", self.batch_size.map(|size| size.to_string()));
        put("epochs", self.epochs.map(|epochs| epochs.to_string()));
        put("loss", self.loss.then(|| LOSS.to_owned()));
        match &self.data {
            Data::Dir(path) => put("dataset.data_dir", Some(path.clone())),
            Data::Files(path) => put("dataset.data_files", Some(path.clone())),
        }
        if let Some(lora) = &self.lora {
            lora.args(&mut args);
        }
        let mut put = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                args.push(format!("dataset{key}={value}"));
            }
        };
        put("", Some(DATASET.to_owned()));
        put(".source", Some(self.format.as_str().to_owned()));
        put(".split", self.split.clone());
        put(".train_on_input", self.train_on_input.map(python));
        put(".new_system_prompt", self.system_prompt.as_deref().map(yaml::text));
        let columns = self
            .column_map
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        put(
            ".column_map",
            (!self.column_map.is_empty()).then(|| yaml::mapping(columns)),
        );
        args
    }
}

/// As Python writes it.
fn python(truth: bool) -> String {
    if truth { "True" } else { "False" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_7_the_dataset_is_always_told() {
        let tuning = Tuning::of(Data::Files("/workspace/dataset/a.jsonl".into()));
        assert_eq!(
            tuning.args(),
            [
                "dataset.data_files=/workspace/dataset/a.jsonl",
                "dataset=torchtune.datasets.instruct_dataset",
                "dataset.source=json"
            ]
        );
        assert_eq!(Tuning::of(Data::Dir("/d".into())).format, Format::PARQUET);
    }

    #[test]
    fn item_11_adapters_always_have_layers() {
        let tuning = Tuning {
            lora: Some(Lora {
                rank: Some(8),
                dropout: Some(0.0),
                ..Lora::default()
            }),
            ..Tuning::of(Data::Dir("/d".into()))
        };
        let args = tuning.args();
        assert_eq!(
            args[1..4],
            [
                "model.lora_rank=8",
                "model.lora_dropout=0.0",
                "model.lora_attn_modules=[q_proj,v_proj,output_proj]"
            ]
        );
    }

    #[test]
    fn words_of_people_are_read() {
        assert_eq!(Dtype::read(" BF16 "), Some(Dtype::Bf16));
        assert_eq!(Dtype::read("float32").map(Dtype::as_str), Some("fp32"));
        assert_eq!(Dtype::read("fp16"), None);
        assert_eq!(Format::read("Parquet"), Some(Format::PARQUET));
        assert_eq!(Format::read("tsv"), None);
        let lora = Lora {
            attn_modules: vec!["q_proj".into(), "mlp".into()],
            ..Lora::default()
        };
        assert_eq!(lora.unknown_module(), Some("mlp"));
    }
}
