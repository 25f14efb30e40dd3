//! The pods of a v1 job: which replica each is, which container trains, and which events are about the job.

use std::collections::BTreeMap;

use super::kind::{KINDS, LegacyKind};
use crate::events::Involved;
use crate::pods::{Pod, newest};

/// The label with the job's name.
pub(crate) const JOB: &str = "training.kubeflow.org/job-name";
/// The label with the replica type, in lower case.
const TYPE: &str = "training.kubeflow.org/replica-type";
/// The label with the number of the replica in its type.
const INDEX: &str = "training.kubeflow.org/replica-index";
/// The label with the role: `master` of the leading replica in v1, the type itself in the MPI operator.
const ROLE: &str = "training.kubeflow.org/job-role";
/// The label with the controller that made the pod: jobs of two kinds may have one name.
const OPERATOR: &str = "training.kubeflow.org/operator-name";
/// What the MPI operator calls itself.
const MPI_OPERATOR: &str = "mpi-operator";

fn label<'a>(pod: &'a Pod, name: &str) -> &'a str {
    pod.metadata.labels.get(name).map_or("", String::as_str)
}

/// Whether a pod that has the job's name was made for a job of this kind.
pub(crate) fn of_kind(kind: &LegacyKind, pod: &Pod) -> bool {
    let operator = label(pod, OPERATOR);
    let own = operator
        .strip_suffix("-controller")
        .is_some_and(|of| of.eq_ignore_ascii_case(kind.name));
    operator.is_empty() || own || operator == MPI_OPERATOR && kind.name == "MPIJob"
}

/// The replica type of a pod; the MPI operator tells it as the role.
fn replica_type(pod: &Pod) -> String {
    let said = label(pod, TYPE);
    let said = if said.is_empty() { label(pod, ROLE) } else { said };
    said.to_ascii_lowercase()
}

/// The number of a pod in its type; workers of MPIJobs only have it in their name.
fn index(pod: &Pod) -> u32 {
    let name = || pod.metadata.name.rsplit('-').next().unwrap_or_default();
    label(pod, INDEX).parse().or_else(|_| name().parse()).unwrap_or(0)
}

/// The steps of a v1 job, `TYPE-INDEX` as its pods are called, each with the newest of its pods.
pub(crate) fn steps<'a>(kind: &LegacyKind, pods: &'a [Pod]) -> BTreeMap<String, &'a Pod> {
    let own = pods.iter().filter(|pod| of_kind(kind, pod)).filter_map(|pod| {
        let of = replica_type(pod);
        (!of.is_empty()).then(|| (format!("{of}-{}", index(pod)), pod))
    });
    newest(own)
}

/// The labels of a step's pod, for a job with more pods than one page; none for what is no step.
pub(crate) fn selector(step: &str) -> Option<String> {
    let (of, index) = step.rsplit_once('-')?;
    let fits = !of.is_empty() && of.bytes().all(|c| c.is_ascii_lowercase()) && index.parse::<u32>().is_ok();
    fits.then(|| format!("{TYPE}={of},{INDEX}={index}"))
}

/// The step that `node-0` means, the name that TrainJobs have for the first node: the replica that leads.
pub(crate) fn alias(kind: &LegacyKind, step: &str, steps: &BTreeMap<String, &Pod>) -> String {
    if step != "node-0" || steps.contains_key(step) {
        return step.to_owned();
    }
    let leaders = kind.types.iter().map(|of| format!("{of}-0"));
    let there = leaders.clone().find(|leader| steps.contains_key(leader));
    there.or_else(|| leaders.clone().next()).unwrap_or_default()
}

/// The container that trains, by the names that the operator wants; none for a pod of something else.
pub(crate) fn container(pod: &Pod) -> Option<&str> {
    if label(pod, JOB).is_empty() {
        return None;
    }
    let named = |kind: &LegacyKind| pod.spec.containers.iter().find(|of| of.name == kind.container);
    KINDS.iter().find_map(named).map(|of| of.name.as_str())
}

/// Whether an object is the job or was made for it. Its pods and services are called `JOB-TYPE-INDEX`.
pub(crate) fn is_of_job(object: &Involved, kind: &LegacyKind, job: &str) -> bool {
    let rest = || object.name.strip_prefix(job)?.strip_prefix('-');
    let is_replica = |rest: &str| {
        kind.types.iter().any(|of| {
            let below = rest.strip_prefix(of);
            below.is_some_and(|below| below.is_empty() || below.strip_prefix('-').is_some_and(is_number_or_random))
        })
    };
    match object.kind.as_str() {
        "PodGroup" | "HorizontalPodAutoscaler" => object.name == job,
        "Pod" | "Service" | "Job" => rest().is_some_and(is_replica) || object.kind == "Service" && object.name == job,
        "ConfigMap" => rest() == Some("config"),
        "Secret" => rest() == Some("ssh"),
        other => other == kind.name && object.name == job,
    }
}

/// `3`, or `x2k9z`: the pods of the MPI operator's launcher are those of a Job.
fn is_number_or_random(end: &str) -> bool {
    let number = !end.is_empty() && end.bytes().all(|c| c.is_ascii_digit());
    number || end.len() == 5 && end.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn kind(name: &str) -> &'static LegacyKind {
        KINDS.iter().find(|kind| kind.name == name).unwrap()
    }

    fn pod(name: &str, labels: Value, container: &str) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels},
            "spec": {"containers": [{"name": "side"}, {"name": container}]}}))
        .unwrap()
    }

    fn names(kind: &LegacyKind, pods: &[Pod]) -> Vec<String> {
        steps(kind, pods).into_keys().collect()
    }

    #[test]
    fn replicas_are_steps_whatever_operator_made_them() {
        let torch = [
            pod(
                "a-master-0",
                json!({JOB: "a", OPERATOR: "pytorchjob-controller", TYPE: "master", INDEX: "0", ROLE: "master"}),
                "pytorch",
            ),
            pod(
                "a-worker-1",
                json!({JOB: "a", OPERATOR: "pytorchjob-controller", TYPE: "worker", INDEX: "1"}),
                "pytorch",
            ),
            // a TFJob of the same name
            pod(
                "a-ps-0",
                json!({JOB: "a", OPERATOR: "tfjob-controller", TYPE: "ps", INDEX: "0"}),
                "tensorflow",
            ),
        ];
        assert_eq!(names(kind("PyTorchJob"), &torch), ["master-0", "worker-1"]);
        assert_eq!(names(kind("TFJob"), &torch), ["ps-0"]);
        assert_eq!(torch[0].container(), "pytorch");
        let v1 = [
            pod(
                "b-launcher",
                json!({JOB: "b", OPERATOR: "mpijob-controller", TYPE: "launcher", ROLE: "master"}),
                "mpi",
            ),
            pod(
                "b-worker-2",
                json!({JOB: "b", OPERATOR: "mpijob-controller", TYPE: "worker"}),
                "mpi",
            ),
        ];
        assert_eq!(names(kind("MPIJob"), &v1), ["launcher-0", "worker-2"]);
        let v2 = [
            pod(
                "b-launcher-x2k9z",
                json!({JOB: "b", OPERATOR: MPI_OPERATOR, ROLE: "launcher"}),
                "own",
            ),
            pod(
                "b-worker-2",
                json!({JOB: "b", OPERATOR: MPI_OPERATOR, ROLE: "worker", INDEX: "2"}),
                "own",
            ),
        ];
        assert_eq!(names(kind("MPIJob"), &v2), ["launcher-0", "worker-2"]);
        assert_eq!(
            v2[0].container(),
            "side",
            "the first, where none has a name that is known"
        );
    }

    #[test]
    fn node_0_is_the_replica_that_leads() {
        let some = pod("p", json!({}), "c");
        let there = |names: &[&str]| {
            names
                .iter()
                .map(|name| ((*name).to_owned(), &some))
                .collect::<BTreeMap<_, _>>()
        };
        for (name, steps, asked, step) in [
            ("PyTorchJob", &["master-0", "worker-0"][..], "node-0", "master-0"),
            ("TFJob", &["ps-0", "worker-0"], "node-0", "worker-0"),
            ("MPIJob", &["worker-0"], "node-0", "worker-0"),
            ("MPIJob", &[], "node-0", "launcher-0"),
            ("PyTorchJob", &["master-0"], "worker-3", "worker-3"),
        ] {
            assert_eq!(alias(kind(name), asked, &there(steps)), step, "{name}");
        }
    }

    #[test]
    fn a_step_far_down_the_list_is_asked_for_by_its_labels() {
        for (step, labels) in [
            ("worker-712", Some(format!("{TYPE}=worker,{INDEX}=712"))),
            ("worker", None),
            ("a b-1", None),
            ("-1", None),
        ] {
            assert_eq!(selector(step), labels);
        }
    }

    #[test]
    fn a_job_takes_its_own_events() {
        let of = |object: &str| {
            let (kind, name) = object.split_once('/').unwrap();
            Involved {
                kind: kind.into(),
                name: name.into(),
            }
        };
        for object in [
            "PyTorchJob/a",
            "Pod/a-master-0",
            "Service/a-worker-12",
            "PodGroup/a",
            "HorizontalPodAutoscaler/a",
        ] {
            assert!(is_of_job(&of(object), kind("PyTorchJob"), "a"), "{object}");
        }
        for object in [
            "MPIJob/a",
            "Pod/a-launcher",
            "Job/a-launcher",
            "Pod/a-launcher-x2k9z",
            "ConfigMap/a-config",
        ] {
            assert!(is_of_job(&of(object), kind("MPIJob"), "a"), "{object}");
        }
        for object in [
            "TFJob/a",
            "TrainJob/a",
            "Pod/a-node-0-0-abcde",
            "Pod/a-b-master-0",
            "Pod/ab-master-0",
            "Pod/a",
            "ConfigMap/a",
        ] {
            assert!(!is_of_job(&of(object), kind("PyTorchJob"), "a"), "{object}");
        }
    }
}
