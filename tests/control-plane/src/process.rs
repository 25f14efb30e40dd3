//! The processes of a control plane: each ends with the one that started it, and is only ever signalled while it is still
//! the one that was started.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

/// The subcommand of our binary that becomes another program and ends with its parent.
pub const LAUNCH: &str = "launch";

/// A process that cannot be mistaken for a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Id {
    /// The process number.
    pub pid: u32,
    /// When it began, in the kernel's clock ticks since boot.
    pub began: u64,
}

impl Id {
    /// The process of that number, as it is now.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let (state, began) = stat(pid)?;
        (state != 'Z').then_some(Self { pid, began })
    }

    /// Whether that very process still runs.
    #[must_use]
    pub fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// Asks it to end.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// Ends it.
    pub fn kill(self) {
        self.signal(Signal::KILL);
    }

    fn signal(self, signal: Signal) {
        if !self.alive() {
            return;
        }
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // it may have ended between the look and the signal, and then there is nothing to do
            kill_process(pid, signal).ok();
        }
    }

    /// How much memory it has, in MiB.
    #[must_use]
    pub fn memory(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib / 1024)
    }
}

/// A process's state and beginning, from the kernel.
fn stat(pid: u32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // the program's name is in parentheses and may hold anything, so counting begins after the last one
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let began = fields.nth(18)?.parse().ok()?;
    Some((state, began))
}

/// A program to start.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    log: PathBuf,
}

impl Program {
    /// A program through our launcher, so that it ends when this process does; what it prints goes to a file.
    pub(crate) fn new(path: &Path, log: PathBuf) -> Result<Self> {
        let ours = std::env::current_exe().context("find our own program")?;
        let mut command = Command::new(ours);
        command.arg(LAUNCH).arg(std::process::id().to_string()).arg(path);
        // of its own group, so that a Ctrl-C in the terminal reaches the one who stops it in order
        command.stdin(Stdio::null()).process_group(0);
        for proxy in [
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "ALL_PROXY",
            "http_proxy",
            "https_proxy",
            "all_proxy",
        ] {
            command.env_remove(proxy);
        }
        Ok(Self { command, log })
    }

    /// Adds `--name=value`.
    pub(crate) fn flag(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut argument = std::ffi::OsString::from(format!("--{name}="));
        argument.push(value.as_ref());
        self.command.arg(argument);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it. Must be called on a thread that lives as long as the process shall.
    pub(crate) fn start(mut self) -> Result<Child> {
        let log = File::create(&self.log).with_context(|| format!("create {}", self.log.display()))?;
        self.command
            .stdout(log.try_clone().context("share the log")?)
            .stderr(log);
        self.command
            .spawn()
            .with_context(|| format!("start {:?}", self.command.get_program()))
    }
}

/// Becomes another program that is killed when `parent`, which must be our parent, ends. Only returns when that fails.
pub fn launch(parent: u32, program: &OsStr, arguments: &[std::ffi::OsString]) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("tie the process to its parent")?;
    let now = getppid().map(|pid| pid.as_raw_nonzero().get());
    if now.and_then(|pid| u32::try_from(pid).ok()) != Some(parent) {
        bail!("the process that wanted {} started has ended", program.display());
    }
    let failure = Command::new(program).args(arguments).exec();
    Err(failure).with_context(|| format!("run {}", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_number_and_its_beginning() {
        let own = Id::of(std::process::id()).unwrap();
        assert!(own.alive());
        let other = Id {
            began: own.began + 1,
            ..own
        };
        assert!(!other.alive(), "a later process with the same number is another one");
        assert!(own.memory().unwrap() > 0);
    }
}
