//! Tools of the planning phase.

mod check_compatibility;
mod get_cluster_resources;
mod readings;

pub use check_compatibility::CheckCompatibility;
pub use get_cluster_resources::GetClusterResources;
