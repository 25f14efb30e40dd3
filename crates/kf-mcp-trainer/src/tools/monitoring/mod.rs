//! Tools of the monitoring phase.
