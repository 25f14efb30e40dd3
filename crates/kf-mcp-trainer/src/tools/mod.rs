//! The tools, one file each, by phase.

mod discovery;
mod lifecycle;
mod monitoring;
mod planning;
mod training;
