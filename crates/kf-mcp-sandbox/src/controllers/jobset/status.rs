//! The status of a JobSet as one look at it changes it, and the events that tell of the changes.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Children, items, kind, number, replicas, report};
use crate::controllers::Action;
use crate::store::{seconds, text};

/// A JobSet's next status.
pub(super) struct Draft<'a> {
    jobset: &'a Value,
    status: Value,
    now: Timestamp,
    events: Vec<(&'static str, String, String)>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(jobset: &'a Value, now: Timestamp) -> Self {
        let status = match &jobset["status"] {
            Value::Null => json!({"restarts": 0}),
            status => status.clone(),
        };
        Self {
            jobset,
            status,
            now,
            events: Vec::new(),
        }
    }

    /// Writes the status and the events if there is anything new.
    pub(super) fn write(self, actions: &mut Vec<Action>) {
        if self.status == self.jobset["status"] {
            return;
        }
        let mut next = self.jobset.clone();
        next["status"] = self.status;
        actions.push(Action::UpdateStatus(kind("JobSet"), next));
        for (level, reason, message) in self.events {
            actions.push(report(self.jobset, level, &reason, &message, self.now));
        }
    }

    /// Counts the Jobs of each replicated job.
    pub(super) fn count(&mut self, children: &Children<'_>) {
        let mut statuses: Vec<Value> = items(&self.jobset["spec"]["replicatedJobs"])
            .map(|replicated| replicated_status(&replicated["name"], children))
            .collect();
        // The real controller sorts them so before it compares them.
        statuses.sort_by_key(|status| std::cmp::Reverse(text(status, "/name")));
        self.status["replicatedJobsStatus"] = json!(statuses);
    }

    fn counters(&self, name: &Value) -> &Value {
        items(&self.status["replicatedJobsStatus"])
            .find(|status| status["name"] == *name)
            .unwrap_or(&Value::Null)
    }

    fn sum(&self, name: &Value, of: &[&str]) -> i64 {
        let counters = self.counters(name);
        of.iter()
            .map(|counter| counters[*counter].as_i64().unwrap_or_default())
            .sum()
    }

    /// Whether every Job is ready or has succeeded.
    pub(super) fn all_ready(&self) -> bool {
        items(&self.jobset["spec"]["replicatedJobs"])
            .map(|replicated| replicas(replicated) - self.sum(&replicated["name"], &["ready", "succeeded"]))
            .sum::<i64>()
            == 0
    }

    /// Whether all replicas of a replicated job have come up, however they ended.
    pub(super) fn has_started(&self, replicated: &Value) -> bool {
        self.sum(&replicated["name"], &["failed", "ready", "succeeded"]) == replicas(replicated)
    }

    /// Whether everything that a replicated job depends on is far enough.
    pub(super) fn may_start(&self, replicated: &Value) -> bool {
        items(&replicated["dependsOn"]).all(|dependency| {
            let name = &dependency["name"];
            let wanted = items(&self.jobset["spec"]["replicatedJobs"])
                .find(|other| other["name"] == *name)
                .map_or(0, replicas);
            let reached = if dependency["status"] == "Ready" {
                self.sum(name, &["failed", "ready", "succeeded"])
            } else {
                self.sum(name, &["succeeded"])
            };
            reached == wanted
        })
    }

    /// Notes one more restart.
    pub(super) fn restart(&mut self, reason: &str, event: &str, message: &str, counts: bool) {
        let mut add = |field: &str| {
            let old = self.status[field].as_i64().unwrap_or_default();
            self.status[field] = json!(old + 1);
        };
        add("restarts");
        if counts {
            add("restartsCountTowardsMax");
        }
        self.set("RestartingJobSet", true, "Warning", reason, message);
        self.events.push(("Warning", event.to_owned(), message.to_owned()));
    }

    pub(super) fn no_longer_restarting(&mut self, reason: &str, message: &str) {
        self.set("RestartingJobSet", false, "Normal", reason, message);
    }

    pub(super) fn completed(&mut self) {
        let message = "jobset completed successfully";
        self.set("Completed", true, "Normal", "AllJobsCompleted", message);
        self.no_longer_restarting("JobSetCompleted", message);
        self.status["terminalState"] = json!("Completed");
    }

    pub(super) fn failed(&mut self, reason: &str, message: &str) {
        self.set("Failed", true, "Warning", reason, message);
        self.no_longer_restarting("JobSetFailed", "jobset failed");
        self.status["terminalState"] = json!("Failed");
    }

    pub(super) fn suspended(&mut self) {
        let message = "jobset is suspended";
        self.set("Suspended", true, "Normal", "SuspendedJobs", message);
        self.no_longer_restarting("JobSetSuspended", message);
    }

    pub(super) fn resumed(&mut self) {
        self.set("Suspended", false, "Normal", "ResumeJobs", "jobset is resumed");
    }

    pub(super) fn starting_in_order(&mut self) {
        let message = "in order startup policy is in progress";
        self.set(
            "StartupPolicyInProgress",
            true,
            "Normal",
            "InOrderStartupPolicyInProgress",
            message,
        );
    }

    pub(super) fn started_in_order(&mut self) {
        let message = "in order startup policy has completed";
        self.set(
            "StartupPolicyCompleted",
            true,
            "Normal",
            "InOrderStartupPolicyCompleted",
            message,
        );
    }

    /// Sets a condition and tells of it. One that is false is only told when it was there before.
    fn set(&mut self, of: &str, holds: bool, level: &'static str, reason: &str, message: &str) {
        let status = if holds { "True" } else { "False" };
        let mut new = json!({
            "type": of, "status": status, "reason": reason, "message": message, "lastTransitionTime": seconds(self.now),
        });
        if !self.status["conditions"].is_array() {
            if !holds {
                return;
            }
            self.status["conditions"] = json!([]);
        }
        let Some(all) = self.status["conditions"].as_array_mut() else {
            return;
        };
        let mut changed = false;
        let mut found = false;
        for old in all.iter_mut() {
            if old["type"] == of {
                found = true;
                if old["status"] == status {
                    new["lastTransitionTime"] = old["lastTransitionTime"].clone();
                }
                changed |= *old != new;
                *old = new.clone();
            } else if holds && old["status"] == "True" && excludes(&text(old, "/type"), of) {
                old["status"] = json!("False");
                changed = true;
            }
        }
        if !found && holds {
            all.push(new);
            changed = true;
        }
        if changed {
            self.events.push((level, reason.to_owned(), message.to_owned()));
        }
    }
}

/// Whether two conditions cannot both hold.
fn excludes(one: &str, other: &str) -> bool {
    matches!(
        (one, other),
        ("StartupPolicyInProgress", "StartupPolicyCompleted") | ("StartupPolicyCompleted", "StartupPolicyInProgress")
    )
}

fn replicated_status(name: &Value, children: &Children<'_>) -> Value {
    let of = |jobs: &[&Value], good: &dyn Fn(&Value) -> bool| {
        jobs.iter()
            .filter(|job| job["metadata"]["labels"]["jobset.sigs.k8s.io/replicatedjob-name"] == *name)
            .filter(|job| good(job))
            .count()
    };
    let count = |job: &Value, field: &str| number(job, &format!("/status/{field}")).unwrap_or_default();
    let ready = |job: &Value| {
        let parallelism = number(job, "/spec/parallelism").unwrap_or(1);
        let pods = number(job, "/spec/completions").unwrap_or(parallelism).min(parallelism);
        count(job, "succeeded") + count(job, "ready") >= pods
    };
    json!({
        "name": name,
        "ready": of(&children.active, &ready),
        "succeeded": of(&children.succeeded, &|_| true),
        "failed": of(&children.failed, &|_| true),
        "active": of(&children.active, &|job| count(job, "active") > 0),
        "suspended": of(&children.active, &|job| job["spec"]["suspend"] == true),
    })
}
