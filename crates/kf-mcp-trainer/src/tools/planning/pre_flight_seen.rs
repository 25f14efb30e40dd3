//! What `pre_flight` asks of the cluster, in two rounds: what the arguments alone decide, and what the first answers decide.

use kf_mcp_core::kube::resources::{CLAIMS, NAMESPACES, SECRETS, STORAGE_CLASSES, TRAIN_JOBS};
use kf_mcp_core::kube::{Groups, KubeError, ListQuery, Meta, Resource};
use kf_mcp_core::{Cx, ErrorCode, ToolError};
use kf_mcp_trainjob::Runtime;
use kf_mcp_trainjob::torchtune::Source;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::check_compatibility::{SYSTEM_NAMESPACES, told_by, told_version};
use super::pre_flight::PreFlight;
use super::readings::{self, Cluster};
use crate::compatibility::{KINDS, Kind, Seen};
use crate::finetune;
use crate::preflight::{Claim, LimitRange, Report, Rights, Secret, StorageClass};
use crate::quota::{Demand, Quotas};
use crate::refusal::said;
use crate::runtimes::{self, Found};
use crate::tools::platform::controller::{DeploymentFacts, PLACES, deployments};
use crate::tools::training::fine_tune::MOST_RUNTIMES;
use crate::tools::training::plan::DEFAULT_RUNTIME;

/// The most requests of a call.
const MOST: u32 = 10;
/// Objects of one kind that are read.
const PAGE: u32 = 500;
const LIMIT_RANGES: Resource = Resource::new("", "v1", "limitranges");

/// Why a check could not be made.
pub(super) fn unseen(what: &str, error: &KubeError) -> String {
    format!("{what}: {}", said(error.clone()))
}

/// The runtimes that may be meant.
enum Runtimes {
    /// The one that is named, if it is there.
    Named(Option<Found>),
    All(Vec<Runtime>, bool, Vec<String>),
    /// The model, which would choose, is wrong.
    NotAsked,
}

/// The answers of the first round.
pub(super) struct First {
    runtimes: Result<Runtimes, ToolError>,
    model: Option<Source>,
    rights: Result<Rights, KubeError>,
    pub(super) quotas: Result<Quotas, KubeError>,
    controllers: Result<Vec<DeploymentFacts>, KubeError>,
    pub(super) cluster: Result<Cluster, KubeError>,
    /// In the order in which they are named.
    pub(super) secrets: Vec<Result<Secret, KubeError>>,
    /// The claims, and whether there are more; none where no claim is named.
    pub(super) claims: Option<Result<(Vec<Claim>, bool), KubeError>>,
}

impl First {
    /// Asks all at once. A model that was read chooses the runtime where none is named.
    pub(super) async fn ask(cx: &Cx, namespace: &str, call: &PreFlight, model: Option<&Source>) -> Self {
        let runtimes = async {
            if !call.asks_by_model() {
                let name = call.named().unwrap_or(DEFAULT_RUNTIME);
                return runtimes::find(cx, namespace, name).await.map(Runtimes::Named);
            }
            if model.is_none() {
                return Ok(Runtimes::NotAsked);
            }
            let (all, more, not_seen) = runtimes::list(cx, namespace, MOST_RUNTIMES).await?;
            Ok(Runtimes::All(all, more, not_seen))
        };
        let secrets = call
            .secrets()
            .map(|(_, name)| async move { cx.kube().get::<Secret>(&SECRETS, Some(namespace), name).await });
        let claims = async {
            if call.claims().is_empty() {
                return None;
            }
            Some(list::<Claim>(cx, &CLAIMS, Some(namespace)).await)
        };
        let question = Rights::question(namespace);
        let (runtimes, rights, quotas, controllers, cluster, secrets, claims) = futures::join!(
            runtimes,
            cx.kube().review::<Rights>("selfsubjectrulesreviews", &question),
            Quotas::read(cx, namespace),
            deployments(cx, true),
            readings::read(cx, 1),
            futures::future::join_all(secrets),
            claims,
        );
        Self {
            runtimes,
            model: model.cloned(),
            rights,
            quotas,
            controllers,
            cluster,
            secrets,
            claims,
        }
    }

    /// How many requests are left.
    pub(super) fn left(&self, cx: &Cx) -> u32 {
        MOST.saturating_sub(cx.kube().gate().requests())
    }

    /// The runtime, by its name or by the model; none when the model is wrong.
    pub(super) async fn runtime(
        &self,
        cx: &Cx,
        namespace: &str,
        call: &PreFlight,
        left: &mut u32,
        report: &mut Report,
    ) -> Result<Option<Runtime>, ToolError> {
        match &self.runtimes {
            Ok(Runtimes::Named(Some(found))) => {
                report.not_seen.extend(found.not_seen.iter().cloned());
                Ok(Some(found.runtime.clone()))
            }
            Ok(Runtimes::Named(None)) => {
                let name = call.named().unwrap_or(DEFAULT_RUNTIME);
                if take(left, 2) {
                    return Err(runtimes::missing(cx, namespace, name, "runtime").await);
                }
                let asked = format!("find the training runtime `{name}`");
                let answered =
                    format!("there is none of that name, neither in namespace `{namespace}` nor in the cluster");
                Err(ToolError::new(ErrorCode::NotFound, asked, answered)
                    .fix("list_runtimes shows what there is")
                    .tool("list_runtimes"))
            }
            Ok(Runtimes::All(all, more, not_seen)) => {
                report.not_seen.extend(not_seen.iter().cloned());
                if *more {
                    report
                        .not_seen
                        .push(format!("runtimes beyond the first {MOST_RUNTIMES}"));
                }
                let chosen = self.model.as_ref().map(|model| finetune::choose(model, all.clone()));
                chosen.transpose()
            }
            Ok(Runtimes::NotAsked) => Ok(None),
            Err(error) => Err(error.clone()),
        }
    }

    /// Whether something of the namespace was seen, and so it exists.
    fn saw_namespace(&self, runtime: Option<&Runtime>) -> bool {
        self.secrets.iter().any(Result::is_ok)
            || self.quotas.as_ref().is_ok_and(|quotas| !quotas.is_empty())
            || matches!(&self.claims, Some(Ok((all, _))) if !all.is_empty())
            || runtime.is_some_and(|runtime| !runtime.namespace.is_empty())
    }

    fn may_submit(&self) -> Option<bool> {
        self.rights.as_ref().ok().map(Rights::may_submit)
    }

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
        let found = match (&self.controllers, &second.controllers) {
            (Ok(found), _) | (_, Some(Ok(found))) => found,
            (Err(error), _) => return report.not_seen.push(unseen("the controller", error)),
        };
        for deployment in found {
            let (namespace, name) = deployment.place();
            if let Some(down) = deployment.down() {
                report.block(
                    "controller",
                    format!("look at the Deployment `{name}` in namespace `{namespace}`"),
                    format!("{down}: its webhook refuses jobs, or nothing happens to them"),
                    format!("inspect_controller tells why; kubectl -n {namespace} rollout restart deployment {name}"),
                );
            }
        }
        if found.iter().any(DeploymentFacts::is_trainer) {
            report.done("controller");
        } else if report
            .blockers
            .iter()
            .all(|blocker| blocker.check != "runtime" || blocker.fix.is_empty())
        {
            report.warnings.push(
                "no Deployment of Trainer's controller is visible: it runs outside the cluster or under other labels, or not at \
                 all (inspect_controller)"
                    .to_owned(),
            );
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Review {
    status: ReviewStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReviewStatus {
    allowed: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Place {
    metadata: Meta,
}

/// Something that was asked for, or that no request was left for.
enum Maybe<T> {
    NotNeeded,
    NoRoom,
    Asked(Result<T, KubeError>),
}

/// The answers of the second round.
pub(super) struct Second {
    classes: Maybe<Vec<StorageClass>>,
    ranges: Maybe<Vec<LimitRange>>,
    may_submit: Option<Result<bool, KubeError>>,
    place: Maybe<Place>,
    taken: Maybe<IgnoredAny>,
    controllers: Option<Result<Vec<DeploymentFacts>, KubeError>>,
    groups: Maybe<Groups>,
    kubernetes: Maybe<Value>,
    trainer: Option<String>,
}

impl Second {
    /// Asks all at once what the first answers leave open, as far as requests are left: what blocks most comes first.
    pub(super) async fn ask(
        cx: &Cx,
        namespace: &str,
        call: &PreFlight,
        first: &First,
        runtime: Option<&Runtime>,
        demand: Option<&Demand>,
        mut left: u32,
    ) -> Self {
        let left = &mut left;
        let volumes = runtime.is_some_and(|runtime| !runtime.claim_templates.is_empty());
        let unsaid = demand
            .zip(first.quotas.as_ref().ok())
            .is_some_and(|(demand, quotas)| !quotas.unsaid(demand).is_empty());
        let classes = Plan::of(volumes, left);
        let ranges = Plan::of(unsaid, left);
        let review = first.may_submit() != Some(true) && take(left, 1);
        let place = Plan::of(!first.saw_namespace(runtime), left);
        let taken = Plan::of(call.job_name().is_some(), left);
        let hidden = first.controllers.as_ref().is_err_and(KubeError::is_forbidden);
        let usual = hidden && take(left, PLACES);
        let groups = Plan::of(true, left);
        let kubernetes = Plan::of(true, left);
        let trainer = take(left, SYSTEM_NAMESPACES.len() as u32);
        let question = Rights::to_submit(namespace);
        let name = call.job_name().unwrap_or_default();
        let (classes, ranges, may_submit, place, taken, controllers, groups, kubernetes, trainer) = futures::join!(
            classes.ask(async { list(cx, &STORAGE_CLASSES, None).await.map(|(all, _)| all) }),
            ranges.ask(async { list(cx, &LIMIT_RANGES, Some(namespace)).await.map(|(all, _)| all) }),
            when(review, async {
                let review = cx.kube().review::<Review>("selfsubjectaccessreviews", &question).await;
                review.map(|review| review.status.allowed)
            }),
            place.ask(cx.kube().get(&NAMESPACES, None, namespace)),
            taken.ask(cx.kube().get(&TRAIN_JOBS, Some(namespace), name)),
            when(usual, deployments(cx, false)),
            groups.ask(cx.kube().groups()),
            kubernetes.ask(cx.kube().version()),
            when(trainer, told_version(cx)),
        );
        Self {
            classes,
            ranges,
            may_submit,
            place,
            taken,
            controllers,
            groups,
            kubernetes,
            trainer: trainer.flatten(),
        }
    }

    /// Judges the volumes of a runtime with `judge`, by the classes that there are.
    pub(super) fn judge_volumes(
        &self,
        runtime: &Runtime,
        report: &mut Report,
        judge: impl FnOnce(&[StorageClass], &mut Report),
    ) {
        match &self.classes {
            Maybe::Asked(Ok(all)) => {
                judge(all, report);
                report.done("volume");
            }
            Maybe::Asked(Err(error)) => report.not_seen.push(unseen("StorageClasses", error)),
            Maybe::NoRoom => report
                .not_seen
                .push(no_room(&format!("the volumes of the runtime {}", runtime.name))),
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

    /// Whether the namespace is there, and the name of the job is free in it.
    pub(super) fn judge_place(&self, namespace: &str, name: Option<&str>, report: &mut Report) {
        let asked = format!("find the namespace `{namespace}`");
        let fix = "list_namespaces shows the namespaces that you may use";
        match &self.place {
            Maybe::Asked(Ok(place)) if place.metadata.deletion_timestamp.is_some() => {
                report.block("namespace", asked, "it is being deleted", fix);
            }
            Maybe::Asked(Err(error)) if error.is_not_found() => {
                report.block("namespace", asked, "there is none of that name", fix);
            }
            Maybe::Asked(Err(error)) => report
                .not_seen
                .push(unseen(&format!("the namespace {namespace}"), error)),
            Maybe::NoRoom => report.not_seen.push(no_room(&format!("the namespace {namespace}"))),
            Maybe::Asked(Ok(_)) | Maybe::NotNeeded => report.done("namespace"),
        }
        let Some(name) = name else {
            return;
        };
        match &self.taken {
            Maybe::Asked(Ok(_)) => report.block(
                "name",
                format!("create training job `{name}` in namespace `{namespace}`"),
                "a training job of that name exists",
                "choose another name, or leave `name` out and one is made",
            ),
            Maybe::Asked(Err(error)) if error.is_not_found() || error.is_not_served() => report.done("name"),
            Maybe::Asked(Err(error)) => report
                .not_seen
                .push(unseen(&format!("whether the name {name} is free"), error)),
            Maybe::NoRoom => report
                .not_seen
                .push(no_room(&format!("whether the name {name} is free"))),
            Maybe::NotNeeded => {}
        }
    }

    /// Whether what is served is new enough; the versions of Kubernetes and of Trainer, where they were told.
    pub(super) fn judge_versions(self, report: &mut Report) -> (Option<String>, Option<String>) {
        let kubernetes = match &self.kubernetes {
            Maybe::Asked(Ok(version)) => told_by(version),
            _ => None,
        };
        let served = |groups: &Groups| {
            let kinds = KINDS.map(|(name, wanted)| {
                let group = name.split_once('.').map_or("", |(_, group)| group);
                let versions: Vec<&str> = groups.versions(group).collect();
                match versions.as_slice() {
                    [] => Kind::Missing,
                    all if all.contains(&wanted) => Kind::Served,
                    all => Kind::Other(all.join(", ")),
                }
            });
            kinds.to_vec()
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
                    .push(no_room("the API groups (check_compatibility tells them)"));
                Vec::new()
            }
        };
        let seen = !kinds.is_empty();
        let wrong = Seen {
            kubernetes: kubernetes.clone(),
            kinds,
            told: self.trainer.clone(),
            patches: None,
        }
        .judge()
        .wrong();
        // One missing component lacks several kinds.
        let mut fixes: Vec<String> = Vec::new();
        for (name, found, fix) in wrong.kinds {
            if !report.blocks("runtime") && !fixes.contains(&fix) || name.starts_with("jobsets") {
                report.block("versions", format!("look for {name}"), found, fix.clone());
            }
            fixes.push(fix);
        }
        report.warnings.extend(wrong.warnings);
        if seen {
            report.done("versions");
        }
        (kubernetes, self.trainer)
    }
}

fn no_room(what: &str) -> String {
    format!("{what}: a call asks the cluster at most {MOST} times")
}

/// Whether something is asked for.
#[derive(Clone, Copy)]
enum Plan {
    NotNeeded,
    NoRoom,
    Ask,
}

impl Plan {
    fn of(needed: bool, left: &mut u32) -> Self {
        match needed {
            false => Self::NotNeeded,
            true if take(left, 1) => Self::Ask,
            true => Self::NoRoom,
        }
    }

    async fn ask<T>(self, asked: impl Future<Output = Result<T, KubeError>>) -> Maybe<T> {
        match self {
            Self::NotNeeded => Maybe::NotNeeded,
            Self::NoRoom => Maybe::NoRoom,
            Self::Ask => Maybe::Asked(asked.await),
        }
    }
}

async fn when<T>(needed: bool, asked: impl Future<Output = T>) -> Option<T> {
    if needed { Some(asked.await) } else { None }
}

/// Takes requests from those that are left.
fn take(left: &mut u32, requests: u32) -> bool {
    let enough = *left >= requests;
    if enough {
        *left -= requests;
    }
    enough
}

/// One page of objects, and whether there are more.
async fn list<T: DeserializeOwned>(
    cx: &Cx,
    of: &Resource,
    namespace: Option<&str>,
) -> Result<(Vec<T>, bool), KubeError> {
    let query = ListQuery {
        limit: Some(PAGE),
        ..ListQuery::default()
    };
    let page = cx.kube().list(of, namespace, &query).await?;
    Ok((page.decode().0, page.next.is_some()))
}
