//! Tools of the training phase.

pub(super) mod fine_tune;
pub(super) mod plan;
mod run_container_training;
mod run_custom_training;
mod trial;

pub use fine_tune::FineTune;
pub use run_container_training::RunContainerTraining;
pub use run_custom_training::RunCustomTraining;
