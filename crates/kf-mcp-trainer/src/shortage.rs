//! What a scheduler or a quota says of a pod that is not placed: whether it is short of something that others may free, or asks
//! for what will never be there.

use crate::quantity::Quantity;

/// Why no node takes a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// Nodes suit, and have too little left.
    Room,
    /// No node has the labels that are asked for.
    Labels,
    /// No node's taints are tolerated.
    Taints,
    /// Some nodes have other labels, the others taints.
    LabelsAndTaints,
}

impl Shortage {
    /// From a scheduler's message: `0/3 nodes are available: 2 Insufficient cpu, 1 node(s) had untolerated taint(s).` What comes
    /// after the reasons, of preemption, repeats them.
    pub(crate) fn of(message: &str) -> Self {
        let reasons = message.split("preemption:").next().unwrap_or(message);
        let Some((nodes, reasons)) = reasons.split_once(" nodes are available: ") else {
            return Self::Room;
        };
        let nodes: Option<u64> = nodes.rsplit('/').next().and_then(|nodes| nodes.parse().ok());
        let (mut labels, mut taints) = (0_u64, 0_u64);
        for reason in reasons.split(", ") {
            let (count, reason) = reason.trim().split_once(' ').unwrap_or_default();
            let count: u64 = count.parse().unwrap_or_default();
            // What Kubernetes itself taints comes back, or is somebody's to bring back.
            let own = reason.contains("kubernetes.io/") && !reason.contains("control-plane");
            if reason.contains("Pod's node affinity") || reason.contains("Pod's node selector") {
                labels = labels.saturating_add(count);
            } else if reason.contains("untolerated taint") && !own {
                taints = taints.saturating_add(count);
            }
        }
        // Any other reason may pass.
        let all = nodes.is_some_and(|nodes| labels.saturating_add(taints) >= nodes);
        let (room, labels, taints) = (!all, labels > 0, taints > 0);
        match (room, labels, taints) {
            (false, true, true) => Self::LabelsAndTaints,
            (false, true, false) => Self::Labels,
            (false, false, true) => Self::Taints,
            _ => Self::Room,
        }
    }

    /// What it means; nothing for what the pod's requests tell better.
    pub(crate) fn words(self) -> Option<&'static str> {
        match self {
            Self::Room => None,
            Self::Labels => Some("no node has the labels that its node_selector or affinity asks for"),
            Self::Taints => Some("every node has a taint that the pod does not tolerate"),
            Self::LabelsAndTaints => Some(
                "no node has the labels that its node_selector or affinity asks for and only taints that the pod tolerates",
            ),
        }
    }

    /// What would help; nothing where room does.
    pub(crate) fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Room => None,
            Self::Labels => Some(
                "submit it again with a node_selector that nodes have (kubectl get nodes --show-labels), and delete this job; or have \
                 nodes labelled so",
            ),
            Self::Taints => Some(
                "submit it again with tolerations for the taints of the nodes it is meant for, and delete this job",
            ),
            Self::LabelsAndTaints => Some(
                "submit it again with a node_selector that nodes have (kubectl get nodes --show-labels) and tolerations for their \
                 taints, and delete this job",
            ),
        }
    }
}

/// What one pod asks for beyond all that its quota has: `64 requests.nvidia.com/gpu of 32`. None when others may free enough,
/// or the message says nothing of it.
pub(crate) fn beyond_quota(message: &str) -> Option<String> {
    let part = |from: &str| {
        let (_, rest) = message.split_once(from)?;
        Some(rest.split(", used:").next()?.split(", limited:").next()?.trim())
    };
    let (requested, limited) = (part("requested: ")?, part("limited: ")?);
    let amount = |list: &str, name: &str| {
        let found = list
            .split(',')
            .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
        found.map(|amount| amount.trim_end_matches('.').to_owned())
    };
    let mut beyond = requested.split(',').filter_map(|pair| {
        let (name, asked) = pair.trim().split_once('=')?;
        let most = amount(limited, name)?;
        let more = asked.parse::<Quantity>().ok()? > most.parse::<Quantity>().ok()?;
        more.then(|| format!("{asked} {name} of {most}"))
    });
    beyond.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_node_has_is_told_from_what_others_hold() {
        for (message, want) in [
            (
                "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
                Shortage::Room,
            ),
            (
                "0/7 nodes are available: 7 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, \
                 preemption: 0/7 nodes are available: 7 Preemption is not helpful for scheduling.",
                Shortage::Labels,
            ),
            (
                "0/2 nodes are available: 2 node(s) had untolerated taint {gpu: true}.",
                Shortage::Taints,
            ),
            (
                "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) didn't match Pod's node affinity/selector.",
                Shortage::LabelsAndTaints,
            ),
            (
                "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s).",
                Shortage::Room,
            ),
            (
                "0/2 nodes are available: 2 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
                Shortage::Room,
            ),
            (
                "0/2 nodes are available: 1 node(s) were unschedulable, 1 node(s) didn't match Pod's node affinity/selector.",
                Shortage::Room,
            ),
            (
                "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 2 node(s) didn't match Pod's node \
                 affinity/selector.",
                Shortage::Room,
            ),
            (
                "0/3 nodes are available: 18446744073709551615 node(s) had untolerated taint {a: b}, 18446744073709551615 node(s) \
                 had untolerated taint {c: d}.",
                Shortage::Taints,
            ),
            ("", Shortage::Room),
        ] {
            assert_eq!(Shortage::of(message), want, "{message}");
        }
    }

    #[test]
    fn what_never_fits_a_quota_is_told_from_what_waits() {
        let said = |requested: &str, limited: &str| {
            beyond_quota(&format!(
                "FailedCreate: pods \"a\" is forbidden: exceeded quota: q, requested: {requested}, used: cpu=1, limited: {limited}"
            ))
        };
        assert_eq!(
            said("requests.nvidia.com/gpu=64", "requests.nvidia.com/gpu=32").as_deref(),
            Some("64 requests.nvidia.com/gpu of 32")
        );
        assert_eq!(
            said("cpu=1,memory=2Ti", "cpu=4,memory=64Gi").as_deref(),
            Some("2Ti memory of 64Gi")
        );
        assert_eq!(said("cpu=4", "cpu=4"), None);
        assert_eq!(beyond_quota("exceeded quota"), None);
        assert_eq!(
            beyond_quota("exceeded quota: q, requested: cpu=x, used: cpu=1, limited: cpu=y"),
            None
        );
    }
}
