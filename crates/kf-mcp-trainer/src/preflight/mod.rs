//! What would make a submit fail, or the job never run, by what a cluster says beforehand. Pure: `tools/planning/pre_flight.rs`
//! asks, these judge.

mod job;
mod objects;
mod report;
mod rights;
mod room;
mod volume;

pub(crate) use job::{demand, each};
pub(crate) use objects::{Claim, LimitRange, Secret, claims, secret};
pub(crate) use report::{Blocker, Report};
pub(crate) use rights::Rights;
pub(crate) use room::{Ask, room};
pub(crate) use volume::{StorageClass, classes, size};
