//! Waiting in a queue of Kueue, and with which priority. Kueue takes both from labels of the job.
//!
//! Its webhook suspends a new job that names a queue, and its controller resumes the job when the queue admits it. Whether it
//! does so on this cluster is told by the trial of the job, which runs the webhooks. A TrainJob has no field for the priority of
//! its pods, in no release: without a queue a priority class would have no effect, and is refused.

use kf_mcp_core::names::is_subdomain;
use serde_json::Value;

use super::{JobOptions, Problems};

/// The label that names the queue.
const QUEUE: &str = "kueue.x-k8s.io/queue-name";
/// The label that names the priority class.
const PRIORITY: &str = "kueue.x-k8s.io/priority-class";
/// As long as a label's value may be.
const MOST: usize = 63;

impl JobOptions {
    /// The queue, from its argument or its label.
    pub(crate) fn queue(&self) -> Option<&str> {
        self.queue.as_deref().or_else(|| self.label(QUEUE))
    }

    /// The labels that the options stand for.
    pub(super) fn queue_labels(&self) -> impl Iterator<Item = (String, String)> {
        let asked = [(QUEUE, &self.queue), (PRIORITY, &self.priority_class)].into_iter();
        asked.filter_map(|(label, value)| Some((label.to_owned(), value.clone()?)))
    }

    fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(String::as_str)
    }
}

/// Checks both names, and that they mean something.
pub(super) fn check(job: &JobOptions, problems: &mut Problems) {
    for (field, label, value, kind) in [
        ("queue", QUEUE, &job.queue, "LocalQueue"),
        ("priority_class", PRIORITY, &job.priority_class, "WorkloadPriorityClass"),
    ] {
        let Some(name) = value else { continue };
        if !is_subdomain(name) || name.len() > MOST {
            let why = format!("is not the name of a {kind}: a-z, 0-9, `-` and `.`, at most {MOST} characters");
            problems.add(field, why);
        } else if job.label(label).is_some_and(|given| given != name) {
            problems.add(
                field,
                format!("is `{name}`, but the label {label} says otherwise: give one of them"),
            );
        }
    }
    if job.priority_class.is_some() && job.queue().is_none() {
        problems.add(
            "priority_class",
            "has no effect without queue: a TrainJob has no field for the priority of its pods",
        );
        problems.fix(
            "give queue too (then it is Kueue's WorkloadPriorityClass), or set priorityClassName in the pod template of the \
             runtime with patch_runtime",
        );
    }
}

/// The queue that alone decides when a job starts: none where the caller suspends the job.
pub(crate) fn waits_in(body: &Value) -> Option<String> {
    let queue = body["metadata"]["labels"][QUEUE].as_str();
    queue.filter(|_| body["spec"]["suspend"] != true).map(str::to_owned)
}

/// What becomes of a job in a queue, from what the API server made of it: whether it is suspended.
pub(crate) fn fate(queue: &str, suspended: bool) -> String {
    if suspended {
        return format!(
            "the job is created suspended and starts when Kueue's queue `{queue}` admits it; without such a queue it waits forever"
        );
    }
    format!(
        "nothing suspends the job for the queue `{queue}`: Kueue is not installed or does not manage TrainJobs here, and the job \
         starts at once"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(change: impl FnOnce(&mut JobOptions)) -> JobOptions {
        let mut job = JobOptions::default();
        change(&mut job);
        job
    }

    fn wrong(change: impl FnOnce(&mut JobOptions)) -> String {
        let mut problems = Problems::default();
        check(&job(change), &mut problems);
        problems
            .settle("t")
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    fn labelled(value: &str) -> Option<std::collections::BTreeMap<String, String>> {
        Some([(QUEUE.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn a_priority_needs_a_queue_and_both_need_names() {
        assert_eq!(wrong(|job| job.queue = Some("team-a".into())), "");
        let both = |job: &mut JobOptions| {
            job.queue = Some("team-a".into());
            job.priority_class = Some("high".into());
        };
        assert_eq!(wrong(both), "");
        let labels: Vec<(String, String)> = job(both).queue_labels().collect();
        assert_eq!(
            labels,
            [(QUEUE.into(), "team-a".into()), (PRIORITY.into(), "high".into())]
        );
        let alone = wrong(|job| job.priority_class = Some("high".into()));
        assert!(
            alone.contains("no effect without queue") && alone.contains("patch_runtime"),
            "{alone}"
        );
        for bad in ["", "Team A", &"q".repeat(64)] {
            assert!(
                wrong(|job| job.queue = Some(bad.into())).contains("name of a LocalQueue"),
                "{bad}"
            );
        }
        // The label that Kueue reads may be given as such, and then is the queue.
        let label = wrong(|job| {
            job.labels = labelled("team-a");
            job.priority_class = Some("high".into());
        });
        assert_eq!(label, "");
        let other = wrong(|job| {
            job.labels = labelled("team-b");
            job.queue = Some("team-a".into());
        });
        assert!(other.contains("says otherwise"), "{other}");
    }

    #[test]
    fn what_becomes_of_the_job_is_what_the_server_made_of_it() {
        assert!(fate("a", true).contains("starts when Kueue"));
        assert!(fate("a", false).contains("starts at once"));
        let labels = json!({"labels": {QUEUE: "a"}});
        let waits = |suspend: bool| waits_in(&json!({"metadata": labels, "spec": {"suspend": suspend}}));
        assert_eq!((waits(false).as_deref(), waits(true)), (Some("a"), None));
        assert_eq!(waits_in(&json!({"metadata": {}, "spec": {}})), None);
    }
}
