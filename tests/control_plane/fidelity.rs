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
            lasting(async || api::compare(&case, &stage.place(), &sandbox()).await).await;
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
                lasting(async || {
                    let sandbox = Place::Sandbox(life::world::sandbox());
                    let namespace = stage.makes(life::namespace(case.name));
                    case.compare(&namespace, &stage.place(), &sandbox).await.differences
                })
                .await;
            },
        );
    }
}

/// Fails with what differs each time. The sandbox does the same thing always, so where it is wrong it is wrong again; the
/// real controllers race each other, and what they did once by chance is only told.
async fn lasting(compare: impl AsyncFn() -> Vec<String>) {
    let first = compare().await;
    if first.is_empty() {
        return;
    }
    let again = compare().await;
    let again: Vec<&str> = again.iter().map(|line| place(line)).collect();
    let (lasting, chance): (Vec<_>, Vec<_>) = first.into_iter().partition(|line| again.contains(&place(line)));
    for line in chance {
        eprintln!("seen once: {line}");
    }
    assert!(lasting.is_empty(), "{}", lasting.join("\n"));
}

/// Where a difference is, without what it is.
fn place(line: &str) -> &str {
    let place = line.split_once(": real ").or_else(|| line.split_once(": "));
    place.map_or(line, |(place, _)| place)
}

/// A sandbox with runtimes and nodes, and nothing else.
fn sandbox() -> Place {
    let start = START.parse().unwrap();
    Place::Sandbox(Sandbox::named("healthy-empty", Clock::manual(start)).unwrap())
}
