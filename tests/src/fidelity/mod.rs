//! The same operations on the sandbox and on a real control plane, compared object by object.

pub mod api;
pub mod differences;
pub mod life;
pub mod normal;
