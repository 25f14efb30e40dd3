//! Kubernetes events in both their shapes, and which of a namespace's events belong to one training job.

use std::collections::HashMap;

use jiff::Timestamp;
use kf_mcp_core::kube::Meta;
use serde::Deserialize;

/// A core/v1 event. Reporters of the older API set first and last timestamp and count; those of events.k8s.io set the
/// event time and, for a repeat, the series.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Event {
    pub(crate) metadata: Meta,
    pub(crate) involved_object: Involved,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    count: Option<u64>,
    first_timestamp: Option<Timestamp>,
    last_timestamp: Option<Timestamp>,
    event_time: Option<Timestamp>,
    series: Option<Series>,
}

/// What an event is about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Involved {
    pub(crate) kind: String,
    pub(crate) name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Series {
    count: u64,
    last_observed_time: Option<Timestamp>,
}

impl Event {
    /// When it last happened.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let series = self.series.as_ref().and_then(|series| series.last_observed_time);
        [
            series,
            self.event_time,
            self.last_timestamp,
            self.first_timestamp,
            self.metadata.creation_timestamp,
        ]
        .into_iter()
        .flatten()
        .max()
    }

    /// How often it happened.
    pub(crate) fn times(&self) -> u64 {
        let series = self.series.as_ref().map_or(0, |series| series.count);
        series.max(self.count.unwrap_or(0)).max(1)
    }

    /// Whether something went wrong.
    pub(crate) fn is_warning(&self) -> bool {
        self.kind == "Warning"
    }

    /// Whether a controller could not make what belongs to a job.
    pub(crate) fn refuses_creation(&self) -> bool {
        self.is_warning()
            && matches!(
                self.reason.as_str(),
                "FailedCreate"
                    | "TrainJobResourcesCreationFailed"
                    | "JobCreationFailed"
                    | "HeadlessServiceCreationFailed"
                    | "PVCCreationFailed"
            )
    }

    /// What it is about, as `Pod/bert-node-0-0-abcde`.
    pub(crate) fn object(&self) -> String {
        format!("{}/{}", self.involved_object.kind, self.involved_object.name)
    }
}

/// The replicated jobs that Trainer knows. It makes one Job of each.
const REPLICATED_JOBS: [&str; 4] = ["node", "launcher", "dataset-initializer", "model-initializer"];

/// Whether an object is the training job `job` or was made for it. Names are matched whole, by the way in which Trainer,
/// JobSet and Job make them, so that `bert` does not take what belongs to `bert-large`.
///
/// `parts` are the job's own replicated jobs, where the job has been read; a runtime may call them what it likes. Without
/// them only Trainer's four are known, because a name alone does not tell: `bert-large-eval-0` is the part `large-eval` of
/// `bert` or the part `eval` of `bert-large`, and an event has neither labels nor owners of its object. With the parts of
/// the job it is certain: two jobs that both meant it would have made the same object.
pub(crate) fn is_of_job(object: &Involved, job: &str, parts: &[&str]) -> bool {
    let rest = || object.name.strip_prefix(job)?.strip_prefix('-');
    let below = || {
        let rest = rest()?;
        let own = || parts.iter().find_map(|part| below_part(rest, part));
        below_known(rest).or_else(own)
    };
    match object.kind.as_str() {
        "TrainJob" | "JobSet" | "PodGroup" => object.name == job,
        "Job" => below() == Some(""),
        "Pod" => below().is_some_and(is_pod_suffix),
        "PersistentVolumeClaim" => object.name.strip_prefix("initializer-") == Some(job),
        "ConfigMap" => {
            matches!(
                rest(),
                Some("runtime-snapshot" | "mpi-hostfile" | "tls-config" | "flux-entrypoint")
            )
        }
        "Secret" => matches!(rest(), Some("mpi-ssh-auth" | "flux-curve")),
        // Kueue's name for it: `trainjob-NAME-` and five hexadecimal digits.
        "Workload" => {
            let hash = object
                .name
                .strip_prefix("trainjob-")
                .and_then(|name| name.strip_prefix(job)?.strip_prefix('-'));
            hash.is_some_and(|hash| hash.len() == 5 && hash.bytes().all(|c| c.is_ascii_hexdigit()))
        }
        _ => false,
    }
}

/// What follows `PART-0` in a name without its job, for the parts that Trainer knows.
fn below_known(rest: &str) -> Option<&str> {
    REPLICATED_JOBS
        .iter()
        .find_map(|name| rest.strip_prefix(name)?.strip_prefix("-0"))
}

/// What follows `PART-IDX` in a name without its job: other parts may have several Jobs.
fn below_part<'a>(rest: &'a str, part: &str) -> Option<&'a str> {
    let rest = rest.strip_prefix(part)?.strip_prefix('-')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (index, below) = rest.split_at(end);
    let is_index = index == "0" || !index.is_empty() && !index.starts_with('0');
    is_index.then_some(below)
}

/// `-IDX-xxxxx`, or `-xxxxx` of a Job without indexes.
fn is_pod_suffix(suffix: &str) -> bool {
    let Some(suffix) = suffix.strip_prefix('-') else {
        return false;
    };
    let random = match suffix.split_once('-') {
        Some((index, random)) if !index.is_empty() && index.bytes().all(|c| c.is_ascii_digit()) => random,
        Some(_) => return false,
        None => suffix,
    };
    random.len() == 5 && random.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// Newest first, each thing that happened once: a repeat is sometimes stored beside the event that it repeats.
pub(crate) fn newest_first(events: Vec<Event>) -> Vec<(Event, u64)> {
    let mut known: HashMap<(String, String, String), usize> = HashMap::new();
    let mut unique: Vec<(Event, u64)> = Vec::new();
    for event in events {
        let key = (event.object(), event.reason.clone(), event.message.clone());
        match known.get(&key) {
            Some(at) => {
                let (first, count) = &mut unique[*at];
                *count = (*count).max(event.times()).max(2);
                if event.time() > first.time() {
                    *first = event;
                }
            }
            None => {
                known.insert(key, unique.len());
                let count = event.times();
                unique.push((event, count));
            }
        }
    }
    unique.sort_by_key(|(event, _)| std::cmp::Reverse(event.time()));
    unique
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn involved(object: &str) -> Involved {
        let (kind, name) = object.split_once('/').unwrap();
        Involved {
            kind: kind.into(),
            name: name.into(),
        }
    }

    #[test]
    fn a_job_takes_its_own_objects() {
        for object in [
            "TrainJob/bert",
            "JobSet/bert",
            "Job/bert-node-0",
            "Job/bert-dataset-initializer-0",
            "Pod/bert-node-0-0-abcde",
            "Pod/bert-node-0-13-x2k9z",
            "Pod/bert-launcher-0-0-abcde",
            "Pod/bert-model-initializer-0-0-abcde",
            "Pod/bert-node-0-abcde",
            "PersistentVolumeClaim/initializer-bert",
            "ConfigMap/bert-runtime-snapshot",
            "Secret/bert-mpi-ssh-auth",
            "Workload/trainjob-bert-1a2b3",
        ] {
            assert!(is_of_job(&involved(object), "bert", &[]), "{object}");
        }
    }

    #[test]
    fn a_job_does_not_take_those_of_others() {
        for object in [
            "TrainJob/bert-large",
            "JobSet/bert-node-0",
            "Job/bert-large-node-0",
            "Job/bert-node-0-node-0",
            "Job/bert",
            "Pod/bert",
            "Pod/bert-large-node-0-0-abcde",
            "Pod/bert-node-0-node-0-0-abcde",
            "Pod/bert-node-large-node-0-0-abcde",
            "Pod/bert-node-00-0-abcde",
            "Pod/my-bert-node-0-0-abcde",
            "Pod/bert-node-0-0-abcdef",
            "PersistentVolumeClaim/initializer-bert-large",
            "ConfigMap/bert-large-runtime-snapshot",
            "Workload/trainjob-bert-large-1a2b3",
            "Deployment/bert",
        ] {
            assert!(!is_of_job(&involved(object), "bert", &[]), "{object}");
        }
        for (object, job) in [
            ("Pod/bert-large-node-0-0-abcde", "bert-large"),
            ("Pod/bert-node-0-node-0-0-abcde", "bert-node-0"),
        ] {
            assert!(is_of_job(&involved(object), job, &[]), "{object}");
        }
    }

    #[test]
    fn parts_of_other_names_are_taken_once_the_job_has_told_them() {
        let parts = ["ps", "large-eval"];
        for object in [
            "Job/bert-ps-0",
            "Job/bert-ps-12",
            "Pod/bert-ps-1-0-abcde",
            "Pod/bert-ps-0-abcde",
            "Job/bert-large-eval-0",
            "Pod/bert-large-eval-0-0-abcde",
        ] {
            assert!(is_of_job(&involved(object), "bert", &parts), "{object}");
            assert!(!is_of_job(&involved(object), "bert", &[]), "{object}");
        }
        for object in [
            "Job/bert-ps",
            "Job/bert-ps-",
            "Job/bert-ps-00",
            "Job/bert-ps-0-ps-0",
            "Job/bert-eval-0",
            "Job/bert-large-ps-0",
            "Pod/bert-ps-0-ps-0-0-abcde",
            "Pod/bert-large-ps-0-0-abcde",
        ] {
            assert!(!is_of_job(&involved(object), "bert", &parts), "{object}");
        }
    }

    fn events(list: Value) -> Vec<Event> {
        serde_json::from_value(list).unwrap()
    }

    #[test]
    fn the_newest_time_of_either_shape_counts() {
        let list = events(json!([
            {"reason": "old", "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:05:00Z", "count": 6, "eventTime": null},
            {"reason": "new", "eventTime": "2026-01-01T00:03:00.123456Z", "firstTimestamp": null, "count": null},
            {"reason": "series", "eventTime": "2026-01-01T00:00:00.000000Z",
             "series": {"count": 4, "lastObservedTime": "2026-01-01T00:09:00.000000Z"}},
            {"reason": "bare", "metadata": {"creationTimestamp": "2026-01-01T00:01:00Z"}},
        ]));
        let ordered: Vec<_> = newest_first(list)
            .into_iter()
            .map(|(e, count)| (e.reason, count))
            .collect();
        let want = [("series", 4), ("old", 6), ("new", 1), ("bare", 1)];
        assert_eq!(ordered, want.map(|(reason, count)| (reason.to_owned(), count)));
    }

    #[test]
    fn a_repeat_beside_its_first_event_is_one() {
        let event = |time: &str| json!({"involvedObject": {"kind": "Pod", "name": "p"}, "reason": "FailedScheduling", "message": "no", "eventTime": time});
        let mut series = event("2026-01-01T00:00:00Z");
        series["series"] = json!({"count": 7, "lastObservedTime": "2026-01-01T00:20:00Z"});
        let merged = newest_first(events(json!([
            event("2026-01-01T00:00:00Z"),
            series,
            event("2026-01-01T00:10:00Z")
        ])));
        assert_eq!(merged.len(), 1);
        assert_eq!(
            (merged[0].1, merged[0].0.time()),
            (7, "2026-01-01T00:20:00Z".parse().ok())
        );
    }
}
