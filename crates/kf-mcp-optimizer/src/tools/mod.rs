//! The tools, one file each, by phase.

pub mod discovery;
pub mod monitoring;
