//! `inspect_crd`: which versions of a kind the cluster serves, and what a named part of its objects may hold.

use futures::future::join_all;
use kf_mcp_core::kube::KubeError;
use kf_mcp_core::kube::resources::CRDS;
use kf_mcp_core::{Access, Cx, Next, Phase, Render, Text, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crd::{self, Definition, Facts, KNOWN, Part, VersionFacts};
use crate::pods::outside;

/// Show a Kubeflow kind: served versions and one part of its schema.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectCrd {
    /// Kind or CRD; default lists all.
    name: Option<String>,
    /// Like spec.trainer; default spec.
    path: Option<String>,
}

/// What `inspect_crd` answers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Inspected {
    crds: Vec<Facts>,
    /// Known kinds that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_installed: Vec<String>,
    /// The version that the schema is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Render for Inspected {
    fn render(&self, text: &mut Text) {
        for facts in &self.crds {
            let versions: Vec<String> = facts.versions.iter().map(VersionFacts::line).collect();
            let served = if facts.established { "" } else { ", NOT established" };
            text.line(format!(
                "{} ({}, {}): {}{served}",
                facts.name,
                facts.kind,
                facts.scope,
                versions.join(", ")
            ));
            text.facts("trouble", &facts.trouble);
        }
        text.fact("not installed", self.not_installed.join(", "));
        if let Some(part) = &self.schema {
            if let [one] = &self.crds[..] {
                text.fact("columns", one.columns.join(", "));
            }
            let facts = part.of.facts();
            let facts = if facts.is_empty() { facts } else { format!(" ({facts})") };
            let path = if part.path.is_empty() { "the object" } else { &part.path };
            text.line(format!("{path}: {}{facts} {}", part.of.kind, part.of.description).trim_end());
            let rows = part.fields.iter().map(|field| {
                let about = [field.facts(), field.description.clone()];
                let about: Vec<String> = about.into_iter().filter(|words| !words.is_empty()).collect();
                [field.name.clone(), field.kind.clone(), about.join("; ")]
            });
            if !part.fields.is_empty() {
                text.table(["field", "type", "about"], rows);
            }
            if part.more_fields > 0 {
                text.line(format!("and {} more fields", part.more_fields));
            }
        }
        text.fact("note", self.note.as_deref().unwrap_or_default());
    }
}

impl Tool for InspectCrd {
    type Output = Inspected;
    const SPEC: ToolSpec = ToolSpec::read("inspect_crd", Phase::Platform)
        .access(&[Access::new("apiextensions.k8s.io", "customresourcedefinitions", &["get"]).cluster()])
        .next(&[Next::to("check_compatibility", "a kind is missing")]);

    async fn run(self, cx: &Cx) -> Result<Inspected, ToolError> {
        match self.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => one(cx, &crd::full_name(name)?, self.path.as_deref()).await,
            None if self.path.is_some() => Err(ToolError::argument("path", "says which part, but not of which kind")
                .fix("give name too, for example TrainJob")),
            None => all(cx).await,
        }
    }
}

kf_mcp_core::register!(InspectCrd);

/// The definitions that are known, without their schemas, asked for by name: a list would bring everybody's schemas.
async fn all(cx: &Cx) -> Result<Inspected, ToolError> {
    let names = KNOWN.map(|(_, plural, group)| format!("{plural}.{group}"));
    let asked = names
        .iter()
        .map(|name| cx.kube().get::<Definition<IgnoredAny>>(&CRDS, None, name));
    let answers: Vec<Result<_, KubeError>> = join_all(asked).await;
    let mut found = Inspected::default();
    for (name, answer) in names.into_iter().zip(answers) {
        match answer {
            Ok(definition) => found.crds.push(Facts {
                columns: Vec::new(),
                ..definition.facts()
            }),
            Err(error) if error.is_not_found() => found.not_installed.push(name),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

async fn one(cx: &Cx, name: &str, path: Option<&str>) -> Result<Inspected, ToolError> {
    let definition = match cx.kube().get::<Definition<Value>>(&CRDS, None, name).await {
        Ok(definition) => definition,
        Err(error) if error.is_not_found() => return Err(crd::missing(name)),
        Err(error) => return Err(error.into()),
    };
    let mut found = Inspected {
        crds: vec![definition.facts()],
        ..Inspected::default()
    };
    let Some(version) = definition.chosen() else {
        return Ok(found);
    };
    let root = &version.schema.root;
    found.version = Some(outside(&version.name));
    if root.get("properties").is_none() {
        found.note = Some("the definition has no schema: it does not say which fields there are".into());
        return Ok(found);
    }
    let whole = || {
        if root.pointer("/properties/spec").is_some() {
            "spec"
        } else {
            ""
        }
    };
    found.schema = Some(crd::part(root, path.unwrap_or_else(whole))?);
    Ok(found)
}
