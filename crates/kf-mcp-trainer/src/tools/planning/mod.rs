//! Tools of the planning phase.
