//! The words of findings about pods that do not start or were taken away.

use super::happened::names_missing;
use crate::pods::Pod;
use crate::shortage::Shortage;

/// The word of a finding, where a message tells more than its reason.
pub(super) fn refined<'a>(code: &'a str, message: &str) -> &'a str {
    match code {
        "ContainerConfig" if names_missing(message) => "MissingSecret",
        other => other,
    }
}

/// What a finding about a pod means.
pub(super) fn words(code: &str, message: &str, pod: &Pod) -> String {
    match code {
        "QuotaExceeded" => "a quota of the namespace leaves no room for its pods".into(),
        "Preempted" => "pods of a higher priority took its place".into(),
        "Evicted" => "the pod was evicted from its node".into(),
        "NodeLost" => "the node was lost or taken out".into(),
        "MissingClaim" => "a PersistentVolumeClaim that the pods mount does not exist".into(),
        "VolumePending" => "a volume that the pods need is not there yet".into(),
        "SchedulingGated" => "a scheduling gate holds its pods back".into(),
        "Unschedulable" => match Shortage::of(message).words() {
            Some(why) => why.to_owned(),
            None => format!("no node can take the pod{}", asks(pod)),
        },
        "ImagePull" => "the image cannot be pulled".into(),
        "MissingSecret" => "a Secret or ConfigMap that the pods need is not there, or lacks a key".into(),
        "ContainerConfig" => "the container cannot be made as it is described".into(),
        _ => "the pod was ended from outside".into(),
    }
}

/// What a pod asks for, as far as nodes are short of it.
fn asks(pod: &Pod) -> String {
    let Some(resources) = pod.resources(pod.container()) else {
        return String::new();
    };
    let mut asked = resources.limits.clone();
    asked.extend(resources.requests.clone());
    let mut told: Vec<String> = resources
        .devices()
        .iter()
        .map(|devices| format!("{} {}", devices.per_node, devices.resource))
        .collect();
    told.extend(
        ["cpu", "memory"]
            .iter()
            .filter_map(|name| Some(format!("{name} {}", asked.get(*name)?))),
    );
    if told.is_empty() {
        String::new()
    } else {
        format!(", which asks for {}", told.join(", "))
    }
}
