//! The commands, one file each.

mod call;
#[cfg(feature = "sandbox")]
mod demo;
#[cfg(feature = "sandbox")]
mod sandbox;
mod serve;
mod tools;

use std::process::ExitCode;

use anyhow::Context;

use crate::options::{Cli, Command};

/// Runs what the command line asks for.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Tools(options) => tools::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Call(options) => runtime(1)?.block_on(call::run(options)),
        #[cfg(feature = "sandbox")]
        Command::Demo(_) => runtime(2)?.block_on(demo::run()),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(options) => runtime(2)?.block_on(sandbox::run(options)),
    }
}

/// The async runtime. Calls wait for servers far more than they compute, so few threads are enough.
pub(crate) fn runtime(threads: usize) -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("start the runtime")
}

/// Writes to standard output; a reader that went away (`| head`) is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("write to standard output"),
    }
}
