//! Tools of the training phase.

mod plan;
mod run_container_training;
