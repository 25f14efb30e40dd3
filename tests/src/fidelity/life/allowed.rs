//! Differences that stay, each under the row of `FIDELITY.md` that tells of it.

/// One sort of difference that stays.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// The first column of its row in `FIDELITY.md`.
    pub row: &'static str,
    /// Why it stays.
    pub why: &'static str,
    /// What a line has to hold: first how the object's part of it begins, or the whole line.
    pub parts: &'static [&'static str],
}

const NODES: &str = "The control plane's nodes are kwok's: no ids, no digests, words of its own";
const KUBELET: &str = "The sandbox follows a real kubelet, which kwok does not play to the letter.";
const VOLUMES: &str = "A volume is provisioned after a moment, which events tell of";
const CACHES: &str = "Controllers read from caches that lag behind";
const AGAIN: &str = "What is refused is tried again and again, and told each time";
const FOREGROUND: &str = "Foreground deletion waits for dependents";

const fn allowed(row: &'static str, why: &'static str, parts: &'static [&'static str]) -> Allowed {
    Allowed { row, why, parts }
}

/// All of them.
pub const ALLOWED: &[Allowed] = &[
    allowed(NODES, KUBELET, &["Event Pod ", ": Started \"Started container\""]),
    allowed(NODES, KUBELET, &["Event Pod ", ": Pulling \"Pulling image\""]),
    allowed(
        NODES,
        KUBELET,
        &["Event Pod ", ": BackOff \"Back-off restarting failed container"],
    ),
    allowed(NODES, KUBELET, &["Event Pod ", ": Started \"Container started\""]),
    allowed(NODES, KUBELET, &["Event Pod ", ": Created \"Container created\""]),
    allowed(NODES, KUBELET, &["Event Pod ", ": Pulled \"Container image "]),
    allowed(NODES, KUBELET, &["Pod ", ": status.", ".containerID: "]),
    allowed(NODES, KUBELET, &["Pod ", ": status.", ".imageID: "]),
    allowed(NODES, KUBELET, &["Pod ", ": status.", "restarting failed container"]),
    allowed(
        NODES,
        KUBELET,
        &[
            "Pod ",
            ": status.conditions[",
            "].message: real (absent), sandbox \"containers with unready status",
        ],
    ),
    allowed(NODES, KUBELET, &["Pod ", ": status.hostIP: real (absent)"]),
    allowed(
        VOLUMES,
        "The sandbox binds claims at once.",
        &["Event PersistentVolumeClaim ", "real only"],
    ),
    allowed(
        VOLUMES,
        "The sandbox binds claims at once.",
        &["Event Pod ", "unbound immediate PersistentVolumeClaims"],
    ),
    allowed(
        VOLUMES,
        "The sandbox binds claims at once.",
        &["Event Pod ", "bound to non-existent persistentvolume"],
    ),
    allowed(
        CACHES,
        "JobSet makes a Job again that it has just made.",
        &["Event JobSet ", ": JobCreationFailed ", "already exists", "real only"],
    ),
    allowed(
        CACHES,
        "The sandbox has no EndpointSlices that could be gone already.",
        &["Event Service ", ": FailedToUpdateEndpointSlices ", "real only"],
    ),
    allowed(
        CACHES,
        "The sandbox has no Endpoints that could be gone already.",
        &["Event Endpoints ", ": FailedToUpdateEndpoint ", "real only"],
    ),
    allowed(
        CACHES,
        "Trainer makes the JobSet again that it has just deleted, because it does not know yet that the job has failed.",
        &["over: Event ", "-0-0-*", " #2: real only"],
    ),
    allowed(
        CACHES,
        "As above: the new JobSet had nothing to count yet.",
        &["over: TrainJob demo: status.jobsStatus: real (absent)"],
    ),
    allowed(
        CACHES,
        "Trainer applies a JobSet twice before it has seen it, which those with claims refuse.",
        &[
            "Event TrainJob ",
            "spec.volumeClaimPolicies: Invalid value: Value is immutable",
            "real only",
        ],
    ),
    allowed(
        CACHES,
        "Trainer applies it once more for a TrainJob that is gone, and it goes with that owner.",
        &["orphaned: ConfigMap demo-", "sandbox only"],
    ),
    allowed(
        AGAIN,
        "How often depends on how long one looks.",
        &["Event ", ": repeated: real true"],
    ),
    allowed(
        FOREGROUND,
        "A Job replaces pods that go before the Job itself does, as often as there is time for it.",
        &["gone: Event ", "-0-0-*", " #", ": real only"],
    ),
    allowed(
        FOREGROUND,
        "Trainer looks at a TrainJob that is going, and whose children are free already.",
        &[
            "Event TrainJob ",
            "a snapshot configmap exists but is owned by another object",
            "real only",
        ],
    ),
];

/// The row that covers a difference at a moment.
pub(super) fn row(moment: &str, difference: &str) -> Option<&'static str> {
    let line = format!("{moment}: {difference}");
    let allowed = ALLOWED.iter().find(|allowed| allowed.covers(&line, difference));
    allowed.map(|allowed| allowed.row)
}

impl Allowed {
    fn covers(&self, line: &str, difference: &str) -> bool {
        let [first, rest @ ..] = self.parts else { return false };
        (difference.starts_with(first) || line.starts_with(first)) && rest.iter().all(|part| line.contains(part))
    }
}
