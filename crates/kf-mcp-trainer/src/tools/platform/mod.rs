//! Tools of the platform phase: runtimes, and the machinery that serves training jobs.

pub(super) mod controller;
mod create_runtime;
mod delete_runtime;
mod inspect_controller;
mod inspect_crd;
mod patch_runtime;
mod target;

pub use create_runtime::CreateRuntime;
pub use delete_runtime::DeleteRuntime;
pub use inspect_controller::InspectController;
pub use inspect_crd::InspectCrd;
pub use patch_runtime::PatchRuntime;
