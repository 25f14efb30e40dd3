//! What experiments have found.

mod get_best_hyperparameters;

pub use get_best_hyperparameters::GetBestHyperparameters;
