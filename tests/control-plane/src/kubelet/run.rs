//! Which run of a container a request means, by the container's state.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};

use super::options::Refusal;

/// Whose words are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// Those of the current run.
    Current,
    /// Those of the run before the last restart.
    Previous,
    /// Those of a run that ended while the next has not begun: of the previous run, else of the current one.
    Ended,
}

/// One run of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// Whose words are told.
    pub(crate) words: Words,
    /// Whether it goes on.
    pub(crate) running: bool,
    /// When it began.
    pub(crate) began: Option<Timestamp>,
    /// When it ended.
    pub(crate) ended: Option<Timestamp>,
    /// How many runs of the container ended before it, if it goes on.
    restarts: i32,
}

impl Run {
    /// The run that a request means, or why there is none. Runs need no container id here: simulated ones have none.
    pub(crate) fn choose(pod: &Pod, container: &str, previous: bool) -> Result<Self, Refusal> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let refuse = |words| Err(Refusal::bad(words));
        let Some(status) = status(pod, container) else {
            return refuse(format!("container {container:?} in pod {name:?} is not available"));
        };
        let (state, last) = (state(status), last(status));
        if previous {
            let words = if state.running.is_some() || state.terminated.is_some() {
                Words::Previous
            } else {
                Words::Ended
            };
            return match Self::past(&last, words) {
                Some(run) => Ok(run),
                None => refuse(format!(
                    "previous terminated container {container:?} in pod {name:?} not found"
                )),
            };
        }
        if let Some(running) = state.running {
            return Ok(Self {
                words: Words::Current,
                running: true,
                began: running.started_at.map(|time| time.0),
                ended: None,
                restarts: status.restart_count,
            });
        }
        if let Some(run) = Self::past(&state, Words::Current).or_else(|| Self::past(&last, Words::Ended)) {
            return Ok(run);
        }
        let Some(waiting) = state.waiting else {
            return refuse(format!(
                "container {container:?} in pod {name:?} is waiting to start - no logs yet"
            ));
        };
        let reason = match waiting.reason.as_deref().unwrap_or_default() {
            "ErrImagePull" => "image can't be pulled",
            "ImagePullBackOff" => "trying and failing to pull image",
            reason => reason,
        };
        refuse(format!(
            "container {container:?} in pod {name:?} is waiting to start: {reason}"
        ))
    }

    /// A run that has ended.
    fn past(state: &ContainerState, words: Words) -> Option<Self> {
        let run = state.terminated.as_ref()?;
        Some(Self {
            words,
            running: false,
            began: run.started_at.as_ref().map(|time| time.0),
            ended: run.finished_at.as_ref().map(|time| time.0),
            restarts: 0,
        })
    }

    /// Notes what a newer state of the pod says about a run that went on.
    pub(crate) fn update(&mut self, pod: &Pod, container: &str) {
        let Some(status) = status(pod, container) else {
            self.running = false;
            return;
        };
        let state = state(status);
        self.running = state.running.is_some() && status.restart_count == self.restarts;
        if !self.running {
            let run = Self::past(&state, self.words).or_else(|| Self::past(&last(status), self.words));
            self.ended = run.and_then(|run| run.ended);
        }
    }
}

fn status<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let mut all = [&status.container_statuses, &status.init_container_statuses]
        .into_iter()
        .flatten()
        .flatten();
    all.find(|status| status.name == container)
}

fn state(status: &ContainerStatus) -> ContainerState {
    status.state.clone().unwrap_or_default()
}

fn last(status: &ContainerStatus) -> ContainerState {
    status.last_state.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(state: &Value, last: &Value, restarts: u32) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p"},
            "status": {"containerStatuses": [{
                "name": "node", "image": "i", "imageID": "", "ready": true, "restartCount": restarts,
                "state": state, "lastState": last,
            }]},
        }))
        .unwrap()
    }

    fn refused(pod: &Pod, previous: bool) -> String {
        let Refusal(status, words) = Run::choose(pod, "node", previous).unwrap_err();
        assert_eq!(status, 400);
        words
    }

    fn ended(second: u32) -> Value {
        json!({"terminated": {
            "exitCode": 1, "startedAt": "2026-11-21T02:00:00Z", "finishedAt": format!("2026-11-21T02:00:{second:02}Z"),
        }})
    }

    #[test]
    fn a_container_that_never_ran_has_no_log() {
        let waiting = |reason: &str| pod(&json!({"waiting": {"reason": reason}}), &json!({}), 0);
        let begin = "container \"node\" in pod \"p\" is waiting to start";
        for (reason, words) in [
            ("ContainerCreating", "ContainerCreating"),
            ("ErrImagePull", "image can't be pulled"),
            ("ImagePullBackOff", "trying and failing to pull image"),
        ] {
            assert_eq!(refused(&waiting(reason), false), format!("{begin}: {words}"));
        }
        assert_eq!(
            refused(&pod(&json!({}), &json!({}), 0), false),
            format!("{begin} - no logs yet")
        );
        assert_eq!(
            refused(&waiting("ContainerCreating"), true),
            "previous terminated container \"node\" in pod \"p\" not found"
        );
        assert_eq!(
            refused(
                &Pod {
                    status: None,
                    ..pod(&json!({}), &json!({}), 0)
                },
                true
            )
            .replace("\"\"", "\"p\""),
            "container \"node\" in pod \"p\" is not available"
        );
    }

    #[test]
    fn the_last_run_is_the_current_one_until_the_next_begins() {
        let crashed = pod(&json!({"waiting": {"reason": "CrashLoopBackOff"}}), &ended(5), 1);
        let run = Run::choose(&crashed, "node", false).unwrap();
        assert_eq!((run.words, run.running), (Words::Ended, false));
        assert_eq!(run, Run::choose(&crashed, "node", true).unwrap());

        let again = pod(&json!({"running": {"startedAt": "2026-11-21T02:01:00Z"}}), &ended(5), 1);
        let run = Run::choose(&again, "node", true).unwrap();
        assert_eq!(run.words, Words::Previous);
        assert_eq!(run.ended, Some("2026-11-21T02:00:05Z".parse().unwrap()));
        let run = Run::choose(&again, "node", false).unwrap();
        assert_eq!((run.words, run.running), (Words::Current, true));

        let over = pod(&ended(9), &ended(5), 1);
        let run = Run::choose(&over, "node", false).unwrap();
        assert_eq!(
            (run.words, run.ended),
            (Words::Current, Some("2026-11-21T02:00:09Z".parse().unwrap()))
        );
    }

    #[test]
    fn a_restart_ends_a_run_even_if_nobody_saw_it_end() {
        let first = pod(
            &json!({"running": {"startedAt": "2026-11-21T02:00:00Z"}}),
            &json!({}),
            0,
        );
        let mut run = Run::choose(&first, "node", false).unwrap();
        run.update(&first, "node");
        assert!(run.running);
        let second = pod(&json!({"running": {"startedAt": "2026-11-21T02:00:06Z"}}), &ended(5), 1);
        run.update(&second, "node");
        assert!(!run.running);
        assert_eq!(run.ended, Some("2026-11-21T02:00:05Z".parse().unwrap()));
    }
}
