//! OpenAPI, as far as clients look into it: which parameters an operation has, and which fields a kind has.

mod schemas;

use http::header::{CACHE_CONTROL, ETAG, HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::discovery::{digest, names, served};
use super::query::Query;
use crate::kinds::{KINDS, Kind};
use crate::store::Store;
use schemas::{name, schemas};

/// The options that an operation can have in its query.
const WRITE: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];
const PATCH: [&str; 4] = ["dryRun", "fieldManager", "fieldValidation", "force"];
const DELETE: [&str; 3] = ["dryRun", "gracePeriodSeconds", "propagationPolicy"];
const LIST: [&str; 10] = [
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];

/// Answers a path, if it is one of these.
pub(crate) fn answer(store: &Store, path: &str, query: &Query, headers: &HeaderMap) -> Option<Answer> {
    match path {
        "/openapi/v2" => Some(second(headers)),
        "/openapi/v3" => Some(index(store)),
        path => path.strip_prefix("/openapi/v3/").map(|path| third(store, path, query)),
    }
}

/// The groups, each with a path that changes with what it leads to.
fn index(store: &Store) -> Answer {
    let paths: Map<String, Value> = names(store)
        .into_iter()
        .map(|(group, version)| {
            let path = path(group, version);
            let hash = digest(&document(store, group, version));
            let url = format!("/openapi/v3/{path}?hash={hash}");
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    Answer::json(StatusCode::OK, &json!({"paths": paths}))
}

/// One group's document. With the digest that the index gives it never changes, with another it has moved.
fn third(store: &Store, wanted: &str, query: &Query) -> Answer {
    let found = names(store)
        .into_iter()
        .find(|(group, version)| path(group, version) == wanted);
    let Some((group, version)) = found else {
        return Answer::empty(StatusCode::NOT_FOUND);
    };
    let bytes = document(store, group, version);
    let hash = digest(&bytes);
    let (mut answer, caching) = match query.get("hash") {
        Some(asked) if asked != hash => {
            let mut answer = Answer::empty(StatusCode::MOVED_PERMANENTLY);
            let url = HeaderValue::from_str(&format!("/openapi/v3/{wanted}?hash={hash}"));
            answer.headers.extend(url.ok().map(|url| (LOCATION, url)));
            (answer, "no-cache, private")
        }
        asked => {
            let answer = Answer::whole(StatusCode::OK, "application/json", bytes);
            (
                answer,
                if asked.is_some() {
                    "public, immutable"
                } else {
                    "no-cache, private"
                },
            )
        }
    };
    answer.headers.push((CACHE_CONTROL, HeaderValue::from_static(caching)));
    let tag = HeaderValue::from_str(&format!("\"{hash}\""));
    answer.headers.extend(tag.ok().map(|tag| (ETAG, tag)));
    answer
}

/// The older document, which says nothing: those who need more of it read the newer one.
fn second(headers: &HeaderMap) -> Answer {
    let accept = headers
        .get("accept")
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or("*/*");
    if !accept.contains("json") && !accept.contains('*') {
        return Answer::empty(StatusCode::NOT_ACCEPTABLE);
    }
    let body = json!({
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.36.3"}, "paths": {}, "definitions": {},
    });
    Answer::json(StatusCode::OK, &body)
}

fn path(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

fn document(store: &Store, group: &str, version: &str) -> Vec<u8> {
    let kinds: Vec<&Kind> = KINDS
        .iter()
        .filter(|kind| kind.group == group && kind.version == version && served(store, kind))
        .collect();
    let paths: Map<String, Value> = kinds.iter().flat_map(|kind| paths(kind)).collect();
    let body = json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.3"},
        "paths": paths, "components": {"schemas": schemas(store, &kinds)},
    });
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The paths of a kind with their operations.
fn paths(kind: &Kind) -> Vec<(String, Value)> {
    let root = format!("/{}", path(kind.group, kind.version));
    let collection = if kind.namespaced {
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    let mut paths = Vec::new();
    let get = |id: &str| operation(kind, "get", id, &[]);
    let put = |id: &str| operation(kind, "put", &format!("replace{id}"), &WRITE);
    let patch = |id: &str| operation(kind, "patch", &format!("patch{id}"), &PATCH);
    let scoped = if kind.namespaced { "Namespaced" } else { "" };
    let id = format!("{}{scoped}{}", group_id(kind), kind.kind);
    paths.push((
        collection.clone(),
        json!({
            "get": operation(kind, "list", &format!("list{id}"), &LIST),
            "post": operation(kind, "post", &format!("create{id}"), &WRITE),
            "delete": operation(kind, "deletecollection", &format!("delete{}Collection", id), &LIST),
            "parameters": placeholders(kind, false),
        }),
    ));
    paths.push((
        format!("{collection}/{{name}}"),
        json!({
            "get": get(&format!("read{id}")), "put": put(&id), "patch": patch(&id),
            "delete": operation(kind, "delete", &format!("delete{id}"), &DELETE),
            "parameters": placeholders(kind, true),
        }),
    ));
    if kind.status {
        let id = format!("{id}Status");
        paths.push((
            format!("{collection}/{{name}}/status"),
            json!({
                "get": get(&format!("read{id}")), "put": put(&id), "patch": patch(&id),
                "parameters": placeholders(kind, true),
            }),
        ));
    }
    if kind.namespaced {
        let id = format!("list{}{}ForAllNamespaces", group_id(kind), kind.kind);
        paths.push((
            format!("{root}/{}", kind.plural),
            json!({"get": operation(kind, "list", &id, &LIST)}),
        ));
    }
    paths
}

/// `TrainerKubeflowOrgV1alpha1`, as operations of the group begin.
fn group_id(kind: &Kind) -> String {
    let group = if kind.group.is_empty() { "core" } else { kind.group };
    let group = group.trim_end_matches(".k8s.io");
    group.split(['.', '-']).chain([kind.version]).map(capital).collect()
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

fn placeholders(kind: &Kind, named: bool) -> Value {
    let names = [(named, "name"), (kind.namespaced, "namespace")];
    let text = json!({"type": "string", "uniqueItems": true});
    names
        .into_iter()
        .filter(|(there, _)| *there)
        .map(|(_, name)| json!({"name": name, "in": "path", "required": true, "schema": text}))
        .collect()
}

fn operation(kind: &Kind, action: &str, id: &str, parameters: &[&str]) -> Value {
    let parameters: Vec<Value> = parameters
        .iter()
        .map(|name| {
            let of = match *name {
                "allowWatchBookmarks" | "force" | "sendInitialEvents" | "watch" => "boolean",
                "gracePeriodSeconds" | "limit" | "timeoutSeconds" => "integer",
                _ => "string",
            };
            json!({"name": name, "in": "query", "schema": {"type": of, "uniqueItems": true}})
        })
        .collect();
    let list = if matches!(action, "list" | "deletecollection") {
        "List"
    } else {
        ""
    };
    let reference = json!({"schema": {"$ref": format!("#/components/schemas/{}{list}", name(kind))}});
    let mut operation = json!({
        "operationId": id, "parameters": parameters, "x-kubernetes-action": action,
        "responses": {"200": {"description": "OK", "content": {"application/json": reference}}},
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
    });
    // strategic merge patches are left out, although they are served: who reads of them here expects to find, for every
    // list, how it is merged
    let accepted: &[&str] = match action {
        "patch" => &[
            "application/apply-patch+yaml",
            "application/json-patch+json",
            "application/merge-patch+json",
        ],
        "post" | "put" => &["*/*"],
        _ => return operation,
    };
    let body = if action == "patch" {
        json!({"schema": {"type": "object"}})
    } else {
        reference
    };
    let content: Map<String, Value> = accepted.iter().map(|of| ((*of).to_owned(), body.clone())).collect();
    operation["requestBody"] = json!({"content": content, "required": true});
    operation
}
