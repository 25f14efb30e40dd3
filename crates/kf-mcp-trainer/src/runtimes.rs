//! Runtimes as tools find them: a namespace's own and the cluster's, asked for at the same time.

use kf_mcp_core::kube::resources::{CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES};
use kf_mcp_core::kube::{KubeError, ListQuery, Page};
use kf_mcp_core::names::nearest;
use kf_mcp_core::{Cx, ErrorCode, ToolError};
use kf_mcp_trainjob::{Runtime, RuntimeScope};
use serde_json::Value;

/// A runtime, and what could not be looked at while it was searched.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) runtime: Runtime,
    pub(crate) not_seen: Vec<String>,
}

/// Finds a runtime by name: the namespace's own hides the cluster's of the same name, as it does for the Kubeflow SDK.
/// None when there is no such runtime.
pub(crate) async fn find(cx: &Cx, namespace: &str, name: &str) -> Result<Option<Found>, ToolError> {
    let (own, shared) = futures::join!(
        cx.kube().get::<Value>(&TRAINING_RUNTIMES, Some(namespace), name),
        cx.kube().get::<Value>(&CLUSTER_TRAINING_RUNTIMES, None, name),
    );
    let mut not_seen = Vec::new();
    let own = absent(own, &mut not_seen, namespace)?;
    if let Some(own) = own {
        return Ok(Some(Found {
            runtime: Runtime::from_value(&own, RuntimeScope::Namespace),
            not_seen,
        }));
    }
    match shared {
        Ok(shared) => Ok(Some(Found {
            runtime: Runtime::from_value(&shared, RuntimeScope::Cluster),
            not_seen,
        })),
        Err(error) if error.is_not_found() && not_seen.is_empty() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A namespaced runtime that is not there, not served or not allowed leaves the cluster's; other failures are errors.
fn absent(
    own: Result<Value, KubeError>,
    not_seen: &mut Vec<String>,
    namespace: &str,
) -> Result<Option<Value>, ToolError> {
    match own {
        Ok(own) => Ok(Some(own)),
        Err(error) if error.is_not_found() || error.is_not_served() => Ok(None),
        Err(error) if error.is_forbidden() => {
            not_seen.push(format!("runtimes of namespace {namespace}: you may not read them"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The runtimes of a namespace and of the cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listed {
    /// Those that were seen, the namespace's first.
    pub(crate) all: Vec<Runtime>,
    /// Whether there are more than were asked for.
    pub(crate) more: bool,
    /// What could not be seen, in words.
    pub(crate) not_seen: Vec<String>,
    /// Why not.
    pub(crate) refused: Option<KubeError>,
}

/// Both kinds of runtimes, one request each. What may not be listed is told; an error when nothing could be.
pub(crate) async fn list(cx: &Cx, namespace: &str, limit: u32) -> Result<Listed, ToolError> {
    let query = ListQuery {
        limit: Some(limit),
        ..ListQuery::default()
    };
    let (own, shared) = futures::join!(
        cx.kube().list(&TRAINING_RUNTIMES, Some(namespace), &query),
        cx.kube().list(&CLUSTER_TRAINING_RUNTIMES, None, &query),
    );
    let (mut found, mut failed) = (Listed::default(), Vec::new());
    for (page, scope, whose) in [
        (
            own,
            RuntimeScope::Namespace,
            format!("runtimes of namespace {namespace}"),
        ),
        (shared, RuntimeScope::Cluster, "runtimes of the cluster".to_owned()),
    ] {
        match page {
            Ok(page) => {
                found.more |= page.next.is_some();
                found.all.extend(decode(&page, scope));
            }
            Err(error) if error.is_forbidden() || error.is_not_served() => {
                let said = ToolError::from(error.clone()).answered;
                found.not_seen.push(format!("{whose}: {said}"));
                failed.push(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let none = failed.len() == 2;
    found.refused = failed.into_iter().next();
    match found.refused {
        Some(first) if none => Err(first.into()),
        _ => Ok(found),
    }
}

fn decode(page: &Page, scope: RuntimeScope) -> impl Iterator<Item = Runtime> {
    page.items.iter().map(move |item| {
        let value: Value = serde_json::from_str(item.get()).unwrap_or_default();
        Runtime::from_value(&value, scope)
    })
}

/// How many names an error tells.
const MOST: usize = 20;

/// The error about a runtime that does not exist, with those that do.
pub(crate) async fn missing(cx: &Cx, namespace: &str, name: &str, field: &str) -> ToolError {
    let mut error = ToolError::new(
        ErrorCode::NotFound,
        format!("find the training runtime `{name}`"),
        format!("there is none of that name, neither in namespace `{namespace}` nor in the cluster"),
    )
    .tool("list_runtimes");
    error.field = Some(field.into());
    let Ok(listed) = list(cx, namespace, 100).await else {
        return error.fix("list_runtimes shows what there is");
    };
    let mut names: Vec<&str> = listed.all.iter().map(|runtime| runtime.name.as_str()).collect();
    names.dedup();
    if names.is_empty() && !listed.not_seen.is_empty() {
        return error.fix("list_runtimes shows what could not be seen");
    }
    if names.is_empty() {
        return error.fix("there are no runtimes at all: ask the platform team to install some");
    }
    let near = nearest(name, names.iter().copied())
        .map(|near| format!("did you mean `{near}`? "))
        .unwrap_or_default();
    let more = names
        .len()
        .checked_sub(MOST + 1)
        .map_or(String::new(), |more| format!(" and {} more", more + 1));
    names.truncate(MOST);
    error.fix(format!("{near}runtimes are {}{more}", names.join(", ")))
}
