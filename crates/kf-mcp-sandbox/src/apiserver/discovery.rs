//! Which groups, versions and resources there are.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use crate::kinds::{KINDS, Kind};
use crate::store::Store;

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
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

/// `/api` or `/apis`.
pub(crate) fn groups(store: &Store, core: bool) -> Answer {
    let cidrs = json!([{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}]);
    let body = if core {
        json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": cidrs})
    } else {
        let groups: Vec<Value> = names(store)
            .into_iter()
            .map(|(name, version)| entry(name, version))
            .collect();
        json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
    };
    Answer::json(StatusCode::OK, &body)
}

/// `/apis/{group}`.
pub(crate) fn group(store: &Store, group: &str) -> Answer {
    let Some((name, version)) = names(store).into_iter().find(|(name, _)| *name == group) else {
        return Answer::unknown_path();
    };
    let mut body = entry(name, version);
    body["kind"] = json!("APIGroup");
    body["apiVersion"] = json!("v1");
    Answer::json(StatusCode::OK, &body)
}

/// `/api/v1` or `/apis/{group}/{version}`.
pub(crate) fn version(store: &Store, group: &str, version: &str) -> Answer {
    let mut resources = Vec::new();
    for kind in KINDS
        .iter()
        .filter(|k| k.group == group && k.version == version && served(store, k))
    {
        describe(kind, &mut resources);
    }
    if let Some((_, reviews)) = REVIEWS.iter().find(|(name, _)| *name == group && version == "v1") {
        for (plural, kind) in *reviews {
            resources.push(resource(plural, kind, false, &["create"]));
        }
    }
    if resources.is_empty() {
        return Answer::unknown_path();
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let body = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
    });
    Answer::json(StatusCode::OK, &body)
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

fn names(store: &Store) -> Vec<(&'static str, &'static str)> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    let kinds = KINDS
        .iter()
        .filter(|k| !k.group.is_empty() && served(store, k))
        .map(|k| (k.group, k.version));
    for name in kinds.chain(REVIEWS.iter().map(|(group, _)| (*group, "v1"))) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn entry(name: &str, version: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn describe(kind: &Kind, resources: &mut Vec<Value>) {
    let mut main = resource(kind.plural, kind.kind, kind.namespaced, &VERBS);
    main["singularName"] = json!(kind.kind.to_lowercase());
    if !kind.short.is_empty() {
        main["shortNames"] = json!(kind.short);
    }
    if matches!(kind.kind, "Pod" | "Service" | "Deployment" | "Job") {
        main["categories"] = json!(["all"]);
    }
    resources.push(main);
    let mut sub = |name: &str, as_kind: &str, verbs: &[&str]| {
        resources.push(resource(
            &format!("{}/{name}", kind.plural),
            as_kind,
            kind.namespaced,
            verbs,
        ));
    };
    match kind.kind {
        "Pod" => sub("log", kind.kind, &["get"]),
        "Service" => sub(
            "proxy",
            "ServiceProxyOptions",
            &["create", "delete", "get", "patch", "update"],
        ),
        _ => {}
    }
    if kind.status {
        sub("status", kind.kind, &["get", "patch", "update"]);
    }
}

fn resource(name: &str, kind: &str, namespaced: bool, verbs: &[&str]) -> Value {
    json!({"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs})
}
