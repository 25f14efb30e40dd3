//! Rows of Events, of both the older and the newer shape.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age, at, name, number, or};

/// An Event.
pub(super) fn cells(object: &Value, now: Timestamp) -> Vec<Value> {
    let moment = |field: &str| object.get(field).filter(|moment| !moment.is_null());
    let first = age::since(moment("firstTimestamp").unwrap_or(&object["eventTime"]), now);
    let series = object.get("series").filter(|series| !series.is_null());
    let (last, count) = match series {
        Some(series) => (age::since(&series["lastObservedTime"], now), number(series, "/count")),
        None => {
            let last = moment("lastTimestamp").map_or_else(|| first.clone(), |last| age::since(last, now));
            // events of the newer shape that happened once are not counted
            (last, number(object, "/count").max(1))
        }
    };
    vec![
        json!(last),
        json!(at(object, "/type")),
        json!(at(object, "/reason")),
        json!(target(object)),
        json!(at(object, "/involvedObject/fieldPath")),
        json!(source(object)),
        json!(at(object, "/message").trim()),
        json!(first),
        json!(count),
        name(object),
    ]
}

fn target(object: &Value) -> String {
    let kind = at(object, "/involvedObject/kind").to_lowercase();
    match at(object, "/involvedObject/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn source(object: &Value) -> String {
    let component = or(at(object, "/source/component"), at(object, "/reportingComponent"));
    match or(at(object, "/source/host"), at(object, "/reportingInstance")) {
        "" => component.to_owned(),
        instance => format!("{component}, {instance}"),
    }
}
