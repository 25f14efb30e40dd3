//! Everything that is in a namespace at one moment, with what differs from run to run written in the same way.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Value, json};

use crate::place::Place;

/// Objects by kind and name.
pub type Picture = BTreeMap<String, Value>;

/// What is looked at: kind and where its list is.
const KINDS: [(&str, &str); 11] = [
    (
        "TrainJob",
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{}/trainjobs",
    ),
    (
        "TrainingRuntime",
        "/apis/trainer.kubeflow.org/v1alpha1/namespaces/{}/trainingruntimes",
    ),
    ("JobSet", "/apis/jobset.x-k8s.io/v1alpha2/namespaces/{}/jobsets"),
    ("Job", "/apis/batch/v1/namespaces/{}/jobs"),
    ("Pod", "/api/v1/namespaces/{}/pods"),
    ("Service", "/api/v1/namespaces/{}/services"),
    ("ConfigMap", "/api/v1/namespaces/{}/configmaps"),
    ("Secret", "/api/v1/namespaces/{}/secrets"),
    ("PersistentVolumeClaim", "/api/v1/namespaces/{}/persistentvolumeclaims"),
    ("ResourceQuota", "/api/v1/namespaces/{}/resourcequotas"),
    ("Event", "/api/v1/namespaces/{}/events"),
];

static TIME: LazyLock<Regex> = LazyLock::new(|| pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"));
static UID: LazyLock<Regex> = LazyLock::new(|| pattern("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"));
/// The end of a pod's name, after its completion index.
static ENDING: LazyLock<Regex> = LazyLock::new(|| pattern(r"(-\d+-)[bcdfghjklmnpqrstvwxz2456789]{5}\b"));
/// The same once the random part is gone.
static MIXED: LazyLock<Regex> = LazyLock::new(|| pattern(r"-\d+-\*"));
static NODE: LazyLock<Regex> = LazyLock::new(|| pattern(r"to (cpu|gpu)-\d$"));
static TOKEN: LazyLock<Regex> = LazyLock::new(|| pattern(r"kube-api-access-[a-z0-9]{5}$"));
static CLASS: LazyLock<Regex> = LazyLock::new(|| pattern("^(kwok-volume|standard)$"));
static PROVISIONER: LazyLock<Regex> = LazyLock::new(|| pattern("^(kwok.x-k8s.io|sandbox)/volume$"));
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d+\.\d+\.\d+\.\d+$"));

#[allow(clippy::expect_used, reason = "the patterns are literals")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// Takes a picture; one in which pods are `mixed` does not tell the pods of a Job apart.
pub(super) async fn take(place: &Place, namespace: &str, mixed: bool) -> Picture {
    let mut all = Vec::new();
    for (kind, path) in KINDS {
        let list = place.ask("GET", &path.replace("{}", namespace), "", None).await.json();
        for item in list["items"].as_array().into_iter().flatten() {
            all.push((kind, item.clone()));
        }
    }
    // Pods of one index are told apart by their age.
    all.sort_by_key(|(_, object)| {
        object["metadata"]["creationTimestamp"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    });
    let uids: HashMap<String, String> = all
        .iter()
        .filter_map(|(kind, object)| {
            let name = plain(object["metadata"]["name"].as_str()?);
            Some((
                object["metadata"]["uid"].as_str()?.to_owned(),
                format!("<uid of {kind} {name}>"),
            ))
        })
        .collect();
    let mut tidied: Vec<(&str, Value)> = all
        .into_iter()
        .filter(|(kind, object)| *kind != "ConfigMap" || object["metadata"]["name"] != "kube-root-ca.crt")
        .map(|(kind, object)| (kind, tidy(kind, object, &uids)))
        .collect();
    if mixed {
        for (_, object) in &mut tidied {
            mix(object);
        }
        tidied.sort_by_key(|(_, object)| object.to_string());
    }
    let mut picture = Picture::new();
    for (kind, mut object) in tidied {
        if is_repeated(&object) {
            let series = object.as_object_mut().and_then(|event| event.remove("series"));
            if series.is_some() || object["count"] == "many" {
                object["repeated"] = json!(true);
            }
            if !object["count"].is_null() {
                object["count"] = json!("once or more");
            }
        }
        let name = name(kind, &object);
        if is_repeated(&object)
            && let Some(first) = picture.get_mut(&name)
        {
            first["repeated"] = json!(true);
            continue;
        }
        let mut key = name.clone();
        let mut again = 1;
        while picture.contains_key(&key) {
            again += 1;
            key = format!("{name} #{again}");
        }
        picture.insert(key, object);
    }
    picture
}

fn name(kind: &str, object: &Value) -> String {
    let word = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if kind == "Event" {
        return format!(
            "Event {} {}: {} {:?}",
            word("/involvedObject/kind"),
            word("/involvedObject/name"),
            word("/reason"),
            word("/message"),
        );
    }
    format!("{kind} {}", word("/metadata/name"))
}

/// A name or a sentence without the random endings of pods.
fn plain(text: &str) -> String {
    ENDING.replace_all(text, "${1}*").into_owned()
}

/// Writes what differs from run to run in the same way.
pub(super) fn tidy(kind: &str, mut object: Value, uids: &HashMap<String, String>) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    match kind {
        "Event" => event(&mut object),
        "Secret" => hide(&mut object),
        "ConfigMap" => unpack(&mut object),
        "Pod" => pod(&mut object),
        _ => {}
    }
    if matches!(kind, "JobSet" | "Job" | "Pod") {
        sort_variables(&mut object);
    }
    strings(&mut object, &|text| {
        let text = UID.replace_all(text, |found: &Captures<'_>| {
            uids.get(&found[0]).cloned().unwrap_or_else(|| "<uid>".to_owned())
        });
        let text = TIME.replace_all(&text, "<time>");
        let text = NODE.replace(&text, "to <node>");
        let text = TOKEN.replace(&text, "kube-api-access-*");
        let text = CLASS.replace(&text, "<storage class>");
        let text = PROVISIONER.replace(&text, "<provisioner>");
        ADDRESS.replace(&plain(&text), "<address>").into_owned()
    });
    object
}

/// Variables in the order of their names: Trainer's plugins take their turns in an order that is chance in each process.
fn sort_variables(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_array_mut() {
                    Some(variables) if key == "env" => {
                        variables.sort_by_cached_key(|variable| variable["name"].to_string());
                    }
                    _ => sort_variables(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(sort_variables),
        _ => {}
    }
}

/// Whether an event tells of something that is tried again and again, so that how often it is there is up to chance.
fn is_repeated(event: &Value) -> bool {
    const REASONS: [&str; 3] = ["FailedCreate", "FailedScheduling", "TrainJobResourcesCreationFailed"];
    event["reason"].as_str().is_some_and(|reason| REASONS.contains(&reason))
}

/// Writes all completion indexes in the same way.
fn mix(object: &mut Value) {
    for part in ["labels", "annotations"] {
        let marks = object["metadata"].get_mut(part).and_then(Value::as_object_mut);
        if let Some(index) = marks.and_then(|marks| marks.get_mut("batch.kubernetes.io/job-completion-index")) {
            *index = json!("<index>");
        }
    }
    if object["metadata"]["generateName"].is_string() {
        object["metadata"]["generateName"] = json!("<generated>");
    }
    if object["spec"]["hostname"].is_string() {
        object["spec"]["hostname"] = json!("<host>");
    }
    strings(object, &|text| MIXED.replace_all(text, "-<index>-*").into_owned());
}

/// An event has a random name; how often it was seen depends on how long one looked.
fn event(event: &mut Value) {
    event["metadata"]["name"] = json!("<event>");
    event["metadata"]["uid"] = json!("<uid>");
    let reporter = event["reportingComponent"].as_str().unwrap_or_default().to_owned();
    if event["reportingInstance"]
        .as_str()
        .is_some_and(|instance| instance.starts_with(&format!("{reporter}-")))
    {
        event["reportingInstance"] = json!("<reporter>-<host>");
    }
    if event["count"].as_u64().is_some_and(|count| count > 1) {
        event["count"] = json!("many");
    }
    if let Some(involved) = event.get_mut("involvedObject").and_then(Value::as_object_mut) {
        involved.remove("resourceVersion");
    }
}

/// Keys are made at random; that they are there counts.
fn hide(secret: &mut Value) {
    for (_, value) in secret["data"].as_object_mut().into_iter().flatten() {
        *value = json!("<bytes>");
    }
}

/// The runtime that is kept as YAML, as JSON: the order of its fields does not count.
fn unpack(config: &mut Value) {
    if let Some(yaml) = config["data"]["runtime"].as_str()
        && let Ok(runtime) = serde_saphyr::from_str::<Value>(yaml)
    {
        config["data"]["runtime"] = runtime;
        for field in ["resourceVersion", "managedFields", "generation"] {
            config["data"]["runtime"]["metadata"]
                .as_object_mut()
                .map(|metadata| metadata.remove(field));
        }
    }
}

/// Which node took a pod is up to chance.
fn pod(pod: &mut Value) {
    if pod["spec"]["nodeName"].is_string() {
        pod["spec"]["nodeName"] = json!("<node>");
    }
    let conditions = pod.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    if let Some(conditions) = conditions {
        conditions.sort_by_key(|condition| condition["type"].to_string());
    }
}

fn strings(value: &mut Value, change: &impl Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| strings(item, change)),
        Value::Object(fields) => fields.values_mut().for_each(|item| strings(item, change)),
        _ => {}
    }
}
