//! The command line: `cargo xtask control-plane …`.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::layout::Layout;
use crate::plane::Plane;
use crate::process;
use crate::supervisor;
use crate::tools::Tools;

/// A real Kubernetes control plane with the real Kubeflow Trainer and JobSet, as plain processes on loopback.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask control-plane", disable_help_subcommand = true)]
pub struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Args)]
struct At {
    /// Directory of the control plane; another one is another control plane.
    #[arg(long, env = "KF_CONTROL_PLANE")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the programs with Go and collect the manifests; at once when that has been done.
    Build,
    /// Start a control plane and wait until it can be used; Ctrl-C ends it.
    Up {
        #[command(flatten)]
        at: At,
        /// Return when it is ready, and leave it running until `down`.
        #[arg(long)]
        detach: bool,
    },
    /// End a control plane. Its logs stay until the next `up`.
    Down(At),
    /// Say what runs: name, process, memory.
    Status(At),
    /// Print KUBECONFIG=… and KUBECTL=… for the shell.
    Env(At),
    /// Make a user without rights of its own, and print its kubeconfig's path.
    User {
        #[command(flatten)]
        at: At,
        /// The user's name.
        name: String,
        /// A group that the user is in. The group team-a may work in the namespace team-a, team-b in team-b.
        #[arg(long)]
        group: Vec<String>,
        /// The namespace that the kubeconfig begins in.
        #[arg(long, default_value = "default")]
        namespace: String,
    },
    /// Print what a program has logged: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, jobset, trainer,
    /// kwok or supervisor.
    Logs {
        #[command(flatten)]
        at: At,
        /// The program.
        component: String,
    },
    /// Run the kubectl of the control plane's version as its admin.
    Kubectl {
        #[command(flatten)]
        at: At,
        /// kubectl's arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Start a control plane, run a command with KUBECONFIG and KF_CONTROL_PLANE set, and end it.
    Run {
        #[command(flatten)]
        at: At,
        /// The command.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
    #[command(hide = true)]
    Supervise {
        #[arg(long)]
        dir: PathBuf,
        #[arg(long)]
        tools: PathBuf,
        #[arg(long)]
        tied: bool,
    },
    #[command(hide = true)]
    Launch {
        parent: u32,
        program: OsString,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// Does what the command line says.
///
/// # Errors
/// What went wrong, for the person at the terminal.
pub fn run(options: Options) -> Result<ExitCode> {
    match options.task {
        Task::Build => {
            let begun = Instant::now();
            let tools = Tools::build(&target(), &say)?;
            say(&format!(
                "{} ({:.1} s)",
                tools.dir().display(),
                begun.elapsed().as_secs_f32()
            ));
        }
        Task::Up { at, detach } => up(&at.layout(), detach)?,
        Task::Down(at) => Plane::down(&at.layout())?,
        Task::Status(at) => return status(&at.layout()),
        Task::Env(at) => {
            let plane = Plane::attach(&at.layout())?;
            print(&format!("KUBECONFIG={}", plane.layout().kubeconfig().display()));
            print(&format!("KUBECTL={}", plane.kubectl().display()));
        }
        Task::User {
            at,
            name,
            group,
            namespace,
        } => {
            let plane = Plane::attach(&at.layout())?;
            let groups: Vec<&str> = group.iter().map(String::as_str).collect();
            print(&plane.user(&name, &groups, &namespace)?.display().to_string());
        }
        Task::Logs { at, component } => logs(&at.layout(), &component)?,
        Task::Kubectl { at, arguments } => {
            let plane = Plane::attach(&at.layout())?;
            let mut command = Command::new(plane.kubectl());
            command.args(arguments);
            return finish(&mut command, plane.layout());
        }
        Task::Run { at, command } => return run_with(&at.layout(), &command),
        Task::Supervise { dir, tools, tied } => supervisor::run(Layout::new(dir), Tools::in_dir(tools), tied)?,
        Task::Launch {
            parent,
            program,
            arguments,
        } => process::launch(parent, &program, &arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl At {
    fn layout(self) -> Layout {
        let dir = self
            .dir
            .unwrap_or_else(|| target().join("control-plane").join("default"));
        Layout::new(std::path::absolute(&dir).unwrap_or(dir))
    }
}

fn up(layout: &Layout, detach: bool) -> Result<()> {
    let tools = Tools::build(&target(), &say)?;
    let mut up = Plane::up(layout, &tools, !detach)?;
    let took = up.plane.steps().last().map_or(0, |(milliseconds, _)| *milliseconds);
    say(&format!("ready after {:.1} s", took as f64 / 1000.0));
    print(&format!("KUBECONFIG={}", layout.kubeconfig().display()));
    if detach {
        up.detach();
        return Ok(());
    }
    say("Ctrl-C ends it");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let mut look = tokio::time::interval(std::time::Duration::from_millis(500));
        loop {
            tokio::select! {
                ended = tokio::signal::ctrl_c() => return ended,
                _ = terminated.recv() => return Ok(()),
                _ = look.tick() => if up.ended() { return Ok(()) },
            }
        }
    })?;
    up.down()
}

fn run_with(layout: &Layout, command: &[OsString]) -> Result<ExitCode> {
    let tools = Tools::build(&target(), &say)?;
    let up = Plane::up(layout, &tools, true)?;
    let took = up.plane.steps().last().map_or(0, |(milliseconds, _)| *milliseconds);
    say(&format!("control plane ready after {:.1} s", took as f64 / 1000.0));
    let (program, arguments) = command.split_first().context("no command")?;
    let code = finish(Command::new(program).args(arguments), layout);
    up.down()?;
    code
}

/// Runs a command on the control plane to its end, and hands on its exit code.
fn finish(command: &mut Command, layout: &Layout) -> Result<ExitCode> {
    let status = command
        .env("KUBECONFIG", layout.kubeconfig())
        .env("KUBECACHEDIR", layout.dir().join("cache"))
        .env("KF_CONTROL_PLANE", layout.dir())
        .status()
        .with_context(|| format!("start {}", command.get_program().display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

fn status(layout: &Layout) -> Result<ExitCode> {
    let all = Plane::processes(layout);
    for (name, id, memory, alive) in &all {
        let memory = memory.map_or_else(String::new, |mib| format!("{mib} MiB"));
        let state = if *alive { "running" } else { "not running" };
        print(&format!("{name:<24} {:>8} {memory:>9}  {state}", id.pid));
    }
    match Plane::attach(layout) {
        Ok(plane) => {
            print(&format!("KUBECONFIG={}", plane.layout().kubeconfig().display()));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            say(&format!("{error:#}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn logs(layout: &Layout, component: &str) -> Result<()> {
    let path = layout.log(component);
    let text = std::fs::read(&path).with_context(|| {
        let dir = path.parent().unwrap_or_else(|| Path::new("."));
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut known: Vec<String> = entries
            .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
            .collect();
        known.sort();
        format!("no log of `{component}`; there are: {}", known.join(", "))
    })?;
    // a closed standard output is no reason to fail
    std::io::stdout().write_all(&text).ok();
    Ok(())
}

/// Where cargo builds, and so where all files of control planes are unless told otherwise.
fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap_or_else(|| Path::new("."));
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Prints a result.
fn print(text: &str) {
    writeln!(std::io::stdout(), "{text}").ok();
}

/// Tells the person at the terminal.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}
