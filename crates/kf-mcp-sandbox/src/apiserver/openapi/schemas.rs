//! What objects look like, as far as the sandbox knows it.

use serde_json::{Map, Value, json};

use crate::admission;
use crate::kinds::Kind;
use crate::store::Store;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// The schemas of kinds and of what they refer to.
pub(super) fn schemas(store: &Store, kinds: &[&Kind]) -> Value {
    let mut schemas = Map::new();
    schemas.insert(format!("{META}.ObjectMeta"), object_meta());
    schemas.insert(format!("{META}.ListMeta"), list_meta());
    for kind in kinds {
        schemas.insert(name(kind), named(kind, "", schema(store, kind)));
        schemas.insert(format!("{}List", name(kind)), named(kind, "List", list(kind)));
    }
    Value::Object(schemas)
}

/// A kind's name among the schemas.
pub(super) fn name(kind: &Kind) -> String {
    let package = match kind.group {
        "" => "io.k8s.api.core".to_owned(),
        "apiextensions.k8s.io" => "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions".to_owned(),
        group if kind.custom() => group.rsplit('.').collect::<Vec<_>>().join("."),
        group => format!("io.k8s.api.{}", group.split('.').next().unwrap_or_default()),
    };
    format!("{package}.{}.{}", kind.version, kind.kind)
}

fn named(kind: &Kind, suffix: &str, mut schema: Value) -> Value {
    schema["x-kubernetes-group-version-kind"] = json!([{
        "group": kind.group, "version": kind.version, "kind": format!("{}{suffix}", kind.kind),
    }]);
    schema
}

/// What the CustomResourceDefinition says, what admission knows, or that there are fields.
fn schema(store: &Store, kind: &Kind) -> Value {
    let mut schema = match defined(store, kind) {
        Some(schema) => schema,
        None if kind.kind == "TrainJob" => admission::openapi(),
        None => general(kind),
    };
    for field in ["apiVersion", "kind"] {
        schema["properties"][field] = json!({"type": "string"});
    }
    schema["properties"]["metadata"] = reference("ObjectMeta");
    schema
}

fn defined(store: &Store, kind: &Kind) -> Option<Value> {
    let definitions = Kind::named("CustomResourceDefinition").filter(|_| kind.custom())?;
    let definition = store.get(definitions, "", &kind.qualified())?;
    let versions = definition["spec"]["versions"].as_array()?;
    let version = versions.iter().find(|version| version["name"] == kind.version)?;
    let schema = version.pointer("/schema/openAPIV3Schema")?;
    // a schema that says nothing about fields is no better than the general one
    schema.get("properties").map(|_| schema.clone())
}

fn general(kind: &Kind) -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let bytes = json!({"type": "object", "additionalProperties": {"type": "string", "format": "byte"}});
    let flag = json!({"type": "boolean"});
    let text = json!({"type": "string"});
    let list = json!({"type": "array", "items": open});
    let properties = match kind.kind {
        "ConfigMap" => json!({"data": texts, "binaryData": bytes, "immutable": flag}),
        "Secret" => json!({"data": bytes, "stringData": texts, "type": text, "immutable": flag}),
        "ServiceAccount" => json!({
            "automountServiceAccountToken": flag, "imagePullSecrets": list, "secrets": list,
        }),
        "Event" => json!({
            "involvedObject": open, "reason": text, "message": text, "type": text, "source": open, "action": text,
            "count": {"type": "integer", "format": "int32"}, "firstTimestamp": text, "lastTimestamp": text,
            "eventTime": text, "series": open, "related": open, "reportingComponent": text,
            "reportingInstance": text,
        }),
        _ if kind.status => json!({"spec": open, "status": open}),
        _ => json!({"spec": open}),
    };
    json!({"type": "object", "properties": properties})
}

fn list(kind: &Kind) -> Value {
    json!({
        "type": "object", "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": reference("ListMeta"),
            "items": {"type": "array", "items": {"$ref": format!("#/components/schemas/{}", name(kind))}},
        },
    })
}

fn reference(to: &str) -> Value {
    json!({"allOf": [{"$ref": format!("#/components/schemas/{META}.{to}")}], "default": {}})
}

fn object_meta() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let list = |of: Value| json!({"type": "array", "items": of});
    let whole = json!({"type": "integer", "format": "int64"});
    let open = json!({"type": "object"});
    json!({"type": "object", "properties": {
        "annotations": texts, "creationTimestamp": text, "deletionGracePeriodSeconds": whole,
        "deletionTimestamp": text, "finalizers": list(text.clone()), "generateName": text, "generation": whole,
        "labels": texts, "managedFields": list(open.clone()), "name": text, "namespace": text,
        "ownerReferences": list(open), "resourceVersion": text, "selfLink": text, "uid": text,
    }})
}

fn list_meta() -> Value {
    let text = json!({"type": "string"});
    json!({"type": "object", "properties": {
        "continue": text, "remainingItemCount": {"type": "integer", "format": "int64"}, "resourceVersion": text,
        "selfLink": text,
    }})
}
