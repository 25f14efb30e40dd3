//! What the answers mean for the submit.

use kf_mcp_core::kube::Groups;
use kf_mcp_trainjob::Runtime;
use kf_mcp_trainjob::torchtune::Source;

use super::super::check_compatibility::told_by;
use super::PreFlight;
use super::answer::Versions;
use super::ask::{Maybe, no_room, unseen};
use super::first::First;
use super::second::Second;
use crate::capacity::{ControllerPod, capacity};
use crate::compatibility::{KINDS, Kind, Seen};
use crate::pods::outside;
use crate::preflight::{Ask, Report, Rights, claims, classes, room, secret, size};
use crate::quota::{Demand, Quota};
use crate::sizing::fit::{Layout, Verdict, fit};
use crate::sizing::{Given, facts};
use crate::tools::platform::controller::DeploymentFacts;

/// The check of the controllers.
const CONTROLLER: &str = "controller";

impl PreFlight {
    /// All checks but that of the versions.
    pub(super) fn judge(
        &self,
        first: &First,
        second: &Second,
        runtime: Option<&Runtime>,
        demand: Option<&Demand>,
        namespace: &str,
        report: &mut Report,
    ) {
        first.judge_rights(namespace, second, report);
        first.judge_controllers(second, report);
        second.judge_place(namespace, report);
        second.judge_name(namespace, self.job_name().unwrap_or_default(), report);
        self.judge_secrets(first, namespace, report);
        self.judge_claims(first, namespace, report);
        if let Some(runtime) = runtime {
            second.judge_volumes(runtime, report);
            self.judge_size(runtime, report);
        }
        match demand {
            Some(demand) => {
                self.judge_quota(first, second, demand, namespace, report);
                self.judge_room(first, demand, report);
            }
            None => report
                .not_seen
                .push("quota and devices: what the job asks for is not known until the rest is right".to_owned()),
        }
    }

    fn judge_secrets(&self, first: &First, namespace: &str, report: &mut Report) {
        for ((field, name), found) in self.secrets().zip(&first.secrets) {
            let found = match found {
                Ok(found) => Some(found),
                Err(error) if error.is_not_found() => None,
                Err(error) => {
                    report.not_seen.push(unseen(&format!("the Secret {name}"), error));
                    continue;
                }
            };
            secret(field, name, namespace, found, report);
        }
        if !first.secrets.is_empty() && first.secrets.iter().all(Result::is_ok) {
            report.done("secrets");
        }
    }

    fn judge_claims(&self, first: &First, namespace: &str, report: &mut Report) {
        let wanted = self.claims();
        match &first.claims {
            Some(Ok((all, more))) => {
                claims(&wanted, all, *more, namespace, self.num_workers, report);
                report.done("claims");
            }
            Some(Err(error)) => report
                .not_seen
                .push(unseen(&format!("the claims {}", wanted.join(", ")), error)),
            None => {}
        }
    }

    fn judge_size(&self, runtime: &Runtime, report: &mut Report) {
        if !runtime.is_torchtune() {
            return;
        }
        // What lies on a claim is not fetched.
        let fetched = Source::model(self.model_on(runtime))
            .ok()
            .filter(|model| model.uri().is_some());
        let facts = fetched.and_then(|model| facts(model.name(), &Given::default()));
        if let Some(facts) = facts {
            size(runtime, facts.model.params, report);
        }
    }

    fn judge_quota(&self, first: &First, second: &Second, demand: &Demand, namespace: &str, report: &mut Report) {
        let quotas = match &first.quotas {
            Ok(quotas) => quotas,
            Err(error) => return report.not_seen.push(unseen("quotas", error)),
        };
        for short in quotas.short(demand) {
            let Quota { name, resource, .. } = &short.row;
            report.block(
                "quota",
                format!("take {} {resource} of the quota `{name}` in namespace `{namespace}`", short.asked),
                short.row.words(),
                "ask for less, delete or suspend a job that holds it (list_training_jobs), or ask an administrator for more",
            );
        }
        for (name, resource) in quotas.unsaid(demand) {
            match second.fills_in(resource) {
                Some(true) => {}
                Some(false) => report.block(
                    "quota",
                    format!("create pods that do not say how much {resource} they take, in namespace `{namespace}`"),
                    format!("the quota `{name}` refuses them: must specify {resource}"),
                    format!("give resources_per_node with {resource}, for example {{\"cpu\": 4, \"memory\": \"16Gi\", \"gpu\": 1}}"),
                ),
                None => report.not_seen.push(format!(
                    "whether a LimitRange says how much {resource} pods take; else the quota {name} refuses them"
                )),
            }
        }
        let scoped: Vec<String> = quotas.scoped().collect();
        if !scoped.is_empty() {
            report
                .not_seen
                .push(format!("the quotas {}: they count only some pods", scoped.join(", ")));
        }
        if quotas.more {
            report.not_seen.push("more quotas than were read".to_owned());
        }
        report.done("quota");
    }

    fn judge_room(&self, first: &First, demand: &Demand, report: &mut Report) {
        if demand.each.is_empty() {
            return;
        }
        let cluster = match &first.cluster {
            Ok(cluster) => cluster,
            Err(error) => return report.not_seen.push(unseen("devices", error)),
        };
        report.not_seen.extend(cluster.not_seen.iter().cloned());
        let complete = !cluster.not_seen.iter().any(|line| line.starts_with("nodes"));
        let ask = Ask {
            pods: demand.pods,
            each: &demand.each,
        };
        room(&cluster.nodes, cluster.load.as_ref(), complete, &ask, report);
        report.done("devices");
        let sums = capacity(&cluster.nodes, cluster.load.as_ref());
        let asked = sums
            .accelerators
            .iter()
            .filter(|device| demand.each.contains_key(&device.resource));
        let Some(per_node) = asked.clone().find_map(|device| demand.each.get(&device.resource)) else {
            return;
        };
        let per_node = u32::try_from(per_node.whole()).unwrap_or(u32::MAX);
        let Some(plan) = self.plan(per_node) else {
            return;
        };
        let layout = Layout {
            nodes: self.num_workers,
            per_node,
        };
        let verdicts: Vec<Option<Verdict>> = asked.map(|device| fit(&plan, layout, device).verdict).collect();
        if !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Some(Verdict::No)) {
            report.warnings.push(format!(
                "no device here likely has the memory for {}, with {} x {per_node} of them: estimate_resources says what would",
                self.model.trim(),
                self.num_workers
            ));
        }
    }
}

impl First {
    /// Whether the caller may submit, and follow what was submitted.
    fn judge_rights(&self, namespace: &str, second: &Second, report: &mut Report) {
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
    fn judge_controllers(&self, second: &Second, report: &mut Report) {
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
    fn judge_volumes(&self, runtime: &Runtime, report: &mut Report) {
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
    fn fills_in(&self, resource: &str) -> Option<bool> {
        match &self.ranges {
            Maybe::Asked(Ok(ranges)) => Some(ranges.iter().any(|range| range.fills_in(resource))),
            _ => None,
        }
    }

    fn judge_place(&self, namespace: &str, report: &mut Report) {
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

    fn judge_name(&self, namespace: &str, name: &str, report: &mut Report) {
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

    /// Whether what is served is new enough; the versions that were told.
    pub(super) fn judge_versions(self, report: &mut Report) -> Versions {
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
            told: self.trainer.clone(),
            patches: None,
            legacy: None,
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
        Versions {
            kubernetes,
            trainer: self.trainer,
        }
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
