//! Rows of Jobs and Deployments.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age, at, containers, holds, name, number, selector};

/// A Deployment.
pub(super) fn deployment(object: &Value, now: Timestamp) -> Vec<Value> {
    let desired = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let [names, images] = containers(object);
    vec![
        name(object),
        json!(format!("{}/{desired}", number(object, "/status/readyReplicas"))),
        json!(number(object, "/status/updatedReplicas")),
        json!(number(object, "/status/availableReplicas")),
        age::of(object, now),
        names,
        images,
        json!(selector::text(&object["spec"]["selector"])),
    ]
}

/// A Job.
pub(super) fn job(object: &Value, now: Timestamp) -> Vec<Value> {
    let [names, images] = containers(object);
    let selected = selector::text(&object["spec"]["selector"]);
    vec![
        name(object),
        json!(status(object)),
        json!(completions(object)),
        json!(duration(object, now)),
        age::of(object, now),
        names,
        images,
        json!(super::or(&selected, "<none>")),
    ]
}

fn status(object: &Value) -> &'static str {
    let deleted = !object["metadata"]["deletionTimestamp"].is_null();
    let first = ["Complete", "Failed"].into_iter().find(|c| holds(object, c));
    let later = || {
        ["Suspended", "FailureTarget", "SuccessCriteriaMet"]
            .into_iter()
            .find(|c| holds(object, c))
    };
    match first {
        Some(condition) => condition,
        None if deleted => "Terminating",
        None => later().unwrap_or("Running"),
    }
}

fn completions(object: &Value) -> String {
    let done = number(object, "/status/succeeded");
    let (wanted, parallel) = (&object["spec"]["completions"], &object["spec"]["parallelism"]);
    match (wanted.as_i64(), parallel.as_i64()) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        // a work queue: one success ends it
        (None, Some(parallel)) if parallel > 1 => format!("{done}/1 of {parallel}"),
        _ => format!("{done}/1"),
    }
}

fn duration(object: &Value, now: Timestamp) -> String {
    let moment = |pointer| at(object, pointer).parse::<Timestamp>().ok();
    match (moment("/status/startTime"), moment("/status/completionTime")) {
        (Some(start), end) => age::between(start, end.unwrap_or(now)),
        (None, _) => String::new(),
    }
}
