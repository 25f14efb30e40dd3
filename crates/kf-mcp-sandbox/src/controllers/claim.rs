//! Volume claims: bound at once, as by a fast provisioner, where their storage class is there, and protected while pods use
//! them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Action;
use super::objects::{items, kind};
use crate::store::{Store, text};

/// What provisions the volumes of all storage classes.
const PROVISIONER: &str = "sandbox/volume";
/// Marks the class of claims that name none.
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// Binds new claims and lets go of those that are to be deleted.
pub fn step(store: &Store, _now: Timestamp) -> Vec<Action> {
    let claims = kind("PersistentVolumeClaim");
    let mut actions = Vec::new();
    for claim in store.list(claims, None) {
        if claim["metadata"]["deletionTimestamp"].is_string() {
            if items(&claim["metadata"]["finalizers"]).any(|f| f == "kubernetes.io/pvc-protection")
                && !is_used(store, claim)
            {
                let mut next = (**claim).clone();
                if let Some(finalizers) = next["metadata"]["finalizers"].as_array_mut() {
                    finalizers.retain(|f| f != "kubernetes.io/pvc-protection");
                }
                actions.push(Action::Update(claims, next));
            }
        } else if let Some(class) = class(store, claim).filter(|_| claim["status"]["phase"] == "Pending") {
            bind(claim, &class, &mut actions);
        }
    }
    actions
}

/// The class that provides a claim's volume; none when there is no such class, and the claim stays as it is.
pub(super) fn class(store: &Store, claim: &Value) -> Option<String> {
    let classes = kind("StorageClass");
    match claim["spec"]["storageClassName"].as_str() {
        Some(name) => store.get(classes, "", name).map(|_| name.to_owned()),
        None => {
            let mut all = store.list(classes, None);
            let chosen = all.find(|class| class["metadata"]["annotations"][DEFAULT] == "true")?;
            Some(text(chosen, "/metadata/name"))
        }
    }
}

/// Whether a pod that has not ended names a claim.
fn is_used(store: &Store, claim: &Value) -> bool {
    let name = &claim["metadata"]["name"];
    store
        .list(kind("Pod"), Some(&text(claim, "/metadata/namespace")))
        .filter(|pod| !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
        .flat_map(|pod| items(&pod["spec"]["volumes"]))
        .any(|volume| volume["persistentVolumeClaim"]["claimName"] == *name)
}

fn bind(claim: &Value, class: &str, actions: &mut Vec<Action>) {
    let mut next = claim.clone();
    next["spec"]["volumeName"] = json!(format!("pvc-{}", text(claim, "/metadata/uid")));
    if next["spec"]["storageClassName"].is_null() {
        next["spec"]["storageClassName"] = json!(class);
    }
    for (key, value) in [
        ("pv.kubernetes.io/bind-completed", "yes"),
        ("pv.kubernetes.io/bound-by-controller", "yes"),
        ("volume.beta.kubernetes.io/storage-provisioner", PROVISIONER),
        ("volume.kubernetes.io/storage-provisioner", PROVISIONER),
    ] {
        next["metadata"]["annotations"][key] = json!(value);
    }
    actions.push(Action::Update(kind("PersistentVolumeClaim"), next.clone()));
    next["status"] = json!({
        "phase": "Bound", "accessModes": next["spec"]["accessModes"], "capacity": next["spec"]["resources"]["requests"],
    });
    actions.push(Action::UpdateStatus(kind("PersistentVolumeClaim"), next));
}
