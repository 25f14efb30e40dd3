//! What the API server itself gives to new objects.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::State;
use crate::kinds::Kind;
use crate::store::{Store, metadata, text};

/// The ServiceAccount that every namespace has.
pub(crate) fn service_account(store: &mut Store, namespace: &str, now: Timestamp) {
    if let Some(kind) = Kind::named("ServiceAccount") {
        // one that is there already is as good
        store
            .create(
                kind,
                json!({"metadata": {"name": "default", "namespace": namespace}}),
                now,
            )
            .ok();
    }
}

/// What the API server itself puts into new objects of some kinds.
pub(crate) fn defaults(kind: &Kind, name: &str, object: &mut Value) {
    let phase = match kind.kind {
        "Namespace" => {
            labels(kind, name, object);
            if object.pointer("/spec/finalizers").is_none() {
                object["spec"]["finalizers"] = json!(["kubernetes"]);
            }
            "Active"
        }
        "Pod" | "PersistentVolumeClaim" => "Pending",
        _ => return,
    };
    if object.pointer("/status/phase").is_none() {
        object["status"]["phase"] = json!(phase);
    }
}

/// The labels that the API server gives.
pub(crate) fn labels(kind: &Kind, name: &str, object: &mut Value) {
    if kind.kind == "Namespace" {
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
    }
}

/// Makes a name from `generateName`: looks random, and is the same in every run.
pub(crate) fn generate_name(state: &mut State, kind: &Kind, namespace: &str, object: &mut Value) {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let prefix = text(object, "/metadata/generateName");
    if prefix.is_empty() || !text(object, "/metadata/name").is_empty() {
        return;
    }
    loop {
        state.names += 1;
        // a multiplication by an odd constant spreads the counter without ever giving a number twice
        let mut mixed = state.names.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let mut name: String = prefix.chars().take(58).collect();
        for _ in 0..5 {
            let letter = usize::try_from(mixed % 27).unwrap_or_default();
            name.push(char::from(LETTERS.get(letter).copied().unwrap_or(b'x')));
            mixed /= 27;
        }
        if state.store.get(kind, namespace, &name).is_none() {
            metadata(object).insert("name".into(), json!(name));
            return;
        }
    }
}
