//! Tools of the lifecycle phase.

mod clone_training_job;
mod delete_training_job;
mod reality;
mod subject;
mod update_training_job;

pub use clone_training_job::CloneTrainingJob;
pub use delete_training_job::DeleteTrainingJob;
pub use update_training_job::UpdateTrainingJob;
