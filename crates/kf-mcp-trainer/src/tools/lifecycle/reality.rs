//! What a pause or a resumption meets: the job's runtime, pods and devices, and whether Trainer's parts follow.

use std::time::Duration;

use kf_mcp_core::kube::resources::{CLUSTER_TRAINING_RUNTIMES, PODS, TRAINING_RUNTIMES};
use kf_mcp_core::kube::{KubeError, ListQuery};
use kf_mcp_core::{Cost, Cx};
use kf_mcp_trainjob::{Runtime, RuntimeScope, TrainJob};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::subject::Subject;
use crate::devices::cost;
use crate::legacy;
use crate::pods::{Pod, outside};
use crate::refusal::said;
use crate::suspension::Reach;

/// How long the answer waits for Trainer to do what it was told.
const SETTLE: Duration = Duration::from_secs(10);
/// How long the parts of a job may differ from what it says before that is believed.
const BELIEVE: Duration = Duration::from_secs(4);
/// How soon Trainer is looked at the first time; later looks are further apart.
const SOON: Duration = Duration::from_millis(200);
/// Pods that are counted.
const MOST_PODS: u32 = 500;

/// Looks at the job until it does what it was told, or clearly does not. A look that fails is told, and is no failure of
/// the change: that has been written.
pub(super) async fn settle(
    cx: &Cx,
    namespace: &str,
    suspend: bool,
    mut job: Subject,
) -> (Subject, Reach, Option<String>) {
    let (kind, name) = (job.kind(), job.metadata().name.clone());
    let until = Instant::now() + SETTLE;
    let (mut pause, mut trapped): (Duration, Option<Instant>) = (SOON, None);
    loop {
        let now = Instant::now();
        let reach = job.reach(suspend);
        let over = match reach {
            Reach::Done | Reach::Ended => true,
            Reach::Trap => now.duration_since(*trapped.get_or_insert(now)) >= BELIEVE,
            Reach::Open => {
                trapped = None;
                false
            }
        };
        if over {
            return (job, reach, None);
        }
        if now >= until {
            // What has not stood for long enough is not believed.
            return (job, Reach::Open, None);
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
        match Subject::read(cx, kind, namespace, &name).await {
            Ok(read) => job = read,
            Err(error) => {
                let problem = format!("what came of it: {}", said(error));
                return (job, Reach::Open, Some(problem));
            }
        }
    }
}

/// The runtime that the job names.
pub(super) async fn runtime(cx: &Cx, job: &TrainJob, namespace: &str) -> Result<Runtime, KubeError> {
    let name = &job.spec.runtime_ref.name;
    let (object, scope) = if job.spec.runtime_ref.kind == RuntimeScope::Namespace.kind() {
        let own = cx
            .kube()
            .get::<Value>(&TRAINING_RUNTIMES, Some(namespace), name)
            .await?;
        (own, RuntimeScope::Namespace)
    } else {
        let shared = cx.kube().get::<Value>(&CLUSTER_TRAINING_RUNTIMES, None, name).await?;
        (shared, RuntimeScope::Cluster)
    };
    Ok(Runtime::from_value(&object, scope))
}

/// The pods of a job that have not ended, and the devices that those of them hold which have a node.
pub(super) async fn pods(cx: &Cx, namespace: &str, job: &Subject) -> Result<(Vec<Pod>, Option<String>), KubeError> {
    let query = ListQuery {
        labels: Some(format!("{}={}", job.pod_label(), job.metadata().name)),
        fields: Some("status.phase!=Succeeded,status.phase!=Failed".into()),
        limit: Some(MOST_PODS),
        ..ListQuery::default()
    };
    let mut page = cx.kube().list(&PODS, Some(namespace), &query).await?;
    if let Some(kind) = job.kind().legacy() {
        let own = |pod: Pod| legacy::of_kind(kind, &pod);
        page.items
            .retain(|item| serde_json::from_str(item.get()).is_ok_and(own));
    }
    let placed = page
        .items
        .iter()
        .filter_map(|item| serde_json::from_str(item.get()).ok());
    let held = crate::capacity::devices(placed);
    let held: Vec<String> = held
        .iter()
        .map(|(resource, count)| format!("{count} {resource}"))
        .collect();
    Ok((page.decode::<Pod>().0, (!held.is_empty()).then(|| held.join(", "))))
}

/// The devices of all nodes of the job, as it and its runtime say.
pub(super) fn devices(job: &TrainJob, runtime: Option<&Runtime>) -> Option<String> {
    let of_job = job
        .spec
        .trainer
        .as_ref()
        .and_then(|trainer| trainer.resources_per_node.devices());
    let devices = of_job.or_else(|| runtime?.devices())?;
    let nodes = job.nodes().or_else(|| runtime.map(|runtime| runtime.num_nodes))?;
    let all = u64::try_from(nodes).ok()?.saturating_mul(devices.per_node);
    Some(format!("{all} {}", outside(&devices.resource)))
}

/// What a job takes while it runs.
pub(super) fn takes(job: &Subject, runtime: Option<&Runtime>) -> Cost {
    match job {
        Subject::Train(job) => {
            let own = job.spec.trainer.as_ref();
            let own = own
                .map(|trainer| trainer.resources_per_node.extended())
                .unwrap_or_default();
            let each = match runtime {
                Some(runtime) => runtime.extended_with(own),
                None => own,
            };
            let nodes = job.nodes().or_else(|| runtime.map(|runtime| runtime.num_nodes));
            cost(nodes.and_then(|nodes| u64::try_from(nodes).ok()).unwrap_or(1), &each)
        }
        // the replicas are counted, and what all of them have
        Subject::Legacy(job) => Cost {
            nodes: u64::try_from(job.nodes()).unwrap_or_default(),
            ..cost(1, &job.extended())
        },
    }
}
