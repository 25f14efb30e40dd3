//! Which groups, versions and resources there are: once as one document, once path by path.

mod resource;

use http::header::{CACHE_CONTROL, ETAG, HeaderValue, VARY};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

use super::accept::aggregated;
use super::answer::Answer;
use super::errors::no_such_resource;
use crate::kinds::{KINDS, Kind};
use crate::status::Status;
use crate::store::Store;
use resource::Resource;

/// Media type of the one document.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The groups of the API server itself, in their order. Those of custom kinds come after them by name.
const OWN_GROUPS: [&str; 18] = [
    "",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "resource.k8s.io",
];

/// The groups that only answer questions, with their version and resources (plural, kind).
const REVIEWS: &[(&str, &[(&str, &str)])] = &[
    ("authentication.k8s.io", &[("selfsubjectreviews", "SelfSubjectReview")]),
    (
        "authorization.k8s.io",
        &[
            ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
            ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        ],
    ),
];

/// Whether a kind is served: those of custom groups are when their CustomResourceDefinition is there and serves their
/// version.
pub(crate) fn served(store: &Store, kind: &Kind) -> bool {
    if !kind.custom() {
        return true;
    }
    let Some(definitions) = Kind::named("CustomResourceDefinition") else {
        return false;
    };
    let Some(definition) = store.get(definitions, "", &kind.qualified()) else {
        return false;
    };
    match definition["spec"]["versions"].as_array() {
        Some(versions) => versions
            .iter()
            .any(|v| v["name"] == json!(kind.version) && v["served"] != json!(false)),
        None => true,
    }
}

/// What a path answers that names nothing: the API server itself knows that it has no such resource, the server of
/// custom kinds does not even know the path.
pub(crate) fn unknown(group: &str) -> Result<Answer, Status> {
    if OWN_GROUPS.contains(&group) {
        Err(no_such_resource())
    } else {
        Ok(Answer::unknown_path())
    }
}

/// `/api` or `/apis`.
pub(crate) fn groups(store: &Store, core: bool, headers: &HeaderMap) -> Result<Answer, Status> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    if aggregated(header("accept"), core)? {
        return Ok(document(store, core, header("if-none-match")));
    }
    let cidrs = json!([{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}]);
    let body = if core {
        json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": cidrs})
    } else {
        let groups: Vec<Value> = grouped(store)
            .into_iter()
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, versions)| entry(name, &versions))
            .collect();
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    };
    Ok(Answer::json(StatusCode::OK, &body))
}

/// `/apis/{group}`.
pub(crate) fn group(store: &Store, group: &str) -> Answer {
    let Some((name, versions)) = grouped(store).into_iter().find(|(name, _)| *name == group) else {
        return Answer::unknown_path();
    };
    let mut body = entry(name, &versions);
    body["kind"] = json!("APIGroup");
    body["apiVersion"] = json!("v1");
    Answer::json(StatusCode::OK, &body)
}

/// `/api/v1` or `/apis/{group}/{version}`.
pub(crate) fn version(store: &Store, group: &str, version: &str) -> Result<Answer, Status> {
    let resources = resources(store, group, version);
    if resources.is_empty() {
        return unknown(group);
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let resources: Vec<Value> = resources.iter().flat_map(Resource::listed).collect();
    let body = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
    });
    Ok(Answer::json(StatusCode::OK, &body))
}

/// `/version`.
pub(crate) fn server_version() -> Answer {
    Answer::json(
        StatusCode::OK,
        &json!({
            "major": "1", "minor": "36",
            "emulationMajor": "1", "emulationMinor": "36",
            "minCompatibilityMajor": "1", "minCompatibilityMinor": "35",
            "gitVersion": "v1.36.3", "gitCommit": "0000000000000000000000000000000000000000", "gitTreeState": "clean",
            "buildDate": "2026-07-14T00:00:00Z", "goVersion": "go1.26", "compiler": "gc", "platform": "linux/amd64",
        }),
    )
}

/// All groups with their versions, in the order in which they are told.
fn grouped(store: &Store) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (group, version) in names(store) {
        match groups.last_mut().filter(|(last, _)| *last == group) {
            Some((_, versions)) => versions.push(version),
            None => groups.push((group, vec![version])),
        }
    }
    groups
}

/// All groups with each of their versions, in the order in which they are told.
pub(crate) fn names(store: &Store) -> Vec<(&'static str, &'static str)> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    let kinds = KINDS.iter().filter(|k| served(store, k)).map(|k| (k.group, k.version));
    for name in kinds.chain(REVIEWS.iter().map(|(group, _)| (*group, "v1"))) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let place = |group: &str| {
        OWN_GROUPS
            .iter()
            .position(|own| *own == group)
            .unwrap_or(OWN_GROUPS.len())
    };
    names.sort_by_key(|(group, _)| (place(group), *group));
    names
}

/// The one document of all there is, or only that it is still the same.
fn document(store: &Store, core: bool, known: &str) -> Answer {
    let items: Vec<Value> = grouped(store)
        .into_iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let metadata = if core { json!({}) } else { json!({"name": group}) };
            let versions = versions.iter().map(|version| {
                let resources = resources(store, group, version);
                let resources: Vec<Value> = resources.iter().map(|of| of.aggregated(group, version)).collect();
                json!({"version": version, "resources": resources, "freshness": "Current"})
            });
            json!({"metadata": metadata, "versions": versions.collect::<Vec<_>>()})
        })
        .collect();
    let body = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items,
    });
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    let tag = format!("\"{}\"", digest(&bytes));
    let mut answer = if known == tag {
        Answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        Answer::whole(StatusCode::OK, AGGREGATED, bytes)
    };
    answer.headers.push((CACHE_CONTROL, HeaderValue::from_static("public")));
    answer.headers.push((VARY, HeaderValue::from_static("Accept")));
    answer
        .headers
        .extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
    answer
}

/// A digest as the API server tags documents with.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha512::digest(bytes).iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A group with its versions, the preferred one first.
fn entry(name: &str, versions: &[&str]) -> Value {
    let version = |version: &&str| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

fn resources(store: &Store, group: &str, version: &str) -> Vec<Resource> {
    let kinds = KINDS
        .iter()
        .filter(|k| k.group == group && k.version == version && served(store, k));
    let reviews = REVIEWS.iter().filter(|(name, _)| *name == group && version == "v1");
    let reviews = reviews.flat_map(|(_, reviews)| reviews.iter());
    let mut resources: Vec<Resource> = kinds
        .map(Resource::of)
        .chain(reviews.map(|(plural, kind)| Resource::review(plural, kind)))
        .collect();
    resources.sort_by_key(|resource| resource.plural);
    resources
}
