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
mod fidelity;
mod harness;
mod journeys;
mod katib;
mod scale;
mod stage;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use stage::Stage;

/// Tests wait for the cluster most of the time, so more of them run at a time than there are cores.
const THREADS: usize = 6;

fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let stage = match Stage::find() {
        Ok(stage) => stage.map(Arc::new),
        Err(error) => {
            eprintln!("the control plane that KF_CONTROL_PLANE names cannot be used: {error:#}");
            std::process::exit(1);
        }
    };
    let mut tests = Tests {
        stage,
        trials: Vec::new(),
    };
    journeys::add(&mut tests);
    access::add(&mut tests);
    fidelity::add(&mut tests);
    binary::add(&mut tests);
    harness::add(&mut tests);
    scale::add(&mut tests);
    if tests.stage.is_none() {
        let why = "left out: needs Go, run `cargo xtask test --tier control-plane`";
        tests
            .trials
            .insert(0, Trial::test(why, || Ok(())).with_ignored_flag(true));
    }
    libtest_mimic::run(&arguments, tests.trials).exit();
}

/// The tests, as they are collected.
struct Tests {
    stage: Option<Arc<Stage>>,
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
        let trial = match self.stage.clone() {
            Some(stage) => Trial::test(name, move || {
                let runtime = stage.runtime.handle().clone();
                runtime.block_on(async {
                    let _held = stage.gpus(gpus).await;
                    run(Arc::clone(&stage)).await;
                });
                Ok(())
            }),
            None => Trial::test(name, || Ok(())).with_ignored_flag(true),
        };
        self.trials.push(trial.with_kind("control plane"));
    }
}
