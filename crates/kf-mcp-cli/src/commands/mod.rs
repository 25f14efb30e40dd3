//! The commands, one file each.

mod call;
#[cfg(feature = "sandbox")]
mod demo;
mod doctor;
mod policy;
mod rbac;
#[cfg(feature = "sandbox")]
mod sandbox;
mod serve;
mod tools;

use std::process::ExitCode;

use anyhow::Context;

use crate::options::{Cli, Command, PolicyCommand};

/// Runs what the command line asks for.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Tools(options) => tools::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Policy {
            command: PolicyCommand::Check(options),
        } => policy::check(&options),
        Command::Rbac(options) => rbac::run(&options),
        Command::Doctor(options) => run_on(2, doctor::run(*options)),
        Command::Call(options) => run_on(1, call::run(options)),
        #[cfg(feature = "sandbox")]
        Command::Demo(_) => run_on(2, demo::run()),
        #[cfg(feature = "sandbox")]
        Command::Sandbox(options) => run_on(2, sandbox::run(options)),
    }
}

/// Runs a command on an async runtime. Calls wait for servers far more than they compute, so few threads are enough.
pub(crate) fn run_on(threads: usize, work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let done = runtime.block_on(work);
    // A thread may still wait for a line of standard input that never comes: the process does not wait for it.
    runtime.shutdown_background();
    done
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
