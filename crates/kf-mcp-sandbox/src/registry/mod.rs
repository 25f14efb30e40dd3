//! The Model Registry's REST API, as much of it as the hub's tools need.

mod body;
mod entity;
mod filter;
mod list;
mod query;
mod value;
mod write;

use std::borrow::Cow;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use entity::{Entity, Kind};
use query::{Query, parse_query, unescape};

/// An answer of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status code.
    pub code: u16,
    /// `Content-Type`; empty when the answer has none.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

/// Which path prefixes are served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Dialect {
    /// `/api/model_registry/v1alpha3`, like every released server.
    #[default]
    V1Alpha3Only,
    /// `/api/model_registry/v1`, as planned.
    V1Only,
    /// Both.
    Both,
}

/// The registry's state.
#[derive(Debug, Default, Clone)]
pub struct Registry {
    /// Which prefixes it answers.
    pub dialect: Dialect,
    /// Models, versions, environments and services: they share one sequence of ids.
    contexts: Vec<Entity>,
    artifacts: Vec<Entity>,
    /// The highest id given out, or used up by a conflict, per sequence.
    context_ids: i64,
    artifact_ids: i64,
}

const JSON: &str = "application/json; charset=UTF-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// What goes wrong in a request: HTTP code, the `code` word and the message.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    code: u16,
    word: &'static str,
    message: String,
}

impl Problem {
    /// A 400 from the service layer.
    fn bad(message: impl std::fmt::Display) -> Self {
        Self::raw(format!("{message}: bad request"))
    }

    /// A 400 from the decoder, without the service layer's ending.
    fn raw(message: impl Into<String>) -> Self {
        Self {
            code: 400,
            word: "Bad Request",
            message: message.into(),
        }
    }

    fn absent(message: impl std::fmt::Display) -> Self {
        Self {
            code: 404,
            word: "Not Found",
            message: format!("{message}: not found"),
        }
    }

    fn conflict(kind: Kind, name: &str) -> Self {
        let message = format!("{} with name {name} already exists: conflict", kind.word());
        Self {
            code: 409,
            word: "Conflict",
            message,
        }
    }
}

type Reply = Result<(u16, Value), Problem>;

impl Registry {
    /// An empty registry that serves other prefixes.
    pub fn with_dialect(dialect: Dialect) -> Self {
        Self {
            dialect,
            ..Self::default()
        }
    }

    /// Answers one request. `path` begins with `/` and has no query; `query` is the raw query string.
    pub fn handle(&mut self, method: &Method, path: &str, query: &str, body: &[u8], now: Timestamp) -> Answer {
        let query = parse_query(query);
        if path.ends_with("/readyz/health") || path.ends_with("/readyz/isDirty") {
            return self.health(method, &query);
        }
        let Some(rest) = self.route(path) else {
            return text(404, "404 page not found\n");
        };
        let parts: Vec<Cow<'_, str>> = rest.split('/').map(unescape).collect();
        let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
        let Some(allowed) = methods(&parts) else {
            return text(404, "404 page not found\n");
        };
        if !allowed.contains(&method.as_str()) {
            return Answer {
                code: 405,
                content_type: "",
                body: Vec::new(),
            };
        }
        let reply = if method == Method::GET {
            self.read(&parts, &query)
        } else {
            self.write(method, &parts, body, now.as_millisecond())
        };
        let (code, body) =
            reply.unwrap_or_else(|problem| (problem.code, json!({"code": problem.word, "message": problem.message})));
        Answer {
            code,
            content_type: JSON,
            body: format!("{body}\n").into_bytes(),
        }
    }

    fn route<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix("/api/model_registry/")?;
        let (version, rest) = rest.split_once('/')?;
        let served = match version {
            "v1alpha3" => self.dialect != Dialect::V1Only,
            "v1" => self.dialect != Dialect::V1Alpha3Only,
            _ => false,
        };
        served.then_some(rest)
    }

    fn health(&self, method: &Method, query: &Query) -> Answer {
        if method != Method::GET && method != Method::HEAD {
            return text(405, "method not allowed\n");
        }
        if query.get("format") != Some("json") {
            return text(200, "OK");
        }
        let count = |kind| self.contexts.iter().filter(|e| e.kind == kind).count();
        let check = |name: &str, message: &str, details: Value| json!({"Name": name, "Status": "pass", "Message": message, "Details": details});
        let details = json!({
            "artifacts_accessible": true, "artifacts_count": self.artifacts.len(),
            "experiment_runs_accessible": true, "experiment_runs_count": 0,
            "experiments_accessible": true, "experiments_count": 0,
            "inference_services_accessible": true, "inference_services_count": count(Kind::Service),
            "model_versions_accessible": true, "model_versions_count": count(Kind::Version),
            "registered_models_accessible": true, "registered_models_count": count(Kind::Model),
            "serving_environments_accessible": true, "serving_environments_count": count(Kind::Environment),
            "total_resources_checked": 5,
        });
        let body = json!({"status": "pass", "checks": {
            "database": check("database", "database is healthy", json!({"schema_dirty": false, "schema_version": 21})),
            "meta": check("meta", "", json!({"check_duration_ms": 1, "timestamp": 0})),
            "model-registry": check("model-registry", "model registry service is healthy", details),
        }});
        Answer {
            code: 200,
            content_type: "application/json",
            body: body.to_string().into_bytes(),
        }
    }

    fn table(&self, kind: Kind) -> &[Entity] {
        if kind.is_artifact() {
            &self.artifacts
        } else {
            &self.contexts
        }
    }

    fn by_id(&self, kind: Kind, id: &str) -> Result<&Entity, Problem> {
        let number = parse_id(kind, id)?;
        self.table(kind)
            .iter()
            .find(|entity| entity.id == number && kind.covers(entity.kind))
            .ok_or_else(|| Problem::absent(format!("no {} found for id {id}", kind.word())))
    }

    fn read(&self, parts: &[&str], query: &Query) -> Reply {
        match parts {
            [one] => match Kind::singular(one) {
                Some(kind) => self.find(kind, query),
                None => self.list(kind_of(one), None, query),
            },
            [plural, id] => Ok((200, self.by_id(kind_of(plural), id)?.body())),
            ["registered_models", id, "versions"] => self.list(Kind::Version, Some(parse_id(Kind::Model, id)?), query),
            ["model_versions", id, "artifacts"] => self.list(Kind::Any, Some(parse_id(Kind::Version, id)?), query),
            ["serving_environments", id, "inference_services"] => {
                self.list(Kind::Service, Some(parse_id(Kind::Environment, id)?), query)
            }
            ["inference_services", id, "model"] => {
                let model = self.by_id(Kind::Service, id)?.text("registeredModelId").to_owned();
                Ok((200, self.by_id(Kind::Model, &model)?.body()))
            }
            ["inference_services", id, _] => self.served_version(id),
            _ => Err(Problem::absent("no such path")),
        }
    }

    /// The version an inference service is pinned to, else the newest of its model.
    fn served_version(&self, id: &str) -> Reply {
        let service = self.by_id(Kind::Service, id)?;
        let pinned = service.text("modelVersionId");
        if !pinned.is_empty() {
            return Ok((200, self.by_id(Kind::Version, pinned)?.body()));
        }
        let model = service.text("registeredModelId");
        let newest = self
            .contexts
            .iter()
            .filter(|e| e.kind == Kind::Version && e.parent.to_string() == model)
            .max_by_key(|e| (e.created, e.id))
            .ok_or_else(|| Problem::absent(format!("no model version found for registered model {model}")))?;
        Ok((200, newest.body()))
    }

    fn find(&self, kind: Kind, query: &Query) -> Reply {
        let name = query.get("name").unwrap_or_default();
        let parent = query.get("parentResourceId").unwrap_or_default();
        let external = query.get("externalId").unwrap_or_default();
        let needs_parent = !matches!(kind, Kind::Model | Kind::Environment);
        if (name.is_empty() || (needs_parent && parent.is_empty())) && external.is_empty() {
            let either = if needs_parent {
                "name and parentResourceId, or externalId"
            } else {
                "name or externalId"
            };
            return Err(Problem::bad(format!("invalid parameters call, supply either {either}")));
        }
        let hits: Vec<&Entity> = self
            .table(kind)
            .iter()
            .filter(|entity| kind.covers(entity.kind))
            .filter(|entity| {
                if name.is_empty() {
                    entity.text("externalId").eq_ignore_ascii_case(external)
                } else {
                    value::like(&entity.name, name) && (!needs_parent || entity.parent.to_string() == parent)
                }
            })
            .collect();
        match hits.as_slice() {
            [one] => Ok((200, one.body())),
            several => {
                let how_many = if several.is_empty() { "no" } else { "multiple" };
                let within = if needs_parent {
                    format!(", parentResourceId={parent}")
                } else {
                    String::new()
                };
                Err(Problem::absent(format!(
                    "{how_many} {}s found for name={name}{within}, externalId={external}",
                    kind.word()
                )))
            }
        }
    }
}

/// The methods of a path, `None` for an unknown one.
fn methods(parts: &[&str]) -> Option<&'static [&'static str]> {
    Some(match parts {
        [one] if Kind::singular(one).is_some() => &["GET"],
        [one] if Kind::plural(one).is_some() => &["GET", "POST"],
        [one, id] if Kind::plural(one).is_some() && !id.is_empty() => &["GET", "PATCH"],
        ["registered_models", _, "versions"]
        | ["model_versions", _, "artifacts"]
        | ["serving_environments", _, "inference_services"] => &["GET", "POST"],
        ["inference_services", _, "model" | "version"] => &["GET"],
        _ => return None,
    })
}

/// The kind behind a plural that `methods` has let through.
fn kind_of(plural: &str) -> Kind {
    Kind::plural(plural).unwrap_or(Kind::Any)
}

fn parse_id(kind: Kind, id: &str) -> Result<i64, Problem> {
    id.parse::<i32>()
        .map(i64::from)
        .map_err(|_| Problem::bad(format!("invalid {} ID: {}", kind.word(), value::go_number_error(id))))
}

fn text(code: u16, body: &str) -> Answer {
    Answer {
        code,
        content_type: TEXT,
        body: body.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests;
