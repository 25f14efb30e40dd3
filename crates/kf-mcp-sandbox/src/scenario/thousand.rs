//! Many TrainJobs, generated: what listing, paging and summarising have to live with.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::controllers::objects::hash;
use crate::store::seconds;

/// Words for names; with the number they are unique.
const WHAT: [&str; 8] = ["bert", "llama", "resnet", "qwen", "vit", "whisper", "gemma", "t5"];
const RUNTIMES: [(&str, &str); 4] = [
    ("torch-distributed", "torch"),
    ("deepspeed-distributed", "deepspeed"),
    ("jax-distributed", "jax"),
    ("torchtune-llama3.2-1b", "torchtune"),
];

/// `count` jobs in namespace default: half of them complete, a tenth suspended, the rest failed, running or new. None
/// has children: the ones that are not over belong to another cluster, as with MultiKueue.
pub(super) fn jobs(count: usize, now: Timestamp) -> Vec<Value> {
    (0..count).map(|number| job(number, now)).collect()
}

fn job(number: usize, now: Timestamp) -> Value {
    let seed = hash(&format!("thousand/{number}"));
    let what = WHAT[number % WHAT.len()];
    let (runtime, framework) = RUNTIMES[number / 3 % RUNTIMES.len()];
    let age = 600 + seed % (14 * 86_400);
    let at = |seconds_ago: u64| {
        let ago = jiff::SignedDuration::try_from(Duration::from_secs(seconds_ago)).unwrap_or_default();
        seconds(now.checked_sub(ago).unwrap_or(now))
    };
    let name = format!("{what}-{number:05}");
    let condition = |of: &str, reason: &str, message: &str, ago: u64| json!([{"type": of, "status": "True", "reason": reason, "message": message, "lastTransitionTime": at(ago)}]);
    let counters = |field: &str| {
        let mut counters =
            json!({"name": "node", "ready": 0, "succeeded": 0, "failed": 0, "active": 0, "suspended": 0});
        for field in field.split('+').filter(|field| !field.is_empty()) {
            counters[field] = json!(1);
        }
        json!([counters])
    };
    let status = match number % 10 {
        0 => json!({
            "conditions": condition("Suspended", "Suspended", "TrainJob is suspended", age / 2),
            "jobsStatus": counters("suspended"),
        }),
        1..=5 => json!({
            "conditions": condition("Complete", "AllJobsCompleted", "jobset completed successfully", age / 3),
            "jobsStatus": counters("succeeded"),
        }),
        6 => {
            let message = format!("jobset failed due to one or more job failures (first failed job: {name}-node-0)");
            json!({
                "conditions": condition("Failed", "FailedJobs", &message, age / 3), "jobsStatus": counters("failed"),
            })
        }
        7 | 8 => json!({"jobsStatus": counters("active+ready")}),
        _ => json!({"jobsStatus": counters("active")}),
    };
    let over = matches!(number % 10, 1..=6);
    let managed_by = if over || number.is_multiple_of(10) {
        "trainer.kubeflow.org/trainjob-controller"
    } else {
        "kueue.x-k8s.io/multikueue"
    };
    json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob",
        "metadata": {
            "name": name, "namespace": "default", "creationTimestamp": at(age),
            "labels": {"team": format!("team-{}", seed % 5), "framework": framework},
        },
        "spec": {
            "runtimeRef": {
                "apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": runtime,
            },
            "trainer": {
                "numNodes": 1 + seed % 8,
                "resourcesPerNode": {"limits": {"nvidia.com/gpu": (1 + seed % 4).to_string()}},
            },
            "suspend": number.is_multiple_of(10), "managedBy": managed_by,
        },
        "status": status,
    })
}
