//! What the sandbox's containers print.

mod script;

use jiff::Timestamp;
use serde_json::Value;

use crate::controllers::objects::{items, time};
use crate::status::Status;
use crate::store::text;

/// One printed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was printed.
    pub time: Timestamp,
    /// The text, without the newline.
    pub text: String,
}

/// Everything that a container of a pod has printed up to `now`, oldest first; with `previous`, what the run before the
/// last restart printed. A container that cannot have printed anything is the kubelet's 400.
pub fn lines(pod: &Value, container: &str, previous: bool, now: Timestamp) -> Result<Vec<Line>, Status> {
    let name = text(pod, "/metadata/name");
    let spec = items(&pod["spec"]["containers"])
        .chain(items(&pod["spec"]["initContainers"]))
        .find(|spec| spec["name"] == container)
        .ok_or_else(|| bad(format!("container {container} is not valid for pod {name}")))?;
    let Some(status) = status(pod, container) else {
        if text(pod, "/spec/nodeName").is_empty() {
            // Not on a node yet: the real API server has nobody to ask and answers an empty body.
            return Ok(Vec::new());
        }
        return Err(bad(format!(
            "container \"{container}\" in pod \"{name}\" is not available"
        )));
    };
    let state = &status["state"];
    let last = &status["lastState"]["terminated"];
    let run = if previous {
        last
    } else if state["running"].is_object() {
        &state["running"]
    } else if state["terminated"].is_object() {
        &state["terminated"]
    } else {
        last
    };
    if !run.is_object() {
        return Err(bad(if previous {
            format!("previous terminated container \"{container}\" in pod \"{name}\" not found")
        } else {
            let reason = match state["waiting"]["reason"].as_str().unwrap_or("ContainerCreating") {
                "ErrImagePull" => "image can't be pulled",
                "ImagePullBackOff" => "trying and failing to pull image",
                reason => reason,
            };
            format!("container \"{container}\" in pod \"{name}\" is waiting to start: {reason}")
        }));
    }
    let Some(began) = time(run, "/startedAt") else {
        return Ok(Vec::new());
    };
    let ended = time(run, "/finishedAt");
    let exit = run["exitCode"].as_i64().filter(|_| ended.is_some());
    let is_last = std::ptr::eq(run, last);
    let mut lines = script::play(&script::Run {
        pod,
        spec,
        began,
        until: ended.unwrap_or(now).min(now),
        exit,
        restarts: status["restartCount"].as_i64().unwrap_or_default() - i64::from(is_last),
        literal: literal(pod, spec, is_last, state["waiting"].is_object()),
    });
    lines.sort_by_key(|line| line.time);
    Ok(lines)
}

/// The words that are put in a container's mouth. A run that ended while the next has not begun (`waiting`) is told as
/// the run before, else as the current one: the container was annotated while it still ran.
fn literal<'a>(pod: &'a Value, spec: &'a Value, is_last: bool, waiting: bool) -> Option<&'a str> {
    let names: &[&str] = match (is_last, waiting) {
        (false, _) => &["sim/log"],
        (true, false) => &["sim/previous-log"],
        (true, true) => &["sim/previous-log", "sim/log"],
    };
    let annotations = &pod["metadata"]["annotations"];
    let annotated = names.iter().find_map(|name| annotations[name].as_str());
    annotated.or_else(|| {
        let var = items(&spec["env"]).find(|var| var["name"] == "SIM_LOG")?;
        var["value"].as_str()
    })
}

/// Whether the container can still print more (so that `follow` goes on).
pub fn running(pod: &Value, container: &str) -> bool {
    status(pod, container).is_some_and(|status| status["state"]["running"].is_object())
}

fn status<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    items(&pod["status"]["containerStatuses"])
        .chain(items(&pod["status"]["initContainerStatuses"]))
        .find(|status| status["name"] == container)
}

fn bad(message: String) -> Status {
    Status::new(400, "BadRequest", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn pod(status: &Value) -> Value {
        json!({
            "metadata": {"name": "p", "namespace": "team-a", "uid": "u", "annotations": {}},
            "spec": {"containers": [{"name": "node", "image": "pytorch", "env": [{"name": "PET_NNODES", "value": "4"}]}]},
            "status": {"containerStatuses": [status]},
        })
    }

    fn texts(lines: &[Line]) -> String {
        lines.iter().map(|line| format!("{}\n", line.text)).collect()
    }

    #[test]
    fn a_waiting_container_and_a_missing_previous_one_are_the_kubelets_refusals() {
        let waiting = pod(&json!({"name": "node", "state": {"waiting": {"reason": "ContainerCreating"}}}));
        assert_eq!(
            lines(&waiting, "node", false, at(0)).unwrap_err().message,
            "container \"node\" in pod \"p\" is waiting to start: ContainerCreating"
        );
        assert_eq!(
            lines(&waiting, "node", true, at(0)).unwrap_err().message,
            "previous terminated container \"node\" in pod \"p\" not found"
        );
        assert!(!running(&waiting, "node"));
    }

    #[test]
    fn a_running_log_only_grows() {
        let pod = pod(&json!({"name": "node", "state": {"running": {"startedAt": at(0).to_string()}}}));
        let early = lines(&pod, "node", false, at(100)).unwrap();
        let late = lines(&pod, "node", false, at(400)).unwrap();
        assert!(early.len() > 5 && late.len() > early.len());
        assert_eq!(early, late[..early.len()]);
        assert!(late.iter().all(|line| line.time <= at(400)));
        assert!(texts(&late).contains("step "), "{}", texts(&late));
        assert!(running(&pod, "node"));
    }

    #[test]
    fn a_kill_for_lack_of_memory_ends_in_a_traceback_and_nothing_more() {
        let run = json!({"startedAt": at(0).to_string(), "finishedAt": at(300).to_string(), "exitCode": 137});
        let pod = pod(&json!({"name": "node", "state": {"terminated": run}}));
        let all = lines(&pod, "node", false, at(9_000)).unwrap();
        assert!(
            all.last()
                .unwrap()
                .text
                .starts_with("torch.OutOfMemoryError: CUDA out of memory")
        );
    }

    #[test]
    fn words_can_be_put_in_a_containers_mouth() {
        let running = json!({"name": "node", "state": {"running": {"startedAt": at(0).to_string()}}});
        let mut pod = pod(&running);
        pod["metadata"]["annotations"]["sim/log"] = json!("{time} one\ntwo");
        assert_eq!(
            texts(&lines(&pod, "node", false, at(10)).unwrap()),
            "2027-01-15T08:00:00Z one\ntwo\n"
        );
        // all of it is there at once, and none of it was said in the future
        let now = lines(&pod, "node", false, at(0)).unwrap();
        assert_eq!(now.iter().map(|line| line.time).collect::<Vec<_>>(), [at(0), at(0)]);
        pod["metadata"]["annotations"]["sim/log"] = json!("");
        assert!(lines(&pod, "node", false, at(10)).unwrap().is_empty());
    }

    #[test]
    fn a_run_that_ended_keeps_its_words() {
        let last =
            json!({"terminated": {"startedAt": at(0).to_string(), "finishedAt": at(5).to_string(), "exitCode": 1}});
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let mut pod = pod(&json!({"name": "node", "restartCount": 0, "state": waiting, "lastState": last}));
        let told = |pod: &Value, previous| texts(&lines(pod, "node", previous, at(20)).unwrap());
        pod["spec"]["containers"][0]["env"] = json!([{"name": "SIM_LOG", "value": "always"}]);
        assert_eq!(told(&pod, false), "always\n");
        pod["metadata"]["annotations"]["sim/log"] = json!("now");
        assert_eq!((told(&pod, false), told(&pod, true)), ("now\n".into(), "now\n".into()));
        pod["metadata"]["annotations"]["sim/previous-log"] = json!("before");
        assert_eq!(
            (told(&pod, false), told(&pod, true)),
            ("before\n".into(), "before\n".into())
        );
        let again = &mut pod["status"]["containerStatuses"][0];
        again["state"] = json!({"running": {"startedAt": at(10).to_string()}});
        again["restartCount"] = json!(1);
        assert_eq!(
            (told(&pod, false), told(&pod, true)),
            ("now\n".into(), "before\n".into())
        );
    }
}
