//! The Job controller: pods for completion indexes, counting them, giving up.

mod counts;
mod fill;
mod make;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::events::{Note, old_event};
use super::objects::{is_true, items, kind, later, number, owner_uid, set_condition, time};
use super::quota::Quotas;
use super::{Action, delete};
use crate::store::{Store, seconds, text};
use counts::{Counts, Failures, ranges};

/// Kubernetes' default.
const BACKOFF_LIMIT: i64 = 6;

/// All pods by the uid of their controlling owner.
type Pods<'a> = HashMap<&'a str, Vec<&'a Arc<Value>>>;

/// Brings pods and status of all unfinished Jobs in line with their spec.
pub fn step(store: &Store, now: Timestamp) -> Vec<Action> {
    let open: Vec<&Arc<Value>> = store.list(kind("Job"), None).filter(|job| !is_finished(job)).collect();
    let mut sync = Sync {
        store,
        now,
        quotas: BTreeMap::new(),
        actions: Vec::new(),
    };
    if open.is_empty() {
        return sync.actions;
    }
    let pods = pods(store);
    for job in open {
        reconcile(&mut sync, job, owned(&pods, job));
    }
    sync.actions
}

/// One look at all Jobs, and what comes of it.
struct Sync<'a> {
    store: &'a Store,
    now: Timestamp,
    /// The quotas of the namespaces in which pods are made, with these counted.
    quotas: BTreeMap<String, Quotas>,
    actions: Vec<Action>,
}

impl Sync<'_> {
    /// Reports something about a Job.
    fn report(&mut self, job: &Value, level: &str, reason: &str, message: &str) {
        let note = Note {
            reporter: "job-controller",
            level,
            reason,
            message,
        };
        self.actions.push(old_event(job, note, self.now));
    }

    /// Deletes pods.
    fn remove(&mut self, job: &Value, pods: &[&Value]) {
        for pod in pods {
            self.actions.push(delete(kind("Pod"), pod));
            let message = format!("Deleted pod: {}", text(pod, "/metadata/name"));
            self.report(job, "Normal", "SuccessfulDelete", &message);
        }
    }
}

/// When a Job next replaces a failed pod or reaches its deadline.
pub fn next(store: &Store) -> Option<Timestamp> {
    let pods = std::cell::OnceCell::new();
    store
        .list(kind("Job"), None)
        .filter(|job| !is_finished(job))
        .filter_map(|job| {
            let retry = (number(job, "/status/failed").unwrap_or_default() > 0)
                .then(|| {
                    Counts::of(
                        job,
                        owned(pods.get_or_init(|| self::pods(store)), job),
                        remembered(store, job),
                    )
                })
                .filter(|counts| counts.active.len() < usize::try_from(parallelism(job)).unwrap_or_default())
                .and_then(|counts| counts.retry);
            [retry, deadline(job)].into_iter().flatten().min()
        })
        .min()
}

/// Whether a Job has its final condition.
pub fn is_finished(job: &Value) -> bool {
    is_true(job, "Complete") || is_true(job, "Failed")
}

/// The failures that this controller remembers of a Job, whose pods may be gone.
fn remembered(store: &Store, job: &Value) -> Option<Failures> {
    let (number, last) = store.recall(job["metadata"]["uid"].as_str()?)?;
    Some(Failures { number, last })
}

fn deadline(job: &Value) -> Option<Timestamp> {
    let seconds = number(job, "/spec/activeDeadlineSeconds").and_then(|seconds| u64::try_from(seconds).ok())?;
    let begin = time(job, "/status/startTime").filter(|_| job["spec"]["suspend"] != true)?;
    Some(later(begin, Duration::from_secs(seconds)))
}

fn parallelism(job: &Value) -> i64 {
    number(job, "/spec/parallelism").unwrap_or(1)
}

fn is_indexed(job: &Value) -> bool {
    job["spec"]["completionMode"] == "Indexed"
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

/// A Job's next status while it is worked out.
struct Draft {
    next: Value,
    active: i64,
    ready: i64,
    succeeded: i64,
    failed: i64,
}

fn reconcile(sync: &mut Sync<'_>, job: &Value, pods: &[&Arc<Value>]) {
    let remembered = remembered(sync.store, job);
    let counts = Counts::of(job, pods, remembered);
    if let Some(failures) = counts.failures.filter(|failures| remembered != Some(*failures)) {
        sync.actions.push(Action::Remember(
            text(job, "/metadata/uid"),
            failures.number,
            failures.last,
        ));
    }
    let before = |field: &str| number(job, &format!("/status/{field}")).unwrap_or_default();
    let mut draft = Draft {
        next: job.clone(),
        active: i64::try_from(counts.active.len()).unwrap_or_default(),
        ready: counts.ready,
        succeeded: if is_indexed(job) {
            i64::try_from(counts.succeeded.len()).unwrap_or_default()
        } else {
            before("succeeded") + counts.new_succeeded
        },
        failed: before("failed") + counts.new_failed,
    };
    if draft.next["status"].is_null() {
        draft.next["status"] = json!({});
    }
    for pod in &counts.ended {
        sync.actions.push(Action::Update(kind("Pod"), released(pod)));
    }
    if job["spec"]["suspend"] != true && job["status"]["startTime"].is_null() {
        draft.next["status"]["startTime"] = json!(seconds(sync.now));
    }
    decide(sync, job, &counts, &mut draft);
    write(job, &counts, draft, &mut sync.actions);
}

/// A pod that the controller has counted.
fn released(pod: &Value) -> Value {
    let mut next = pod.clone();
    let left: Vec<Value> = items(&pod["metadata"]["finalizers"])
        .filter(|finalizer| *finalizer != make::FINALIZER)
        .cloned()
        .collect();
    if left.is_empty() {
        next["metadata"]
            .as_object_mut()
            .map(|metadata| metadata.remove("finalizers"));
    } else {
        next["metadata"]["finalizers"] = json!(left);
    }
    next
}

fn decide(sync: &mut Sync<'_>, job: &Value, counts: &Counts<'_>, draft: &mut Draft) {
    let now = sync.now;
    let limit = number(job, "/spec/backoffLimit").unwrap_or(BACKOFF_LIMIT);
    let on_failure = job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure";
    if draft.failed > limit || (on_failure && counts.restarts > 0 && counts.restarts >= limit) {
        let message = "Job has reached the specified backoff limit";
        give_up(sync, job, counts, draft, "BackoffLimitExceeded", message);
        return;
    }
    if deadline(job).is_some_and(|deadline| deadline <= now) {
        let message = "Job was active longer than specified deadline";
        give_up(sync, job, counts, draft, "DeadlineExceeded", message);
        return;
    }
    let completions = number(job, "/spec/completions");
    let suspended = job["spec"]["suspend"] == true;
    if suspended {
        sync.remove(job, &counts.active);
        (draft.active, draft.ready) = (0, 0);
    } else {
        let open = completions.map_or(1, |wanted| wanted - draft.succeeded);
        if completions.is_some() || draft.succeeded == 0 {
            draft.active += fill::fill(sync, job, counts, open);
        }
    }
    let complete = match completions {
        None => draft.succeeded > 0 && draft.active == 0,
        Some(wanted) => draft.succeeded >= wanted && draft.active == 0,
    };
    if complete {
        let message = "Reached expected number of succeeded pods";
        for condition in ["SuccessCriteriaMet", "Complete"] {
            set_condition(&mut draft.next, condition, "True", "CompletionsReached", message, now);
        }
        draft.next["status"]["completionTime"] = json!(seconds(now));
        sync.report(job, "Normal", "Completed", "Job completed");
    } else if suspended {
        if set_condition(
            &mut draft.next,
            "Suspended",
            "True",
            "JobSuspended",
            "Job suspended",
            now,
        ) {
            sync.report(job, "Normal", "Suspended", "Job suspended");
        }
        draft.next["status"]
            .as_object_mut()
            .map(|status| status.remove("startTime"));
    } else if is_true(job, "Suspended") {
        set_condition(&mut draft.next, "Suspended", "False", "JobResumed", "Job resumed", now);
        draft.next["status"]["startTime"] = json!(seconds(now));
        sync.report(job, "Normal", "Resumed", "Job resumed");
    }
}

/// Fails a Job. Pods that still ran are counted as failed.
fn give_up(sync: &mut Sync<'_>, job: &Value, counts: &Counts<'_>, draft: &mut Draft, reason: &str, message: &str) {
    sync.remove(job, &counts.active);
    draft.failed += draft.active;
    (draft.active, draft.ready) = (0, 0);
    for condition in ["FailureTarget", "Failed"] {
        set_condition(&mut draft.next, condition, "True", reason, message, sync.now);
    }
    sync.report(job, "Warning", reason, message);
}

fn write(job: &Value, counts: &Counts<'_>, mut draft: Draft, actions: &mut Vec<Action>) {
    let next = &mut draft.next;
    // Counters are absent when 0, except `ready`.
    for (name, value) in [
        ("active", draft.active),
        ("succeeded", draft.succeeded),
        ("failed", draft.failed),
    ] {
        if value == 0 {
            next["status"].as_object_mut().map(|status| status.remove(name));
        } else {
            next["status"][name] = json!(value);
        }
    }
    next["status"]["ready"] = json!(draft.ready);
    if is_indexed(job) && !counts.succeeded.is_empty() {
        next["status"]["completedIndexes"] = json!(ranges(&counts.succeeded));
    }
    next["status"]["terminating"] = json!(0);
    next["status"]["uncountedTerminatedPods"] = json!({});
    if draft.next != *job {
        actions.push(Action::UpdateStatus(kind("Job"), draft.next));
    }
}
