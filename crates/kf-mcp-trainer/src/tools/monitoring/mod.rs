//! Tools of the monitoring phase.

mod get_training_events;
mod get_training_logs;
mod logs;
mod lookup;
mod read;
mod vigil;
mod wait_for_training;
mod why;

pub use get_training_events::GetTrainingEvents;
pub use get_training_logs::GetTrainingLogs;
pub use wait_for_training::WaitForTraining;
