//! The world that tests call tools in: a cluster, embedded or real, and the whole call pipeline over it.

pub mod differences;
pub mod fidelity;
pub mod journeys;
pub mod place;
pub mod queues;
pub mod schemas;
pub mod script;
mod seen;
pub mod world;

use kf_mcp_core::ClientModule;

pub use place::Place;
pub use world::World;

/// All components.
pub const MODULES: &[&dyn ClientModule] = &[&kf_mcp_trainer::MODULE, &kf_mcp_optimizer::MODULE, &kf_mcp_hub::MODULE];

/// The moment at which every sandbox's world begins.
pub const START: &str = "2026-03-02T09:00:00Z";
