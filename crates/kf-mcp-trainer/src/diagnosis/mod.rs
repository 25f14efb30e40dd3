//! Why a training job does not do well: all that its conditions, pods, events and log say, as findings in the order of cause.
//! Pure; `diagnose_training_job` reads what it looks at.

mod ends;
mod finding;
mod fix;
mod happened;
mod log;
mod order;
mod words;

use std::collections::BTreeMap;

use jiff::Timestamp;
use kf_mcp_trainjob::{JobState, TrainJob};

pub(crate) use ends::{End, ends};
pub(crate) use finding::Finding;

use crate::pods::{self, Pod, outside};
use crate::reason::{self, each_of_pod};
use crate::steps::training_pods;
use crate::suspension;
use crate::waiting::{NO_PODS, scales_up};
use fix::Setting;
use happened::{Happened, Story, trap};
use words::{refined, words};

/// As many findings as an answer has.
const MOST: usize = 10;

/// What was read.
pub(crate) struct Facts<'a> {
    pub(crate) job: &'a TrainJob,
    pub(crate) state: JobState,
    /// None when they may not be read.
    pub(crate) pods: Option<&'a [Pod]>,
    /// Events, newest first; empty when they may not be read.
    pub(crate) happened: &'a Happened,
    /// The last lines of the first container that failed, cleaned; empty when there are none.
    pub(crate) log: &'a [String],
    pub(crate) now: Timestamp,
}

/// The findings, causes first.
pub(crate) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let pods = facts.pods.unwrap_or_default();
    let newest = pods::steps(pods);
    let ends = ends(pods, &newest);
    let goes_on = matches!(
        facts.state,
        JobState::Running | JobState::Complete | JobState::Suspended
    );
    let mut found = facts.of_job(&newest);
    if facts.state != JobState::Suspended && facts.state != JobState::Complete {
        found.extend(facts.of_pods(&newest));
    }
    found.extend(ends::findings(&ends, goes_on, facts.state == JobState::Complete));
    found.extend(facts.of_log(ends.first(), goes_on));
    // A job that is paused or done wants no pods.
    if facts.state != JobState::Suspended && facts.state != JobState::Complete {
        let story = Story {
            job: facts.job,
            state: facts.state,
            pods: facts.pods,
            complete: facts.has_all_pods(&newest),
            happened: facts.happened,
        };
        for finding in story.findings() {
            merge(&mut found, finding);
        }
    }
    let end = facts.of_end(&mut found);
    found.extend(end);
    // That there is nothing is no finding beside why there is nothing.
    let empty = |finding: &Finding| matches!(finding.code.as_str(), NO_PODS | "NotReconciled");
    if found.iter().any(|finding| !finding.passed && !empty(finding)) {
        found.retain(|finding| !empty(finding));
    }
    order::sort(&mut found);
    found.truncate(MOST);
    let up = facts.scale_up(&newest);
    let other = ends.first().and_then(|first| other(first, &ends, &newest));
    for at in 0..found.len() {
        let setting = Setting {
            job: facts.job,
            first: ends.first(),
            known: found[..at].iter().any(|finding| !finding.passed),
            scales_up: up,
            other: other.as_deref(),
        };
        found[at].fix = fix::fix(&found[at], &setting);
    }
    found
}

/// Another node than the first that failed, whose log may tell more: one that failed too, else any.
fn other(first: &End<'_>, ends: &[End<'_>], newest: &BTreeMap<String, &Pod>) -> Option<String> {
    let mut failed = ends.iter().map(|end| &end.step);
    let mut there = newest.keys();
    let differs = |step: &&String| !step.is_empty() && **step != first.step && !step.ends_with("-initializer");
    failed.find(differs).or_else(|| there.find(differs)).cloned()
}

/// One finding for each word: what says the same is more evidence.
fn merge(found: &mut Vec<Finding>, finding: Finding) {
    match found.iter_mut().find(|known| known.code == finding.code) {
        Some(known) => {
            for evidence in finding.evidence {
                if known.evidence.len() < 4 && !known.evidence.contains(&evidence) {
                    known.evidence.push(evidence);
                }
            }
        }
        None => found.push(finding),
    }
}

impl Facts<'_> {
    fn name(&self) -> String {
        format!("TrainJob/{}", self.job.metadata.name)
    }

    /// What the job says of itself: it is paused, it waits, or nobody has made anything of it.
    fn of_job(&self, newest: &BTreeMap<String, &Pod>) -> Vec<Finding> {
        let list: Vec<&Pod> = newest.values().copied().collect();
        let said = reason::of(self.job, self.state, self.pods.is_some().then_some(&list), self.now);
        let reason = said.filter(|reason| {
            matches!(
                reason.code.as_str(),
                "StillRunning" | "StillSuspended" | "WaitsInQueue" | "RunsElsewhere" | "NotReconciled" | NO_PODS
            )
        });
        if let Some(reason) = reason {
            let mut finding = Finding::new(&reason.code, &reason.message);
            if let Some(told) = self.job.condition("Suspended") {
                let said = format!("Suspended={}: {}", told.status, told.message);
                finding.quote(&self.name(), &said, told.last_transition_time);
            }
            if reason.code.starts_with("Still")
                && let Some((event, times)) = trap(self.happened)
            {
                finding = finding.happened(event, *times);
            }
            if reason.code.starts_with("Still") {
                let counts = self.job.status.jobs_status.iter();
                let told: Vec<String> = counts
                    .map(|part| format!("{}: {} active, {} suspended", part.name, part.active, part.suspended))
                    .collect();
                finding.quote(&self.name(), &told.join("; "), None);
            }
            return vec![finding];
        }
        if self.state == JobState::Suspended {
            let told = self.job.holds("Suspended");
            let said = told.map_or("spec.suspend is true", |told| told.message.as_str());
            let at = told.and_then(|told| told.last_transition_time);
            return vec![
                Finding::new("Suspended", "it is paused, and goes on only when it is resumed").says(
                    &self.name(),
                    said,
                    at,
                ),
            ];
        }
        Vec::new()
    }

    /// What keeps pods from starting, and what took them away. How containers ended is told by [`ends`].
    fn of_pods(&self, newest: &BTreeMap<String, &Pod>) -> Vec<Finding> {
        let mut found: Vec<(Finding, usize)> = Vec::new();
        let newest_names: Vec<&str> = newest.values().map(|pod| pod.metadata.name.as_str()).collect();
        for pod in self.pods.unwrap_or_default() {
            let is_newest = newest_names.contains(&pod.metadata.name.as_str());
            for (_, reason) in each_of_pod(pod) {
                let ended = matches!(reason.code.as_str(), "OOMKilled" | "CrashLoop" | "ExitCode");
                // A pod that another has replaced is only of interest for why it ended.
                if ended || !is_newest && pod.status.phase != "Failed" {
                    continue;
                }
                let code = refined(&reason.code, &reason.message);
                let known = found.iter_mut().find(|(finding, _)| finding.code == code);
                let (finding, count) = match known {
                    Some(known) => known,
                    None => {
                        let mut finding = Finding::new(code, words(code, &reason.message, pod));
                        finding.passed = !is_newest && self.state == JobState::Running;
                        found.push((finding, 0));
                        let Some(last) = found.last_mut() else { continue };
                        last
                    }
                };
                *count += 1;
                finding.passed &= !is_newest;
                finding.quote(&format!("Pod/{}", pod.metadata.name), &reason.message, None);
                finding.at = finding.at.or(pod.metadata.creation_timestamp);
            }
        }
        let of = newest.len();
        found
            .into_iter()
            .map(|(mut finding, count)| {
                if of > 1 {
                    finding.what.push_str(&format!(" ({count} of {of} pods)"));
                }
                finding
            })
            .collect()
    }

    fn of_log(&self, first: Option<&End<'_>>, goes_on: bool) -> Vec<Finding> {
        let Some(first) = first else { return Vec::new() };
        let pod = format!("Pod/{} log", first.pod.metadata.name);
        let alone = self.alone();
        let told = log::read(self.log).into_iter().filter(|told| {
            // Kubernetes says it already, and better.
            !(told.code == "ProcessKilled" && first.is_out_of_memory())
        });
        told.map(|told| {
            let what = match told.code {
                "NcclTimeout" if alone => "a collective operation between the processes failed or timed out",
                _ => &told.what,
            };
            let mut finding = Finding::new(told.code, what);
            for line in &told.lines {
                finding.quote(&pod, line, None);
            }
            finding.at = first.at;
            finding.passed = goes_on && (self.state == JobState::Complete || first.over);
            finding
        })
        .collect()
    }

    /// Whether there is but one node, so that none waits for another.
    fn alone(&self) -> bool {
        self.job.nodes() == Some(1)
    }

    /// How the job ended, when it failed.
    fn of_end(&self, found: &mut [Finding]) -> Option<Finding> {
        let condition = self.job.holds("Failed").filter(|_| self.state == JobState::Failed)?;
        let reason = outside(&condition.reason);
        let said = format!("Failed: {reason}: {}", condition.message);
        if reason == "DeadlineExceeded" {
            let seconds = self.job.spec.active_deadline_seconds;
            let what = seconds.map_or_else(
                || "its deadline ended it".to_owned(),
                |seconds| format!("its deadline of {seconds} s ended it"),
            );
            return Some(Finding::new("DeadlineExceeded", what).says(
                &self.name(),
                said,
                condition.last_transition_time,
            ));
        }
        // The Job's event says what the condition only counts.
        if let Some(end) = found.iter_mut().find(|finding| finding.code == order::END) {
            end.quote(&self.name(), &said, condition.last_transition_time);
            return None;
        }
        let code = if reason.is_empty() { "Failed" } else { &reason };
        Some(Finding::new(code, "the job was given up").says(&self.name(), said, condition.last_transition_time))
    }

    /// Whether there are as many training pods as the job asks for; not when it leaves that to its runtime.
    fn has_all_pods(&self, newest: &BTreeMap<String, &Pod>) -> bool {
        let list: Vec<&Pod> = newest.values().copied().collect();
        let (training, _) = training_pods(&list);
        let wanted = self.job.nodes().and_then(|nodes| usize::try_from(nodes).ok());
        wanted.is_some_and(|wanted| training >= wanted)
    }

    /// Whether nodes are being added for the first pod that has none.
    fn scale_up(&self, newest: &BTreeMap<String, &Pod>) -> bool {
        let waiting = newest.values().find(|pod| pod.spec.node_name.is_empty());
        waiting.is_some_and(|pod| {
            let of_pod = self
                .happened
                .iter()
                .filter(|(event, _)| event.involved_object.name == pod.metadata.name);
            scales_up(of_pod.map(|(event, _)| event.clone()).collect())
        })
    }

    /// What looks wrong and is not, and what cannot be known.
    pub(crate) fn notes(&self, found: &[Finding]) -> Vec<String> {
        let mut notes = Vec::new();
        if self.job.metadata.deletion_timestamp.is_some() {
            notes.push("it is being deleted".into());
        }
        let pods = self.pods.unwrap_or_default();
        if self.state == JobState::Failed && self.pods.is_some() && pods.is_empty() {
            notes.push("its pods are gone, and with them exit codes and logs: what events of the last hour say is all that is left".into());
        }
        if self
            .job
            .holds("Failed")
            .is_some_and(|condition| condition.reason == "DeadlineExceeded")
        {
            notes.push("its counters (jobs_status) are those of the moment before the deadline: Trainer no longer updates them".into());
        }
        let trapped = found.iter().any(|finding| finding.code.starts_with("Still"));
        if !trapped && trap(self.happened).is_some() {
            notes.push(
                "the event about volumeClaimPolicies is harmless at creation: Trainer applies a JobSet that claims a volume twice. It \
                 means that this job can be neither suspended nor resumed"
                    .into(),
            );
        }
        if self.state == JobState::Suspended && !trapped && suspension::is_blocked(self.job, None) {
            notes.push(
                "on runtimes that claim a volume Trainer says Resumed and the parts stay paused: a copy runs".into(),
            );
        }
        let list: Vec<&Pod> = pods::steps(pods).into_values().collect();
        let (training, running) = training_pods(&list);
        if self.state == JobState::Created && running > 0 && running < training {
            notes.push(format!(
                "{running} of {training} nodes run and hold their devices; Trainer counts a part as ready only when all do"
            ));
        }
        notes
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
