//! `check_compatibility`: whether the cluster has what training needs, and what to do when not.

use std::collections::BTreeMap;

use kf_mcp_core::kube::resources::{CONFIG_MAPS, CRDS, TRAIN_JOBS};
use kf_mcp_core::kube::{KubeError, ListQuery};
use kf_mcp_core::{Access, Cx, Next, Phase, Place, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::compatibility::{Compatibility, Crd, KINDS, Kind, Seen};
use crate::legacy;
use crate::pods::outside;

/// Where Trainer says which version it is.
const SYSTEM_NAMESPACES: [&str; 2] = ["kubeflow-system", "kubeflow"];

/// Check that the cluster can run training jobs: versions of Kubernetes and Kubeflow Trainer, the kinds they need, and
/// how to repair what is missing. Use it first, and when a tool answers not_installed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckCompatibility {}

impl Tool for CheckCompatibility {
    type Output = Compatibility;
    const SPEC: ToolSpec = ToolSpec::read("check_compatibility", Phase::Planning)
        .access(&[
            Access::new("apiextensions.k8s.io", "customresourcedefinitions", &["get"])
                .cluster()
                .degrades(),
            Access::new("", "configmaps", &["get"]).at(Place::Public).degrades(),
            Access::new("trainer.kubeflow.org", "trainjobs", &["list"]).degrades(),
        ])
        .next(&[
            Next::to("list_runtimes", "everything is there"),
            Next::to("health_check", "the API server does not answer"),
        ]);

    async fn run(self, cx: &Cx) -> Result<Compatibility, ToolError> {
        let kinds = futures::future::join_all(KINDS.map(|(name, _)| cx.kube().get::<Crd>(&CRDS, None, name)));
        let (version, kinds, told, served_of_v1) =
            futures::join!(cx.kube().version(), kinds, told_version(cx), legacy::served(cx));
        let mut seen = Seen {
            hidden: told.hidden && told.version.is_none(),
            told: told.version,
            legacy: legacy::served_hint(&served_of_v1),
            ..Seen::default()
        };
        match version {
            Ok(version) => seen.kubernetes = told_by(&version),
            // An API server that hides its version is there all the same.
            Err(error) if error.is_forbidden() => {}
            Err(error) => return Err(error.into()),
        }
        for ((name, version), kind) in KINDS.iter().zip(kinds) {
            let kind = match kind {
                Err(error) if error.is_not_found() => Kind::Missing,
                Err(error) if hidden(&error) && *name == KINDS[0].0 => served(cx).await?,
                Err(error) if hidden(&error) => Kind::Unknown,
                Err(error) => return Err(error.into()),
                Ok(crd) => {
                    seen.patches = crd
                        .has("runtimePatches")
                        .filter(|_| *name == KINDS[0].0)
                        .or(seen.patches);
                    crd.serves(version)
                }
            };
            seen.kinds.push(kind);
        }
        Ok(seen.judge())
    }
}

kf_mcp_core::register!(CheckCompatibility);

/// The version in the API server's answer.
pub(super) fn told_by(version: &Value) -> Option<String> {
    version.get("gitVersion").and_then(Value::as_str).map(outside)
}

/// Whether definitions cannot be read at all, by this caller or from this server.
fn hidden(error: &KubeError) -> bool {
    error.is_forbidden() || error.is_not_served()
}

/// Whether training jobs are served, for a caller that may not read definitions: a list of one tells.
async fn served(cx: &Cx) -> Result<Kind, ToolError> {
    let namespace = cx.namespace(None).await?;
    let query = ListQuery {
        limit: Some(1),
        ..ListQuery::default()
    };
    match cx.kube().list(&TRAIN_JOBS, Some(&namespace), &query).await {
        Ok(_) => Ok(Kind::Served),
        Err(error) if error.is_not_served() => Ok(Kind::Missing),
        Err(error) if error.is_forbidden() => Ok(Kind::Unknown),
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigMap {
    data: BTreeMap<String, String>,
}

/// What Trainer tells everyone of itself.
#[derive(Debug, Default)]
struct Told {
    version: Option<String>,
    /// It may have told something that this caller may not read.
    hidden: bool,
}

/// The version that Trainer tells everyone (since 2.2).
async fn told_version(cx: &Cx) -> Told {
    let mut told = Told::default();
    for namespace in SYSTEM_NAMESPACES {
        let read: Result<ConfigMap, KubeError> = cx
            .kube()
            .get(&CONFIG_MAPS, Some(namespace), "kubeflow-trainer-public")
            .await;
        match read {
            Ok(map) => {
                if let Some(version) = map.data.get("kubeflow_trainer_version") {
                    told.version = Some(outside(version));
                    return told;
                }
            }
            Err(error) if error.is_forbidden() => told.hidden = true,
            Err(_) => {}
        }
    }
    told
}
