//! Fine-tuning with torchtune: which models Trainer knows, where they and datasets come from, which recipe a job runs, and
//! the arguments that say how. Pure, and by the rules of Trainer v2.3.0: its webhook tells them late, or not at all.

mod args;
mod model;
mod recipe;
mod source;
mod yaml;

pub use args::{Dtype, Format, LOSS, Lora, Tuning};
pub use model::TuneModel;
pub use recipe::{Layout, Recipe, Refusal};
pub use source::{Data, Source};

/// The command that makes Trainer choose a recipe. Anything else, and it changes nothing.
pub const COMMAND: [&str; 2] = ["tune", "run"];
/// Where a job has its dataset.
pub const DATASET_PATH: &str = "/workspace/dataset";
/// Where a job has its model.
pub const MODEL_PATH: &str = "/workspace/model";
/// The step that fetches the dataset, as a runtime labels it.
pub const DATASET_STEP: &str = "dataset-initializer";
/// The step that fetches the model, as a runtime labels it.
pub const MODEL_STEP: &str = "model-initializer";
