//! What experiments have found.

mod get_best_hyperparameters;
