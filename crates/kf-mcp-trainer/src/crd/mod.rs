//! Custom resource definitions: which versions are served, and one part of a schema that is too large to be read whole.

mod part;

use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::kube::{Condition, Meta};
use kf_mcp_core::names::nearest;
use kf_mcp_core::{ErrorCode, ToolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::legacy::LegacyKind;
use crate::pods::outside;

pub(crate) use part::{Part, part};

/// The kinds of Kubeflow that callers ask for by a short name: kind, plural, group.
pub(crate) const KNOWN: [(&str, &str, &str); 7] = [
    ("TrainJob", "trainjobs", "trainer.kubeflow.org"),
    ("TrainingRuntime", "trainingruntimes", "trainer.kubeflow.org"),
    (
        "ClusterTrainingRuntime",
        "clustertrainingruntimes",
        "trainer.kubeflow.org",
    ),
    ("JobSet", "jobsets", "jobset.x-k8s.io"),
    ("Experiment", "experiments", "kubeflow.org"),
    ("Suggestion", "suggestions", "kubeflow.org"),
    ("Trial", "trials", "kubeflow.org"),
];

/// The whole name of a definition by what a caller calls it: that name, a kind or a plural, in any case.
pub(crate) fn full_name(asked: &str) -> Result<String, ToolError> {
    let asked = asked.trim();
    let short = asked.to_ascii_lowercase();
    let known = KNOWN
        .iter()
        .find(|(kind, plural, _)| kind.to_ascii_lowercase() == short || *plural == short);
    if let Some((_, plural, group)) = known {
        return Ok(format!("{plural}.{group}"));
    }
    if let Some(kind) = LegacyKind::named(&short) {
        return Ok(format!("{}.{}", kind.resource.plural, kind.resource.group));
    }
    if short.contains('.') && kf_mcp_core::names::is_subdomain(&short) {
        return Ok(short);
    }
    let names: Vec<&str> = KNOWN.iter().map(|(kind, ..)| *kind).collect();
    let near = KNOWN
        .iter()
        .find(|(kind, plural, _)| nearest(&short, [kind.to_ascii_lowercase().as_str(), *plural]).is_some());
    let near = near
        .map(|(kind, ..)| format!("did you mean `{kind}`? "))
        .unwrap_or_default();
    Err(
        ToolError::argument("name", format!("`{}` is no kind that this tool knows", outside(asked))).fix(format!(
            "{near}give one of {}, or a whole name like jobsets.jobset.x-k8s.io",
            names.join(", ")
        )),
    )
}

/// The error about a definition that is not there.
pub(crate) fn missing(name: &str) -> ToolError {
    let known = KNOWN.map(|(_, plural, group)| format!("{plural}.{group}"));
    let near = nearest(name, known.iter().map(String::as_str)).filter(|near| *near != name);
    let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    ToolError::new(
        ErrorCode::NotFound,
        format!("read the custom resource definition `{name}`"),
        "there is none of that name: what brings it is not installed",
    )
    .fix(format!(
        "{near}check_compatibility tells what is missing and how to install it"
    ))
    .tool("check_compatibility")
}

/// A definition; `S` is what is read of the schemas.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "S: Deserialize<'de> + Default"))]
pub(crate) struct Definition<S> {
    pub(crate) metadata: Meta,
    pub(crate) spec: Spec<S>,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "S: Deserialize<'de> + Default"))]
pub(crate) struct Spec<S> {
    group: String,
    scope: String,
    names: Names,
    pub(crate) versions: Vec<Version<S>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names {
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(
    rename_all = "camelCase",
    default,
    bound(deserialize = "S: Deserialize<'de> + Default")
)]
pub(crate) struct Version<S> {
    pub(crate) name: String,
    served: bool,
    storage: bool,
    deprecated: bool,
    deprecation_warning: Option<String>,
    #[serde(deserialize_with = "null_is_empty")]
    additional_printer_columns: Vec<Column>,
    pub(crate) schema: Schema<S>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "S: Deserialize<'de> + Default"))]
pub(crate) struct Schema<S> {
    #[serde(rename = "openAPIV3Schema")]
    pub(crate) root: S,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Column {
    name: String,
    json_path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "null_is_empty")]
    conditions: Vec<Condition>,
}

/// A definition without its schemas, as it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Facts {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) group: String,
    pub(crate) scope: String,
    pub(crate) versions: Vec<VersionFacts>,
    /// Whether the API server serves it.
    pub(crate) established: bool,
    /// Conditions that do not hold, with their reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) trouble: Vec<String>,
    /// What kubectl shows of an object, as `Name=path`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) columns: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct VersionFacts {
    pub(crate) name: String,
    pub(crate) served: bool,
    pub(crate) storage: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deprecated: Option<String>,
}

impl VersionFacts {
    /// On one line, without what goes without saying.
    pub(crate) fn line(&self) -> String {
        let served = if self.served { "" } else { " (not served)" };
        let storage = if self.storage { " (stored)" } else { "" };
        let deprecated = self
            .deprecated
            .as_ref()
            .map(|why| format!(" (deprecated: {why})"))
            .unwrap_or_default();
        format!("{}{served}{storage}{deprecated}", self.name)
    }
}

impl<S> Definition<S> {
    /// The version whose schema counts: the stored one if it is served, else the first that is.
    pub(crate) fn chosen(&self) -> Option<&Version<S>> {
        let versions = &self.spec.versions;
        let stored = versions.iter().find(|version| version.served && version.storage);
        stored
            .or_else(|| versions.iter().find(|version| version.served))
            .or(versions.first())
    }

    /// All but the schemas.
    pub(crate) fn facts(&self) -> Facts {
        let version = |version: &Version<S>| VersionFacts {
            name: outside(&version.name),
            served: version.served,
            storage: version.storage,
            deprecated: version
                .deprecated
                .then(|| version.deprecation_warning.as_deref().map_or("yes".to_owned(), outside)),
        };
        let conditions = &self.status.conditions;
        // "Terminating" and "NonStructuralSchema" are bad when they hold
        let bad = |condition: &&Condition| {
            let good = matches!(condition.kind.as_str(), "Established" | "NamesAccepted");
            good != condition.is_true()
        };
        let trouble = conditions.iter().filter(bad);
        let columns = self.chosen().map(|version| version.additional_printer_columns.iter());
        Facts {
            name: outside(&self.metadata.name),
            kind: outside(&self.spec.names.kind),
            group: outside(&self.spec.group),
            scope: outside(&self.spec.scope),
            versions: self.spec.versions.iter().map(version).collect(),
            established: conditions
                .iter()
                .any(|condition| condition.kind == "Established" && condition.is_true()),
            trouble: trouble
                .map(|condition| {
                    outside(&format!(
                        "{} is {}: {}",
                        condition.kind, condition.status, condition.message
                    ))
                })
                .collect(),
            columns: columns
                .into_iter()
                .flatten()
                .take(20)
                .map(|column| outside(&format!("{}={}", column.name, column.json_path)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IgnoredAny;
    use serde_json::json;

    #[test]
    fn definitions_are_found_by_whatever_they_are_called() {
        for (asked, name) in [
            ("TrainJob", "trainjobs.trainer.kubeflow.org"),
            ("jobsets", "jobsets.jobset.x-k8s.io"),
            (
                " clustertrainingruntime",
                "clustertrainingruntimes.trainer.kubeflow.org",
            ),
            ("queues.scheduling.volcano.sh", "queues.scheduling.volcano.sh"),
        ] {
            assert_eq!(full_name(asked).unwrap(), name);
        }
        for (asked, hint) in [
            ("trainjbo", "did you mean `TrainJob`?"),
            ("pods", "give one of"),
            ("../a", "give one of"),
        ] {
            let error = full_name(asked).unwrap_err();
            assert!(error.fix.contains(hint), "{asked}: {error}");
        }
    }

    #[test]
    fn a_definition_tells_its_versions_and_its_trouble() {
        let definition: Definition<IgnoredAny> = serde_json::from_value(json!({
            "metadata": {"name": "as.b"},
            "spec": {"group": "b", "scope": "Namespaced", "names": {"kind": "A"}, "versions": [
                {"name": "v1beta1", "served": true, "storage": false, "deprecated": true},
                {"name": "v1", "served": true, "storage": true,
                    "additionalPrinterColumns": [{"name": "State", "jsonPath": ".status.state", "type": "string"}]}]},
            "status": {"conditions": [
                {"type": "NamesAccepted", "status": "False", "message": "taken"},
                {"type": "Established", "status": "True"}, {"type": "Terminating", "status": "True", "message": "going"}]},
        }))
        .unwrap();
        let facts = definition.facts();
        let versions: Vec<String> = facts.versions.iter().map(VersionFacts::line).collect();
        assert_eq!(versions, ["v1beta1 (deprecated: yes)", "v1 (stored)"]);
        assert_eq!(facts.columns, ["State=.status.state"]);
        assert!(facts.established);
        assert_eq!(
            facts.trouble,
            ["NamesAccepted is False: taken", "Terminating is True: going"]
        );
    }
}
