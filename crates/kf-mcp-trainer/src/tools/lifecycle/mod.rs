//! Tools of the lifecycle phase.

mod delete_training_job;
