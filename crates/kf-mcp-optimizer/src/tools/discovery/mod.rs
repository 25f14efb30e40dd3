//! Which experiments there are.

mod get_optimization_job;
mod list_optimization_jobs;
mod view;
