//! The defaults that the CRDs of Trainer and JobSet write into runtimes and JobSets.

use serde_json::{Value, json};

use super::{each, set};

/// Fills in a `TrainingRuntime` or a `ClusterTrainingRuntime`.
pub(super) fn runtime(runtime: &mut Value) {
    let spec = &mut runtime["spec"];
    if let Some(mpi) = spec.pointer_mut("/mlPolicy/mpi").filter(|mpi| mpi.is_object()) {
        for (field, value) in [
            ("mpiImplementation", json!("OpenMPI")),
            ("numProcPerNode", json!(1)),
            ("runLauncherAsNode", json!(false)),
            ("sshAuthMountPath", json!("/root/.ssh")),
        ] {
            set(mpi, field, &value);
        }
    }
    let group = spec.pointer_mut("/podGroupPolicy/coscheduling");
    if let Some(group) = group.filter(|group| group.is_object()) {
        set(group, "scheduleTimeoutSeconds", &json!(60));
    }
    if let Some(jobset) = spec.pointer_mut("/template/spec") {
        self::jobset(jobset);
    }
}

/// Fills in the spec of a JobSet.
pub(crate) fn jobset(spec: &mut Value) {
    if let Some(policy) = spec.get_mut("failurePolicy").filter(|policy| policy.is_object()) {
        set(policy, "restartStrategy", &json!("Recreate"));
    }
    for policy in each(spec, "volumeClaimPolicies") {
        if let Some(retention) = policy
            .get_mut("retentionPolicy")
            .filter(|retention| retention.is_object())
        {
            set(retention, "whenDeleted", &json!("Delete"));
        }
    }
    for replicated in each(spec, "replicatedJobs") {
        set(replicated, "groupName", &json!("default"));
        set(replicated, "replicas", &json!(1));
        let Some(pod) = replicated.pointer_mut("/template/spec/template/spec") else {
            continue;
        };
        for list in ["initContainers", "containers"] {
            for container in each(pod, list) {
                for port in each(container, "ports") {
                    set(port, "protocol", &json!("TCP"));
                }
            }
        }
    }
}
