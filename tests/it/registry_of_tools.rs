//! Properties that every tool has: names, texts, hints, and schemas in the dialect that every client takes.

use kf_mcp_core::{Catalogue, Listed, Persona, Selection};
use kf_mcp_tests::MODULES;
use serde_json::{Map, Value};

fn all() -> Catalogue {
    let clients = MODULES.iter().map(|module| module.name().to_owned()).collect();
    Catalogue::new(
        MODULES,
        &Selection {
            clients,
            persona: Persona::PlatformAdmin,
        },
    )
    .unwrap()
}

/// What is wrong with a schema, wherever in it.
fn breaches(path: &str, schema: &Value, out: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else {
        out.push(format!("{path}: not an object"));
        return;
    };
    for key in [
        "$ref",
        "$defs",
        "definitions",
        "anyOf",
        "oneOf",
        "allOf",
        "$schema",
        "const",
        "title",
    ] {
        if schema.contains_key(key) {
            out.push(format!("{path}: {key}"));
        }
    }
    if !schema.get("type").is_some_and(Value::is_string) {
        out.push(format!("{path}: type is {:?}", schema.get("type")));
    }
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    if ["uint", "int", "float", "double"]
        .iter()
        .any(|prefix| format.starts_with(prefix))
    {
        out.push(format!("{path}: format {format}"));
    }
    if schema.get("default").is_some_and(Value::is_null) {
        out.push(format!("{path}: null default"));
    }
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if property.get("default").is_some() && required.contains(&name.as_str()) {
            out.push(format!("{path}.{name}: required, with a default"));
        }
        breaches(&format!("{path}.{name}"), property, out);
    }
    if let Some(items) = schema.get("items") {
        breaches(&format!("{path}[]"), items, out);
    }
    match schema.get("additionalProperties") {
        None | Some(Value::Bool(false)) => {}
        Some(inner) => breaches(&format!("{path}.*"), inner, out),
    }
}

fn root(what: &str, tool: &Listed, schema: &Map<String, Value>, out: &mut Vec<String>) {
    let path = format!("{} {what}", tool.spec.name);
    if schema.get("type").and_then(Value::as_str) != Some("object") || !schema.contains_key("properties") {
        out.push(format!("{path}: root is no object with properties"));
    }
    breaches(&path, &Value::Object(schema.clone()), out);
}

#[test]
fn every_schema_is_flat() {
    let mut out = Vec::new();
    for tool in all().tools() {
        root("input", tool, &tool.input_schema, &mut out);
        root("output", tool, &tool.output_schema, &mut out);
        if tool.input_schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            out.push(format!("{} input: open", tool.spec.name));
        }
        for (name, property) in tool.input_schema["properties"].as_object().unwrap() {
            if property
                .get("description")
                .and_then(Value::as_str)
                .is_none_or(str::is_empty)
            {
                out.push(format!("{} input.{name}: no description", tool.spec.name));
            }
        }
    }
    assert!(out.is_empty(), "{}", out.join("\n"));
}

#[test]
fn every_tool_says_what_it_is_for_in_a_few_words() {
    for tool in all().tools() {
        let length = tool.description.chars().count();
        assert!((20..=600).contains(&length), "{}: {length} characters", tool.spec.name);
        assert!(!tool.title.is_empty());
        assert!(
            tool.description.ends_with('.'),
            "{}: {}",
            tool.spec.name,
            tool.description
        );
        assert!(!tool.description.contains('\n'));
        assert!(
            serde_json::to_string(&tool.input_schema).unwrap().len() <= 6000,
            "{}: input schema",
            tool.spec.name
        );
    }
}

#[test]
fn what_destroys_says_so_and_what_reads_is_no_change() {
    for tool in all().tools() {
        assert_eq!(
            tool.destructive(),
            tool.spec.name.starts_with("delete_"),
            "{}",
            tool.spec.name
        );
        assert_eq!(tool.read_only(), !tool.change, "{}", tool.spec.name);
        for access in tool.spec.access {
            let writes = access
                .verbs
                .iter()
                .any(|verb| matches!(*verb, "create" | "update" | "patch" | "delete"));
            // a review is a question that is asked by creating it
            let writes = writes && !access.resource.starts_with("selfsubject");
            assert!(
                !(writes && tool.read_only()),
                "{} reads, and declares {:?}",
                tool.spec.name,
                access.verbs
            );
        }
    }
}

/// The parameters of the Python peer: names, defaults and whether they are required. Ours accept the same and need no more.
#[test]
fn the_peers_parameters_are_accepted() {
    let peer: Vec<Value> = serde_json::from_str(include_str!("../fixtures/peer_tools.json")).unwrap();
    let catalogue = all();
    let mut compared = 0;
    for theirs in &peer {
        // Tools of later components are compared when they exist.
        let Some(ours) = catalogue.get(theirs["name"].as_str().unwrap()) else {
            continue;
        };
        compared += 1;
        assert_eq!(
            ours.read_only(),
            theirs["read_only"].as_bool().unwrap(),
            "{}",
            ours.spec.name
        );
        let properties = ours.input_schema["properties"].as_object().unwrap();
        let parameters = theirs["parameters"].as_array().unwrap();
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap();
            assert!(properties.contains_key(name), "{} lacks `{name}`", ours.spec.name);
        }
        for required in ours
            .input_schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let also = parameters
                .iter()
                .any(|p| p["name"] == *required && p["required"] == true);
            assert!(also, "{} requires {required}, and the peer does not", ours.spec.name);
        }
    }
    assert!(compared >= 12, "only {compared} tools of the peer exist");
}
