//! Tools of the monitoring phase.

mod diagnose_training_job;
mod diagnosis;
mod figures;
mod get_training_events;
mod get_training_logs;
mod get_training_progress;
mod happenings;
mod logs;
mod lookup;
mod progress;
mod read;
mod vigil;
mod wait_for_training;
mod why;

pub use diagnose_training_job::DiagnoseTrainingJob;
pub use get_training_events::GetTrainingEvents;
pub use get_training_logs::GetTrainingLogs;
pub use get_training_progress::GetTrainingProgress;
pub use wait_for_training::WaitForTraining;
