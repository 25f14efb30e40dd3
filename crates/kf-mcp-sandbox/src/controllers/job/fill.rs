//! Making the pods that a Job lacks.

use jiff::Timestamp;
use serde_json::Value;

use super::counts::Counts;
use super::{is_indexed, make, note, parallelism};
use crate::controllers::Action;
use crate::controllers::events::old_event;
use crate::controllers::objects::kind;
use crate::controllers::quota::Quotas;
use crate::store::{Store, text};

/// Makes the pods that are missing and says how many. `open` is how many successes are still wanted.
pub(super) fn fill(
    store: &Store,
    job: &Value,
    counts: &Counts<'_>,
    open: i64,
    now: Timestamp,
    actions: &mut Vec<Action>,
) -> i64 {
    let active = i64::try_from(counts.active.len()).unwrap_or_default();
    let missing = parallelism(job).min(open) - active;
    if missing <= 0 || counts.retry.is_some_and(|retry| retry > now) {
        return 0;
    }
    let slots: Vec<i64> = if is_indexed(job) {
        let completions = job["spec"]["completions"].as_i64().unwrap_or_default();
        (0..completions)
            .filter(|slot| !counts.busy.contains(slot) && !counts.succeeded.contains(slot))
            .take(usize::try_from(missing).unwrap_or_default())
            .collect()
    } else {
        (0..missing).map(|_| -1).collect()
    };
    create(store, job, &slots, now, actions)
}

/// Creates pods in batches that double, and stops after a batch in which one was refused.
fn create(store: &Store, job: &Value, slots: &[i64], now: Timestamp, actions: &mut Vec<Action>) -> i64 {
    let mut quotas = Quotas::of(store, &text(job, "/metadata/namespace"));
    let counted = job["status"]["failed"].as_i64().unwrap_or_default();
    let mut made = 0;
    let mut rest = slots;
    let mut batch = 1;
    while !rest.is_empty() {
        let (now_due, later) = rest.split_at(batch.min(rest.len()));
        let mut refused = false;
        for slot in now_due {
            let pod = make::make(job, *slot, counted + made, now);
            let name = text(&pod, "/metadata/name");
            if let Err(problem) = quotas.admit(&pod) {
                refused = true;
                complain(store, job, &name, &problem, now, actions);
                continue;
            }
            actions.push(Action::Create(kind("Pod"), pod));
            let message = format!("Created pod: {name}");
            actions.push(old_event(job, note("Normal", "SuccessfulCreate", &message), now));
            made += 1;
        }
        if refused {
            break;
        }
        rest = later;
        batch *= 2;
    }
    made
}

/// Tells once why pods are refused; the real controller tries again and tells each time.
fn complain(store: &Store, job: &Value, pod: &str, problem: &str, now: Timestamp, actions: &mut Vec<Action>) {
    let namespace = text(job, "/metadata/namespace");
    let prefix = format!("{}.", text(job, "/metadata/name"));
    let told = store
        .list_after(kind("Event"), Some(&namespace), Some((&namespace, &prefix)))
        .take_while(|event| text(event, "/metadata/name").starts_with(&prefix))
        .filter(|event| event["involvedObject"]["uid"] == job["metadata"]["uid"])
        .any(|event| event["reason"] == "FailedCreate" && text(event, "/message").ends_with(problem));
    if !told {
        let message = format!("Error creating: pods \"{pod}\" is forbidden: {problem}");
        actions.push(old_event(job, note("Warning", "FailedCreate", &message), now));
    }
}
