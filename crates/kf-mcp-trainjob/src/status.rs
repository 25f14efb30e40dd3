//! Where a training job is in its life.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::{JobCounts, TrainJob};

/// The status of a training job. Why a job does not run is its reason, never another status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum JobState {
    // No doc comments on the values: they would go into every schema that has one.
    #[allow(missing_docs, reason = "the names say it")]
    Created,
    #[allow(missing_docs, reason = "the names say it")]
    Initializing,
    #[allow(missing_docs, reason = "the names say it")]
    Running,
    #[allow(missing_docs, reason = "the names say it")]
    Suspended,
    #[allow(missing_docs, reason = "the names say it")]
    Complete,
    #[allow(missing_docs, reason = "the names say it")]
    Failed,
}

impl JobState {
    /// The status as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Initializing => "Initializing",
            Self::Running => "Running",
            Self::Suspended => "Suspended",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }

    /// Whether the job has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Complete | Self::Failed)
    }

    /// The status as the object alone tells it.
    ///
    /// Conditions win over counters, which a job that ran into its deadline keeps for ever. There is no condition for a
    /// running job, and the `Suspended` of a resumed one stays there with the status `False`.
    pub fn of(job: &TrainJob) -> Self {
        if job.holds("Failed").is_some() {
            return Self::Failed;
        }
        if job.holds("Complete").is_some() {
            return Self::Complete;
        }
        if job.spec.suspend || job.holds("Suspended").is_some() {
            return Self::Suspended;
        }
        let parts = &job.status.jobs_status;
        let trains = |part: &JobCounts| {
            // The nodes of an MPI job are up before its launcher, which is what trains.
            if job.has_launcher() {
                part.name == "launcher"
            } else {
                !is_initializer(part)
            }
        };
        if parts
            .iter()
            .filter(|part| trains(part))
            .any(|part| part.ready > 0 || part.succeeded > 0)
        {
            return Self::Running;
        }
        let idle = parts
            .iter()
            .filter(|part| !is_initializer(part))
            .all(|part| part.active == 0 && part.failed == 0);
        let fetching = |part: &JobCounts| part.active > 0 || part.succeeded > 0 && idle;
        if parts.iter().filter(|part| is_initializer(part)).any(fetching) {
            return Self::Initializing;
        }
        Self::Created
    }

    /// The status when the pods of the training nodes are known too: the counters are all zero between two tries, and a
    /// part is only ready when each of its pods is.
    pub fn with_pods(job: &TrainJob, nodes: usize, running: usize) -> Self {
        match Self::of(job) {
            Self::Created | Self::Initializing if nodes > 0 && running >= nodes && all_there(job, nodes) => {
                Self::Running
            }
            state => state,
        }
    }
}

fn all_there(job: &TrainJob, nodes: usize) -> bool {
    let wanted = job.nodes().and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(1);
    nodes >= wanted
}

fn is_initializer(part: &JobCounts) -> bool {
    part.name.ends_with("-initializer")
}

/// A job whose pause or resume did not reach its pods. Trainer tells success all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspendTrap {
    /// Told to pause, and still running.
    StillRunning,
    /// Told to go on, and still paused.
    StillSuspended,
}

/// Compares what a job is told with what its parts do.
pub fn suspend_trap(job: &TrainJob) -> Option<SuspendTrap> {
    if job.holds("Failed").is_some() || job.holds("Complete").is_some() {
        return None;
    }
    let parts = &job.status.jobs_status;
    let active = parts.iter().any(|part| part.active > 0 && part.suspended == 0);
    let suspended = parts.iter().any(|part| part.suspended > 0);
    let told = job.condition("Suspended")?;
    match told.status.as_str() {
        "True" if job.spec.suspend && active => Some(SuspendTrap::StillRunning),
        "False" if !job.spec.suspend && suspended && !active => Some(SuspendTrap::StillSuspended),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(suspend: bool, conditions: &[(&str, &str)], parts: &[(&str, [i64; 5])]) -> TrainJob {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(kind, status)| json!({"type": kind, "status": status}))
            .collect();
        let parts: Vec<Value> = parts
            .iter()
            .map(|(name, [ready, active, succeeded, failed, suspended])| {
                json!({"name": name, "ready": ready, "active": active, "succeeded": succeeded, "failed": failed, "suspended": suspended})
            })
            .collect();
        let value = json!({"metadata": {"name": "a"}, "spec": {"runtimeRef": {"name": "r"}, "suspend": suspend, "trainer": {"numNodes": 2}},
            "status": {"conditions": conditions, "jobsStatus": parts}});
        TrainJob::from_value(&value).0
    }

    #[test]
    fn the_status_is_that_of_what_trainer_shows() {
        use JobState::{Complete, Created, Failed, Initializing, Running, Suspended};
        let ready = ("node", [1, 1, 0, 0, 0]);
        let table: &[(&str, TrainJob, JobState)] = &[
            ("new", job(false, &[], &[]), Created),
            ("pending", job(false, &[], &[("node", [0, 1, 0, 0, 0])]), Created),
            ("running", job(false, &[], &[ready]), Running),
            (
                "finished",
                job(false, &[("Complete", "True")], &[("node", [0, 0, 1, 0, 0])]),
                Complete,
            ),
            ("last moment", job(false, &[], &[("node", [0, 0, 1, 0, 0])]), Running),
            (
                "failed",
                job(false, &[("Failed", "True")], &[("node", [0, 0, 0, 1, 0])]),
                Failed,
            ),
            (
                "deadline keeps counters",
                job(false, &[("Failed", "True")], &[ready]),
                Failed,
            ),
            (
                "failed and complete",
                job(false, &[("Complete", "True"), ("Failed", "True")], &[]),
                Failed,
            ),
            (
                "suspended",
                job(true, &[("Suspended", "True")], &[("node", [0, 0, 0, 0, 1])]),
                Suspended,
            ),
            ("told to suspend", job(true, &[], &[ready]), Suspended),
            ("resumed", job(false, &[("Suspended", "False")], &[ready]), Running),
            (
                "failed while suspended",
                job(true, &[("Suspended", "True"), ("Failed", "True")], &[]),
                Failed,
            ),
            ("between tries", job(false, &[], &[("node", [0; 5])]), Created),
            (
                "fetching",
                job(
                    false,
                    &[],
                    &[("node", [0; 5]), ("dataset-initializer", [0, 1, 0, 0, 0])],
                ),
                Initializing,
            ),
            (
                "one of two fetched",
                job(
                    false,
                    &[],
                    &[
                        ("node", [0; 5]),
                        ("model-initializer", [0, 0, 1, 0, 0]),
                        ("dataset-initializer", [1, 1, 0, 0, 0]),
                    ],
                ),
                Initializing,
            ),
            (
                "fetched, pending",
                job(
                    false,
                    &[],
                    &[("node", [0, 1, 0, 0, 0]), ("model-initializer", [0, 0, 1, 0, 0])],
                ),
                Created,
            ),
            (
                "fetched, running",
                job(false, &[], &[ready, ("model-initializer", [0, 0, 1, 0, 0])]),
                Running,
            ),
            (
                "mpi before its launcher",
                job(false, &[], &[ready, ("launcher", [0; 5])]),
                Created,
            ),
            ("mpi", job(false, &[], &[ready, ("launcher", [1, 1, 0, 0, 0])]), Running),
        ];
        for (case, job, state) in table {
            assert_eq!(JobState::of(job), *state, "{case}");
        }
    }

    #[test]
    fn pods_tell_what_counters_do_not() {
        let idle = job(false, &[], &[("node", [0; 5])]);
        assert_eq!(JobState::with_pods(&idle, 2, 2), JobState::Running);
        assert_eq!(JobState::with_pods(&idle, 2, 1), JobState::Created);
        assert_eq!(JobState::with_pods(&idle, 1, 1), JobState::Created, "one of two nodes");
        let failed = job(false, &[("Failed", "True")], &[]);
        assert_eq!(JobState::with_pods(&failed, 2, 2), JobState::Failed);
    }

    #[test]
    fn a_pause_that_reached_nobody_is_seen() {
        let running = ("node", [1, 1, 0, 0, 0]);
        let paused = ("node", [0, 0, 0, 0, 1]);
        assert_eq!(
            suspend_trap(&job(true, &[("Suspended", "True")], &[running])),
            Some(SuspendTrap::StillRunning)
        );
        assert_eq!(suspend_trap(&job(true, &[("Suspended", "True")], &[paused])), None);
        assert_eq!(
            suspend_trap(&job(false, &[("Suspended", "False")], &[paused])),
            Some(SuspendTrap::StillSuspended)
        );
        assert_eq!(suspend_trap(&job(false, &[("Suspended", "False")], &[running])), None);
        assert_eq!(
            suspend_trap(&job(true, &[("Suspended", "True"), ("Failed", "True")], &[running])),
            None
        );
    }
}
