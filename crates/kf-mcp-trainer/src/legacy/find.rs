//! Which v1 kinds a cluster serves, and whether a name that no TrainJob has is one of theirs.

use futures::future::join_all;
use kf_mcp_core::kube::{KubeError, Resource};
use kf_mcp_core::{Cx, ErrorCode, ToolError};
use serde_json::Value;

use super::kind::{JobKind, KINDS, LegacyKind, MPI_V2};

const GROUP: &str = "kubeflow.org";

/// A v1 job that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) kind: &'static LegacyKind,
    pub(crate) object: Value,
}

/// The v1 kinds that the cluster serves: one request where there is no v1, two where there is. An error of discovery is
/// none: what asks for this can do without.
pub(crate) async fn served(cx: &Cx) -> Vec<(&'static LegacyKind, &'static Resource)> {
    let versions = cx.kube().versions_of(GROUP).await.unwrap_or_default();
    let plurals = async |version: &'static str| {
        if versions.iter().any(|of| of == version) {
            cx.kube().plurals_of(GROUP, version).await.unwrap_or_default()
        } else {
            Vec::new()
        }
    };
    let (v1, v2) = futures::join!(plurals("v1"), plurals(MPI_V2.version));
    let of = |kind: &'static LegacyKind| {
        let plural = kind.resource.plural;
        if v1.iter().any(|of| of == plural) {
            return Some((kind, &kind.resource));
        }
        let v2 = plural == MPI_V2.plural && v2.iter().any(|of| of == plural);
        v2.then_some((kind, &MPI_V2))
    };
    KINDS.iter().filter_map(of).collect()
}

/// A sentence about the v1 kinds that are served, for a list that is empty.
pub(crate) fn served_hint(served: &[(&'static LegacyKind, &'static Resource)]) -> Option<String> {
    let (first, _) = served.first()?;
    let names: Vec<&str> = served.iter().map(|(kind, _)| kind.name).collect();
    Some(format!(
        "the cluster also serves jobs of the training operator v1 ({}): kind={} lists one kind, kind=* all",
        names.join(", "),
        first.name
    ))
}

/// Reads a job of a kind; MPIJobs in the version that is served.
pub(crate) async fn get(cx: &Cx, kind: &'static LegacyKind, namespace: &str, name: &str) -> Result<Value, KubeError> {
    let read = async |of: &'static Resource| cx.kube().get::<Value>(of, Some(namespace), name).await;
    match read(&kind.resource).await {
        Err(error) if error.is_not_served() && kind.resource.plural == MPI_V2.plural => read(&MPI_V2)
            .await
            .map_err(|second| if second.is_not_served() { error } else { second }),
        answer => answer,
    }
}

/// The v1 jobs of a name, and the kinds that the caller may not read.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub(crate) found: Vec<Found>,
    pub(crate) unseen: Vec<&'static str>,
}

/// Looks for a name among the v1 kinds that are served, all at once.
pub(crate) async fn find(cx: &Cx, namespace: &str, name: &str) -> Search {
    let served = served(cx).await;
    let read = served
        .iter()
        .map(|(kind, of)| async move { (*kind, cx.kube().get::<Value>(of, Some(namespace), name).await) });
    let mut search = Search::default();
    for (kind, answer) in join_all(read).await {
        match answer {
            Ok(object) => search.found.push(Found { kind, object }),
            Err(error) if error.is_forbidden() => search.unseen.push(kind.name),
            Err(_) => {}
        }
    }
    search
}

/// What to serve for a job that is no TrainJob, in a call that did not say which kind it means: the v1 job of that name.
/// `missed` is what the API server said about the TrainJob; it stays the answer when no other job has the name.
pub(crate) async fn instead(
    cx: &Cx,
    namespace: &str,
    name: &str,
    given: Option<JobKind>,
    missed: ToolError,
) -> Result<Found, ToolError> {
    if given.is_some() || !matches!(missed.code, ErrorCode::NotFound | ErrorCode::NotInstalled) {
        return Err(missed);
    }
    let mut search = find(cx, namespace, name).await;
    let names: Vec<&str> = search.found.iter().map(|found| found.kind.name).collect();
    match search.found.len() {
        0 if search.unseen.is_empty() => Err(missed),
        0 => {
            let fix = format!(
                "{}; it could also be one of these kinds, which you may not read: {}",
                missed.fix,
                search.unseen.join(", ")
            );
            Err(missed.fix(fix))
        }
        1 => Ok(search.found.swap_remove(0)),
        _ => {
            let fix = format!(
                "jobs of several kinds have this name: say which with kind ({})",
                names.join(", ")
            );
            Err(missed.fix(fix))
        }
    }
}

/// The refusal to change a v1 job that the caller took for a TrainJob: its kind must be said.
pub(crate) async fn say_which(
    cx: &Cx,
    namespace: &str,
    name: &str,
    given: Option<JobKind>,
    missed: ToolError,
) -> ToolError {
    match instead(cx, namespace, name, given, missed.clone()).await {
        Ok(found) => missed.fix(format!(
            "there is no TrainJob of this name, but a {0}: if that one is meant, call again with kind={0}",
            found.kind.name
        )),
        Err(error) => error,
    }
}
