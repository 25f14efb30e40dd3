//! Making the pods that a Job lacks.

use serde_json::Value;

use super::counts::Counts;
use super::{Sync, is_indexed, make, parallelism};
use crate::controllers::objects::kind;
use crate::controllers::quota::Quotas;
use crate::controllers::{Action, events};
use crate::store::text;

/// Makes the pods that are missing and says how many. `open` is how many successes are still wanted.
pub(super) fn fill(sync: &mut Sync<'_>, job: &Value, counts: &Counts<'_>, open: i64) -> i64 {
    let active = i64::try_from(counts.active.len()).unwrap_or_default();
    let missing = parallelism(job).min(open) - active;
    if missing <= 0 || counts.retry.is_some_and(|retry| retry > sync.now) {
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
    create(sync, job, &slots)
}

/// Creates pods in batches that double, and stops after a batch in which one was refused.
fn create(sync: &mut Sync<'_>, job: &Value, slots: &[i64]) -> i64 {
    let namespace = text(job, "/metadata/namespace");
    let mut quotas = match sync.quotas.remove(&namespace) {
        Some(quotas) => quotas,
        None => Quotas::of(sync.store, &namespace),
    };
    let counted = job["status"]["failed"].as_i64().unwrap_or_default();
    let mut made = 0;
    let mut rest = slots;
    let mut batch = 1;
    while !rest.is_empty() {
        let (now_due, later) = rest.split_at(batch.min(rest.len()));
        let mut refused = false;
        for slot in now_due {
            let pod = make::make(job, *slot, counted + made, sync.now);
            let name = text(&pod, "/metadata/name");
            if let Err(problem) = quotas.admit(&pod) {
                refused = true;
                complain(sync, job, &name, &problem);
                continue;
            }
            sync.actions.push(Action::Create(kind("Pod"), pod));
            let message = format!("Created pod: {name}");
            sync.report(job, "Normal", "SuccessfulCreate", &message);
            made += 1;
        }
        if refused {
            break;
        }
        rest = later;
        batch *= 2;
    }
    sync.quotas.insert(namespace, quotas);
    made
}

/// Tells once why pods are refused; the real controller tries again and tells each time.
fn complain(sync: &mut Sync<'_>, job: &Value, pod: &str, problem: &str) {
    let (namespace, name) = (text(job, "/metadata/namespace"), text(job, "/metadata/name"));
    let told = events::about(sync.store, &namespace, &name, &job["metadata"]["uid"])
        .any(|event| event["reason"] == "FailedCreate" && text(event, "/message").ends_with(problem));
    if !told {
        let message = format!("Error creating: pods \"{pod}\" is forbidden: {problem}");
        sync.report(job, "Warning", "FailedCreate", &message);
    }
}
