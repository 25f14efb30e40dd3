//! Tools of the lifecycle phase.
