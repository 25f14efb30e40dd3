//! The registry against recorded answers of real servers.

use std::collections::BTreeMap;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Dialect, Registry};

const RECORDED: &str = include_str!("../../tests/fixtures/hub_server_responses.json");

/// Recorded requests that the sandbox does not know, with the context and artifact ids that they used up.
const UNSUPPORTED: [(&str, i64, i64); 8] = [
    ("serve_create", 0, 0),
    ("serves", 0, 0),
    ("experiment_create", 1, 0),
    ("run_create", 1, 0),
    ("run_metric_step_1", 0, 2),
    ("run_metric_step_2", 0, 1),
    ("run_metric_history", 0, 0),
    ("run_end_before_start", 0, 0),
];

fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// Compares with a recorded value, in which `<…>` stands for anything of that sort.
fn same(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::String(e), _) if e == "<any>" => !got.is_null(),
        (Value::String(e), Value::String(g)) => text(e, g),
        (Value::Array(e), Value::Array(g)) => e.len() == g.len() && e.iter().zip(g).all(|(e, g)| same(e, g)),
        (Value::Object(e), Value::Object(g)) => {
            e.len() == g.len() && e.iter().all(|(key, e)| g.get(key).is_some_and(|g| same(e, g)))
        }
        (Value::Number(e), Value::Number(g)) => e.as_f64() == g.as_f64(),
        _ => expected == got,
    }
}

fn text(expected: &str, got: &str) -> bool {
    match expected {
        "<ms>" | "<id>" => got.parse::<i64>().is_ok(),
        "<uuid>" => got.len() == 36,
        "<token>" => !got.is_empty(),
        _ => match expected.split_once("<ptr>") {
            Some((before, after)) => got.starts_with(before) && got.ends_with(after),
            None => expected == got,
        },
    }
}

#[test]
fn answers_are_those_of_a_real_server() {
    let cases: Vec<Value> = serde_json::from_str(RECORDED).unwrap();
    let mut registry = Registry::default();
    let mut now: Timestamp = "2026-05-04T10:00:00Z".parse().unwrap();
    let mut captured: BTreeMap<String, String> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut compared = 0;
    for case in cases.iter().filter(|case| case["server"] == "registry") {
        let name = case["name"].as_str().unwrap();
        if let Some((_, contexts, artifacts)) = UNSUPPORTED.iter().find(|(unsupported, ..)| *unsupported == name) {
            registry.skip_ids(*contexts, *artifacts);
            continue;
        }
        now += SignedDuration::from_secs(1);
        let request = &case["request"];
        let query: Vec<String> = request["query"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| {
                let mut value = pair[1].as_str().unwrap().to_owned();
                for (key, text) in &captured {
                    value = value.replace(&format!("${{{key}}}"), text);
                }
                format!("{}={}", pair[0].as_str().unwrap(), escape(&value))
            })
            .collect();
        let body = match (&request["raw_body"], &request["body"]) {
            (Value::String(raw), _) => raw.clone(),
            (_, Value::Null) => String::new(),
            (_, body) => body.to_string(),
        };
        let method = Method::from_bytes(request["method"].as_str().unwrap().as_bytes()).unwrap();
        let path = request["path"].as_str().unwrap();
        let answer = registry.handle(&method, path, &query.join("&"), body.as_bytes(), now);
        compared += 1;
        let response = &case["response"];
        let got = String::from_utf8(answer.body.clone()).unwrap();
        let fits = u64::from(answer.code) == response["status"].as_u64().unwrap()
            && answer.content_type == response["headers"]["content-type"].as_str().unwrap_or_default()
            && match (&response["text"], &response["body"]) {
                (Value::String(expected), _) => *expected == got,
                (_, Value::Null) => got.is_empty(),
                (_, expected) => serde_json::from_str(&got).is_ok_and(|got: Value| same(expected, &got)),
            };
        if !fits {
            problems.push(format!("{name}: expected {response}\n    got {} {got}", answer.code));
        }
        for (key, field) in case["capture"].as_object().into_iter().flatten() {
            let got: Value = serde_json::from_str(&got).unwrap();
            captured.insert(key.clone(), got[field.as_str().unwrap()].as_str().unwrap().to_owned());
        }
    }
    assert!(
        problems.is_empty(),
        "{} of {compared}:\n{}",
        problems.len(),
        problems.join("\n")
    );
    assert!(compared > 100, "{compared}");
}

#[test]
fn the_dialect_decides_which_prefix_is_there() {
    let at = Timestamp::UNIX_EPOCH;
    for (dialect, old, new) in [
        (Dialect::V1Alpha3Only, 200, 404),
        (Dialect::V1Only, 404, 200),
        (Dialect::Both, 200, 200),
    ] {
        let mut registry = Registry::with_dialect(dialect);
        let mut code = |version: &str| {
            registry
                .handle(
                    &Method::GET,
                    &format!("/api/model_registry/{version}/registered_models"),
                    "",
                    b"",
                    at,
                )
                .code
        };
        assert_eq!((code("v1alpha3"), code("v1")), (old, new), "{dialect:?}");
    }
}
