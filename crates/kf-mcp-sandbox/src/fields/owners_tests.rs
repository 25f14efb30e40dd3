//! What applies and updates make of an object and of who owns its fields, on a type that shows each rule.

use serde_json::{Value, json};

use super::Set;
use super::manage::{Refusal, Writer};
use super::tests::types;
use super::types::Types;

/// An object on which managers write one after another.
struct Toy {
    types: Types,
    object: Value,
}

impl Toy {
    fn new() -> Self {
        Self {
            types: types(),
            object: json!({}),
        }
    }

    fn writer<'a>(&'a self, name: &'a str) -> Writer<'a> {
        Writer {
            shape: self.types.shape("v1", "Toy"),
            version: "v1",
            name,
            subresource: "",
            now: "2026-03-01T12:00:00Z",
            reset: Set::default(),
        }
    }

    fn apply(&mut self, name: &str, applied: Value, force: bool) -> Result<Value, Vec<String>> {
        let done = self.writer(name).apply(&self.object, &applied, force);
        let (object, managed) = done.map_err(|refusal| match refusal {
            Refusal::Conflict(all) => all
                .iter()
                .map(|one| format!("{}: {}", one.manager, one.field()))
                .collect(),
            Refusal::Untyped(why) => vec![why],
        })?;
        self.object = object.clone();
        self.object["metadata"]["managedFields"] = json!(managed);
        Ok(object)
    }

    fn update(&mut self, name: &str, new: Value) {
        let before = Some(&self.object).filter(|object| object.get("metadata").is_some());
        let managed = self.writer(name).update(before, &new, &Value::Null);
        self.object = new;
        self.object["metadata"]["managedFields"] = json!(managed);
    }

    /// The fields of a manager.
    fn owned(&self, name: &str) -> Value {
        let managed = self.object["metadata"]["managedFields"].as_array().unwrap();
        let entry = managed.iter().find(|entry| entry["manager"] == name);
        entry.map_or(Value::Null, |entry| entry["fieldsV1"].clone())
    }
}

#[test]
fn what_nobody_applies_any_more_goes() {
    let mut toy = Toy::new();
    toy.apply("a", json!({"map": {"x": "1", "y": "2"}, "set": ["p", "q"]}), false)
        .unwrap();
    let left = toy.apply("a", json!({"map": {"x": "1"}, "set": ["q"]}), false).unwrap();
    assert_eq!((&left["map"], &left["set"]), (&json!({"x": "1"}), &json!(["q"])));
    toy.apply("b", json!({"map": {"x": "1", "z": "3"}}), false).unwrap();
    let left = toy.apply("a", json!({}), false).unwrap();
    assert_eq!((&left["map"], left.get("set")), (&json!({"x": "1", "z": "3"}), None));
    assert_eq!(toy.owned("a"), Value::Null);
}

#[test]
fn changing_what_others_own_needs_force() {
    let mut toy = Toy::new();
    toy.apply("a", json!({"map": {"x": "1", "y": "2"}}), false).unwrap();
    let refused = toy.apply("b", json!({"map": {"x": "9", "y": "9"}}), false).unwrap_err();
    assert_eq!(refused, ["\"a\": .map.x", "\"a\": .map.y"]);
    toy.apply("b", json!({"map": {"x": "9"}}), true).unwrap();
    assert_eq!(toy.owned("a"), json!({"f:map": {"f:y": {}}}));
    assert_eq!(toy.owned("b"), json!({"f:map": {"f:x": {}}}));
    // the same value can have several owners
    toy.apply("a", json!({"map": {"x": "9"}}), false).unwrap();
    assert_eq!(toy.owned("a"), toy.owned("b"));
}

#[test]
fn updates_take_what_they_change() {
    let mut toy = Toy::new();
    toy.update("first", json!({"metadata": {}, "map": {"x": "1"}}));
    assert_eq!(toy.owned("first"), json!({"f:map": {".": {}, "f:x": {}}}));
    toy.apply("a", json!({"map": {"x": "1"}}), false).unwrap();
    let mut next = toy.object.clone();
    next["map"]["x"] = json!("2");
    toy.update("second", next);
    assert_eq!(toy.owned("a"), Value::Null);
    assert_eq!(toy.owned("first"), json!({"f:map": {}}));
    assert_eq!(toy.owned("second"), json!({"f:map": {"f:x": {}}}));
    let refused = toy.apply("a", json!({"map": {"x": "3"}}), false).unwrap_err();
    assert_eq!(refused, ["\"second\" using v1: .map.x"]);
}

#[test]
fn an_object_that_nobody_owns_stays_so_until_somebody_applies() {
    let mut toy = Toy::new();
    toy.object = json!({"metadata": {}, "map": {"x": "1"}});
    toy.update("first", json!({"metadata": {}, "map": {"x": "2"}}));
    assert_eq!(toy.object["metadata"]["managedFields"], json!([]));
    toy.apply("a", json!({"map": {"y": "1"}}), false).unwrap();
    assert_eq!(toy.owned("before-first-apply"), json!({"f:map": {".": {}, "f:x": {}}}));
}

#[test]
fn too_many_updaters_are_joined() {
    let mut toy = Toy::new();
    for n in 0..12 {
        let mut next = toy.object.clone();
        next["metadata"]["labels"][format!("l{n:02}")] = json!("x");
        let name = format!("m{n:02}");
        toy.update(&name, next);
    }
    let managed = toy.object["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(managed.len(), 10);
    let joined = json!({"f:metadata": {"f:labels": {".": {}, "f:l00": {}, "f:l01": {}, "f:l02": {}}}});
    assert_eq!(toy.owned("ancient-changes"), joined);
}

#[test]
fn kubectl_moves_from_one_apply_to_the_other() {
    let mut toy = Toy::new();
    let kept = r#"{"map":{"x":"1"}}"#;
    let annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": kept});
    // the annotation is not in the toy's type, so it is put in where the rules look for it
    toy.update(
        "kubectl-client-side-apply",
        json!({"metadata": {"labels": {}}, "map": {"x": "1"}}),
    );
    toy.object["metadata"]["annotations"] = annotations;
    assert!(toy.apply("other", json!({"map": {"x": "2"}}), false).is_err());
    let applied = json!({"map": {"x": "2"}});
    toy.apply("kubectl", applied, false).unwrap();
    assert_eq!(toy.object["map"]["x"], "2");
    assert_eq!(
        toy.object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"],
        "{\"map\":{\"x\":\"2\"}}\n"
    );
}
