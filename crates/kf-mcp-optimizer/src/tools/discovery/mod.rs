//! Which experiments there are.

mod get_optimization_job;
mod list_optimization_jobs;
mod view;

pub use get_optimization_job::GetOptimizationJob;
pub use list_optimization_jobs::ListOptimizationJobs;
