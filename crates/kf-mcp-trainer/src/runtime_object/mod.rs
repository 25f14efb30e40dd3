//! A training runtime as callers write it: from an argument to a body or a patch, and what is wrong with it. Pure.

mod check;
mod form;

use serde_json::{Map, Value};

pub(crate) use check::{framework, problems, warnings};
pub(crate) use form::{Form, Use};

/// What is wrong: where, and why.
pub(crate) type Problem = (String, String);

/// RFC 7396: what the server makes of an object and a JSON merge patch.
pub(crate) fn merged(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut merged: Map<String, Value> = target.as_object().cloned().unwrap_or_default();
    for (key, value) in patch {
        if value.is_null() {
            merged.remove(key);
        } else {
            let inner = self::merged(merged.get(key).unwrap_or(&Value::Null), value);
            merged.insert(key.clone(), inner);
        }
    }
    Value::Object(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_removes_nulls_and_replaces_lists() {
        let target = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        let patch = json!({"a": {"b": null, "c": [3], "e": {"f": null, "g": 1}}, "d": {"h": 1}});
        assert_eq!(
            merged(&target, &patch),
            json!({"a": {"c": [3], "e": {"g": 1}}, "d": {"h": 1}})
        );
    }
}
