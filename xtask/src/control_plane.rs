//! `control-plane` and the tiers of tests that need more than Rust.

use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result};

use crate::project::{cargo, cargo_command, program, root, say, target};

/// Hands a command line on to the program that keeps control planes.
pub(crate) fn pass(arguments: &[&str]) -> Result<ExitStatus> {
    let keeper = keeper()?;
    program(&keeper)
        .args(arguments)
        .status()
        .with_context(|| format!("start {}", keeper.display()))
}

/// Runs the tests that need a real control plane: starts one, and ends it with the tests or with this process.
pub(crate) fn test(arguments: &[&str]) -> Result<ExitStatus> {
    cargo(&["build", "--quiet", "--package", "kf-mcp-cli"])?;
    cargo(&[
        "test",
        "--quiet",
        "--no-run",
        "--package",
        "kf-mcp-tests",
        "--test",
        "control_plane",
    ])?;
    let dir = target().join("control-plane").join("test").display().to_string();
    let mut command = vec![
        "run",
        "--dir",
        &dir,
        "--",
        "cargo",
        "test",
        "--package",
        "kf-mcp-tests",
        "--test",
        "control_plane",
    ];
    if !arguments.is_empty() {
        command.push("--");
        command.extend(arguments.iter().filter(|argument| **argument != "--"));
    }
    pass(&command)
}

/// Runs the tests with the clients that package managers bring.
pub(crate) fn external() -> Result<()> {
    let script = root().join("scripts/external-clients.sh");
    program(&script)
        .status()
        .with_context(|| format!("start {}", script.display()))?;
    let status = cargo_command()
        .args(["test", "--package", "kf-mcp-cli", "--test", "external"])
        .env("KF_EXTERNAL", target().join("external"))
        .status()
        .context("start cargo")?;
    anyhow::ensure!(status.success(), "the external tier failed");
    Ok(())
}

/// The exit code of a program that was run in our place.
pub(crate) fn exit(done: Result<ExitStatus>) -> ExitCode {
    match done {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The program that keeps control planes, built. It is run itself, not through cargo, so that a Ctrl-C reaches it alone.
fn keeper() -> Result<PathBuf> {
    cargo(&["build", "--quiet", "--package", "kf-mcp-control-plane"])?;
    Ok(target().join("debug").join("control-plane"))
}
