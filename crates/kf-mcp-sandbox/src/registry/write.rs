//! POST and PATCH.

use http::Method;
use serde_json::{Map, Value, json};

use super::body::{self, Body};
use super::entity::{Entity, Kind};
use super::{Problem, Registry, Reply, kind_of, parse_id, value};
use crate::controllers::objects::hash;

/// The length of a name's column.
const NAME: usize = 255;

impl Registry {
    pub(super) fn write(&mut self, method: &Method, parts: &[&str], raw: &[u8], now: i64) -> Reply {
        let given = body::object(raw)?;
        match parts {
            [plural] if method == Method::POST => match kind_of(plural) {
                Kind::Any => self.post_artifact(&given, 0, now),
                kind => self.post(kind, &given, None, now),
            },
            [plural, id] => self.patch(kind_of(plural), id, &given, now),
            ["registered_models", id, _] => {
                let model = self.by_id(Kind::Model, id)?.id;
                self.post(Kind::Version, &given, Some(model), now)
            }
            ["serving_environments", id, _] => {
                let environment = self.by_id(Kind::Environment, id)?.id;
                self.post(Kind::Service, &given, Some(environment), now)
            }
            ["model_versions", id, _] => {
                let version = self.by_id(Kind::Version, id)?.id;
                self.post_artifact(&given, version, now)
            }
            _ => Err(Problem::absent("no such path")),
        }
    }

    fn post(&mut self, kind: Kind, given: &Map<String, Value>, parent: Option<i64>, now: i64) -> Reply {
        let extra: &[&str] = if parent.is_some() {
            &["name", "id", "createTimeSinceEpoch", "lastUpdateTimeSinceEpoch"]
        } else {
            &["name", "artifactType"]
        };
        let extra = if kind.is_artifact() || parent.is_some() {
            extra
        } else {
            &extra[..1]
        };
        let mut body = body::decode(kind, given, extra, false)?;
        body.fields.remove("artifactType");
        body::require(kind, &body)?;
        let link = match kind {
            Kind::Version => "registeredModelId",
            Kind::Service => "servingEnvironmentId",
            _ => "",
        };
        let parent = match (parent, link) {
            (Some(parent), _) => parent,
            (None, "") => 0,
            (None, link) => {
                let of = if kind == Kind::Version {
                    Kind::Model
                } else {
                    Kind::Environment
                };
                let id = body.fields[link].as_str().unwrap_or_default().to_owned();
                if kind == Kind::Service {
                    self.by_id(of, &id)?.id
                } else {
                    parse_id(of, &id)?
                }
            }
        };
        if !link.is_empty() {
            body.fields.insert(link.to_owned(), json!(parent.to_string()));
        }
        if let Some((field, default)) = kind.default_state() {
            body.fields.entry(field).or_insert_with(|| json!(default));
        }
        if let Some(id) = body.fields.remove("id") {
            // A full entity with an id is an update, though the answer says 201.
            let id = id.as_str().unwrap_or_default().to_owned();
            let (_, updated) = self.merge(kind, &id, body, now)?;
            return Ok((201, updated));
        }
        self.insert(kind, parent, body, now)
    }

    fn insert(&mut self, kind: Kind, parent: i64, mut body: Body, now: i64) -> Reply {
        let ids = if kind.is_artifact() {
            &mut self.artifact_ids
        } else {
            &mut self.context_ids
        };
        let name = match body.fields.remove("name") {
            Some(Value::String(name)) if !name.is_empty() => name,
            _ => {
                let (a, b) = (hash(&format!("uuid-{ids}")), hash(&format!("{ids}-uuid")));
                format!(
                    "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                    a >> 32,
                    a >> 16 & 0xffff,
                    a & 0xfff,
                    b >> 52,
                    b & 0xffff_ffff_ffff
                )
            }
        };
        body.fields.remove("createTimeSinceEpoch");
        body.fields.remove("lastUpdateTimeSinceEpoch");
        let entity = Entity {
            id: *ids + 1,
            kind,
            parent,
            name,
            fields: body.fields,
            properties: body.properties.unwrap_or_default(),
            created: now,
            updated: now,
        };
        if entity.stored_name().chars().count() > NAME {
            let message = format!(
                "error saving {}: Error 1406 (22001): Data too long for column 'name' at row 1",
                kind.word()
            );
            return Err(Problem {
                code: 500,
                word: "Internal Server Error",
                message,
            });
        }
        // A conflict uses its id up, as an auto-increment column does.
        *ids += 1;
        if self.clashes(&entity) {
            let name = if kind == Kind::Service {
                entity.stored_name()
            } else {
                entity.name
            };
            return Err(Problem::conflict(kind, &name));
        }
        let answer = entity.body();
        if kind.is_artifact() {
            self.artifacts.push(entity)
        } else {
            self.contexts.push(entity)
        }
        Ok((201, answer))
    }

    /// Names are unique per kind and parent, external ids over all kinds of a table; unlinked artifacts are stored
    /// under a random prefix and never clash by name.
    fn clashes(&self, new: &Entity) -> bool {
        let external = new.fields.get("externalId").and_then(Value::as_str);
        self.table(new.kind).iter().filter(|old| old.id != new.id).any(|old| {
            let same_name = old.kind == new.kind
                && old.parent == new.parent
                && !(new.kind.is_artifact() && new.parent == 0)
                && old.name.to_lowercase() == new.name.to_lowercase();
            let same_external = external.is_some_and(|external| {
                old.fields
                    .get("externalId")
                    .and_then(Value::as_str)
                    .is_some_and(|o| o.eq_ignore_ascii_case(external))
            });
            same_name || same_external
        })
    }

    fn post_artifact(&mut self, given: &Map<String, Value>, parent: i64, now: i64) -> Reply {
        let kind = given
            .get("artifactType")
            .and_then(Value::as_str)
            .and_then(Kind::artifact)
            .ok_or_else(|| {
                Problem::bad(
                    "invalid artifact type, must be either ModelArtifact, DocArtifact, DataSet, Metric, or Parameter",
                )
            })?;
        let mut body = body::decode(kind, given, &["name", "id"], true)?;
        if let Some(id) = body.fields.remove("id") {
            body.fields.remove("name");
            return self.merge(kind, id.as_str().unwrap_or_default(), body, now);
        }
        if kind == Kind::Metric && !body.fields.contains_key("value") {
            return Err(Problem::bad("metric value is required"));
        }
        if matches!(kind, Kind::Metric | Kind::Parameter) && parent != 0 {
            let name = body
                .fields
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_lowercase();
            let same = self
                .artifacts
                .iter()
                .find(|old| old.kind == kind && old.parent == parent && old.name.to_lowercase() == name)
                .map(|old| old.id.to_string());
            if let Some(id) = same {
                body.fields.remove("name");
                return self.merge(kind, &id, body, now);
            }
        }
        let (_, answer) = self.insert(kind, parent, body, now)?;
        Ok((
            if matches!(kind, Kind::ModelArtifact | Kind::Doc) {
                201
            } else {
                200
            },
            answer,
        ))
    }

    fn patch(&mut self, kind: Kind, id: &str, given: &Map<String, Value>, now: i64) -> Reply {
        if kind == Kind::Any {
            let stored = self.by_id(kind, id)?.kind;
            let wanted = given.get("artifactType").and_then(Value::as_str).unwrap_or_default();
            if wanted != stored.artifact_type() {
                let from = stored.artifact_type();
                return Err(Problem::raw(format!(
                    "cannot change artifact type from '{from}' to '{wanted}': artifact type is immutable"
                )));
            }
            let body = body::decode(stored, given, &[], true)?;
            return self.merge(stored, id, body, now);
        }
        let extra: &[&str] = if kind.is_artifact() { &["artifactType"] } else { &[] };
        let mut body = body::decode(kind, given, extra, false)?;
        body.fields.remove("artifactType");
        for fixed in ["registeredModelId", "servingEnvironmentId"] {
            if body.fields.contains_key(fixed) {
                return Err(Problem::raw(format!("json: unknown field {fixed:?}")));
            }
        }
        // The surprise every client must know: an omitted state is reset.
        if let Some((field, default)) = kind.default_state() {
            body.fields.entry(field).or_insert_with(|| json!(default));
        }
        self.merge(kind, id, body, now)
    }

    /// Lays given fields over a stored entity.
    fn merge(&mut self, kind: Kind, id: &str, mut body: Body, now: i64) -> Reply {
        let mut next = self.by_id(kind, id)?.clone();
        body.fields.remove("name");
        body.fields.remove("registeredModelId");
        body.fields.remove("servingEnvironmentId");
        next.fields.extend(body.fields);
        // Stored properties go through the decoder again, which a struct's JSON text does not survive.
        next.properties = match body.properties {
            Some(properties) => properties,
            None => value::properties(&Value::Object(next.properties))?,
        };
        next.updated = now;
        if self.clashes(&next) {
            return Err(Problem::conflict(kind, &next.name));
        }
        let answer = next.body();
        let table = if kind.is_artifact() {
            &mut self.artifacts
        } else {
            &mut self.contexts
        };
        if let Some(slot) = table.iter_mut().find(|entity| entity.id == next.id) {
            *slot = next;
        }
        Ok((200, answer))
    }

    /// Uses up ids, for tests that leave out requests the sandbox does not know.
    #[cfg(test)]
    pub(super) fn skip_ids(&mut self, contexts: i64, artifacts: i64) {
        self.context_ids += contexts;
        self.artifact_ids += artifacts;
    }
}
