//! Small pieces that every controller needs: owner references, conditions, names, settings of a pod's life.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kinds::{KINDS, Kind};
use crate::store::seconds;

/// A kind of the table by its name. The names are literals of this crate; an unknown one would be the first kind.
pub fn kind(name: &str) -> &'static Kind {
    Kind::named(name).unwrap_or(&KINDS[0])
}

/// The owner reference that a controller puts on what it makes.
pub fn owned_by(owner: &Value) -> Value {
    json!([{
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    }])
}

/// The uid of an object's controlling owner, empty when it has none.
pub fn owner_uid(object: &Value) -> &str {
    object["metadata"]["ownerReferences"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|owner| owner["controller"] == true)
        .and_then(|owner| owner["uid"].as_str())
        .unwrap_or_default()
}

/// A condition of an object by its type.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|c| c["type"] == kind)
}

/// Whether a condition is there and true.
pub fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|c| c["status"] == "True")
}

/// Sets a condition in `object.status.conditions`, keeping the transition time while its status stays. Says whether
/// anything changed.
pub fn set_condition(
    object: &mut Value,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) -> bool {
    let mut condition = json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": seconds(now),
    });
    // The Job and Pod APIs have their own condition types with other fields than metav1.Condition.
    match object["kind"].as_str() {
        Some("Job") => condition["lastProbeTime"] = json!(seconds(now)),
        Some("Pod") => condition["lastProbeTime"] = Value::Null,
        _ => {}
    }
    if matches!(object["kind"].as_str(), Some("Pod")) {
        for field in ["reason", "message"] {
            if condition[field] == "" {
                condition.as_object_mut().map(|c| c.remove(field));
            }
        }
    }
    if !object["status"]["conditions"].is_array() {
        object["status"]["conditions"] = json!([]);
    }
    let Some(all) = object["status"]["conditions"].as_array_mut() else {
        return false;
    };
    match all.iter_mut().find(|c| c["type"] == kind) {
        Some(old) => {
            if old["status"] == status {
                condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
                if old.get("lastProbeTime").is_some() {
                    condition["lastProbeTime"] = old["lastProbeTime"].clone();
                }
            }
            let changed = *old != condition;
            *old = condition;
            changed
        }
        None => {
            all.push(condition);
            true
        }
    }
}

/// Takes a condition away, and gives it.
pub fn remove_condition(object: &mut Value, kind: &str) -> Option<Value> {
    let conditions = object["status"].get_mut("conditions")?.as_array_mut()?;
    let position = conditions.iter().position(|condition| condition["type"] == kind)?;
    let gone = conditions.remove(position);
    if conditions.is_empty() {
        object["status"]
            .as_object_mut()
            .map(|status| status.remove("conditions"));
    }
    Some(gone)
}

/// FNV-1a: names that look random but are the same on every run.
pub fn hash(text: &str) -> u64 {
    let mixed = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // FNV's high bits are weak for short texts; one multiply-xor round spreads them.
    (mixed ^ (mixed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (mixed >> 17)
}

/// Five characters of the alphabet Kubernetes uses for generated names.
pub fn suffix(seed: &str) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut rest = hash(seed);
    let mut out = String::new();
    for _ in 0..5 {
        out.push(char::from(ALPHABET[usize::try_from(rest % 27).unwrap_or_default()]));
        rest /= 27;
    }
    out
}

/// A setting of a pod's life: the annotation wins over the containers' env.
pub fn setting<'a>(pod: &'a Value, annotation: &str, env: &str) -> Option<&'a str> {
    if let Some(value) = pod["metadata"]["annotations"].get(annotation).and_then(Value::as_str) {
        return Some(value);
    }
    pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|container| container["env"].as_array().into_iter().flatten())
        .find(|var| var["name"] == env)
        .and_then(|var| var["value"].as_str())
}

/// A duration as Go writes it (`1h20m`, `2.5s`, `300ms`, also `3d`), `None` when it is not one.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                // A bare number is seconds, but only when nothing follows.
                "" if letters == rest.len() => 1.0,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    Duration::try_from_secs_f64(total).ok()
}

/// A time field of an object.
pub fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .and_then(|t| t.parse().ok())
}

/// A whole number of an object.
pub fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// `time + duration`, staying put at the end of time.
pub fn later(time: Timestamp, by: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(by)
        .ok()
        .and_then(|by| time.checked_add(by).ok())
        .unwrap_or(time)
}

/// The elements of an array field, none when it is missing.
pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
