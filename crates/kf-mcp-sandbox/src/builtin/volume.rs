//! Defaults of volumes.

use serde_json::{Value, json};

use super::{each, field_refs, set};
use crate::controllers::quantity;

/// The mode of files that come out of the API: 0644.
const MODE: u16 = 420;

/// Fills in one volume.
pub(super) fn volume(volume: &mut Value) {
    let sources = volume.as_object().map_or(0, |fields| fields.len());
    if sources < 2 {
        volume["emptyDir"] = json!({});
    }
    for name in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = volume.get_mut(name).filter(|source| source.is_object()) {
            set(source, "defaultMode", &json!(MODE));
        }
    }
    if let Some(limit) = volume.pointer_mut("/emptyDir/sizeLimit") {
        *limit = quantity::canonical(limit);
    }
    if let Some(path) = volume.get_mut("hostPath").filter(|path| path.is_object()) {
        set(path, "type", &json!(""));
    }
    if let Some(downward) = volume.get_mut("downwardAPI") {
        each(downward, "items").for_each(field_refs);
    }
    let Some(projected) = volume.get_mut("projected") else {
        return;
    };
    for source in each(projected, "sources") {
        if let Some(token) = source.get_mut("serviceAccountToken").filter(|token| token.is_object()) {
            set(token, "expirationSeconds", &json!(3600));
        }
        if let Some(downward) = source.get_mut("downwardAPI") {
            each(downward, "items").for_each(field_refs);
        }
    }
}
