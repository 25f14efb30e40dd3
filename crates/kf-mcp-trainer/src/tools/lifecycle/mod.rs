//! Tools of the lifecycle phase.

mod delete_training_job;
mod reality;
mod update_training_job;

pub use delete_training_job::DeleteTrainingJob;
pub use update_training_job::UpdateTrainingJob;
