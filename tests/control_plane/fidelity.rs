//! The sandbox beside the control plane: the same operations, the same answers.

use kf_mcp_sandbox::{Clock, Sandbox};
use kf_mcp_tests::START;
use kf_mcp_tests::fidelity::{api, differences, life};
use kf_mcp_tests::place::Place;

use crate::Tests;

/// Adds all comparisons.
pub(crate) fn add(tests: &mut Tests) {
    for case in api::cases() {
        tests.add(format!("fidelity::{}", case.name), 0, async move |stage| {
            let found = api::compare(&case, &stage.place(), &sandbox()).await;
            assert!(found.is_empty(), "{}", found.join("\n"));
        });
    }
    for row in differences::ROWS {
        tests.add(format!("fidelity::difference::{}", row.title), 0, async move |stage| {
            (row.show)(&stage.place(), &sandbox()).await;
        });
    }
    for case in life::CASES {
        tests.add(
            format!("fidelity::life::{}", case.name),
            u32::from(case.gpus),
            async move |stage| {
                let sandbox = Place::Sandbox(life::world::sandbox());
                let found = case.compare(&stage.place(), &sandbox).await.differences;
                assert!(found.is_empty(), "{}", found.join("\n"));
            },
        );
    }
}

/// A sandbox with runtimes and nodes, and nothing else.
fn sandbox() -> Place {
    let start = START.parse().unwrap();
    Place::Sandbox(Sandbox::named("healthy-empty", Clock::manual(start)).unwrap())
}
