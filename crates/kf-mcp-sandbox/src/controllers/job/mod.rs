//! The Job controller: pods for completion indexes, counting them, giving up.

mod make;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects::{Note, is_true, items, kind, later, number, old_event, owner_uid, set_condition, time};
use super::{Action, delete, pod};
use crate::store::{Store, seconds, text};

/// Kubernetes' default.
const BACKOFF_LIMIT: i64 = 6;

/// All pods by the uid of their controlling owner.
type Pods<'a> = HashMap<&'a str, Vec<&'a Arc<Value>>>;

/// Brings pods and status of all unfinished Jobs in line with their spec.
pub fn step(store: &Store, now: Timestamp) -> Vec<Action> {
    let open: Vec<&Arc<Value>> = store.list(kind("Job"), None).filter(|job| !is_finished(job)).collect();
    if open.is_empty() {
        return Vec::new();
    }
    let pods = pods(store);
    let mut actions = Vec::new();
    for job in open {
        reconcile(job, owned(&pods, job), now, &mut actions);
    }
    actions
}

/// When a Job next replaces a failed pod.
pub fn next(store: &Store) -> Option<Timestamp> {
    let pods = std::cell::OnceCell::new();
    store
        .list(kind("Job"), None)
        .filter(|job| !is_finished(job) && number(job, "/status/failed").unwrap_or_default() > 0)
        .filter_map(|job| {
            let counts = Counts::of(job, owned(pods.get_or_init(|| self::pods(store)), job));
            counts
                .retries
                .values()
                .filter(|retry| retry.free)
                .map(|retry| retry.at)
                .min()
        })
        .min()
}

/// Whether a Job has its final condition.
pub fn is_finished(job: &Value) -> bool {
    is_true(job, "Complete") || is_true(job, "Failed")
}

fn pods(store: &Store) -> Pods<'_> {
    let mut pods: Pods<'_> = HashMap::new();
    for pod in store.list(kind("Pod"), None) {
        pods.entry(owner_uid(pod)).or_default().push(pod);
    }
    pods
}

fn owned<'a, 'b>(pods: &'b Pods<'a>, job: &Value) -> &'b [&'a Arc<Value>] {
    job["metadata"]["uid"]
        .as_str()
        .and_then(|uid| pods.get(uid))
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// When a completion index may be tried again.
struct Retry {
    at: Timestamp,
    free: bool,
}

/// What a Job's pods amount to.
#[derive(Default)]
struct Counts<'a> {
    active: Vec<&'a Value>,
    ready: i64,
    failed: i64,
    restarts: i64,
    succeeded: Vec<i64>,
    busy: Vec<i64>,
    retries: BTreeMap<i64, Retry>,
}

impl<'a> Counts<'a> {
    fn of(job: &Value, pods: &[&'a Arc<Value>]) -> Self {
        let mut counts = Counts::default();
        let mut failures: BTreeMap<i64, (u32, Timestamp)> = BTreeMap::new();
        for pod in pods {
            let index = index(pod);
            match pod["status"]["phase"].as_str() {
                Some("Succeeded") => counts.succeeded.push(index),
                Some("Failed") => {
                    counts.failed += 1;
                    let ended = time(pod, "/status/containerStatuses/0/state/terminated/finishedAt")
                        .or_else(|| time(pod, "/metadata/creationTimestamp"))
                        .unwrap_or(Timestamp::UNIX_EPOCH);
                    let entry = failures.entry(index).or_insert((0, ended));
                    *entry = (entry.0 + 1, entry.1.max(ended));
                }
                _ => {
                    counts.active.push(pod);
                    counts.busy.push(index);
                    counts.ready += i64::from(pod::is_ready(pod));
                    counts.restarts += items(&pod["status"]["containerStatuses"])
                        .filter_map(|c| number(c, "/restartCount"))
                        .sum::<i64>();
                }
            }
        }
        counts.succeeded.sort_unstable();
        // A pod without an index stands for whichever slot is still open.
        let indexed = job["spec"]["completionMode"] == "Indexed";
        for (index, (times, ended)) in failures {
            let pause = Duration::from_secs(10).saturating_mul(2_u32.saturating_pow(times - 1));
            let free = !indexed || !(counts.busy.contains(&index) || counts.succeeded.contains(&index));
            counts.retries.insert(
                index,
                Retry {
                    at: later(ended, pause.min(Duration::from_secs(360))),
                    free,
                },
            );
        }
        counts
    }
}

fn index(pod: &Value) -> i64 {
    pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]
        .as_str()
        .and_then(|index| index.parse().ok())
        .unwrap_or(-1)
}

fn reconcile(job: &Value, pods: &[&Arc<Value>], now: Timestamp, actions: &mut Vec<Action>) {
    let counts = Counts::of(job, pods);
    let mut next = job.clone();
    if next["status"].is_null() {
        next["status"] = json!({});
    }
    let mut active = i64::try_from(counts.active.len()).unwrap_or_default();
    let mut ready = counts.ready;
    let mut failed = counts.failed;
    let completions = number(job, "/spec/completions");
    let parallelism = number(job, "/spec/parallelism").unwrap_or(1);
    let wanted = completions.unwrap_or(1);
    let succeeded = i64::try_from(counts.succeeded.len()).unwrap_or_default();
    let limit = number(job, "/spec/backoffLimit").unwrap_or(BACKOFF_LIMIT);
    let gave_up = failed > limit || (counts.restarts > 0 && counts.restarts >= limit);
    if job["spec"]["suspend"] == true {
        remove(job, &counts.active, now, actions);
        if set_condition(&mut next, "Suspended", "True", "JobSuspended", "Job suspended", now) {
            actions.push(old_event(job, note("Normal", "Suspended", "Job suspended"), now));
        }
        next["status"].as_object_mut().map(|status| status.remove("startTime"));
        (active, ready) = (0, 0);
    } else if gave_up {
        remove(job, &counts.active, now, actions);
        failed += active;
        (active, ready) = (0, 0);
        let message = "Job has reached the specified backoff limit";
        set_condition(&mut next, "FailureTarget", "True", "BackoffLimitExceeded", message, now);
        set_condition(&mut next, "Failed", "True", "BackoffLimitExceeded", message, now);
        actions.push(old_event(job, note("Warning", "BackoffLimitExceeded", message), now));
    } else if succeeded >= wanted && (completions.is_some() || active == 0) {
        let message = "Reached expected number of succeeded pods";
        set_condition(
            &mut next,
            "SuccessCriteriaMet",
            "True",
            "CompletionsReached",
            message,
            now,
        );
        set_condition(&mut next, "Complete", "True", "CompletionsReached", message, now);
        next["status"]["completionTime"] = json!(seconds(now));
        actions.push(old_event(job, note("Normal", "Completed", "Job completed"), now));
    } else {
        if next["status"]["startTime"].is_null() {
            next["status"]["startTime"] = json!(seconds(now));
        }
        if is_true(job, "Suspended") {
            set_condition(&mut next, "Suspended", "False", "JobResumed", "Job resumed", now);
            actions.push(old_event(job, note("Normal", "Resumed", "Job resumed"), now));
        }
        active += fill(job, &counts, parallelism.min(wanted - succeeded), wanted, now, actions);
    }
    count(
        &mut next,
        &[
            ("active", active),
            ("ready", ready),
            ("succeeded", succeeded),
            ("failed", failed),
        ],
    );
    if job["spec"]["completionMode"] == "Indexed" && !counts.succeeded.is_empty() {
        next["status"]["completedIndexes"] = json!(ranges(&counts.succeeded));
    }
    next["status"]["terminating"] = json!(0);
    next["status"]["uncountedTerminatedPods"] = json!({});
    if next != *job {
        actions.push(Action::UpdateStatus(kind("Job"), next));
    }
}

/// Counters as the API writes them: absent when 0, except `ready`.
fn count(job: &mut Value, counters: &[(&str, i64)]) {
    for (name, value) in counters {
        if *value == 0 && *name != "ready" {
            job["status"].as_object_mut().map(|status| status.remove(*name));
        } else {
            job["status"][*name] = json!(value);
        }
    }
}

/// Makes the pods that are missing and says how many.
fn fill(job: &Value, counts: &Counts<'_>, room: i64, wanted: i64, now: Timestamp, actions: &mut Vec<Action>) -> i64 {
    let active = i64::try_from(counts.active.len()).unwrap_or_default();
    let indexed = job["spec"]["completionMode"] == "Indexed";
    let mut made = 0;
    for slot in 0..wanted {
        if active + made >= room {
            break;
        }
        let slot = if indexed { slot } else { -1 };
        if indexed && (counts.busy.contains(&slot) || counts.succeeded.contains(&slot)) {
            continue;
        }
        if counts.retries.get(&slot).is_some_and(|retry| retry.at > now) {
            continue;
        }
        let pod = make::make(job, slot, counts.failed + made, now);
        let message = format!("Created pod: {}", text(&pod, "/metadata/name"));
        actions.push(Action::Create(kind("Pod"), pod));
        actions.push(old_event(job, note("Normal", "SuccessfulCreate", &message), now));
        made += 1;
    }
    made
}

fn remove(job: &Value, pods: &[&Value], now: Timestamp, actions: &mut Vec<Action>) {
    for pod in pods {
        actions.push(delete(kind("Pod"), pod));
        let message = format!("Deleted pod: {}", text(pod, "/metadata/name"));
        actions.push(old_event(job, note("Normal", "SuccessfulDelete", &message), now));
    }
}

fn note<'a>(level: &'a str, reason: &'a str, message: &'a str) -> Note<'a> {
    Note {
        reporter: "job-controller",
        level,
        reason,
        message,
    }
}

fn ranges(indexes: &[i64]) -> String {
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
