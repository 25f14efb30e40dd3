//! Tools of the planning phase.

mod check_compatibility;
mod estimate;
mod estimate_resources;
mod get_cluster_resources;
mod pre_flight;
mod readings;

pub use check_compatibility::CheckCompatibility;
pub use estimate::Estimate;
pub use estimate_resources::EstimateResources;
pub use get_cluster_resources::GetClusterResources;
pub use pre_flight::PreFlight;
