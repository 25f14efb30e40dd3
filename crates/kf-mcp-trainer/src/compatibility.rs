//! Whether a cluster can run training jobs, by its version, the kinds it serves and what Trainer says of itself.

use std::collections::BTreeMap;

use kf_mcp_core::{Render, Text};
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::platform::{self, Platform};

/// The oldest Kubernetes that Trainer supports.
const KUBERNETES: (u64, u64) = (1, 31);
/// The oldest Trainer with these kinds.
const TRAINER: (u64, u64) = (2, 0);
/// The oldest Trainer that overrides what a runtime says.
const PATCHES: (u64, u64) = (2, 2);
/// The kinds that training needs, with their version.
pub(crate) const KINDS: [(&str, &str); 4] = [
    ("trainjobs.trainer.kubeflow.org", "v1alpha1"),
    ("trainingruntimes.trainer.kubeflow.org", "v1alpha1"),
    ("clustertrainingruntimes.trainer.kubeflow.org", "v1alpha1"),
    ("jobsets.jobset.x-k8s.io", "v1alpha2"),
];

/// How to install Trainer.
pub(crate) const INSTALL: &str = "helm install kubeflow-trainer oci://ghcr.io/kubeflow/charts/kubeflow-trainer -n kubeflow-system \
                                  --create-namespace --set runtimes.defaultEnabled=true";

/// What `check_compatibility` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Compatibility {
    compatible: bool,
    checks: Vec<Check>,
    versions: Versions,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    /// Which jobs of the training operator v1 are served beside TrainJobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    legacy: Option<String>,
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
        if let Some(platform) = &self.platform {
            platform.render(text);
        }
        text.fact("older jobs", self.legacy.as_deref().unwrap_or_default());
        text.facts("warning", &self.warnings);
        text.facts("not seen", &self.not_seen);
    }
}

/// What is wrong with the versions of a cluster, for an answer that is about more.
#[derive(Debug, Default)]
pub(crate) struct Wrong {
    /// Kinds that are missing or too old: the thing, what was found, and the fix.
    pub(crate) kinds: Vec<(String, String, String)>,
    pub(crate) warnings: Vec<String>,
}

impl Compatibility {
    /// What is wrong. An old Kubernetes alone lets nothing fail.
    pub(crate) fn wrong(self) -> Wrong {
        let mut wrong = Wrong {
            warnings: self.warnings,
            ..Wrong::default()
        };
        for check in self.checks.into_iter().filter(|check| !check.ok) {
            if check.name == "Kubernetes" {
                wrong
                    .warnings
                    .push(format!("Kubernetes is {}, Trainer needs {}", check.found, check.needed));
            } else {
                wrong
                    .kinds
                    .push((check.name, check.found, check.fix.unwrap_or_default()));
            }
        }
        wrong
    }
}

/// A custom resource definition, as far as it says what is served.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Crd {
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
    pub(crate) fn serves(&self, version: &str) -> Kind {
        let served = self.spec.versions.iter().filter(|v| v.served);
        let served: Vec<String> = served.map(|v| v.name.clone()).collect();
        if served.iter().any(|name| name == version) {
            Kind::Served
        } else {
            Kind::Other(served.join(", "))
        }
    }

    /// Whether the spec of the kind has a field, as far as its schema says.
    pub(crate) fn has(&self, field: &str) -> Option<bool> {
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
pub(crate) enum Kind {
    Served,
    /// Served, but in these versions only.
    Other(String),
    Missing,
    /// The caller may not see.
    Unknown,
}

/// What was found out.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) kubernetes: Option<String>,
    /// In the order of [`KINDS`].
    pub(crate) kinds: Vec<Kind>,
    /// What Trainer says of itself.
    pub(crate) told: Option<String>,
    /// Whether it may have said something that the caller may not read.
    pub(crate) hidden: bool,
    /// Whether training jobs have `runtimePatches`.
    pub(crate) patches: Option<bool>,
    /// What is served of the training operator v1, in a sentence.
    pub(crate) legacy: Option<String>,
}

impl Seen {
    /// The answer.
    pub(crate) fn judge(self) -> Compatibility {
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
        if self.hidden {
            not_seen.push("what Trainer says of its version: you may not read its ConfigMap".to_owned());
        }
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
                "Kubeflow Trainer is older than 2.2: jobs are submitted in its older form, and what it has no field for is \
                 refused (active_deadline_seconds; before 2.1 also affinity, image_pull_secrets and LoRA)"
                    .to_owned(),
            );
        }
        Compatibility {
            compatible: checks.iter().all(|check| check.ok),
            checks,
            platform: self.kubernetes.as_deref().and_then(platform::of_version),
            versions: Versions {
                kubeflow_mcp: env!("CARGO_PKG_VERSION"),
                kubernetes: self.kubernetes,
                trainer,
            },
            legacy: self.legacy,
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
#[path = "compatibility_tests.rs"]
mod tests;
