//! The process that a control plane is: it starts the others as its children, is their kubelet, and ends them all.
//!
//! Whoever kills it kills them: each child dies with its parent. One that is tied to whoever wanted it ends when its standard
//! input does.

use std::io::Read;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::layout::{Layout, State};
use crate::process::{Id, Program};
use crate::start::start;
use crate::tools::Tools;

/// How often the children are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How long the children may take to end by themselves.
const GRACE: Duration = Duration::from_millis(1500);

/// The children, and what is written of them.
pub(crate) struct Plane {
    pub(crate) layout: Layout,
    pub(crate) tools: Tools,
    pub(crate) state: State,
    children: Vec<(String, Child)>,
    begun: Instant,
}

/// Starts a control plane in a directory that is there and empty, and keeps it until it is told to end. Must run on the
/// main thread, which the children's lives hang on.
///
/// # Errors
/// When something does not start; then nothing is left running.
pub fn run(layout: Layout, tools: Tools, tied: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let stop = CancellationToken::new();
    if tied {
        let stop = stop.clone();
        std::thread::spawn(move || {
            // whatever comes: only the end matters
            std::io::stdin().lock().read_to_end(&mut Vec::new()).ok();
            stop.cancel();
        });
    }
    // `block_on` runs on this thread, the workers only help
    runtime.block_on(supervise(layout, tools, stop))
}

async fn supervise(layout: Layout, tools: Tools, stop: CancellationToken) -> Result<()> {
    let state = State {
        supervisor: Id::of(std::process::id()),
        tools: tools.dir().to_owned(),
        ..State::default()
    };
    let mut plane = Plane {
        layout,
        tools,
        state,
        children: Vec::new(),
        begun: Instant::now(),
    };
    plane.save()?;
    let mut terminated = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let signals = stop.clone();
    let listening = tokio::spawn(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        signals.cancel();
    });
    let outcome = tokio::select! {
        outcome = start(&mut plane, &stop) => outcome,
        () = stop.cancelled() => Err(anyhow!("told to end before it was ready")),
    };
    let outcome = match outcome {
        Ok(()) => {
            plane.state.ready = true;
            let written = plane.save();
            if written.is_ok() {
                stop.cancelled().await;
            }
            written
        }
        Err(error) => {
            plane.state.failed = Some(format!("{error:#}"));
            plane.save().and(Err(error))
        }
    };
    stop.cancel();
    plane.end().await;
    listening.abort();
    outcome
}

impl Plane {
    /// Notes how long it took to come here.
    pub(crate) fn step(&mut self, what: &str) -> Result<()> {
        let passed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.state.steps.push((passed, what.to_owned()));
        self.save()
    }

    fn save(&self) -> Result<()> {
        self.layout.write_state(&self.state)
    }

    /// A program of the tools, whose output goes to its log.
    pub(crate) fn program(&self, name: &str) -> Result<Program> {
        Program::new(&self.tools.program(name), self.layout.log(name))
    }

    /// Starts a program.
    pub(crate) fn spawn(&mut self, name: &str, program: Program) -> Result<()> {
        let child = program.start().with_context(|| format!("start {name}"))?;
        if let Some(id) = Id::of(child.id()) {
            self.state.processes.push((name.to_owned(), id));
        }
        self.children.push((name.to_owned(), child));
        self.save()
    }

    /// Waits until something is so, as long as the process that makes it so lives.
    pub(crate) async fn wait(&mut self, process: &str, what: &str, mut probe: impl AsyncFnMut() -> bool) -> Result<()> {
        let begun = Instant::now();
        loop {
            if probe().await {
                return self.step(what);
            }
            let child = self.children.iter_mut().find(|(name, _)| name == process);
            let ended = child.and_then(|(_, child)| child.try_wait().ok().flatten());
            if let Some(status) = ended {
                bail!("{process} ended ({status}) before: {what}\n{}", self.tail(process));
            }
            if begun.elapsed() > Duration::from_secs(60) {
                bail!("waited a minute in vain for: {what}\n{}", self.tail(process));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The last lines that a process printed.
    fn tail(&self, process: &str) -> String {
        let text = std::fs::read_to_string(self.layout.log(process)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    /// Ends all children: the controllers first, so that they do not complain of what is gone, then those they ask.
    async fn end(&mut self) {
        for last in [false, true] {
            let mut group: Vec<&mut Child> = self
                .children
                .iter_mut()
                .filter(|(name, _)| matches!(name.as_str(), "etcd" | "kube-apiserver") == last)
                .map(|(_, child)| child)
                .collect();
            for child in &group {
                if let Some(id) = Id::of(child.id()) {
                    id.terminate();
                }
            }
            let begun = Instant::now();
            // open watches keep an API server from ending, and nothing of it is wanted later
            let grace = if last { GRACE / 5 } else { GRACE };
            while begun.elapsed() < grace && group.iter_mut().any(|child| matches!(child.try_wait(), Ok(None))) {
                tokio::time::sleep(LOOK).await;
            }
            for child in &mut group {
                // the ones that have ended by themselves are no trouble here
                child.kill().ok();
                child.wait().ok();
            }
        }
    }
}
