//! Tools of the discovery phase.

mod get_runtime;
mod get_training_job;
mod kinds;
mod legacy_job;
mod list_runtimes;
mod list_training_jobs;
mod progress;

pub use get_runtime::GetRuntime;
pub use get_training_job::GetTrainingJob;
pub use list_runtimes::ListRuntimes;
pub use list_training_jobs::ListTrainingJobs;
