//! One model by its name or id. The registry's own lookup takes wildcards and other cases, so its answer is checked.

use kf_mcp_core::names::nearest;
use kf_mcp_core::{ErrorCode, ToolError};

use crate::api::{self, Model, Page};
use crate::client::Registry;
use crate::filter::{encoded, literal};

/// Names that a wrong one is compared with.
const NEARBY: &str = "100";

/// Which model is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    Name(String),
    Id(String),
}

impl Which {
    /// Exactly one of the two arguments.
    pub(crate) fn of(name: Option<String>, model_id: Option<String>) -> Result<Self, ToolError> {
        match (name, model_id) {
            (Some(name), None) if !name.trim().is_empty() => Ok(Self::Name(name)),
            (Some(_), None) => Err(ToolError::argument("name", "is empty")),
            // Ids are numbers of a database; anything else would be another path.
            (None, Some(id)) if (1..=10).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_digit()) => {
                Ok(Self::Id(id))
            }
            (None, Some(_)) => Err(ToolError::argument("model_id", "is not a number")),
            (Some(_), Some(_)) => Err(ToolError::argument("model_id", "give `name` or `model_id`, not both")),
            (None, None) => Err(ToolError::argument("name", "give `name` or `model_id`").tool("list_models")),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Name(name) => format!("read model `{}`", api::name(name)),
            Self::Id(id) => format!("read model with id {id}"),
        }
    }
}

/// The model, or an error that names those nearby.
pub(crate) async fn find(registry: &Registry<'_>, which: &Which) -> Result<Model, ToolError> {
    let asked = which.words();
    let found = match which {
        Which::Name(name) => {
            registry
                .get(&asked, "/registered_model", &[("name", &literal(name))])
                .await
        }
        Which::Id(id) => registry.get(&asked, &format!("/registered_models/{id}"), &[]).await,
    };
    match found {
        Ok(model) if fits(&model, which) => Ok(model),
        Ok(model) => absent(registry, which, vec![model]).await,
        Err(error) if error.code == ErrorCode::NotFound => absent(registry, which, Vec::new()).await,
        Err(error) => Err(error),
    }
}

/// The model with something else that is read by its id: at once where the id is known. A missing model is the error,
/// whatever became of the other reading.
pub(crate) async fn find_with<F: Future>(
    registry: &Registry<'_>,
    which: &Which,
    read: impl FnOnce(String) -> F,
) -> Result<(Model, F::Output), ToolError> {
    match which {
        Which::Id(id) => {
            let (model, other) = futures::join!(find(registry, which), read(id.clone()));
            Ok((model?, other))
        }
        Which::Name(_) => {
            let model = find(registry, which).await?;
            let other = read(model.id.clone()).await;
            Ok((model, other))
        }
    }
}

/// The path of a model's versions.
pub(crate) fn versions_of(model_id: &str) -> String {
    format!("/registered_models/{}/versions", encoded(model_id))
}

fn fits(model: &Model, which: &Which) -> bool {
    match which {
        Which::Name(name) => model.name == *name,
        Which::Id(_) => !model.id.is_empty(),
    }
}

/// The model is probably not there. Without its database the registry also says so, and only a list tells the
/// difference; the list gives the names nearby as well.
async fn absent(registry: &Registry<'_>, which: &Which, mut near: Vec<Model>) -> Result<Model, ToolError> {
    let asked = which.words();
    let query = [
        ("pageSize", NEARBY),
        ("orderBy", "LAST_UPDATE_TIME"),
        ("sortOrder", "DESC"),
    ];
    let page: Page = registry.get(&asked, "/registered_models", &query).await?;
    near.extend(page.items::<Model>());
    if let Some(at) = near
        .iter()
        .position(|model| matches!(which, Which::Name(_)) && fits(model, which))
    {
        return Ok(near.swap_remove(at));
    }
    let said = format!("{} has no such model", registry.place());
    let error = ToolError::new(ErrorCode::NotFound, asked, said).tool("list_models");
    let Which::Name(name) = which else {
        return Err(error.fix("ids of versions and artifacts are others than those of models"));
    };
    Err(match closest(name, &near) {
        Some(model) => error.fix(format!(
            "did you mean `{}` (model_id {})?",
            api::name(&model.name),
            model.id
        )),
        None => error.fix("names are case-sensitive"),
    })
}

/// The model whose name is nearest to a wrong one: other case, a part of it, or nearly the same letters.
fn closest<'a>(wrong: &str, near: &'a [Model]) -> Option<&'a Model> {
    let lower = wrong.to_lowercase();
    let same = near.iter().find(|model| model.name.to_lowercase() == lower);
    let part = || near.iter().find(|model| model.name.to_lowercase().contains(&lower));
    let like = || {
        let name = nearest(wrong, near.iter().map(|model| model.name.as_str()))?;
        near.iter().find(|model| model.name == name)
    };
    same.or_else(part).or_else(like)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_of_name_and_id_is_taken() {
        let of = |name: Option<&str>, id: Option<&str>| Which::of(name.map(str::to_owned), id.map(str::to_owned));
        assert_eq!(of(Some("a"), None).unwrap(), Which::Name("a".into()));
        assert_eq!(of(None, Some("12")).unwrap(), Which::Id("12".into()));
        for (name, id, field) in [
            (None, None, "name"),
            (Some(" "), None, "name"),
            (Some("a"), Some("1"), "model_id"),
            (None, Some("1/versions"), "model_id"),
            (None, Some(""), "model_id"),
            (None, Some("-1"), "model_id"),
        ] {
            assert_eq!(of(name, id).unwrap_err().field.as_deref(), Some(field));
        }
    }

    #[test]
    fn a_wrong_name_finds_the_nearest() {
        let models = ["gamma", "bert-base", "llama-7b"].map(|name| Model {
            name: name.into(),
            ..Model::default()
        });
        for (wrong, near) in [
            ("Gamma", Some("gamma")),
            ("llama", Some("llama-7b")),
            ("bertbase", Some("bert-base")),
            ("xyz", None),
        ] {
            assert_eq!(closest(wrong, &models).map(|model| &*model.name), near, "{wrong}");
        }
    }
}
