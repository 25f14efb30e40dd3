//! Who may use which tools.

pub mod persona;
