//! Tools, catalogue and journeys on the sandbox.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by ending")]

mod access;
mod advice;
mod catalogue;
mod custom;
mod diagnosis;
mod facts;
mod faults;
mod fine_tuning;
mod fuzz;
mod gate;
mod golden;
mod guidance;
mod hub;
mod hub_lookup;
mod journeys;
mod legacy;
mod older;
mod optimizer;
mod pausing;
mod platform;
mod policy;
mod preflight;
mod progress;
mod queue;
mod registry_of_tools;
mod rights;
mod sizing;
mod trainer;
mod words;
