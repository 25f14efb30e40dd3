//! The tools, one file each, by phase.

pub mod discovery;
pub mod lifecycle;
pub mod monitoring;
pub mod planning;
pub mod platform;
pub mod training;
