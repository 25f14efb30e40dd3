//! Plays a world's past: the real controllers run through it, so that its objects are what they would have made.

use std::collections::HashMap;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::file::{File, Story, Turn, absolute, ago};
use super::{Scenario, ScenarioError};
use crate::controllers::objects::{duration, kind, later};
use crate::controllers::settle;
use crate::kinds::{KINDS, Kind};
use crate::registry::Registry;
use crate::release::Release;
use crate::store::{Store, seconds, text};

/// What the store's uids begin with; the twelve digits after it count the objects.
const UID: &str = "5a9db0c5-0000-4000-8000-";

/// What the uids of a scenario begin with: not the store's, so that new objects never get one of them.
const OWN_UID: &str = "5a9db0c5-0000-4000-a000-";

/// One thing that happened.
enum Deed<'a> {
    Create(Value),
    Turn(&'a Story, &'a Turn),
}

/// Turns a file into the world as it is now.
pub(super) fn play(world: &File, now: Timestamp) -> Result<Scenario, ScenarioError> {
    let mut deeds: Vec<(Timestamp, Deed<'_>)> = Vec::new();
    for object in world
        .nodes
        .iter()
        .flat_map(super::file::Pool::nodes)
        .chain(world.objects.iter().cloned())
    {
        let mut object = object;
        let age = text(&object, "/age");
        object.as_object_mut().map(|o| o.remove("age"));
        absolute(&mut object, now)?;
        deeds.push((
            ago(if age.is_empty() { "45d" } else { &age }, now)?,
            Deed::Create(object),
        ));
    }
    for story in &world.stories {
        let begin = ago(&story.age, now)?;
        let job = json!({
            "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob",
            "metadata": {
                "name": story.name, "namespace": story.namespace, "labels": story.labels,
                "annotations": story.annotations,
            },
            "spec": complete(&story.spec),
        });
        deeds.push((begin, Deed::Create(job)));
        for turn in &story.then {
            let after: Duration = duration(&turn.after)
                .ok_or_else(|| ScenarioError(format!("a built-in scenario: `{}` is no duration", turn.after)))?;
            deeds.push((later(begin, after).min(now), Deed::Turn(story, turn)));
        }
    }
    deeds.sort_by_key(|(time, _)| *time);
    let mut store = Store::new();
    for (time, deed) in deeds {
        // Nothing is scheduled while the furniture is carried in; only what has children needs the controllers. What was
        // due before this deed happens before it, or the controllers would act on it in its past.
        if store.count(kind("TrainJob"), None) > 0 {
            settle(&mut store, time);
        }
        match deed {
            Deed::Create(object) => create(&mut store, object, time)?,
            Deed::Turn(story, turn) => happen(&mut store, story, turn, now)?,
        }
        if store.count(kind("TrainJob"), None) > 0 {
            settle(&mut store, time);
        }
    }
    settle(&mut store, now);
    Ok(Scenario {
        trainer: Release::default(),
        objects: collect(&store),
        forbidden: world.forbidden.clone(),
        registry: registry(world, now)?,
        default_namespace: if world.default_namespace.is_empty() {
            "default".to_owned()
        } else {
            world.default_namespace.clone()
        },
    })
}

/// A TrainJob's spec with the CRD's defaults, as admission would have left it.
fn complete(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for (pointer, value) in [
        ("managedBy", json!("trainer.kubeflow.org/trainjob-controller")),
        ("suspend", json!(false)),
    ] {
        if spec[pointer].is_null() {
            spec[pointer] = value;
        }
    }
    for (field, value) in [("apiGroup", "trainer.kubeflow.org"), ("kind", "ClusterTrainingRuntime")] {
        if spec["runtimeRef"][field].is_null() {
            spec["runtimeRef"][field] = json!(value);
        }
    }
    spec
}

fn create(store: &mut Store, mut object: Value, time: Timestamp) -> Result<(), ScenarioError> {
    let of = Kind::of(&text(&object, "/apiVersion"), &text(&object, "/kind"))
        .ok_or_else(|| ScenarioError(format!("a built-in scenario: no such kind: {}", object["kind"])))?;
    for empty in ["labels", "annotations"] {
        if object["metadata"][empty]
            .as_object()
            .is_some_and(serde_json::Map::is_empty)
        {
            object["metadata"].as_object_mut().map(|meta| meta.remove(empty));
        }
    }
    if object["metadata"].get("creationTimestamp").is_none_or(Value::is_null) {
        object["metadata"]["creationTimestamp"] = json!(seconds(time));
    }
    store
        .create(of, object, time)
        .map(drop)
        .map_err(|problem| ScenarioError(format!("a built-in scenario: {problem:?}")))
}

fn happen(store: &mut Store, story: &Story, turn: &Turn, now: Timestamp) -> Result<(), ScenarioError> {
    let failed = |problem| ScenarioError(format!("story {}: {problem:?}", story.name));
    if let Some(patch) = &turn.patch {
        let jobs = kind("TrainJob");
        let Some(job) = store.get(jobs, &story.namespace, &story.name) else {
            return Ok(());
        };
        let mut next = (**job).clone();
        let mut patch = patch.clone();
        absolute(&mut patch, now)?;
        json_patch::merge(&mut next, &patch);
        next["metadata"]
            .as_object_mut()
            .map(|meta| meta.remove("resourceVersion"));
        store.update(jobs, next.clone()).map_err(failed)?;
        store.update_status(jobs, next).map_err(failed)?;
    }
    if turn.annotate.is_empty() {
        return Ok(());
    }
    let pods = kind("Pod");
    let of_story: Vec<Value> = store
        .list(pods, Some(&story.namespace))
        .filter(|pod| pod["metadata"]["labels"]["jobset.sigs.k8s.io/jobset-name"] == story.name.as_str())
        .filter(|pod| {
            let index = &pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"];
            turn.worker.is_none_or(|worker| *index == worker.to_string().as_str())
        })
        .map(|pod| (**pod).clone())
        .collect();
    for mut pod in of_story {
        for (key, value) in &turn.annotate {
            pod["metadata"]["annotations"][key] = json!(value);
        }
        store.update(pods, pod).map_err(failed)?;
    }
    Ok(())
}

/// All objects, owners before what they own. References to owners and subjects carry no uid: whoever stores them ties
/// them to the objects of those names.
fn collect(store: &Store) -> Vec<Value> {
    let mut objects: Vec<Value> = KINDS
        .iter()
        .flat_map(|kind| store.list(kind, None))
        .map(|object| (**object).clone())
        .collect();
    objects.sort_by_key(|object| match object["kind"].as_str() {
        Some("Event") => 4,
        _ if object["metadata"]["ownerReferences"].is_null() => 0,
        Some("JobSet") => 1,
        Some("Job") => 2,
        _ => 3,
    });
    let renumbered: HashMap<String, String> = objects
        .iter()
        .enumerate()
        .map(|(index, object)| (text(object, "/metadata/uid"), format!("{OWN_UID}{:012x}", index + 1)))
        .collect();
    for object in &mut objects {
        renumber(object, &renumbered);
        object["metadata"]
            .as_object_mut()
            .map(|meta| meta.remove("resourceVersion"));
        let owners = object
            .pointer_mut("/metadata/ownerReferences")
            .and_then(Value::as_array_mut);
        for owner in owners.into_iter().flatten() {
            owner.as_object_mut().map(|owner| owner.remove("uid"));
        }
        let subject = object.get_mut("involvedObject").and_then(Value::as_object_mut);
        if let Some(subject) = subject {
            subject.remove("resourceVersion");
            if subject
                .get("uid")
                .and_then(Value::as_str)
                .is_some_and(|uid| uid.starts_with(OWN_UID))
            {
                subject.remove("uid");
            }
        }
    }
    objects
}

fn renumber(value: &mut Value, to: &HashMap<String, String>) {
    match value {
        Value::String(text) => {
            let mut from = 0;
            while let Some(found) = text[from..].find(UID) {
                let start = from + found;
                let end = start + UID.len() + 12;
                let Some(old) = text.get(start..end) else { return };
                // What is gone keeps a uid that no new object gets.
                let new = to
                    .get(old)
                    .cloned()
                    .unwrap_or_else(|| old.replacen("-8000-", "-9000-", 1));
                text.replace_range(start..end, &new);
                from = end;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|element| renumber(element, to)),
        Value::Object(map) => map.values_mut().for_each(|element| renumber(element, to)),
        _ => {}
    }
}

fn registry(world: &File, now: Timestamp) -> Result<Registry, ScenarioError> {
    let mut registry = Registry::default();
    for entry in &world.registry {
        let method = Method::from_bytes(entry.method.as_bytes())
            .map_err(|problem| ScenarioError(format!("a built-in scenario: {problem}")))?;
        let path = format!("/api/model_registry/v1alpha3{}", entry.path);
        let answer = registry.handle(
            &method,
            &path,
            "",
            entry.body.to_string().as_bytes(),
            ago(&entry.age, now)?,
        );
        if answer.code >= 300 {
            let said = String::from_utf8_lossy(&answer.body);
            return Err(ScenarioError(format!(
                "a built-in scenario: {} answered {}: {said}",
                entry.path, answer.code
            )));
        }
    }
    Ok(registry)
}
