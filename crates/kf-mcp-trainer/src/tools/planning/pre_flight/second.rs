//! What the first answers leave open.

use kf_mcp_core::Cx;
use kf_mcp_core::kube::resources::{NAMESPACES, STORAGE_CLASSES, TRAIN_JOBS};
use kf_mcp_core::kube::{Groups, KubeError, Meta, Resource};
use kf_mcp_trainjob::Runtime;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::PreFlight;
use super::ask::{Maybe, Plan, list, take};
use super::first::First;
use crate::preflight::{LimitRange, Rights, StorageClass};
use crate::quota::Demand;
use crate::tools::platform::controller::{DeploymentFacts, deployments};

const LIMIT_RANGES: Resource = Resource::new("", "v1", "limitranges");

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
pub(super) struct Place {
    pub(super) metadata: Meta,
}

/// The answers of the second round.
pub(super) struct Second {
    pub(super) classes: Maybe<Vec<StorageClass>>,
    pub(super) ranges: Maybe<Vec<LimitRange>>,
    pub(super) may_submit: Option<Result<bool, KubeError>>,
    pub(super) place: Maybe<Place>,
    pub(super) taken: Maybe<IgnoredAny>,
    pub(super) controllers: Maybe<Vec<DeploymentFacts>>,
    pub(super) groups: Maybe<Groups>,
    pub(super) kubernetes: Maybe<Value>,
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
        let controllers = Plan::of(!first.saw_trainer(), left);
        let taken = Plan::of(call.job_name().is_some(), left);
        let place = Plan::of(!first.saw_namespace(runtime), left);
        let groups = Plan::of(true, left);
        let kubernetes = Plan::of(true, left);
        let question = Rights::to_submit(namespace);
        let name = call.job_name().unwrap_or_default();
        let (classes, ranges, may_submit, place, taken, controllers, groups, kubernetes) = futures::join!(
            classes.ask(async { list(cx, &STORAGE_CLASSES, None).await.map(|(all, _)| all) }),
            ranges.ask(async { list(cx, &LIMIT_RANGES, Some(namespace)).await.map(|(all, _)| all) }),
            when(review, async {
                let review = cx.kube().review::<Review>("selfsubjectaccessreviews", &question).await;
                review.map(|review| review.status.allowed)
            }),
            place.ask(cx.kube().get(&NAMESPACES, None, namespace)),
            taken.ask(cx.kube().get(&TRAIN_JOBS, Some(namespace), name)),
            controllers.ask(deployments(cx)),
            groups.ask(cx.kube().groups()),
            kubernetes.ask(cx.kube().version()),
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
        }
    }
}

async fn when<T>(needed: bool, asked: impl Future<Output = T>) -> Option<T> {
    if needed { Some(asked.await) } else { None }
}
