//! What selectors select and how they are refused, as kube-apiserver 1.36.3 does it.

use serde_json::{Value, json};

use super::*;

fn kind(name: &str) -> &'static Kind {
    Kind::named(name).unwrap()
}

/// The answers of a real server about three ConfigMaps.
#[test]
fn label_selectors_are_read_as_a_real_server_reads_them() {
    let objects = [
        ("cm", json!({"a": "5", "app": "x"})),
        ("cm-empty", json!({"a": "x"})),
        ("other", Value::Null),
    ];
    let recorded: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/fixtures/label_selectors.json")).unwrap();
    for case in recorded {
        let selector = case["selector"].as_str().unwrap();
        match labels::parse(selector) {
            Ok(labels) => {
                let selection = Selection { labels, fields: vec![] };
                let selected: Vec<&str> = objects
                    .iter()
                    .filter(|(_, labels)| selection.matches(&json!({"metadata": {"labels": labels}})))
                    .map(|(name, _)| *name)
                    .collect();
                assert_eq!(Some(&json!(selected)), case.get("selected"), "{selector:?}");
            }
            Err(refused) => {
                assert_eq!(
                    (refused.code, Some(refused.message.as_str())),
                    (400, case["refused"].as_str()),
                    "{selector:?}"
                );
            }
        }
    }
}

fn chosen(kind_name: &str, selector: &str, object: &Value) -> bool {
    let fields = fields::parse(selector).unwrap();
    fields::supported(&Store::new(), kind(kind_name), &fields).unwrap();
    fields.iter().all(|field| field.matches(object))
}

fn refused(kind_name: &str, selector: &str) -> String {
    let refused = fields::parse(selector).and_then(|fields| fields::supported(&Store::new(), kind(kind_name), &fields));
    refused.unwrap_err().message
}

#[test]
fn field_selectors_know_each_kind() {
    let event = json!({"reason": "Started", "involvedObject": {"name": "p"}, "reportingComponent": "kubelet"});
    assert!(chosen(
        "Event",
        "involvedObject.name=p,reason!=Killing,source=kubelet",
        &event
    ));
    assert!(chosen(
        "Pod",
        "spec.hostNetwork=false,spec.host=,status.podIP=",
        &json!({})
    ));
    assert!(chosen("Job", "status.successful=0", &json!({"status": {}})));
    assert!(chosen(
        "Job",
        "status.successful=2",
        &json!({"status": {"succeeded": 2}})
    ));
    assert!(chosen(
        "Node",
        "spec.unschedulable=true",
        &json!({"spec": {"unschedulable": true}})
    ));
    assert!(chosen("CustomResourceDefinition", "metadata.namespace=", &json!({})));
    for (name, selector, message) in [
        ("Pod", "metadata.uid=x", "field label not supported: metadata.uid"),
        (
            "Node",
            "metadata.namespace=x",
            "field label not supported: metadata.namespace",
        ),
        (
            "Namespace",
            "metadata.namespace=x",
            "field label not supported: metadata.namespace",
        ),
        (
            "TrainJob",
            "spec.suspend=true",
            "field label not supported: spec.suspend",
        ),
        (
            "ClusterTrainingRuntime",
            "metadata.namespace=x",
            "field label not supported: metadata.namespace",
        ),
        (
            "Job",
            "status.phase=x",
            "field label \"status.phase\" not supported for Job",
        ),
        (
            "ConfigMap",
            "x=y",
            "\"x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        ),
    ] {
        assert_eq!(refused(name, selector), message);
    }
}

#[test]
fn field_selectors_are_read_as_a_real_server_reads_them() {
    let object = json!({"metadata": {"name": "cm"}});
    for (selector, selected) in [
        ("metadata.name=cm", true),
        ("metadata.name==cm", true),
        ("metadata.name!=cm", false),
        ("metadata.name=", false),
        ("metadata.name!=", true),
        ("metadata.name=cm,", true),
        (",", true),
        ("metadata.name=a\\,b", false),
        ("metadata.name= cm", false),
    ] {
        assert_eq!(chosen("ConfigMap", selector, &object), selected, "{selector}");
    }
    for (selector, message) in [
        (
            "metadata.name",
            "invalid selector: 'metadata.name'; can't understand 'metadata.name'",
        ),
        (
            "metadata.name>a",
            "invalid selector: 'metadata.name>a'; can't understand 'metadata.name>a'",
        ),
        (
            "metadata.name=a\\b",
            "invalid field selector: invalid escape sequence: \\b",
        ),
        (
            "metadata.name=cm\\",
            "invalid field selector: invalid escape sequence: \\",
        ),
        (
            "metadata.name=a=b",
            "invalid field selector: unescaped character in value: 61",
        ),
    ] {
        assert_eq!(refused("ConfigMap", selector), message);
    }
}

#[test]
fn definitions_make_fields_selectable() {
    let mut store = Store::new();
    let definition = json!({
        "metadata": {"name": "trainjobs.trainer.kubeflow.org"},
        "spec": {"versions": [{"name": "v1alpha1", "selectableFields": [{"jsonPath": ".spec.suspend"}]}]},
    });
    store
        .create(
            kind("CustomResourceDefinition"),
            definition,
            jiff::Timestamp::UNIX_EPOCH,
        )
        .unwrap();
    let fields = fields::parse("spec.suspend=true").unwrap();
    fields::supported(&store, kind("TrainJob"), &fields).unwrap();
    assert!(
        fields
            .iter()
            .all(|field| field.matches(&json!({"spec": {"suspend": true}})))
    );
}
