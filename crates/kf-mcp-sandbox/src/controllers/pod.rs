//! The kubelets: containers start, run, end and are restarted, as the pod's `SIM_*` env or `sim/*` annotations say.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Action;
use super::events::{Note, container_event};
use super::objects::{duration, hash, is_true, items, kind, later, number, set_condition, setting, time};
use crate::store::{Store, seconds, text};

/// How long an image pull and a container start take unless told otherwise.
const START: Duration = Duration::from_secs(2);
/// How long a container runs unless told otherwise: long enough to be looked at, short enough for a demonstration.
const RUN: Duration = Duration::from_secs(120);
/// The kubelet's longest pause between restarts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// The next step of a pod's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Create,
    Start,
    Exit,
    Restart,
}

/// When a change is due.
enum Due {
    Now,
    At(Timestamp),
}

/// Lets every pod do what is due.
pub fn step(store: &Store, now: Timestamp) -> Vec<Action> {
    let mut actions = Vec::new();
    for pod in store.list(kind("Pod"), None) {
        let Some((change, due)) = due(pod) else { continue };
        match due {
            Due::Now => act(pod, change, now, &mut actions),
            Due::At(at) if at <= now => act(pod, change, at, &mut actions),
            Due::At(_) => {}
        }
    }
    actions
}

/// When the next pod changes by itself.
pub fn next(store: &Store) -> Option<Timestamp> {
    store
        .list(kind("Pod"), None)
        .filter_map(|pod| match due(pod)? {
            (_, Due::At(at)) => Some(at),
            (_, Due::Now) => None,
        })
        .min()
}

fn due(pod: &Value) -> Option<(Change, Due)> {
    if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
        || pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty)
    {
        return None;
    }
    let Some(main) = pod["status"]["containerStatuses"].get(0) else {
        return Some((Change::Create, Due::Now));
    };
    let state = &main["state"];
    if let Some(started) = time(state, "/running/startedAt") {
        return match setting(pod, "sim/run", "SIM_RUN") {
            Some("forever") => None,
            // Set on a running pod, this means "end now", not "have ended when you began".
            Some("0" | "0s") => Some((Change::Exit, Due::Now)),
            Some(text) => Some((Change::Exit, Due::At(later(started, whole(text)?)))),
            None => Some((Change::Exit, Due::At(later(started, RUN)))),
        };
    }
    if state["waiting"]["reason"] == "CrashLoopBackOff" {
        let ended = time(main, "/lastState/terminated/finishedAt")?;
        return Some((Change::Restart, Due::At(later(ended, backoff(pod, main)))));
    }
    let scheduled = items(&pod["status"]["conditions"]).find(|c| c["type"] == "PodScheduled")?;
    let start = setting(pod, "sim/start", "SIM_START").and_then(whole).unwrap_or(START);
    Some((
        Change::Start,
        Due::At(later(time(scheduled, "/lastTransitionTime")?, start)),
    ))
}

/// A duration in whole seconds, rounded up: a pod's status tells times in seconds, and what took no time at all could
/// go on for ever within one moment.
fn whole(text: &str) -> Option<Duration> {
    duration(text).map(|d| Duration::from_secs(d.as_secs() + u64::from(d.subsec_nanos() > 0)))
}

fn backoff(pod: &Value, main: &Value) -> Duration {
    setting(pod, "sim/backoff", "SIM_BACKOFF")
        .and_then(whole)
        .unwrap_or_else(|| {
            let restarts = u32::try_from(number(main, "/restartCount").unwrap_or_default()).unwrap_or_default();
            Duration::from_secs(10)
                .saturating_mul(2_u32.saturating_pow(restarts))
                .min(LONGEST_BACKOFF)
        })
}

fn act(pod: &Value, change: Change, at: Timestamp, actions: &mut Vec<Action>) {
    let mut next = pod.clone();
    match change {
        Change::Create => create(&mut next, at),
        Change::Start => start(&mut next, at, actions),
        Change::Exit => exit(&mut next, at, actions),
        Change::Restart => restart(&mut next, at, actions),
    }
    actions.push(Action::UpdateStatus(kind("Pod"), next));
}

/// The statuses of all containers of one list, made by `make` from name, image and the old status.
fn statuses(pod: &Value, of: &str, old: &str, make: impl Fn(&Value, &Value) -> Value) -> Value {
    items(&pod["spec"][of])
        .map(|container| {
            let before = items(&pod["status"][old])
                .find(|s| s["name"] == container["name"])
                .unwrap_or(&Value::Null);
            make(container, before)
        })
        .collect()
}

fn create(pod: &mut Value, at: Timestamp) {
    pod["status"]["phase"] = json!("Pending");
    pod["status"]["hostIP"] = json!(address(&text(pod, "/spec/nodeName"), 0));
    pod["status"]["startTime"] = json!(seconds(at));
    set_condition(pod, "Initialized", "True", "", "", at);
    not_ready(pod, "ContainersNotReady", at);
    pod["status"]["containerStatuses"] = statuses(pod, "containers", "containerStatuses", |container, _| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": "", "ready": false, "started": false,
            "restartCount": 0, "lastState": {}, "state": {"waiting": {"reason": "ContainerCreating"}},
        })
    });
}

fn not_ready(pod: &mut Value, reason: &str, at: Timestamp) {
    let names: Vec<&str> = items(&pod["spec"]["containers"])
        .filter_map(|c| c["name"].as_str())
        .collect();
    let message = match reason {
        "ContainersNotReady" => format!("containers with unready status: [{}]", names.join(" ")),
        _ => String::new(),
    };
    set_condition(pod, "Ready", "False", reason, &message, at);
    set_condition(pod, "ContainersReady", "False", reason, &message, at);
}

fn run(pod: &mut Value, at: Timestamp, restarted: bool) {
    pod["status"]["phase"] = json!("Running");
    set_condition(pod, "Ready", "True", "", "", at);
    set_condition(pod, "ContainersReady", "True", "", "", at);
    pod["status"]["containerStatuses"] = statuses(pod, "containers", "containerStatuses", |container, before| {
        let image = text(container, "/image");
        let restarts = number(before, "/restartCount").unwrap_or_default() + i64::from(restarted);
        let id = format!("{}/{}/{restarts}", pod["metadata"]["uid"], container["name"]);
        json!({
            "name": container["name"], "image": image, "imageID": format!("{image}@sha256:{}", digest(&image)),
            "containerID": format!("containerd://{}", digest(&id)), "ready": true, "started": true,
            "restartCount": restarts, "lastState": before["lastState"],
            "state": {"running": {"startedAt": seconds(at)}},
        })
    });
}

fn start(pod: &mut Value, at: Timestamp, actions: &mut Vec<Action>) {
    let ip = address(&text(pod, "/metadata/uid"), 1);
    pod["status"]["podIP"] = json!(ip);
    pod["status"]["podIPs"] = json!([{"ip": ip}]);
    if pod["spec"]["initContainers"].is_array() {
        pod["status"]["initContainerStatuses"] = statuses(pod, "initContainers", "initContainerStatuses", |c, _| {
            let end = json!({
                "exitCode": 0, "reason": "Completed", "startedAt": seconds(at), "finishedAt": seconds(at),
            });
            json!({
                "name": c["name"], "image": c["image"], "imageID": "", "ready": true, "started": false,
                "restartCount": 0, "lastState": {}, "state": {"terminated": end},
            })
        });
    }
    run(pod, at, false);
    for container in items(&pod["spec"]["initContainers"]).chain(items(&pod["spec"]["containers"])) {
        begin(pod, &text(container, "/name"), &text(container, "/image"), at, actions);
    }
}

fn restart(pod: &mut Value, at: Timestamp, actions: &mut Vec<Action>) {
    run(pod, at, true);
    for container in items(&pod["spec"]["containers"]) {
        begin(pod, &text(container, "/name"), &text(container, "/image"), at, actions);
    }
}

/// What the kubelet tells of a container that comes up.
fn begin(pod: &Value, name: &str, image: &str, at: Timestamp, actions: &mut Vec<Action>) {
    let pulled = format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
    for (reason, message) in [
        ("Pulled", pulled.as_str()),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ] {
        actions.push(container_event(pod, name, kubelet("Normal", reason, message), at));
    }
}

fn exit(pod: &mut Value, at: Timestamp, actions: &mut Vec<Action>) {
    let code: i64 = setting(pod, "sim/exit", "SIM_EXIT")
        .and_then(|code| code.parse().ok())
        .unwrap_or_default();
    let reason = match code {
        0 => "Completed",
        137 => "OOMKilled",
        _ => "Error",
    };
    let policy = text(pod, "/spec/restartPolicy");
    let gone = code != 0 && (policy == "Never" || setting(pod, "sim/fail", "SIM_FAIL") == Some("pod"));
    let stays_down = gone || (code == 0 && policy != "Always");
    pod["status"]["containerStatuses"] = statuses(pod, "containers", "containerStatuses", |_, before| {
        let mut after = before.clone();
        let ended = json!({"terminated": {
            "exitCode": code, "reason": reason, "startedAt": before["state"]["running"]["startedAt"],
            "finishedAt": seconds(at), "containerID": before["containerID"],
        }});
        after["ready"] = json!(false);
        after["started"] = json!(false);
        if stays_down {
            after["state"] = ended;
        } else {
            after["lastState"] = ended;
            let pause = backoff(pod, before).as_secs();
            let message = format!(
                "back-off {} restarting failed container={} pod={}_{}({})",
                pretty(pause),
                text(before, "/name"),
                text(pod, "/metadata/name"),
                text(pod, "/metadata/namespace"),
                text(pod, "/metadata/uid"),
            );
            after["state"] = json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
        }
        after
    });
    if stays_down {
        pod["status"]["phase"] = json!(if code == 0 { "Succeeded" } else { "Failed" });
        not_ready(pod, if code == 0 { "PodCompleted" } else { "PodFailed" }, at);
    } else {
        not_ready(pod, "ContainersNotReady", at);
        back_off(pod, at, actions);
    }
}

fn pretty(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, s) => format!("{s}s"),
        (m, s) => format!("{m}m{s}s"),
    }
}

fn back_off(pod: &Value, at: Timestamp, actions: &mut Vec<Action>) {
    for container in items(&pod["spec"]["containers"]) {
        let name = text(container, "/name");
        let message = format!(
            "Back-off restarting failed container {name} in pod {}_{}({})",
            text(pod, "/metadata/name"),
            text(pod, "/metadata/namespace"),
            text(pod, "/metadata/uid"),
        );
        actions.push(container_event(pod, &name, kubelet("Warning", "BackOff", &message), at));
    }
}

fn kubelet<'a>(level: &'a str, reason: &'a str, message: &'a str) -> Note<'a> {
    Note {
        reporter: "kubelet",
        level,
        reason,
        message,
    }
}

fn address(seed: &str, net: u64) -> String {
    let hash = hash(seed);
    if net == 0 {
        format!("10.0.{}.{}", hash % 250, hash / 250 % 250 + 2)
    } else {
        format!("10.244.{}.{}", hash % 250, hash / 250 % 250 + 2)
    }
}

fn digest(seed: &str) -> String {
    (0..4)
        .map(|part| format!("{:016x}", hash(&format!("{seed}#{part}"))))
        .collect()
}

/// Whether a pod counts as ready.
pub fn is_ready(pod: &Value) -> bool {
    is_true(pod, "Ready")
}
