//! `list_models`: the registered models, newest first.

use kf_mcp_core::paging::Limit;
use kf_mcp_core::{Cx, Next, Phase, Render, Text, Tool, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::{Listed, Wanted};
use super::view::State;
use crate::api::{self, Model, line, some};
use crate::client::{ACCESS, Registry};
use crate::filter::Filter;

const NAME: &str = "list_models";

/// List models of the Kubeflow Model Registry, newest first; search by a part of the name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListModels {
    /// Part of the name.
    #[schemars(length(min = 1, max = 200))]
    query: Option<String>,
    /// Exact owner.
    #[schemars(length(min = 1, max = 200))]
    owner: Option<String>,
    /// LIVE, ARCHIVED or ANY.
    #[serde(default)]
    state: State,
    /// At most this many.
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before, with the same other arguments.
    cursor: Option<String>,
}

/// What `list_models` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Models {
    models: Vec<Row>,
    #[serde(flatten)]
    listed: Listed,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    id: String,
    name: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Row {
    fn of(model: &Model) -> Self {
        Self {
            id: model.id.clone(),
            name: api::name(&model.name),
            state: api::state(&model.state),
            owner: some(line(&model.owner, 100)),
            updated: model.last_update_time_since_epoch.clone(),
            description: some(line(&model.description, 120)),
        }
    }
}

impl Render for Models {
    fn render(&self, text: &mut Text) {
        if !self.models.is_empty() {
            let cells = |row: &Row| {
                [
                    row.id.clone(),
                    row.name.clone(),
                    row.state.clone(),
                    row.owner.clone().unwrap_or_default(),
                    row.updated.as_deref().map(|at| text.age_of(at)).unwrap_or_default(),
                    row.description.clone().unwrap_or_default(),
                ]
            };
            let rows: Vec<_> = self.models.iter().map(cells).collect();
            text.table(["model_id", "name", "state", "owner", "updated", "description"], rows);
        }
        self.listed.render("models", self.models.len(), text);
    }
}

impl ListModels {
    fn filter(&self) -> Result<String, ToolError> {
        let mut filter = Filter::default();
        if let Some(state) = self.state.wanted() {
            filter = filter.equals("state", state, "state")?;
        }
        if let Some(query) = &self.query {
            filter = filter.contains("name", query, "query")?;
        }
        if let Some(owner) = &self.owner {
            filter = filter.equals("owner", owner, "owner")?;
        }
        Ok(filter.query())
    }

    /// Whether a model is what was asked for: databases compare differently, and properties shadow fields.
    fn takes(&self, model: &Model) -> bool {
        let name = || model.name.to_ascii_lowercase();
        self.state.takes(&model.state)
            && self
                .query
                .as_ref()
                .is_none_or(|part| name().contains(&part.to_ascii_lowercase()))
            && self.owner.as_ref().is_none_or(|owner| *owner == model.owner)
    }
}

impl Tool for ListModels {
    type Output = Models;
    const SPEC: ToolSpec = ToolSpec::read(NAME, Phase::Discovery).access(ACCESS).next(&[
        Next::to("get_model", "you want one model with its newest versions"),
        Next::to("list_model_versions", "you want all versions of a model"),
    ]);

    async fn run(self, cx: &Cx) -> Result<Models, ToolError> {
        let filter = self.filter()?;
        let registry = Registry::new(cx)?;
        let wanted = Wanted {
            list: NAME,
            scope: registry.place(),
            asked: "list models",
            path: "/registered_models",
            // Ids only grow, so this order is newest first and does not move while somebody pages through it.
            order: "ID",
            filter: &filter,
            limit: self.limit,
            cursor: self.cursor.as_deref(),
        };
        let (at, page) = wanted.read(&registry).await?;
        let models: Vec<Model> = page.items();
        let rows: Vec<Row> = models.iter().filter(|model| self.takes(model)).map(Row::of).collect();
        Ok(Models {
            listed: Listed::of(&at, &page, rows.len()),
            models: rows,
        })
    }
}

kf_mcp_core::register!(ListModels);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Page;
    use serde_json::{Value, json};

    fn tool(arguments: Value) -> ListModels {
        serde_json::from_value(arguments).unwrap()
    }

    fn recorded() -> Vec<Model> {
        let pages = [
            include_str!("../../../tests/fixtures/page_1.json"),
            include_str!("../../../tests/fixtures/page_2.json"),
        ];
        pages
            .iter()
            .flat_map(|page| serde_json::from_str::<Page>(page).unwrap().items::<Model>())
            .collect()
    }

    #[test]
    fn the_filter_says_what_was_asked_and_live_by_default() {
        for (arguments, filter) in [
            (json!({}), r#"state = "LIVE""#),
            (json!({"state": "ANY"}), ""),
            (
                json!({"query": "a_b", "owner": "ann", "state": "ARCHIVED"}),
                r#"state = "ARCHIVED" AND name ILIKE "%a\\_b%" AND owner = "ann""#,
            ),
        ] {
            assert_eq!(tool(arguments).filter().unwrap(), filter);
        }
    }

    #[test]
    fn answers_are_checked_again() {
        let names = |arguments: Value| {
            let tool = tool(arguments);
            let kept = recorded()
                .into_iter()
                .filter(|model| tool.takes(model))
                .map(|model| model.name);
            kept.collect::<Vec<_>>()
        };
        assert_eq!(names(json!({"query": "AMMA"})), ["gamma"]);
        assert_eq!(names(json!({"owner": "Ann"})), [""; 0]);
        assert_eq!(names(json!({"state": "ARCHIVED"})), [""; 0]);
        assert_eq!(names(json!({})).len(), 4);
    }

    #[test]
    fn the_text_is_a_table() {
        let answer = Models {
            models: recorded().iter().map(Row::of).collect(),
            listed: Listed::until(Some("abc".into())),
        };
        let mut text = Text::new("2026-01-01T01:00:00Z".parse().unwrap());
        answer.render(&mut text);
        let text = text.finish();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "model_id name state owner updated description");
        assert_eq!(lines[3], "5 gamma LIVE ann 59m -");
        assert_eq!(lines[4], "6 модель-🚀 LIVE - 59m naïve <b>&</b>");
        assert_eq!(lines[6], "next_cursor: abc");
    }
}
