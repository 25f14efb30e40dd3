//! Events as the two recorders of Kubernetes write them, and how the older one counts those that are alike.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Action;
use super::objects::{hash, items, kind, number, time};
use crate::store::{Store, metadata, micros, seconds, text};

/// From so many different messages of one sort on, a recorder writes only one event for all.
const ALIKE: usize = 10;
/// How long messages count as being of one time.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// How many events one reporter may write about one object before it has to slow down.
const BURST: i64 = 25;
/// How often it may write one more from then on.
const REFILL: SignedDuration = SignedDuration::from_mins(5);

/// What an event says.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// Who reports.
    pub reporter: &'a str,
    /// `Normal` or `Warning`.
    pub level: &'a str,
    /// CamelCase reason.
    pub reason: &'a str,
    /// The sentence.
    pub message: &'a str,
}

/// An event of the old recorder: first and last timestamp, count and source. It is counted with those like it.
pub fn old_event(about: &Value, note: Note<'_>, now: Timestamp) -> Action {
    let mut event = base_event(about, note, now);
    event["firstTimestamp"] = json!(seconds(now));
    event["lastTimestamp"] = json!(seconds(now));
    event["eventTime"] = Value::Null;
    event["count"] = json!(1);
    event["source"] = json!({"component": note.reporter});
    if note.reporter == "kubelet" {
        event["source"]["host"] = about["spec"]["nodeName"].clone();
    }
    event["reportingComponent"] = json!(note.reporter);
    event["reportingInstance"] = event["source"].get("host").cloned().unwrap_or_else(|| json!(""));
    Action::Report(event)
}

/// An event of the old recorder about one container of a pod.
pub fn container_event(pod: &Value, container: &str, note: Note<'_>, now: Timestamp) -> Action {
    let mut action = old_event(pod, note, now);
    if let Action::Report(event) = &mut action {
        let list = if items(&pod["spec"]["initContainers"]).any(|c| c["name"] == container) {
            "initContainers"
        } else {
            "containers"
        };
        event["involvedObject"]["fieldPath"] = json!(format!("spec.{list}{{{container}}}"));
    }
    action
}

/// An event of the new recorder: eventTime, action and reporting component, no timestamps, no count.
pub fn new_event(about: &Value, note: Note<'_>, action: &str, now: Timestamp) -> Action {
    let mut event = base_event(about, note, now);
    event["eventTime"] = json!(micros(now));
    event["firstTimestamp"] = Value::Null;
    event["lastTimestamp"] = Value::Null;
    event["source"] = json!({});
    event["action"] = json!(action);
    event["reportingComponent"] = json!(note.reporter);
    event["reportingInstance"] = json!(format!("{}-sandbox", note.reporter));
    Action::Create(kind("Event"), event)
}

fn base_event(about: &Value, note: Note<'_>, now: Timestamp) -> Value {
    let name = text(about, "/metadata/name");
    let namespace = match about["metadata"]["namespace"].as_str() {
        Some(namespace) if !namespace.is_empty() => namespace,
        _ => "default",
    };
    let seed = format!(
        "{}/{}/{}/{}/{}",
        about["metadata"]["uid"], note.reason, note.message, note.reporter, now
    );
    let mut involved = json!({
        "kind": about["kind"], "namespace": namespace, "name": name, "uid": about["metadata"]["uid"],
        "apiVersion": about["apiVersion"],
    });
    if about["metadata"]["resourceVersion"].is_string() {
        involved["resourceVersion"] = about["metadata"]["resourceVersion"].clone();
    }
    json!({
        "metadata": {
            "name": format!("{name}.{:016x}", hash(&seed)), "namespace": namespace, "creationTimestamp": seconds(now),
        },
        "involvedObject": involved,
        "type": note.level, "reason": note.reason, "message": note.message,
    })
}

/// The events of a namespace about one object, found by the names that [`base_event`] gives them.
pub(super) fn about<'a>(
    store: &'a Store,
    namespace: &str,
    name: &str,
    uid: &'a Value,
) -> impl Iterator<Item = &'a Arc<Value>> + use<'a> {
    let prefix = format!("{name}.");
    store
        .list_after(kind("Event"), Some(namespace), Some((namespace, &prefix)))
        .take_while(move |event| text(event, "/metadata/name").starts_with(&prefix))
        .filter(move |event| event["involvedObject"]["uid"] == *uid)
}

/// Writes an event of the old recorder: one that was there before is counted, many of one sort become one, and a
/// reporter that has much to say about one object is not heard any more.
pub(super) fn record(store: &mut Store, mut event: Value, now: Timestamp) {
    let events = kind("Event");
    let namespace = text(&event, "/metadata/namespace");
    let about = text(&event, "/involvedObject/name");
    let (sort, mut key, said, before) = look(store, &event, now);
    if before {
        return;
    }
    if said >= ALIKE {
        event["message"] = json!(format!("(combined from similar events): {}", text(&event, "/message")));
        // the recorder forgets this field when it combines
        event["reportingComponent"] = json!("");
        event["reportingInstance"] = json!("");
        key = sort;
    }
    let name = format!("{about}.{:016x}", hash(&key));
    metadata(&mut event).insert("name".into(), json!(name));
    // A refusal means that the namespace is going: nobody is left to read it.
    match store.get(events, &namespace, &name) {
        None => drop(store.create(events, event, now)),
        Some(old) => {
            let mut next = (**old).clone();
            next["count"] = json!(number(old, "/count").unwrap_or(1) + 1);
            next["lastTimestamp"] = json!(seconds(now));
            next["message"] = event["message"].clone();
            metadata(&mut next).remove("resourceVersion");
            drop(store.update(events, next));
        }
    }
}

/// The key of an event's sort, its own key, how many different messages of its sort there are with it, and whether its
/// reporter has said too much about the object.
fn look(store: &Store, event: &Value, now: Timestamp) -> (String, String, usize, bool) {
    let of = |event: &Value| {
        let words = [
            "/source/component",
            "/source/host",
            "/involvedObject/uid",
            "/type",
            "/reason",
        ];
        words.map(|word| text(event, word)).join("/")
    };
    let sort = of(event);
    let message = text(event, "/message");
    let key = format!("{sort}/{}/{message}", text(event, "/involvedObject/fieldPath"));
    let namespace = text(event, "/metadata/namespace");
    let (name, uid) = (text(event, "/involvedObject/name"), &event["involvedObject"]["uid"]);
    let mut messages = BTreeSet::from([message]);
    let mut spoken = 0;
    let mut since = now;
    for other in about(store, &namespace, &name, uid).filter(|other| other["source"] == event["source"]) {
        spoken += number(other, "/count").unwrap_or(1);
        since = since.min(time(other, "/firstTimestamp").unwrap_or(now));
        let recent = time(other, "/lastTimestamp").is_some_and(|last| now.duration_since(last) <= WINDOW);
        if of(other) == sort && recent {
            messages.insert(text(other, "/message"));
        }
    }
    let earned = now.duration_since(since).as_secs() / REFILL.as_secs();
    (sort, key, messages.len(), spoken >= BURST + earned)
}
