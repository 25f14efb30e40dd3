//! Rows of Pods: readiness, the one word that says how it is, and restarts, out of all its containers.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{age, at, holds, list, name, number, or};

/// What the containers of a pod come to.
struct Summary {
    reason: String,
    ready: usize,
    restarts: Restarts,
}

/// How often containers were restarted, and when last.
#[derive(Default)]
struct Restarts {
    count: i64,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count += number(status, "/restartCount");
        self.last = self
            .last
            .max(at(status, "/lastState/terminated/finishedAt").parse().ok());
    }
}

/// A Pod.
pub(super) fn cells(object: &Value, now: Timestamp) -> Vec<Value> {
    let summary = summary(object);
    let sidecars = list(object, "/spec/initContainers")
        .iter()
        .filter(|c| is_sidecar(c))
        .count();
    let total = list(object, "/spec/containers").len() + sidecars;
    let restarts = match summary.restarts {
        Restarts {
            count,
            last: Some(last),
        } if count != 0 => format!("{count} ({} ago)", age::between(last, now)),
        Restarts { count, .. } => count.to_string(),
    };
    let ip = list(object, "/status/podIPs")
        .first()
        .map_or_else(|| at(object, "/status/podIP"), |first| at(first, "/ip"));
    vec![
        name(object),
        json!(format!("{}/{total}", summary.ready)),
        json!(status(object, summary.reason)),
        json!(restarts),
        age::of(object, now),
        json!(or(ip, "<none>")),
        json!(or(at(object, "/spec/nodeName"), "<none>")),
        json!(or(at(object, "/status/nominatedNodeName"), "<none>")),
        json!(gates(object)),
    ]
}

/// What marks the row of a pod that has run to its end.
pub(super) fn conditions(object: &Value) -> Option<Value> {
    let (reason, message) = match at(object, "/status/phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}]))
}

/// A deletion says more than what the containers do.
fn status(object: &Value, reason: String) -> String {
    let ended = matches!(at(object, "/status/phase"), "Succeeded" | "Failed");
    if object["metadata"]["deletionTimestamp"].is_null() {
        reason
    } else if at(object, "/status/reason") == "NodeLost" {
        "Unknown".to_owned()
    } else if ended {
        reason
    } else {
        "Terminating".to_owned()
    }
}

fn summary(object: &Value) -> Summary {
    let mut reason = or(at(object, "/status/reason"), at(object, "/status/phase")).to_owned();
    if list(object, "/status/conditions")
        .iter()
        .any(|c| c["type"] == "PodScheduled" && c["reason"] == "SchedulingGated")
    {
        reason = "SchedulingGated".to_owned();
    }
    let (initializing, sidecars, mut summary) = initialize(object, reason);
    if !initializing || holds(object, "Initialized") {
        // how often init containers were restarted is of no interest once they are through
        summary.restarts = sidecars;
        run(object, &mut summary);
    }
    summary
}

/// The init containers, up to the first that is not through: whether there is one, how often sidecars were restarted,
/// and what it comes to.
fn initialize(object: &Value, reason: String) -> (bool, Restarts, Summary) {
    let specs = list(object, "/spec/initContainers");
    let mut sidecars = Restarts::default();
    let mut summary = Summary {
        reason,
        ready: 0,
        restarts: Restarts::default(),
    };
    for (index, status) in list(object, "/status/initContainerStatuses").iter().enumerate() {
        let sidecar = specs
            .iter()
            .find(|spec| spec["name"] == status["name"])
            .is_some_and(is_sidecar);
        summary.restarts.add(status);
        if sidecar {
            sidecars.add(status);
        }
        let terminated = status.pointer("/state/terminated").filter(|t| !t.is_null());
        let waiting = at(status, "/state/waiting/reason");
        let state = match terminated {
            Some(terminated) if number(terminated, "/exitCode") == 0 => continue,
            _ if sidecar && status["started"] == true => {
                summary.ready += usize::from(status["ready"] == true);
                continue;
            }
            Some(terminated) => ended(terminated),
            None if !matches!(waiting, "" | "PodInitializing") => waiting.to_owned(),
            None => format!("{index}/{}", specs.len()),
        };
        summary.reason = format!("Init:{state}");
        return (true, sidecars, summary);
    }
    (false, sidecars, summary)
}

/// The containers proper, of which the first has the last word.
fn run(object: &Value, summary: &mut Summary) {
    let (mut running, mut failed) = (false, None);
    for status in list(object, "/status/containerStatuses").iter().rev() {
        summary.restarts.add(status);
        let waiting = at(status, "/state/waiting/reason");
        let terminated = status.pointer("/state/terminated").filter(|t| !t.is_null());
        if !waiting.is_empty() {
            waiting.clone_into(&mut summary.reason);
        } else if let Some(terminated) = terminated {
            summary.reason = ended(terminated);
            if number(terminated, "/exitCode") != 0 {
                failed = Some(summary.reason.clone());
            }
        } else if status["ready"] == true && !status["state"]["running"].is_null() {
            running = true;
            summary.ready += 1;
        }
    }
    if summary.reason == "Completed" {
        // one that completed does not speak for those that still run or failed
        if running && holds(object, "Ready") {
            summary.reason = "Running".to_owned();
        } else if let Some(failed) = failed {
            summary.reason = failed;
        } else if running {
            summary.reason = "NotReady".to_owned();
        }
    }
}

fn ended(terminated: &Value) -> String {
    match (at(terminated, "/reason"), number(terminated, "/signal")) {
        ("", 0) => format!("ExitCode:{}", number(terminated, "/exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

/// Whether an init container is one that keeps running.
fn is_sidecar(spec: &Value) -> bool {
    spec["restartPolicy"] == "Always"
}

fn gates(object: &Value) -> String {
    let gates = list(object, "/spec/readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let open = gates
        .iter()
        .filter(|gate| holds(object, at(gate, "/conditionType")))
        .count();
    format!("{open}/{}", gates.len())
}
