//! kube-scheduler: finds a node with room for every pod that has none, or says why there is none.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Action;
use super::claim::class;
use super::events::{Note, new_event};
use super::objects::{condition, items, kind, set_condition};
use super::quantity::{milli, requests};
use crate::store::{Store, text};

/// A node and what is left on it.
struct Room<'a> {
    node: &'a Value,
    name: &'a str,
    allocatable: BTreeMap<&'a str, i128>,
    used: BTreeMap<String, i128>,
    pods: i128,
}

/// Binds waiting pods, oldest first, or marks them unschedulable.
pub fn step(store: &Store, now: Timestamp) -> Vec<Action> {
    let pods = kind("Pod");
    let mut waiting: Vec<&Arc<Value>> = store.list(pods, None).filter(|pod| is_waiting(pod)).collect();
    if waiting.is_empty() {
        return Vec::new();
    }
    waiting.sort_by_key(|pod| text(pod, "/metadata/creationTimestamp"));
    let mut rooms = rooms(store);
    let mut actions = Vec::new();
    for pod in waiting {
        match volumes(store, pod) {
            Volumes::Bound => {}
            Volumes::Coming => continue,
            Volumes::Not(why) => {
                refuse(pod, &no_volume(rooms.len(), &why), now, &mut actions);
                continue;
            }
        }
        let wanted = requests(pod);
        let refusals: Vec<Option<Refusal>> = rooms.iter().map(|room| room.refuse(pod, &wanted)).collect();
        let best = (0..rooms.len())
            .filter(|i| refusals[*i].is_none())
            .min_by_key(|i| rooms[*i].score(&wanted));
        match best {
            Some(index) => {
                let room = &mut rooms[index];
                bind(pod, room.name, now, &mut actions);
                room.take(&wanted);
            }
            None => {
                let message = explain(&refusals.into_iter().flatten().collect::<Vec<_>>());
                refuse(pod, &message, now, &mut actions);
            }
        }
    }
    actions
}

/// The claims that a pod mounts.
enum Volumes {
    Bound,
    /// A volume is being made.
    Coming,
    /// There will be none, in the scheduler's words.
    Not(String),
}

fn volumes(store: &Store, pod: &Value) -> Volumes {
    let mut coming = false;
    for volume in items(&pod["spec"]["volumes"]) {
        let Some(name) = volume["persistentVolumeClaim"]["claimName"].as_str() else {
            continue;
        };
        let Some(claim) = store.get(kind("PersistentVolumeClaim"), &ns(pod), name) else {
            return Volumes::Not(format!("persistentvolumeclaim \"{name}\" not found"));
        };
        if claim["status"]["phase"] == "Pending" {
            if class(store, claim).is_none() {
                return Volumes::Not("pod has unbound immediate PersistentVolumeClaims".to_owned());
            }
            coming = true;
        }
    }
    if coming { Volumes::Coming } else { Volumes::Bound }
}

fn no_volume(nodes: usize, why: &str) -> String {
    format!("0/{nodes} nodes are available: {why}. not found")
}

fn is_waiting(pod: &Value) -> bool {
    pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty)
        && pod["metadata"]["deletionTimestamp"].is_null()
        && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
        && matches!(
            pod["spec"]["schedulerName"].as_str(),
            None | Some("" | "default-scheduler")
        )
        && pod["spec"]["schedulingGates"].as_array().is_none_or(Vec::is_empty)
}

fn rooms(store: &Store) -> Vec<Room<'_>> {
    let mut rooms: Vec<Room<'_>> = store
        .list(kind("Node"), None)
        .map(|node| Room {
            node,
            name: node["metadata"]["name"].as_str().unwrap_or_default(),
            allocatable: node["status"]["allocatable"]
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(name, amount)| Some((name.as_str(), milli(amount)?)))
                .collect(),
            used: BTreeMap::new(),
            pods: 0,
        })
        .collect();
    for pod in store.list(kind("Pod"), None) {
        if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
            continue;
        }
        let Some(node) = pod["spec"]["nodeName"].as_str() else {
            continue;
        };
        if let Some(room) = rooms.iter_mut().find(|room| room.name == node) {
            room.take(&requests(pod));
        }
    }
    rooms
}

/// Why a node does not take a pod.
struct Refusal {
    reasons: Vec<String>,
    /// Whether evicting other pods could ever help.
    preemption: bool,
}

impl Room<'_> {
    fn take(&mut self, wanted: &BTreeMap<String, i128>) {
        for (name, amount) in wanted {
            *self.used.entry(name.clone()).or_default() += amount;
        }
        self.pods += 1;
    }

    /// Fullest accelerator node first keeps whole nodes free; pods that want no accelerator avoid nodes that have one.
    fn score(&self, wanted: &BTreeMap<String, i128>) -> (bool, i128) {
        let devices = |name: &str| name.contains('/') && !name.starts_with("hugepages");
        let wants_device = wanted.keys().any(|name| devices(name));
        let has_device = self.allocatable.keys().any(|name| devices(name));
        let free: i128 = self
            .allocatable
            .iter()
            .filter(|(name, _)| if wants_device { devices(name) } else { **name == "cpu" })
            .map(|(name, amount)| amount - self.used.get(*name).copied().unwrap_or_default())
            .sum();
        (has_device && !wants_device, if wants_device { free } else { -free })
    }

    fn refuse(&self, pod: &Value, wanted: &BTreeMap<String, i128>) -> Option<Refusal> {
        // The order of the real scheduler's filters: the first one that refuses is the one that is reported.
        if self.node["spec"]["unschedulable"] == true {
            return Some(never("node(s) were unschedulable"));
        }
        if !tolerated(self.node, pod) {
            return Some(never("node(s) had untolerated taint(s)"));
        }
        if !selected(self.node, pod) {
            return Some(never("node(s) didn't match Pod's node affinity/selector"));
        }
        let mut reasons = Vec::new();
        let mut preemption = true;
        if self
            .allocatable
            .get("pods")
            .is_some_and(|limit| (self.pods + 1) * 1000 > *limit)
        {
            reasons.push("Too many pods".to_owned());
        }
        for (name, amount) in wanted {
            let limit = self.allocatable.get(name.as_str()).copied().unwrap_or_default();
            if limit - self.used.get(name).copied().unwrap_or_default() < *amount {
                reasons.push(format!("Insufficient {name}"));
                preemption &= *amount <= limit;
            }
        }
        (!reasons.is_empty()).then_some(Refusal { reasons, preemption })
    }
}

fn never(reason: &str) -> Refusal {
    Refusal {
        reasons: vec![reason.to_owned()],
        preemption: false,
    }
}

fn tolerated(node: &Value, pod: &Value) -> bool {
    items(&node["spec"]["taints"]).all(|taint| {
        taint["effect"] == "PreferNoSchedule"
            || items(&pod["spec"]["tolerations"]).any(|toleration| {
                let effect = toleration["effect"].as_str().unwrap_or_default();
                let key = toleration["key"].as_str().unwrap_or_default();
                (effect.is_empty() || taint["effect"] == effect)
                    && if toleration["operator"] == "Exists" {
                        key.is_empty() || taint["key"] == key
                    } else {
                        taint["key"] == key
                            && taint["value"].as_str().unwrap_or_default()
                                == toleration["value"].as_str().unwrap_or_default()
                    }
            })
    })
}

fn selected(node: &Value, pod: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let simple = pod["spec"]["nodeSelector"]
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = &required["nodeSelectorTerms"];
    simple
        && (terms.as_array().is_none_or(Vec::is_empty)
            || items(terms).any(|term| items(&term["matchExpressions"]).all(|e| expression(labels, e))))
}

fn expression(labels: &Value, expression: &Value) -> bool {
    let label = labels.get(expression["key"].as_str().unwrap_or_default());
    let among = label.is_some_and(|label| items(&expression["values"]).any(|value| value == label));
    match expression["operator"].as_str() {
        Some("In") => among,
        Some("NotIn") => !among,
        Some("Exists") => label.is_some(),
        Some("DoesNotExist") => label.is_none(),
        _ => false,
    }
}

fn bind(pod: &Value, node: &str, now: Timestamp, actions: &mut Vec<Action>) {
    let pods = kind("Pod");
    let mut bound = pod.clone();
    bound["spec"]["nodeName"] = json!(node);
    actions.push(Action::Update(pods, bound.clone()));
    bound["status"]["phase"] = json!("Pending");
    set_condition(&mut bound, "PodScheduled", "True", "", "", now);
    actions.push(Action::UpdateStatus(pods, bound));
    let message = format!(
        "Successfully assigned {}/{} to {node}",
        ns(pod),
        text(pod, "/metadata/name")
    );
    let note = Note {
        reporter: "default-scheduler",
        level: "Normal",
        reason: "Scheduled",
        message: &message,
    };
    actions.push(new_event(pod, note, "Binding", now));
}

fn refuse(pod: &Value, message: &str, now: Timestamp, actions: &mut Vec<Action>) {
    let known = condition(pod, "PodScheduled").is_some_and(|c| c["status"] == "False" && c["message"] == message);
    if known {
        return;
    }
    let mut marked = pod.clone();
    marked["status"]["phase"] = json!("Pending");
    set_condition(&mut marked, "PodScheduled", "False", "Unschedulable", message, now);
    let generation = pod["metadata"]["generation"].clone();
    for condition in marked["status"]["conditions"].as_array_mut().into_iter().flatten() {
        if condition["type"] == "PodScheduled" && !generation.is_null() {
            condition["observedGeneration"] = generation.clone();
        }
    }
    actions.push(Action::UpdateStatus(kind("Pod"), marked));
    let note = Note {
        reporter: "default-scheduler",
        level: "Warning",
        reason: "FailedScheduling",
        message,
    };
    actions.push(new_event(pod, note, "Scheduling", now));
}

/// The scheduler's sentence: reasons with how many nodes gave them, then what preemption could do.
fn explain(refusals: &[Refusal]) -> String {
    let nodes = refusals.len();
    if nodes == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    let mut preemption: BTreeMap<&str, usize> = BTreeMap::new();
    for refusal in refusals {
        for reason in &refusal.reasons {
            *reasons.entry(reason).or_default() += 1;
        }
        let verdict = if refusal.preemption {
            "No preemption victims found for incoming pod"
        } else {
            "Preemption is not helpful for scheduling"
        };
        *preemption.entry(verdict).or_default() += 1;
    }
    format!(
        "0/{nodes} nodes are available: {}. no new claims to deallocate, preemption: 0/{nodes} nodes are available: {}.",
        counted(&reasons),
        counted(&preemption),
    )
}

fn counted(reasons: &BTreeMap<&str, usize>) -> String {
    let mut parts: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    // The real one sorts the finished strings, numbers included.
    parts.sort();
    parts.join(", ")
}

fn ns(pod: &Value) -> String {
    text(pod, "/metadata/namespace")
}
