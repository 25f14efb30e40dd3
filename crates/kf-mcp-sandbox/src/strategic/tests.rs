//! Patches of real types. What comes out was seen from a real server.

use serde_json::{Value, json};

use super::{Unpatchable, patch};
use crate::fields::Shape;
use crate::kinds::Kind;

fn apply(kind: &str, object: Value, change: Value) -> Result<Value, Unpatchable> {
    let Value::Object(change) = change else { unreachable!() };
    patch(Shape::of(Kind::named(kind).unwrap()), object, change)
}

fn spec(containers: Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

#[test]
fn lists_merge_by_their_keys() {
    let live = json!([{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"}]);
    for (change, expected) in [
        (
            json!([{"name": "b", "image": "2"}]),
            json!([{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "2"}]),
        ),
        (
            json!([{"name": "a", "args": ["y"]}]),
            json!([{"name": "a", "image": "1", "args": ["y"]}, {"name": "b", "image": "1"}]),
        ),
        (
            json!([{"name": "c", "image": "3"}]),
            json!([{"name": "c", "image": "3"}, {"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"}]),
        ),
        (
            json!([{"name": "a", "$patch": "delete"}]),
            json!([{"name": "b", "image": "1"}]),
        ),
        (json!([{"$patch": "replace"}, {"name": "z"}]), json!([{"name": "z"}])),
        (
            json!([{"name": "a", "image": null, "env": [{"name": "E", "value": "1"}]}]),
            json!([{"name": "a", "args": ["x"], "env": [{"name": "E", "value": "1"}]}, {"name": "b", "image": "1"}]),
        ),
    ] {
        let patched = apply("Deployment", spec(live.clone()), spec(change.clone())).unwrap();
        assert_eq!(patched, spec(expected), "{change}");
    }
}

#[test]
fn the_patch_gives_the_order() {
    let live = json!({"metadata": {"finalizers": ["a/1", "a/2", "a/3"]}});
    for (change, expected) in [
        (json!({"finalizers": ["a/4"]}), json!(["a/4", "a/1", "a/2", "a/3"])),
        (
            json!({"$deleteFromPrimitiveList/finalizers": ["a/1", "a/3"]}),
            json!(["a/2"]),
        ),
        (
            json!({"$setElementOrder/finalizers": ["a/3", "a/1"]}),
            json!(["a/2", "a/3", "a/1"]),
        ),
        (
            json!({"$setElementOrder/finalizers": ["a/3", "a/4", "a/1"], "finalizers": ["a/4"]}),
            json!(["a/2", "a/3", "a/4", "a/1"]),
        ),
        (
            json!({"$setElementOrder/finalizers": ["a/3"], "$deleteFromPrimitiveList/finalizers": ["a/1"]}),
            json!(["a/2", "a/3"]),
        ),
    ] {
        let patched = apply("ConfigMap", live.clone(), json!({"metadata": change})).unwrap();
        assert_eq!(patched["metadata"]["finalizers"], expected, "{change}");
    }
}

#[test]
fn maps_are_kept_replaced_or_emptied() {
    let live =
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}, "replicas": 2}});
    for (change, expected) in [
        (
            json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
            json!({"strategy": {"type": "Recreate"}, "replicas": 2}),
        ),
        (
            json!({"strategy": {"$patch": "replace", "type": "Recreate"}}),
            json!({"strategy": {"type": "Recreate"}, "replicas": 2}),
        ),
        (
            json!({"strategy": {"$patch": "delete"}}),
            json!({"strategy": {}, "replicas": 2}),
        ),
        (json!({"strategy": null}), json!({"replicas": 2})),
        (
            json!({"selector": {"matchLabels": {"a": null, "b": "c"}}}),
            json!({"strategy": live["spec"]["strategy"], "replicas": 2, "selector": {"matchLabels": {"b": "c"}}}),
        ),
    ] {
        let patched = apply("Deployment", live.clone(), json!({"spec": change})).unwrap();
        assert_eq!(patched["spec"], expected, "{change}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let live = json!({"metadata": {"finalizers": ["a/1"]}, "data": {"a": "1"}});
    for (change, said) in [
        (
            json!({"data": {"$patch": "foo"}}),
            "unknown patch type: foo in map: map[$patch:foo]",
        ),
        (
            json!({"$retainKeys": ["data"], "metadata": {}}),
            "invalid patch format of retainKeys",
        ),
        (
            json!({"$setElementOrder": []}),
            "invalid patch format of setElementOrder list",
        ),
        (
            json!({"$deleteFromPrimitiveList": []}),
            "invalid patch format of primitive list",
        ),
        (
            json!({"metadata": {"$setElementOrder/finalizers": ["a/1"], "finalizers": ["a/2"]}}),
            "The order in patch list:\n[a/2]\n doesn't match $setElementOrder list:\n[a/1]\n",
        ),
        (
            json!({"metadata": {"finalizers": [["a"]]}}),
            "list element types are not identical: [[a/1] [[a]]]",
        ),
    ] {
        let refused = apply("ConfigMap", live.clone(), change.clone()).unwrap_err();
        assert_eq!(refused.to_string(), said, "{change}");
    }
    let refused = apply(
        "Deployment",
        spec(json!([{"name": "a"}])),
        spec(json!([{"image": "b"}])),
    )
    .unwrap_err();
    let said = "map: map[image:b] does not contain declared merge key: name";
    assert_eq!(refused.to_string(), said);
}
