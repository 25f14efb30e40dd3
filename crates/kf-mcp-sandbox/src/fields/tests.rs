//! Sets of fields, and what writes make of them, on types that show each rule.

use serde_json::json;

use super::check::{check, join};
use super::compare::Comparison;
use super::merge::merge;
use super::remove::remove;
use super::step::show;
use super::types::Types;
use super::{Known, Set, Shape, table};
use crate::kinds::{KINDS, Kind, OTHER_GROUPS};

const TABLE: &str = "v1 Toy T0

T0 free:. kind:s map:<s> metadata:T1+ one:!T1 ports:[T2]@port,protocol=\"TCP\" set:[s]= spec:T1+ tags:[s]
T1 finalizers:[s]= labels:<s> n:n name:s on:b
T2 name:s port:n protocol:s q:u";

pub(super) fn types() -> Types {
    table::read(TABLE)
}

fn paths(set: &Set) -> Vec<String> {
    set.paths().iter().map(|path| show(path)).collect()
}

#[test]
fn the_table_knows_every_kind_that_it_should() {
    // kinds that nobody writes but tests
    let left_out = ["kubeflow.org", "metrics.k8s.io", "storage.k8s.io", "resource.k8s.io"];
    let left_out = |group: &str| left_out.contains(&group) || OTHER_GROUPS.contains(&group);
    for kind in KINDS.iter().filter(|kind| !left_out(kind.group)) {
        assert!(Shape::of(kind).known(), "{}", kind.kind);
    }
    assert!(!Shape::of(Kind::named("Experiment").unwrap()).known());
    // a type that could not be read would count as anything
    let text = include_str!("types.txt");
    let types = text.split_once("\n\n").unwrap().1;
    let unread = table::read(text);
    let structs = unread
        .defs
        .iter()
        .skip(2)
        .take(types.lines().filter(|line| line.starts_with('T')).count());
    assert!(
        structs
            .into_iter()
            .all(|def| matches!(def, super::types::Def::Map { .. }))
    );
}

#[test]
fn fields_of_a_value() {
    let types = types();
    let shape = types.shape("v1", "Toy");
    for (value, expected) in [
        (json!({"kind": "Toy"}), vec![".kind"]),
        (json!({"map": {"a": "1"}}), vec![".map.a"]),
        (json!({"map": {}}), vec![".map"]),
        (json!({"map": null}), vec![".map"]),
        (json!({"set": []}), vec![]),
        (json!({"tags": ["a", "b"]}), vec![".tags"]),
        (json!({"one": {"name": "a"}}), vec![".one"]),
        (json!({"set": ["a", "b", "a"]}), vec![".set[=\"a\"]", ".set[=\"b\"]"]),
        (
            json!({"ports": [{"port": 1}]}),
            vec![
                ".ports[port=1,protocol=\"TCP\"]",
                ".ports[port=1,protocol=\"TCP\"].port",
            ],
        ),
        (
            json!({"free": {"a": [1], "b": {"c": 1}, "d": {}}}),
            vec![".free.a", ".free.b", ".free.d", ".free.b.c"],
        ),
    ] {
        let set = Set::all(shape, &value);
        assert_eq!(paths(&set), expected, "{value}");
        assert_eq!(Set::read(&set.write()), set, "{value}");
    }
}

#[test]
fn sets_are_written_as_kubernetes_does() {
    let fields = json!({
        "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
        "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}, "f:set": {"v:\"x\"": {}}},
        "i:3": {},
    });
    assert_eq!(Set::read(&fields).write(), fields);
    // what a later version may bring is left out
    assert_eq!(Set::read(&json!({"x:1": {}, "f:a": {}})).write(), json!({"f:a": {}}));
}

#[test]
fn sets_are_subtracted() {
    let set = |paths: &[&str]| Set::of(paths);
    let all = set(&["a", "a.b", "a.b.c", "d"]);
    assert_eq!(all.difference(&set(&["a"])), set(&["a.b", "a.b.c", "d"]));
    assert_eq!(all.difference(&set(&["a.b.c"])), set(&["a", "a.b", "d"]));
    assert_eq!(all.without(&set(&["a.b"])), set(&["a", "d"]));
    assert_eq!(all.without(&set(&["a"])), set(&["d"]));
    assert_eq!(all.intersection(&set(&["a.b", "x"])), set(&["a.b"]));
    assert_eq!(set(&["a"]).union(&set(&["a.b", "d"])), set(&["a", "a.b", "d"]));
}

#[test]
fn differences_of_two_values() {
    let types = types();
    let shape = types.shape("v1", "Toy");
    for (old, new, removed, modified, added) in [
        (
            json!({"kind": "A"}),
            json!({"kind": "B"}),
            vec![],
            vec![".kind"],
            vec![],
        ),
        (
            json!({}),
            json!({"map": {"a": "1"}}),
            vec![],
            vec![],
            vec![".map", ".map.a"],
        ),
        (
            json!({"map": {}}),
            json!({"map": {"a": "1"}}),
            vec![],
            vec![],
            vec![".map.a"],
        ),
        (
            json!({"map": {"a": "1"}}),
            json!({}),
            vec![".map", ".map.a"],
            vec![],
            vec![],
        ),
        (
            json!({"tags": ["a"]}),
            json!({"tags": ["b"]}),
            vec![],
            vec![".tags"],
            vec![],
        ),
        (
            json!({"spec": {"n": 1}}),
            json!({"spec": {"n": 1.0}}),
            vec![],
            vec![],
            vec![],
        ),
        (
            json!({"set": ["a", "b"]}),
            json!({"set": ["b", "c"]}),
            vec![".set[=\"a\"]"],
            vec![],
            vec![".set[=\"c\"]"],
        ),
        (
            json!({"ports": [{"port": 1, "name": "a"}, {"port": 2}]}),
            json!({"ports": [{"port": 2}, {"port": 1, "name": "b"}]}),
            vec![],
            vec![".ports[port=1,protocol=\"TCP\"].name"],
            vec![],
        ),
        (
            json!({"free": {"a": 1}}),
            json!({"free": {"a": {"b": 1}}}),
            vec![],
            vec![".free.a"],
            vec![".free.a.b"],
        ),
        (
            json!({"set": ["a", "a"]}),
            json!({"set": ["a"]}),
            vec![".set[=\"a\"]"],
            vec![],
            vec![".set[=\"a\"]"],
        ),
    ] {
        let found = Comparison::of(shape, &old, &new);
        let found = (paths(&found.removed), paths(&found.modified), paths(&found.added));
        let expected = (removed, modified, added);
        let expected =
            [expected.0, expected.1, expected.2].map(|set: Vec<&str>| set.into_iter().map(str::to_owned).collect());
        let [removed, modified, added]: [Vec<String>; 3] = expected;
        assert_eq!(found, (removed, modified, added), "{old} -> {new}");
    }
}

#[test]
fn lists_merge_in_the_order_of_the_applied_one() {
    let types = types();
    let shape = types.shape("v1", "Toy");
    for (live, applied, merged) in [
        (json!(["a", "b", "c"]), json!(["b"]), json!(["a", "b", "c"])),
        (json!(["a", "b", "c"]), json!(["c", "a"]), json!(["b", "c", "a"])),
        (json!(["a", "b"]), json!(["x", "b"]), json!(["a", "x", "b"])),
        (json!(["a", "b"]), json!(["b", "x", "a"]), json!(["b", "x", "a"])),
        (json!([]), json!(["a"]), json!(["a"])),
        (json!(["a"]), json!([]), json!(["a"])),
    ] {
        let result = merge(shape, Some(&json!({"set": live})), Some(&json!({"set": applied})));
        assert_eq!(result, Some(json!({"set": merged})), "{live} + {applied}");
    }
    let live = json!({"ports": [{"port": 1, "name": "a"}], "tags": ["a"], "one": {"n": 1}, "map": {"a": "1"}});
    let applied = json!({"ports": [{"port": 1, "q": 2}], "tags": ["b"], "one": {"name": "x"}, "map": {"b": "2"}});
    let merged = json!({
        "ports": [{"port": 1, "name": "a", "q": 2}], "tags": ["b"], "one": {"name": "x"}, "map": {"a": "1", "b": "2"},
    });
    assert_eq!(merge(shape, Some(&live), Some(&applied)), Some(merged));
}

#[test]
fn fields_are_taken_out() {
    let types = types();
    let shape = types.shape("v1", "Toy");
    let value = json!({"ports": [{"port": 1, "name": "a"}, {"port": 2}], "map": {"a": "1", "b": "2"}, "kind": "x"});
    for (fields, left) in [
        (
            json!({"f:kind": {}}),
            json!({"ports": value["ports"], "map": value["map"]}),
        ),
        (
            json!({"f:ports": {"k:{\"port\":1,\"protocol\":\"TCP\"}": {"f:name": {}}}, "f:map": {}}),
            json!({"ports": [{"port": 1}, {"port": 2}], "kind": "x"}),
        ),
        (
            json!({"f:ports": {"k:{\"port\":2,\"protocol\":\"TCP\"}": {}}, "f:map": {"f:a": {}, "f:b": {}}}),
            // what is emptied leaves a trace, as on a real server
            json!({"ports": [{"port": 1, "name": "a"}], "map": null, "kind": "x"}),
        ),
    ] {
        assert_eq!(remove(shape, &value, &Set::read(&fields)), Some(left), "{fields}");
    }
}

#[test]
fn what_is_not_of_its_type_is_refused() {
    let types = types();
    let shape = types.shape("v1", "Toy");
    for (value, said) in [
        (json!({"no": 1}), ".no: field not declared in schema"),
        (
            json!({"kind": 1}),
            ".kind: expected string, got &value.valueUnstructured{Value:1}",
        ),
        (json!({"map": ["a"]}), ".map: expected map, got &{[a]}"),
        (json!({"set": "a"}), ".set: expected list, got &{a}"),
        (
            json!({"spec": {"n": "a"}}),
            ".spec.n: expected numeric (int or float), got string",
        ),
        (json!({"spec": {"on": 1}}), ".spec.on: expected boolean, got &{1}"),
        (json!({"set": ["a", "a"]}), ".set: duplicate entries for key [=\"a\"]"),
        (
            json!({"spec": {"n": "a", "on": "b"}}),
            "errors:\n  .spec.n: expected numeric (int or float), got string\n  .spec.on: expected boolean, got &{b}",
        ),
        (
            json!({"set": [{}]}),
            ".set: element 0: associative list without keys has an element that's a map type",
        ),
    ] {
        assert_eq!(join(&check(shape, &value)), said, "{value}");
    }
    assert!(check(shape, &json!({"kind": null, "spec": {"n": 1.5}, "free": [{"a": 1}]})).is_empty());
}

#[test]
fn unknown_fields_go() {
    let types = types();
    let mut value = json!({"no": 1, "spec": {"x": 1, "n": 1}, "ports": [{"port": 1, "y": 1}], "free": {"z": 1}});
    let known = Known::prune(types.shape("v1", "Toy"), &mut value);
    assert_eq!(
        value,
        json!({"spec": {"n": 1}, "ports": [{"port": 1}], "free": {"z": 1}})
    );
    let mut warnings = known.warnings;
    warnings.sort();
    assert_eq!(
        warnings,
        [
            "unknown field \"no\"",
            "unknown field \"ports[0].y\"",
            "unknown field \"spec.x\""
        ]
    );
}
