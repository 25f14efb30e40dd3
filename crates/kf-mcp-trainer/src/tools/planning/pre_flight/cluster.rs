//! What the answers say of the cluster itself: rights, controllers, names, volumes, versions.

use kf_mcp_core::kube::Groups;
use kf_mcp_trainjob::Runtime;

use super::super::check_compatibility::told_by;
use super::ask::{Maybe, no_room, unseen};
use super::first::First;
use super::second::Second;
use crate::capacity::ControllerPod;
use crate::compatibility::{KINDS, Kind, Seen};
use crate::pods::outside;
use crate::preflight::{Report, Rights, classes};
use crate::tools::platform::controller::DeploymentFacts;

/// The check of the controllers.
const CONTROLLER: &str = "controller";

impl First {
    /// Whether the caller may submit, and follow what was submitted.
    pub(super) fn judge_rights(&self, namespace: &str, second: &Second, report: &mut Report) {
        let decided = match (self.may_submit(), &second.may_submit) {
            (Some(true), _) => Some(true),
            (_, Some(Ok(decided))) => Some(*decided),
            (_, Some(Err(error))) => {
                report.not_seen.push(unseen("whether you may submit", error));
                None
            }
            (_, None) => {
                report
                    .not_seen
                    .push("whether you may submit: the rules that list your rights do not say so".to_owned());
                None
            }
        };
        match decided {
            Some(true) => {
                report.done("rights");
                if let Ok(rights) = &self.rights {
                    rights.follow(report);
                }
            }
            Some(false) => Rights::refuse(report, namespace),
            None => {}
        }
    }

    /// Whether the controllers run that make pods of jobs.
    pub(super) fn judge_controllers(&self, second: &Second, report: &mut Report) {
        let mut down = |kind: &str, namespace: &str, name: &str, why: &str| {
            let (namespace, name) = (outside(namespace), outside(name));
            report.block(
                CONTROLLER,
                format!("look at the {kind} `{name}` in namespace `{namespace}`"),
                format!("{why}: its webhook refuses jobs, or nothing happens to them"),
                format!(
                    "inspect_controller tells why; kubectl -n {namespace} describe {} {name}",
                    kind.to_lowercase()
                ),
            );
        };
        let pods = self.controllers();
        for (at, pod) in pods.iter().enumerate() {
            let same = |other: &&ControllerPod| other.of == pod.of;
            let first = !pods[..at].iter().any(|other| other.of == pod.of);
            if first && !pods.iter().filter(same).any(|pod| pod.ready) {
                down(
                    "Pod",
                    &pod.namespace,
                    &pod.name,
                    "it is not ready, and no other of its kind is",
                );
            }
        }
        let found = match &second.controllers {
            Maybe::NotNeeded => return report.done(CONTROLLER),
            Maybe::NoRoom => {
                return report
                    .not_seen
                    .push(no_room("the controller (inspect_controller tells)"));
            }
            Maybe::Asked(Err(error)) => return report.not_seen.push(unseen("the controller", error)),
            Maybe::Asked(Ok(found)) => found,
        };
        for deployment in found {
            if let Some(why) = deployment.down() {
                let (namespace, name) = deployment.place();
                down("Deployment", namespace, name, &why);
            }
        }
        if found.iter().any(DeploymentFacts::is_trainer) {
            report.done(CONTROLLER);
        } else {
            report.warnings.push(
                "neither pods nor a Deployment of Trainer's controller are visible: it runs outside the cluster or under other \
                 labels, or not at all (inspect_controller)"
                    .to_owned(),
            );
        }
    }
}

impl Second {
    pub(super) fn judge_volumes(&self, runtime: &Runtime, report: &mut Report) {
        match &self.classes {
            Maybe::Asked(Ok(all)) => {
                classes(runtime, all, report);
                report.done("volume");
            }
            Maybe::Asked(Err(error)) => report.not_seen.push(unseen("StorageClasses", error)),
            Maybe::NoRoom => report.not_seen.push(no_room("the volumes of the runtime")),
            Maybe::NotNeeded => {}
        }
    }

    /// Whether a LimitRange says how much of a resource pods take; none when nobody could look.
    pub(super) fn fills_in(&self, resource: &str) -> Option<bool> {
        match &self.ranges {
            Maybe::Asked(Ok(ranges)) => Some(ranges.iter().any(|range| range.fills_in(resource))),
            _ => None,
        }
    }

    pub(super) fn judge_place(&self, namespace: &str, report: &mut Report) {
        let what = format!("the namespace {namespace}");
        let mut absent = |why: &str| {
            report.block(
                "namespace",
                format!("find the namespace `{namespace}`"),
                why,
                "list_namespaces shows the namespaces that you may use",
            );
        };
        match &self.place {
            Maybe::Asked(Ok(place)) if place.metadata.deletion_timestamp.is_some() => absent("it is being deleted"),
            Maybe::Asked(Err(error)) if error.is_not_found() => absent("there is none of that name"),
            Maybe::Asked(Err(error)) => report.not_seen.push(unseen(&what, error)),
            Maybe::NoRoom => report.not_seen.push(no_room(&what)),
            Maybe::Asked(Ok(_)) | Maybe::NotNeeded => report.done("namespace"),
        }
    }

    pub(super) fn judge_name(&self, namespace: &str, name: &str, report: &mut Report) {
        let what = format!("whether the name {name} is free");
        match &self.taken {
            Maybe::Asked(Ok(_)) => report.block(
                "name",
                format!("create training job `{name}` in namespace `{namespace}`"),
                "a training job of that name exists",
                "choose another name, or leave `name` out and one is made",
            ),
            Maybe::Asked(Err(error)) if error.is_not_found() || error.is_not_served() => report.done("name"),
            Maybe::Asked(Err(error)) => report.not_seen.push(unseen(&what, error)),
            Maybe::NoRoom => report.not_seen.push(no_room(&what)),
            Maybe::NotNeeded => {}
        }
    }

    /// Whether what is served is new enough; the version of Kubernetes.
    pub(super) fn judge_versions(&self, report: &mut Report) -> Option<String> {
        let kubernetes = match &self.kubernetes {
            Maybe::Asked(Ok(version)) => told_by(version),
            _ => None,
        };
        let kinds = match &self.groups {
            Maybe::Asked(Ok(groups)) => served(groups),
            Maybe::Asked(Err(error)) => {
                report.not_seen.push(unseen("the API groups", error));
                Vec::new()
            }
            _ => {
                report
                    .not_seen
                    .push(no_room("JobSet's kinds (check_compatibility tells)"));
                Vec::new()
            }
        };
        let seen = !kinds.is_empty();
        let wrong = Seen {
            kubernetes: kubernetes.clone(),
            kinds,
            ..Seen::default()
        }
        .judge()
        .wrong();
        for (name, found, fix) in wrong.kinds {
            // Trainer's absence has been told with its runtimes.
            if !report.blocks("runtime") || name.starts_with("jobsets") {
                report.block("versions", format!("look for {name}"), found, fix);
            }
        }
        report.warnings.extend(wrong.warnings);
        if seen {
            report.done("versions");
        }
        kubernetes
    }
}

/// What is known of the kinds that training needs, by the groups they are in.
fn served(groups: &Groups) -> Vec<Kind> {
    let kinds = KINDS.map(|(name, wanted)| {
        let group = name.split_once('.').map_or("", |(_, group)| group);
        let versions: Vec<&str> = groups.versions(group).collect();
        match versions.as_slice() {
            [] => Kind::Missing,
            all if all.contains(&wanted) => Kind::Served,
            all => Kind::Other(all.join(", ")),
        }
    });
    kinds.into()
}
