//! What events tell that the objects do not: pods that could not be made, and why pods that are gone ended or never began.

use std::collections::{BTreeMap, BTreeSet};

use kf_mcp_trainjob::{JobState, TrainJob};

use super::Finding;
use super::order::END;
use crate::events::Event;
use crate::pods::{Pod, outside};
use crate::reason::unscheduled;

/// Events, newest first, each with how often it happened.
pub(crate) type Happened = [(Event, u64)];

/// What of the events matters.
pub(super) struct Story<'a> {
    pub(super) job: &'a TrainJob,
    pub(super) state: JobState,
    /// The pods that there are; none when they may not be read.
    pub(super) pods: Option<&'a [Pod]>,
    /// Whether all pods that the job wants are there.
    pub(super) complete: bool,
    pub(super) happened: &'a Happened,
}

impl Story<'_> {
    /// A finding for each thing that went wrong and that nothing later has put right.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let pods: BTreeSet<&str> = self
            .pods
            .unwrap_or_default()
            .iter()
            .map(|pod| pod.metadata.name.as_str())
            .collect();
        let mut found: BTreeMap<String, Finding> = BTreeMap::new();
        for (at, (event, times)) in self.happened.iter().enumerate() {
            // Not of an earlier job of the same name.
            if event.time() < self.job.metadata.creation_timestamp {
                continue;
            }
            let Some((code, what)) = self.meaning(event, &pods) else {
                continue;
            };
            if self.happened[..at].iter().any(|(later, _)| puts_right(later, event)) {
                continue;
            }
            let passed = self.passed(event);
            let finding = found.entry(code.clone()).or_insert_with(|| {
                let mut finding = Finding::new(&code, what);
                finding.passed = true;
                finding
            });
            finding.passed &= passed;
            *finding = finding.clone().happened(event, *times);
        }
        found.into_values().collect()
    }

    /// Whether it no longer matters: the job goes on, or what happened to pods that are gone did not happen to those that
    /// have taken their place.
    fn passed(&self, event: &Event) -> bool {
        let of_gone = matches!(event.reason.as_str(), "FailedScheduling" | "Failed" | "BackOff");
        match self.state {
            JobState::Running | JobState::Complete => true,
            JobState::Failed => false,
            _ => of_gone && self.complete,
        }
    }

    /// The word and the words for an event; none for what is well, or what the objects themselves tell better.
    fn meaning(&self, event: &Event, pods: &BTreeSet<&str>) -> Option<(String, String)> {
        let object = &event.involved_object;
        let said = |code: &str, what: &str| Some((code.to_owned(), what.to_owned()));
        if event.refuses_creation() {
            return self.creation(event).and_then(|(code, what)| said(code, what));
        }
        let gone = object.kind == "Pod" && !pods.contains(object.name.as_str());
        match event.reason.as_str() {
            "Preempted" if object.kind == "Pod" => said("Preempted", "pods of a higher priority took its place"),
            reason if object.kind == "Workload" && reason.starts_with("EvictedDueTo") => {
                said("Preempted", "Kueue took back what it had admitted the job to")
            }
            "Evicted" if gone => said("Evicted", "the node had too little memory or disk, and ended the pod"),
            "TaintManagerEviction" | "NodeNotReady" if gone => said("NodeLost", "the node was lost or taken out"),
            "ProvisioningFailed" | "FailedBinding" if object.kind == "PersistentVolumeClaim" => {
                said("VolumePending", "a volume that the pods need could not be made")
            }
            "FailedMount" | "FailedAttachVolume" if self.waits(&object.name) => {
                let code = if names_missing(&event.message) {
                    "MissingSecret"
                } else {
                    "MountFailed"
                };
                said(code, "a volume of the pod cannot be mounted")
            }
            // What follows is told by the pod itself as long as there is one.
            "FailedScheduling" if gone => {
                let code = unscheduled("Unschedulable", &event.message);
                said(code, "no node had room for the pod while it was there")
            }
            "Failed" | "BackOff"
                if gone && event.message.contains("image") && !event.message.contains("container image") =>
            {
                said("ImagePull", "the image could not be pulled while the pod was there")
            }
            "BackOff" if gone => said(
                "CrashLoop",
                "a container ended and was started again and again; with which exit code went with its pod",
            ),
            "BackoffLimitExceeded" if object.kind == "Job" && self.state == JobState::Failed => {
                said(END, "its pods failed as often as its runtime allows")
            }
            _ => None,
        }
    }

    /// Why something was not made: only while it is missing.
    fn creation(&self, event: &Event) -> Option<(&'static str, &'static str)> {
        let message = &event.message;
        let trainer = event.involved_object.kind == "TrainJob";
        // What Trainer could not apply to a JobSet that is there is the trap of suspension, and else nothing.
        if trainer && !self.job.status.jobs_status.is_empty() || !trainer && self.complete {
            return None;
        }
        Some(if message.contains("exceeded quota") {
            ("QuotaExceeded", "a quota of the namespace leaves no room for its pods")
        } else if message.contains("TrainingRuntime") && message.contains("not found") {
            ("RuntimeMissing", "its runtime is gone")
        } else if message.contains("admission webhook") {
            ("CreationFailed", "an admission webhook refuses what the job is made of")
        } else {
            ("CreationFailed", "the API server refuses what the job is made of")
        })
    }

    /// Whether a pod is there and has not started.
    fn waits(&self, pod: &str) -> bool {
        let pods = self.pods.unwrap_or_default();
        pods.iter()
            .any(|known| known.metadata.name == pod && matches!(known.status.phase.as_str(), "Pending" | ""))
    }
}

/// Whether a Secret or ConfigMap that the message names is not there.
pub(super) fn names_missing(message: &str) -> bool {
    (message.contains("secret")
        || message.contains("configmap")
        || message.contains("Secret")
        || message.contains("ConfigMap"))
        && (message.contains("not found") || message.contains("couldn't find key") || message.contains("non-existent"))
}

/// Whether a later event of the same object says that it came right.
fn puts_right(later: &Event, event: &Event) -> bool {
    let (one, other) = (&later.involved_object, &event.involved_object);
    let right: &[&str] = match event.reason.as_str() {
        "FailedScheduling" => &["Scheduled"],
        "FailedCreate" => &["SuccessfulCreate"],
        "FailedMount" | "FailedAttachVolume" | "Failed" => &["Pulled", "Started"],
        "BackOff" if event.message.contains("image") => &["Pulled", "Started"],
        "ProvisioningFailed" | "FailedBinding" => &["ProvisioningSucceeded"],
        _ => return false,
    };
    one.kind == other.kind
        && one.name == other.name
        && later.time() > event.time()
        && right.contains(&later.reason.as_str())
}

/// The newest event that keeps a paused or resumed job from changing: Trainer cannot apply the JobSet of its runtime.
pub(super) fn trap(happened: &Happened) -> Option<&(Event, u64)> {
    happened.iter().find(|(event, _)| {
        event.reason == "TrainJobResourcesCreationFailed" && outside(&event.message).contains("volumeClaimPolicies")
    })
}

#[cfg(test)]
#[path = "happened_tests.rs"]
mod tests;
