//! From the arguments of `fine_tune` to a job: method, dataset, initializers, devices, runtime, warnings. Pure; the rules of
//! torchtune themselves are [`kf_mcp_trainjob::torchtune`].

mod choose;
mod devices;
mod fetch;
mod options;
mod secret;
mod warn;

#[cfg(test)]
pub(crate) use choose::choose;
pub(crate) use choose::{chosen, usable};
pub(crate) use devices::{Devices, devices};
pub(crate) use fetch::{FetchOptions, Origins, storage_uri};
pub(crate) use options::{Trained, TuneOptions};
pub(crate) use warn::{Warned, gated, memory, warnings};
