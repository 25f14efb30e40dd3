//! `check_compatibility`: whether the cluster has what training needs, and what to do when not.

use std::collections::BTreeMap;

use kf_mcp_core::kube::resources::{CONFIG_MAPS, CRDS, TRAIN_JOBS};
use kf_mcp_core::kube::{KubeError, ListQuery};
use kf_mcp_core::{Access, Cx, Next, Phase, Render, Text, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pods::outside;

/// The oldest Kubernetes that Trainer supports.
const KUBERNETES: (u64, u64) = (1, 31);
/// The oldest Trainer with these kinds.
const TRAINER: (u64, u64) = (2, 0);
/// The oldest Trainer that overrides what a runtime says.
const PATCHES: (u64, u64) = (2, 2);
/// Where Trainer says which version it is.
const SYSTEM_NAMESPACES: [&str; 2] = ["kubeflow-system", "kubeflow"];
const INSTALL: &str = "helm install kubeflow-trainer oci://ghcr.io/kubeflow/charts/kubeflow-trainer -n kubeflow-system \
                       --create-namespace --set runtimes.defaultEnabled=true";
/// The kinds that training needs, with their version.
const KINDS: [(&str, &str); 4] = [
    ("trainjobs.trainer.kubeflow.org", "v1alpha1"),
    ("trainingruntimes.trainer.kubeflow.org", "v1alpha1"),
    ("clustertrainingruntimes.trainer.kubeflow.org", "v1alpha1"),
    ("jobsets.jobset.x-k8s.io", "v1alpha2"),
];

/// Check that the cluster can run training jobs: versions of Kubernetes and Kubeflow Trainer, the kinds they need, and
/// how to repair what is missing. Use it first, and when a tool answers not_installed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckCompatibility {}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Compatibility {
    compatible: bool,
    checks: Vec<Check>,
    versions: Versions,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Check {
    name: String,
    ok: bool,
    found: String,
    needed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Versions {
    kubeflow_mcp: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trainer: Option<String>,
}

impl Render for Compatibility {
    fn render(&self, text: &mut Text) {
        text.fact("compatible", if self.compatible { "yes" } else { "no" });
        let rows = self.checks.iter().map(|check| {
            let ok = if check.ok { "ok" } else { "NO" };
            [
                check.name.clone(),
                ok.to_owned(),
                check.needed.clone(),
                check.found.clone(),
            ]
        });
        text.table(["check", "ok", "needed", "found"], rows);
        let mut fixes: Vec<&str> = self.checks.iter().filter_map(|check| check.fix.as_deref()).collect();
        fixes.dedup();
        for fix in fixes {
            text.fact("fix", fix);
        }
        for warning in &self.warnings {
            text.fact("warning", warning);
        }
        for note in &self.not_seen {
            text.fact("not seen", note);
        }
    }
}

impl Tool for CheckCompatibility {
    type Output = Compatibility;
    const SPEC: ToolSpec = ToolSpec::read("check_compatibility", Phase::Planning)
        .access(&[
            Access::new("apiextensions.k8s.io", "customresourcedefinitions", &["get"])
                .cluster()
                .degrades(),
            Access::new("", "configmaps", &["get"]).degrades(),
            Access::new("trainer.kubeflow.org", "trainjobs", &["list"]).degrades(),
        ])
        .next(&[
            Next::to("list_runtimes", "everything is there"),
            Next::to("health_check", "the API server does not answer"),
        ]);

    async fn run(self, cx: &Cx) -> Result<Compatibility, ToolError> {
        let kinds = futures::future::join_all(KINDS.map(|(name, _)| cx.kube().get::<Crd>(&CRDS, None, name)));
        let (version, kinds, told) = futures::join!(cx.kube().version(), kinds, told_version(cx));
        let mut seen = Seen {
            told,
            ..Seen::default()
        };
        match version {
            Ok(version) => seen.kubernetes = version.get("gitVersion").and_then(Value::as_str).map(outside),
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

/// A custom resource definition, as far as it says what is served.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Crd {
    spec: CrdSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CrdSpec {
    versions: Vec<CrdVersion>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CrdVersion {
    name: String,
    served: bool,
    schema: CrdSchema,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CrdSchema {
    #[serde(rename = "openAPIV3Schema")]
    root: Object<Object<IgnoredAny>>,
}

/// An object of a schema; nothing but the names of its properties is read.
#[derive(Debug, Deserialize)]
struct Object<T> {
    #[serde(default = "BTreeMap::new")]
    properties: BTreeMap<String, T>,
}

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self {
            properties: BTreeMap::new(),
        }
    }
}

impl Crd {
    fn serves(&self, version: &str) -> Kind {
        let served = self.spec.versions.iter().filter(|v| v.served);
        let served: Vec<String> = served.map(|v| v.name.clone()).collect();
        if served.iter().any(|name| name == version) {
            Kind::Served
        } else {
            Kind::Other(served.join(", "))
        }
    }

    /// Whether the spec of the kind has a field, as far as its schema says.
    fn has(&self, field: &str) -> Option<bool> {
        let spec = self
            .spec
            .versions
            .iter()
            .find(|v| v.served)?
            .schema
            .root
            .properties
            .get("spec")?;
        (!spec.properties.is_empty()).then(|| spec.properties.contains_key(field))
    }
}

/// What is known of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Served,
    /// Served, but in these versions only.
    Other(String),
    Missing,
    /// The caller may not see.
    Unknown,
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

/// The version that Trainer tells everyone (since 2.2).
async fn told_version(cx: &Cx) -> Option<String> {
    for namespace in SYSTEM_NAMESPACES {
        let read: Result<ConfigMap, KubeError> = cx
            .kube()
            .get(&CONFIG_MAPS, Some(namespace), "kubeflow-trainer-public")
            .await;
        if let Ok(map) = read
            && let Some(version) = map.data.get("kubeflow_trainer_version")
        {
            return Some(outside(version));
        }
    }
    None
}

/// What was found out.
#[derive(Debug, Default)]
struct Seen {
    kubernetes: Option<String>,
    /// In the order of [`KINDS`].
    kinds: Vec<Kind>,
    /// What Trainer says of itself.
    told: Option<String>,
    /// Whether training jobs have `runtimePatches`.
    patches: Option<bool>,
}

impl Seen {
    fn judge(self) -> Compatibility {
        let (mut checks, mut warnings, mut not_seen) = (Vec::new(), Vec::new(), Vec::new());
        match &self.kubernetes {
            Some(found) => checks.push(at_least("Kubernetes", found, KUBERNETES, "upgrade the cluster")),
            None => not_seen.push("the version of Kubernetes: you may not read it".to_owned()),
        }
        for ((name, version), kind) in KINDS.iter().zip(&self.kinds) {
            let (ok, found, fix) = match kind {
                Kind::Served => (true, format!("{version} is served"), None),
                Kind::Other(versions) => (false, format!("only {versions}"), Some(UPGRADE)),
                Kind::Missing => (false, "not installed".to_owned(), Some(INSTALL)),
                Kind::Unknown if *name == KINDS[0].0 => (false, "you may not list them".to_owned(), Some(RIGHTS)),
                Kind::Unknown => {
                    not_seen.push(format!("{name}: you may not read custom resource definitions"));
                    continue;
                }
            };
            checks.push(Check {
                name: (*name).to_owned(),
                ok,
                found,
                needed: (*version).to_owned(),
                fix: fix.map(str::to_owned),
            });
        }
        let installed = self.kinds.first().is_some_and(|kind| *kind == Kind::Served);
        let trainer = self.told.or_else(|| inferred(installed, self.patches));
        match &trainer {
            Some(found) => checks.push(at_least("Kubeflow Trainer", found, TRAINER, UPGRADE)),
            None if installed => not_seen.push("the version of Kubeflow Trainer".to_owned()),
            None => {}
        }
        let old = self.patches == Some(false)
            || self.patches.is_none()
                && trainer
                    .as_deref()
                    .and_then(release)
                    .is_some_and(|found| found < PATCHES);
        if old {
            warnings.push(
                "Kubeflow Trainer is older than 2.2: it knows no runtimePatches (node selectors, tolerations, volumes for one \
                 job) and no activeDeadlineSeconds"
                    .to_owned(),
            );
        }
        Compatibility {
            compatible: checks.iter().all(|check| check.ok),
            checks,
            versions: Versions {
                kubeflow_mcp: env!("CARGO_PKG_VERSION"),
                kubernetes: self.kubernetes,
                trainer,
            },
            warnings,
            not_seen,
        }
    }
}

const UPGRADE: &str = "upgrade Kubeflow Trainer: helm upgrade kubeflow-trainer \
                       oci://ghcr.io/kubeflow/charts/kubeflow-trainer -n kubeflow-system";
const RIGHTS: &str =
    "ask an administrator of the cluster for a RoleBinding to the ClusterRole kubeflow-trainer-edit in your namespace";

/// The version by what the kinds can do, for a Trainer that does not tell its own.
fn inferred(installed: bool, patches: Option<bool>) -> Option<String> {
    match patches {
        Some(true) => Some("2.2 or later".to_owned()),
        Some(false) if installed => Some("2.0 or 2.1".to_owned()),
        _ => None,
    }
}

fn at_least(name: &str, found: &str, least: (u64, u64), fix: &str) -> Check {
    // A version without numbers is somebody's own build.
    let ok = release(found).is_none_or(|found| found >= least);
    Check {
        name: name.to_owned(),
        ok,
        found: found.to_owned(),
        needed: format!("{}.{} or later", least.0, least.1),
        fix: (!ok).then(|| fix.to_owned()),
    }
}

/// Major and minor of `v1.36.3-gke.100`, `1.31+` or `2.2 or later`; none of a build without numbers, such as `dev`.
fn release(version: &str) -> Option<(u64, u64)> {
    let (major, rest) = version.trim_start_matches('v').split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
#[path = "check_compatibility_tests.rs"]
mod tests;
