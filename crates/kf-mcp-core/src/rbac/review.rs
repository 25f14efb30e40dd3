//! Which rights the process has, as the API server decides it.

use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Right;
use crate::call::Engine;
use crate::caller::Caller;
use crate::kube::gate::Gate;
use crate::kube::{Kube, KubeError};
use crate::tool::{Access, Phase, ToolSpec};

/// Asked by people, not by agents: no tool, but through the gate like one.
const DOCTOR: ToolSpec = ToolSpec::read("doctor", Phase::Health)
    .deadline(60)
    .access(&[Access::new("authorization.k8s.io", "selfsubjectaccessreviews", &["create"]).cluster()]);
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
    /// The rights that the process does not have of those, each asked of the API server on its own: a list of somebody's rights may
    /// be incomplete, a decision is not. Those that are not `wide` are about a namespace.
    pub async fn lacks<'a>(&self, rights: &'a [Right], namespace: &str) -> Result<Vec<&'a Right>, KubeError> {
        let gate = Gate::new(
            self.cluster().clone(),
            self.catalogue(),
            &DOCTOR,
            Caller::Local,
            CancellationToken::new(),
        );
        let kube = Kube::new(gate.into());
        let (kube, namespace) = (&kube, namespace);
        let asked = futures::stream::iter(rights)
            .map(|right| async move { Ok((right, may(kube, right, namespace).await?)) })
            .buffered(AT_ONCE)
            .try_filter_map(|(right, may)| async move { Ok((!may).then_some(right)) });
        asked.try_collect().await
    }
}

/// Whether a right is there, for all the names it is about.
async fn may(kube: &Kube, right: &Right, namespace: &str) -> Result<bool, KubeError> {
    let question = |name: &str| question(right, namespace, name);
    let questions: Vec<Value> = match &right.names {
        None => vec![question("")],
        Some(names) => names.iter().map(|name| question(name)).collect(),
    };
    for question in questions {
        let review: Review = kube.review("selfsubjectaccessreviews", &question).await?;
        if !review.status.allowed {
            return Ok(false);
        }
    }
    Ok(true)
}

fn question(right: &Right, namespace: &str, name: &str) -> Value {
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((&right.resource, ""));
    let namespace = if right.wide { "" } else { namespace };
    json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {
        "namespace": namespace, "verb": right.verb, "group": right.group, "resource": resource,
        "subresource": subresource, "name": name}}})
}
