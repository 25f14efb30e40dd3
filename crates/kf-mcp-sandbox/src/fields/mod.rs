//! Who owns which field of an object: sets of paths, the types that say how lists merge, and what an apply or an update
//! makes of `metadata.managedFields`.
//!
//! Pure: an object, a change and a time go in, an object and its owners come out. Nothing here knows requests or the store.

pub(crate) mod check;
mod collect;
mod compare;
mod definition;
mod go;
mod known;
mod last_applied;
pub(crate) mod manage;
mod managers;
mod merge;
mod remove;
mod set;
mod step;
mod table;
mod types;

pub(crate) use go::{json_type, plain};
pub(crate) use known::Known;
pub(crate) use set::Set;
pub(crate) use types::{Mapped, Shape};

#[cfg(test)]
mod owners_tests;
#[cfg(test)]
mod tests;
