//! Tools, catalogue and journeys on the sandbox.

mod access;
mod catalogue;
mod faults;
mod hub;
mod journeys;
mod optimizer;
mod registry_of_tools;
mod trainer;
