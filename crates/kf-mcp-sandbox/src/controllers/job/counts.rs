//! What a Job's pods amount to.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::make::{FINALIZER, INDEX};
use crate::controllers::objects::{items, later, number, time};
use crate::controllers::pod;
use crate::store::text;

/// The first pause after a failed pod.
const PAUSE: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST: Duration = Duration::from_mins(10);

/// A Job's pods, sorted.
#[derive(Default)]
pub(super) struct Counts<'a> {
    /// Those that may still do something.
    pub(super) active: Vec<&'a Value>,
    /// How many of these are ready.
    pub(super) ready: i64,
    /// Failed ones that the Job's status does not count yet.
    pub(super) new_failed: i64,
    /// Succeeded ones that the Job's status does not count yet.
    pub(super) new_succeeded: i64,
    /// How often containers of active ones were restarted.
    pub(super) restarts: i64,
    /// The completion indexes that have succeeded.
    pub(super) succeeded: Vec<i64>,
    /// The completion indexes of active ones.
    pub(super) busy: Vec<i64>,
    /// Ended ones that the controller still holds back.
    pub(super) ended: Vec<&'a Value>,
    /// The failures since the last success.
    pub(super) failures: Option<Failures>,
    /// When failed pods may be replaced.
    pub(super) retry: Option<Timestamp>,
}

impl<'a> Counts<'a> {
    pub(super) fn of(job: &Value, pods: &[&'a Arc<Value>], remembered: Option<Failures>) -> Self {
        let mut counts = Counts::default();
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for pod in pods {
            let tracked = items(&pod["metadata"]["finalizers"]).any(|finalizer| finalizer == FINALIZER);
            let phase = pod["status"]["phase"].as_str().unwrap_or_default();
            let deleted = pod["metadata"]["deletionTimestamp"].is_string();
            let ends = if tracked { &mut new } else { &mut old };
            match phase {
                "Succeeded" => {
                    counts.new_succeeded += i64::from(tracked);
                    counts.succeeded.push(index(pod));
                    ends.push((ended(pod), true));
                }
                _ if phase == "Failed" || deleted => {
                    counts.new_failed += i64::from(tracked);
                    ends.push((ended(pod), false));
                }
                _ => counts.add_active(pod),
            }
            if tracked && (deleted || matches!(phase, "Succeeded" | "Failed")) {
                counts.ended.push(pod);
            }
        }
        counts.succeeded.extend(indexes(&text(job, "/status/completedIndexes")));
        counts.succeeded.sort_unstable();
        counts.succeeded.dedup_by(|a, b| a == b && *a >= 0);
        // A Job that a scenario brought along is not remembered; its pods tell as much.
        let before = remembered.or_else(|| Failures::after(None, old));
        counts.failures = Failures::after(before, new);
        counts.retry = counts.failures.map(Failures::retry);
        counts
    }

    fn add_active(&mut self, pod: &'a Value) {
        self.active.push(pod);
        self.busy.push(index(pod));
        self.ready += i64::from(pod::is_ready(pod));
        self.restarts += ["containerStatuses", "initContainerStatuses"]
            .iter()
            .flat_map(|list| items(&pod["status"][*list]))
            .filter_map(|container| number(container, "/restartCount"))
            .sum::<i64>();
    }
}

/// How often pods of a Job have failed since the last success, and when that was last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) number: u32,
    pub(super) last: Timestamp,
}

impl Failures {
    /// What has become of it after more pods have ended.
    fn after(mut so_far: Option<Self>, mut ends: Vec<(Timestamp, bool)>) -> Option<Self> {
        ends.sort();
        for (last, good) in ends {
            let number = so_far.map_or(0, |failures| failures.number);
            so_far = (!good).then_some(Self {
                number: number + 1,
                last,
            });
        }
        so_far
    }

    /// When failed pods may be replaced: the pause doubles with every failure, whichever index it was.
    fn retry(self) -> Timestamp {
        let pause = PAUSE.saturating_mul(2_u32.saturating_pow(self.number.saturating_sub(1)));
        later(self.last, pause.min(LONGEST))
    }
}

fn ended(pod: &Value) -> Timestamp {
    items(&pod["status"]["containerStatuses"])
        .filter_map(|container| time(container, "/state/terminated/finishedAt"))
        .max()
        .or_else(|| time(pod, "/metadata/deletionTimestamp"))
        .or_else(|| time(pod, "/metadata/creationTimestamp"))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A pod's completion index, -1 without one.
pub(super) fn index(pod: &Value) -> i64 {
    pod["metadata"]["annotations"][INDEX]
        .as_str()
        .and_then(|index| index.parse().ok())
        .unwrap_or(-1)
}

/// Indexes as a Job's status writes them: `0,2-4`.
pub(super) fn ranges(indexes: &[i64]) -> String {
    let mut parts: Vec<(i64, i64)> = Vec::new();
    for index in indexes {
        match parts.last_mut() {
            Some((_, end)) if *end + 1 == *index => *end = *index,
            _ => parts.push((*index, *index)),
        }
    }
    let written = parts.iter().map(|(from, to)| match to - from {
        0 => from.to_string(),
        1 => format!("{from},{to}"),
        _ => format!("{from}-{to}"),
    });
    written.collect::<Vec<_>>().join(",")
}

fn indexes(written: &str) -> Vec<i64> {
    written
        .split(',')
        .filter_map(|part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            Some(from.parse::<i64>().ok()?..=to.parse::<i64>().ok()?)
        })
        .flatten()
        .collect()
}
