//! Tools of the discovery phase.
