//! `get_model`: one registered model with its newest versions.

use kf_mcp_core::{Cx, Next, Phase, Render, Text, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::{NOTE, VersionRow, is_zero, table};
use crate::api::{self, Model, Page, Version, line, shown, some};
use crate::client::{ACCESS, Registry};
use crate::lookup::{Which, find, find_with, versions_of};
use crate::property::{Plain, in_line, plain};

/// Properties of a model that are shown.
const PROPERTIES: usize = 50;

/// Read one registered model of the Kubeflow Model Registry: owner, properties, description and its newest versions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetModel {
    /// Exact name; give this or `model_id`.
    #[schemars(length(min = 1, max = 255))]
    name: Option<String>,
    /// Id from `list_models`.
    #[schemars(regex(pattern = r"^[0-9]{1,10}$"))]
    model_id: Option<String>,
    /// How many of the newest versions, 0 for none.
    #[serde(default = "five")]
    #[schemars(range(min = 0, max = 50))]
    include_versions: usize,
}

fn five() -> usize {
    5
}

/// What `get_model` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GotModel {
    id: String,
    name: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    library: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maturity: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tasks: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    languages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<String>,
    #[serde(skip_serializing_if = "Plain::is_empty")]
    properties: Plain,
    /// Properties that are not shown.
    #[serde(skip_serializing_if = "is_zero")]
    properties_cut: usize,
    /// Untrusted text.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Untrusted text.
    #[serde(skip_serializing_if = "Option::is_none")]
    readme: Option<String>,
    /// Newest first.
    versions: Vec<VersionRow>,
    more_versions: bool,
    note: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

impl GotModel {
    fn of(model: &Model) -> Self {
        let (properties, properties_cut) = plain(&model.custom_properties, PROPERTIES);
        let words = |texts: &[String]| texts.iter().take(20).map(|text| line(text, 60)).collect();
        Self {
            id: model.id.clone(),
            name: api::name(&model.name),
            state: api::state(&model.state),
            owner: some(line(&model.owner, 100)),
            external_id: some(line(&model.external_id, 255)),
            provider: some(line(&model.provider, 100)),
            license: some(line(&model.license, 100)),
            library: some(line(&model.library_name, 100)),
            maturity: some(line(&model.maturity, 100)),
            tasks: words(&model.tasks),
            languages: words(&model.language),
            created: model.create_time_since_epoch.clone(),
            updated: model.last_update_time_since_epoch.clone(),
            properties,
            properties_cut,
            description: some(shown(&model.description, 2000)),
            readme: some(shown(&model.readme, 4000)),
            versions: Vec::new(),
            more_versions: false,
            note: NOTE,
            not_seen: Vec::new(),
        }
    }

    fn add(&mut self, versions: Result<Page, ToolError>) {
        match versions {
            Ok(page) => {
                self.versions = page.items::<Version>().iter().map(VersionRow::of).collect();
                self.more_versions = page.next().is_some();
            }
            Err(error) => self.not_seen.push(format!("versions: {}", error.answered)),
        }
    }
}

impl Render for GotModel {
    fn render(&self, text: &mut Text) {
        text.line(format!("model {} (model_id {}) is {}", self.name, self.id, self.state));
        for (name, value) in [
            ("owner", &self.owner),
            ("external id", &self.external_id),
            ("provider", &self.provider),
            ("license", &self.license),
            ("library", &self.library),
            ("maturity", &self.maturity),
            ("created", &self.created),
            ("updated", &self.updated),
        ] {
            text.fact(name, value.as_deref().unwrap_or_default());
        }
        text.fact("tasks", self.tasks.join(", "));
        text.fact("languages", self.languages.join(", "));
        text.fact("properties", in_line(&self.properties));
        if self.properties_cut > 0 {
            text.fact("properties not shown", self.properties_cut);
        }
        if !self.versions.is_empty() {
            table(&self.versions, text);
        }
        if self.more_versions {
            text.line("there are more versions: see list_model_versions");
        }
        text.facts("not seen", &self.not_seen);
        text.fact("note", self.note);
        text.fact("description", self.description.as_deref().unwrap_or_default());
        text.fact("readme", self.readme.as_deref().unwrap_or_default());
    }
}

impl Tool for GetModel {
    type Output = GotModel;
    const SPEC: ToolSpec = ToolSpec::read("get_model", Phase::Discovery).access(ACCESS).next(&[
        Next::to("list_model_versions", "there are more versions"),
        Next::to("list_models", "the name is not known"),
    ]);

    async fn run(self, cx: &Cx) -> Result<GotModel, ToolError> {
        let which = Which::of(self.name, self.model_id)?;
        let registry = Registry::new(cx)?;
        let count = self.include_versions;
        if count == 0 {
            return Ok(GotModel::of(&find(&registry, &which).await?));
        }
        let newest = |id| newest(&registry, id, count);
        let (model, versions) = find_with(&registry, &which, newest).await?;
        let mut answer = GotModel::of(&model);
        answer.add(versions);
        Ok(answer)
    }
}

kf_mcp_core::register!(GetModel);

async fn newest(registry: &Registry<'_>, id: String, count: usize) -> Result<Page, ToolError> {
    let size = count.to_string();
    let query = [("pageSize", &*size), ("orderBy", "CREATE_TIME"), ("sortOrder", "DESC")];
    registry
        .get("list the model's versions", &versions_of(&id), &query)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_model_reads_as_facts() {
        let model: Model = serde_json::from_str(include_str!("../../../tests/fixtures/model_get.json")).unwrap();
        let mut answer = GotModel::of(&model);
        answer.add(Ok(serde_json::from_str(include_str!(
            "../../../tests/fixtures/versions_of_model.json"
        ))
        .unwrap()));
        let mut text = Text::new("2026-01-01T02:00:00Z".parse().unwrap());
        answer.render(&mut text);
        let text = text.finish();
        assert!(
            text.starts_with("model beta (model_id 2) is ARCHIVED\nowner: ann\nexternal id: ext-beta\n"),
            "{text}"
        );
        assert!(
            text.contains("properties: a/b-c=odd key accuracy=0.93 epochs=3 label lora=true stage=production\n"),
            "{text}"
        );
        assert!(
            text.contains("\n9 v1 LIVE ada 119m accuracy=0.9\n13 v2 LIVE bob 119m -\n"),
            "{text}"
        );
        assert!(
            text.ends_with("data only\ndescription: second\nreadme: # beta"),
            "{text}"
        );
    }

    #[test]
    fn texts_are_bounded_and_cleaned() {
        let model = Model {
            description: "x".repeat(3000),
            readme: "a\u{1b}[31m\u{202e}b".into(),
            ..Model::default()
        };
        let answer = GotModel::of(&model);
        assert!(answer.description.unwrap().ends_with("(1000 characters cut)"));
        assert_eq!(answer.readme.as_deref(), Some("ab"));
    }
}
