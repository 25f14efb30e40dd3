//! `control-plane`: builds, starts, looks at and stops real control planes.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use kf_mcp_control_plane::command::{Options, run};

fn main() -> ExitCode {
    run(Options::parse()).unwrap_or_else(|error| {
        writeln!(std::io::stderr(), "control-plane: {error:#}").ok();
        ExitCode::FAILURE
    })
}
