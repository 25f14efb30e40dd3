//! Finding the pods of a training job.

use kf_mcp_core::Cx;
use kf_mcp_core::kube::resources::PODS;
use kf_mcp_core::kube::{KubeError, ListQuery};

use crate::legacy::{self, JobKind};
use crate::pods::{INDEX, JOB, Pod, index_of, steps};

/// The pods of a job: one page, and those of the step when it is not among them.
pub(super) async fn pods(
    cx: &Cx,
    namespace: &str,
    kind: JobKind,
    job: &str,
    step: &str,
) -> Result<Vec<Pod>, KubeError> {
    let query = |labels: String| ListQuery {
        labels: Some(labels),
        limit: Some(500),
        ..ListQuery::default()
    };
    let label = kind.legacy().map_or(JOB, |_| legacy::JOB_LABEL);
    let job = format!("{label}={job}");
    let page = cx.kube().list(&PODS, Some(namespace), &query(job.clone())).await?;
    let (mut pods, _) = page.decode::<Pod>();
    let further = match kind {
        _ if page.next.is_none() => None,
        JobKind::TrainJob if steps(&pods).contains_key(step) => None,
        JobKind::TrainJob => index_of(step, &pods).map(|index| format!("{INDEX}={index}")),
        JobKind::Legacy(kind) if legacy::steps(kind, &pods).contains_key(step) => None,
        JobKind::Legacy(_) => legacy::selector(step),
    };
    if let Some(further) = further {
        let own = query(format!("{job},{further}"));
        pods.extend(cx.kube().list(&PODS, Some(namespace), &own).await?.decode::<Pod>().0);
    }
    if let Some(kind) = kind.legacy() {
        pods.retain(|pod| legacy::of_kind(kind, pod));
    }
    Ok(pods)
}
