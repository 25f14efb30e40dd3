//! The tools, one file each, by phase.

mod discovery;
