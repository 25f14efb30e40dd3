//! Tools of the monitoring phase.

mod get_training_events;
mod get_training_logs;
mod get_training_progress;
mod logs;
mod lookup;
mod progress;
mod read;
mod vigil;
mod wait_for_training;
mod why;

pub use get_training_events::GetTrainingEvents;
pub use get_training_logs::GetTrainingLogs;
pub use get_training_progress::GetTrainingProgress;
pub use wait_for_training::WaitForTraining;
