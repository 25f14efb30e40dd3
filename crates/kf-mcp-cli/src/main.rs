//! `kubeflow-mcp`: the binary. It parses, runs a command, prints the error, chooses the exit code.

mod callers;
mod clients;
mod commands;
mod open;
mod options;
mod settings;
mod shutdown;
mod telemetry;
mod tokens;
mod watched;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = options::Cli::parse();
    match commands::run(cli) {
        Ok(code) => code,
        Err(error) => {
            use std::io::Write;
            let told = writeln!(std::io::stderr(), "kubeflow-mcp: {error:#}");
            debug_assert!(told.is_ok());
            ExitCode::from(if error.is::<settings::Unusable>() { 2 } else { 1 })
        }
    }
}
