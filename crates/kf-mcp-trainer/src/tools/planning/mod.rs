//! Tools of the planning phase.

mod check_compatibility;
mod get_cluster_resources;
mod readings;
