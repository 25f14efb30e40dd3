//! Which finding is the cause of which: a job is made, its pods are made, placed, started, and run, and what goes wrong
//! earlier is why it goes wrong later.

use super::Finding;

/// The words of findings, causes first.
const ORDER: [&str; 32] = [
    // It is told to wait.
    "RunsElsewhere",
    "WaitsInQueue",
    "StillRunning",
    "StillSuspended",
    "Suspended",
    // Nothing is made of it.
    "NotReconciled",
    "RuntimeMissing",
    "CreationFailed",
    "QuotaExceeded",
    // Its pods are taken away.
    "Preempted",
    OTHER,
    // They have no place.
    "MissingClaim",
    "VolumePending",
    "SchedulingGated",
    "Unschedulable",
    // They do not start.
    "ImagePull",
    "MissingSecret",
    "ContainerConfig",
    "MountFailed",
    // They end.
    "CommandNotFound",
    "OOMKilled",
    "ProcessKilled",
    "GpuOutOfMemory",
    "SharedMemory",
    "PythonException",
    "NcclTimeout",
    "Rendezvous",
    "CrashLoop",
    "ExitCode",
    "NoPods",
    // And with them the job.
    END,
    "DeadlineExceeded",
];

/// What a kubelet or a controller calls the end of a pod: `Evicted`, `NodeLost`, `Shutdown`, …
pub(super) const OTHER: &str = "Evicted";
/// How a job ended. Other words for that are the same in the order.
pub(super) const END: &str = "BackoffLimitExceeded";

/// Sorts them: what still holds before what has passed, causes before what follows, earlier before later.
pub(super) fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| (finding.passed, rank(&finding.code), finding.at));
}

fn rank(code: &str) -> usize {
    let of = |code: &str| ORDER.iter().position(|known| *known == code);
    let fallback = if matches!(
        code,
        "FailedJobs" | "ReachedMaxRestarts" | "FailJobSetFailurePolicyAction" | "Failed"
    ) {
        END
    } else {
        OTHER
    };
    of(code).or_else(|| of(fallback)).unwrap_or(ORDER.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_come_before_what_follows_from_them() {
        for (given, want) in [
            (
                &["BackoffLimitExceeded", "OOMKilled"][..],
                &["OOMKilled", "BackoffLimitExceeded"][..],
            ),
            (&["Unschedulable", "QuotaExceeded"], &["QuotaExceeded", "Unschedulable"]),
            (
                &["DeadlineExceeded", "Unschedulable"],
                &["Unschedulable", "DeadlineExceeded"],
            ),
            (
                &["ExitCode", "NcclTimeout", "PythonException"],
                &["PythonException", "NcclTimeout", "ExitCode"],
            ),
            (&["Unschedulable", "Preempted"], &["Preempted", "Unschedulable"]),
            (
                &["FailedJobs", "ExitCode", "NodeShutdown"],
                &["NodeShutdown", "ExitCode", "FailedJobs"],
            ),
            (&["NcclTimeout", "OOMKilled"], &["OOMKilled", "NcclTimeout"]),
            (&["NcclTimeout", "CommandNotFound"], &["CommandNotFound", "NcclTimeout"]),
            (
                &["CrashLoop", "ImagePull", "MissingClaim"],
                &["MissingClaim", "ImagePull", "CrashLoop"],
            ),
            (
                &["NotReconciled", "StillSuspended"],
                &["StillSuspended", "NotReconciled"],
            ),
        ] {
            let mut findings: Vec<Finding> = given.iter().map(|code| Finding::new(*code, "x")).collect();
            sort(&mut findings);
            let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
            assert_eq!(codes, want);
        }
    }

    #[test]
    fn what_has_passed_is_no_cause_of_what_holds() {
        let mut passed = Finding::new("OOMKilled", "x");
        passed.passed = true;
        let mut findings = [passed, Finding::new("Unschedulable", "x")];
        sort(&mut findings);
        assert_eq!(findings[0].code, "Unschedulable");
    }
}
