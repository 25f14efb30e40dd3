//! Which rights the process has, as the API server decides it.

use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Right, Where};
use crate::call::Engine;
use crate::caller::Caller;
use crate::kube::gate::Gate;
use crate::kube::{Kube, KubeError};
use crate::tool::{Access, Phase, ToolSpec};

/// Asked by people, not by agents: no tool, but through the gate like one.
const DOCTOR: ToolSpec = ToolSpec::read("doctor", Phase::Health).access(&[
    Access::new("authorization.k8s.io", "selfsubjectaccessreviews", &["create"]).cluster(),
    Access::new("authentication.k8s.io", "selfsubjectreviews", &["create"]).cluster(),
    Access::new("", "namespaces", &["get"]).cluster(),
]);
/// How many questions are under way at once.
const AT_ONCE: usize = 16;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Review {
    status: Decision,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Decision {
    allowed: bool,
}

impl Engine {
    /// The API server for questions about the process itself: as whom it acts, what it may do, and
    /// whether a namespace is there. They have to be answered within
    /// ten seconds.
    pub fn examiner(&self) -> Kube {
        let (cluster, catalogue) = (self.cluster().clone(), self.catalogue());
        let gate = Gate::new(cluster, catalogue, &DOCTOR, Caller::Local, CancellationToken::new());
        Kube::new(gate.into())
    }
}

/// Those of the rights that are not there, each asked of the API server on its own: a list of somebody's rights may be incomplete, a
/// decision is not. `namespace` is the one of calls. `kube` is an [`Engine::examiner`].
pub async fn missing<'a>(kube: &Kube, rights: &'a [Right], namespace: &str) -> Result<Vec<&'a Right>, KubeError> {
    let asked = futures::stream::iter(rights)
        .map(|right| async move { Ok((right, may(kube, right, namespace).await?)) })
        .buffered(AT_ONCE)
        .try_filter_map(|(right, may)| async move { Ok((!may).then_some(right)) });
    asked.try_collect().await
}

/// Whether a right is there.
async fn may(kube: &Kube, right: &Right, namespace: &str) -> Result<bool, KubeError> {
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
    let namespace = match &right.place {
        Where::Calls => namespace,
        Where::Namespace(other) => other,
        Where::Everywhere => "",
    };
    let question = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {
        "namespace": namespace, "verb": right.verb, "group": right.group, "resource": resource,
        "subresource": subresource, "name": right.name.as_deref().unwrap_or_default()}}});
    let review: Review = kube.review("selfsubjectaccessreviews", &question).await?;
    Ok(review.status.allowed)
}
