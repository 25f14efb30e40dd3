//! The core's own tools.

mod discovery;
mod health;
