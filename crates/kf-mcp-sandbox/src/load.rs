//! From a scenario's objects to a store.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::apiserver::{defaults, service_account};
use crate::kinds::Kind;
use crate::scenario::Scenario;
use crate::store::{Store, text};

/// The namespaces that every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// The namespace that clients begin in: what the scenario says, or `default`.
pub(crate) fn namespace(scenario: &Scenario) -> &str {
    if scenario.default_namespace.is_empty() {
        "default"
    } else {
        &scenario.default_namespace
    }
}

/// Stores objects, with the namespaces they need, and ties those that name an owner without its uid to it.
pub(crate) fn store(objects: Vec<Value>, now: Timestamp) -> Store {
    let mut store = Store::new();
    // what nobody tells the age of is as old as the cluster
    let born = objects
        .iter()
        .filter_map(|object| text(object, "/metadata/creationTimestamp").parse().ok())
        .min();
    let now = born.map_or(now, |born: Timestamp| born.min(now));
    let (namespaces, others): (Vec<Value>, Vec<Value>) =
        objects.into_iter().partition(|object| object["kind"] == "Namespace");
    for object in namespaces {
        let name = text(&object, "/metadata/name");
        add_namespace(&mut store, &name, object, now);
    }
    for name in NAMESPACES {
        add_namespace(&mut store, name, json!({}), now);
    }
    for mut object in others {
        let Some(kind) = Kind::of(&text(&object, "/apiVersion"), &text(&object, "/kind")) else {
            tracing::warn!(kind = %object["kind"], "the scenario has an object of a kind that the sandbox does not know");
            continue;
        };
        let (namespace, name) = (text(&object, "/metadata/namespace"), text(&object, "/metadata/name"));
        if kind.namespaced {
            add_namespace(&mut store, &namespace, json!({}), now);
        }
        tie(&store, &namespace, &mut object);
        defaults(kind, &name, &mut object);
        if let Err(error) = store.create(kind, object, now) {
            tracing::warn!(
                kind = kind.kind,
                namespace,
                name,
                ?error,
                "the scenario has an object twice"
            );
        }
    }
    store
}

fn add_namespace(store: &mut Store, name: &str, mut object: Value, now: Timestamp) {
    let Some(kind) = Kind::named("Namespace") else { return };
    if store.get(kind, "", name).is_some() {
        return;
    }
    object["metadata"]["name"] = json!(name);
    defaults(kind, name, &mut object);
    if store.create(kind, object, now).is_ok() {
        service_account(store, name, now);
    }
}

/// Gives owner references and an event's subject the uid of the object that they name.
fn tie(store: &Store, namespace: &str, object: &mut Value) {
    let uid = |reference: &Value| {
        let kind = Kind::of(&text(reference, "/apiVersion"), &text(reference, "/kind"))?;
        Some(store.get(kind, namespace, &text(reference, "/name"))?["metadata"]["uid"].clone())
    };
    let owners = object
        .pointer_mut("/metadata/ownerReferences")
        .and_then(Value::as_array_mut);
    for owner in owners
        .into_iter()
        .flatten()
        .filter(|owner| text(owner, "/uid").is_empty())
    {
        if let Some(uid) = uid(owner) {
            owner["uid"] = uid;
        }
    }
    if let Some(subject) = object
        .get_mut("involvedObject")
        .filter(|subject| text(subject, "/uid").is_empty())
        && let Some(uid) = uid(subject)
    {
        subject["uid"] = uid;
    }
}
