//! Tools of the training phase.
