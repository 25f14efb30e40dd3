//! Tools of the training phase.

mod plan;
mod run_container_training;

pub use run_container_training::RunContainerTraining;
