//! The tier of tests on a real control plane: a real API server, the real Trainer and JobSet, simulated nodes.
//!
//! `cargo xtask test --tier control-plane` starts one and runs it. Without one, every test here lists itself as ignored.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on may panic, and a tier says why it is left out"
)]

mod access;
mod binary;
mod callers;
mod fidelity;
mod harness;
mod journeys;
mod katib;
mod scale;
mod stage;
#[path = "../../crates/kf-mcp-cli/tests/it/wire.rs"]
#[expect(dead_code, reason = "the tests of the binary alone use more of it")]
mod wire;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use futures::FutureExt as _;
use libtest_mimic::{Arguments, Trial};

use stage::{Shared, Stage};

/// Tests wait for the cluster most of the time, so more of them run at a time than there are cores.
const THREADS: usize = 6;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let shared = match Shared::find() {
        Ok(shared) => shared.map(Arc::new),
        Err(error) => {
            eprintln!("the control plane that KF_CONTROL_PLANE names cannot be used: {error:#}");
            std::process::exit(1);
        }
    };
    let mut tests = Tests {
        shared,
        trials: Vec::new(),
    };
    journeys::add(&mut tests);
    access::add(&mut tests);
    fidelity::add(&mut tests);
    binary::add(&mut tests);
    callers::add(&mut tests);
    harness::add(&mut tests);
    scale::add(&mut tests);
    if tests.shared.is_none() {
        let why = "left out: needs Go, run `cargo xtask test --tier control-plane`";
        tests
            .trials
            .insert(0, Trial::test(why, || Ok(())).with_ignored_flag(true));
    }
    libtest_mimic::run(&arguments, tests.trials).exit();
}

/// The tests, as they are collected.
struct Tests {
    shared: Option<Arc<Shared>>,
    trials: Vec<Trial>,
}

impl Tests {
    /// Adds a test that holds so many of the cluster's GPUs while it runs.
    fn add<Run, Done>(&mut self, name: impl Into<String>, gpus: u32, run: Run)
    where
        Run: FnOnce(Arc<Stage>) -> Done + Send + 'static,
        Done: Future<Output = ()>,
    {
        let name = name.into();
        let trial = match self.shared.clone() {
            Some(shared) => Trial::test(name, move || {
                let runtime = shared.runtime.handle().clone();
                runtime.block_on(async {
                    let held = shared.gpus(gpus).await;
                    let stage = Arc::new(Stage::new(shared));
                    // what a failed test leaves would fail others
                    let done = AssertUnwindSafe(run(Arc::clone(&stage))).catch_unwind().await;
                    stage.leave(held).await;
                    done.unwrap_or_else(|panic| resume_unwind(panic));
                });
                Ok(())
            }),
            None => Trial::test(name, || Ok(())).with_ignored_flag(true),
        };
        self.trials.push(trial.with_kind("control plane"));
    }
}
