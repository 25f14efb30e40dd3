//! API behaviour compared: sequences of requests from `tests/fidelity/*.yaml`, sent to both clusters in a namespace of
//! their own, and compared answer by answer.

mod case;
mod run;

use std::collections::HashSet;

pub use case::{Allowed, Case, Step};

use super::normal::differences;
use crate::place::Place;
pub(super) use run::{Run, ended, namespace};

/// The files with the cases, by the name that the names of their cases begin with.
pub const FILES: &[(&str, &str)] = &[
    ("paths", include_str!("../../../fidelity/paths.yaml")),
    ("bodies", include_str!("../../../fidelity/bodies.yaml")),
    ("metadata", include_str!("../../../fidelity/metadata.yaml")),
    ("options", include_str!("../../../fidelity/options.yaml")),
    ("writes", include_str!("../../../fidelity/writes.yaml")),
    ("patches", include_str!("../../../fidelity/patches.yaml")),
    ("trainjobs", include_str!("../../../fidelity/trainjobs.yaml")),
    ("webhook", include_str!("../../../fidelity/webhook.yaml")),
    ("builtin", include_str!("../../../fidelity/builtin.yaml")),
    ("lists", include_str!("../../../fidelity/lists.yaml")),
    ("watches", include_str!("../../../fidelity/watches.yaml")),
    ("deletions", include_str!("../../../fidelity/deletions.yaml")),
    ("logs", include_str!("../../../fidelity/logs.yaml")),
    ("reviews", include_str!("../../../fidelity/reviews.yaml")),
    ("strategic", include_str!("../../../fidelity/strategic.yaml")),
    ("apply", include_str!("../../../fidelity/apply.yaml")),
    ("tables", include_str!("../../../fidelity/tables.yaml")),
    ("expired", include_str!("../../../fidelity/expired.yaml")),
];

/// How many differences of one answer are told.
const TOLD: usize = 8;

/// All cases of all files.
///
/// # Panics
/// When a file is not as it should be, or two cases have one name.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    let mut names = HashSet::new();
    for (file, text) in FILES {
        for case in case::read(file, text) {
            assert!(names.insert(case.name.clone()), "two cases are named {}", case.name);
            all.push(case);
        }
    }
    all
}

/// The rows of `FIDELITY.md` under which the cases allow differences.
///
/// # Panics
/// As [`cases`] does.
#[must_use]
pub fn rows() -> Vec<String> {
    let steps = cases().into_iter().flat_map(|case| case.steps);
    steps.flat_map(|step| step.allowed).map(|allowed| allowed.row).collect()
}

/// Sends the requests of a case to both clusters. Empty when all answers are the same, or differ only where the case
/// allows it.
///
/// # Panics
/// When a cluster does not answer, or never comes to what a step waits for.
pub async fn compare(case: &Case, real: &Place, sandbox: &Place) -> Vec<String> {
    let namespace = namespace();
    let (mut ours, mut theirs) = (
        Run::begin(sandbox, &namespace).await,
        Run::begin(real, &namespace).await,
    );
    let mut found = Vec::new();
    for (at, step) in case.steps.iter().enumerate() {
        let (mine, their) = (ours.step(case, step).await, theirs.step(case, step).await);
        if step.silent {
            for (answer, place) in [(&mine, sandbox), (&their, real)] {
                if answer["code"].as_u64().is_none_or(|code| code >= 300) {
                    found.push(format!(
                        "step {at} `{}` fails on the {}: {answer}",
                        step.ask,
                        place.name()
                    ));
                }
            }
            continue;
        }
        let here = differences(&mine, &their, usize::MAX);
        for allowed in &step.allowed {
            if !here.iter().any(|difference| allowed.covers(difference)) {
                found.push(format!(
                    "step {at} `{}`: {} is the same now; the case need not allow it",
                    step.ask, allowed.at
                ));
            }
        }
        let left: Vec<&String> = here
            .iter()
            .filter(|difference| !step.allowed.iter().any(|allowed| allowed.covers(difference)))
            .collect();
        if !left.is_empty() {
            found.push(format!("step {at} `{}` (sandbox | control plane):", step.ask));
            found.extend(left.iter().take(TOLD).map(|difference| format!("    {difference}")));
        }
    }
    ours.end().await;
    theirs.end().await;
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_as_they_should_be() {
        let cases = cases();
        assert!(cases.len() > 40, "{}", cases.len());
        for case in &cases {
            assert!(!case.steps.is_empty(), "{} asks nothing", case.name);
        }
    }
}
