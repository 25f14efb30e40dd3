//! Tools of the lifecycle phase.

mod delete_training_job;

pub use delete_training_job::DeleteTrainingJob;
