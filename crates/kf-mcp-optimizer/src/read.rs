//! What several tools ask of the API server: one experiment, and a page of its trials.

use kf_mcp_core::kube::resources::{EXPERIMENTS, TRIALS};
use kf_mcp_core::kube::{KubeError, ListQuery, Page};
use kf_mcp_core::{Cx, ToolError};
use serde_json::value::RawValue;

use crate::api::experiment::Experiment;
use crate::refusal;

/// Reads one experiment.
pub(crate) async fn experiment(cx: &Cx, namespace: &str, name: &str) -> Result<Experiment, ToolError> {
    let read = cx
        .kube()
        .get::<Box<RawValue>>(&EXPERIMENTS, Some(namespace), name)
        .await;
    let raw = read.map_err(|error| refusal::of_one(error, name, namespace))?;
    Ok(Experiment::read(&raw))
}

/// Reads a page of an experiment's trials, the first without a cursor.
pub(crate) async fn trials(
    cx: &Cx,
    namespace: &str,
    experiment: &str,
    limit: u32,
    cursor: Option<String>,
) -> Result<Page, KubeError> {
    let query = ListQuery {
        labels: Some(format!("katib.kubeflow.org/experiment={experiment}")),
        limit: Some(limit),
        cursor,
        ..ListQuery::default()
    };
    cx.kube().list(&TRIALS, Some(namespace), &query).await
}
