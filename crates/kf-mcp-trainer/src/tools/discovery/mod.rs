//! Tools of the discovery phase.

mod get_runtime;
mod get_training_job;
mod list_runtimes;
mod list_training_jobs;
mod progress;
