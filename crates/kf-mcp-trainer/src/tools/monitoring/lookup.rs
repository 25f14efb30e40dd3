//! Finding the pods of a training job.

use kf_mcp_core::Cx;
use kf_mcp_core::kube::resources::PODS;
use kf_mcp_core::kube::{KubeError, ListQuery};

use crate::pods::{INDEX, JOB, Pod, index_of, steps};

/// The pods of a job: one page, and those of the step when it is not among them.
pub(super) async fn pods(cx: &Cx, namespace: &str, job: &str, step: &str) -> Result<Vec<Pod>, KubeError> {
    let query = |labels: String| ListQuery {
        labels: Some(labels),
        limit: Some(500),
        ..ListQuery::default()
    };
    let job = format!("{JOB}={job}");
    let page = cx.kube().list(&PODS, Some(namespace), &query(job.clone())).await?;
    let (mut pods, _) = page.decode::<Pod>();
    if page.next.is_some()
        && !steps(&pods).contains_key(step)
        && let Some(index) = index_of(step, &pods)
    {
        let own = query(format!("{job},{INDEX}={index}"));
        pods.extend(cx.kube().list(&PODS, Some(namespace), &own).await?.decode::<Pod>().0);
    }
    Ok(pods)
}
