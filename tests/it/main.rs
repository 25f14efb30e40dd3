//! Tools, catalogue and journeys on the sandbox.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod access;
mod catalogue;
mod faults;
mod hub;
mod journeys;
mod optimizer;
mod registry_of_tools;
mod sizing;
mod trainer;
