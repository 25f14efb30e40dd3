//! The pods of a Job, as the Job controller asks for them.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::controllers::objects::{items, owned_by, suffix};
use crate::store::{seconds, text};

/// Keeps a pod until the Job controller has counted it.
pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
/// The label and annotation of a pod's completion index.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// The label by which JobSet's webhook knows its pods.
const JOBSET: &str = "jobset.sigs.k8s.io/jobset-name";

/// The pod of a completion index; -1 stands for a Job without indexes.
pub(super) fn make(job: &Value, index: i64, attempt: i64, now: Timestamp) -> Value {
    let template = &job["spec"]["template"];
    let job_name = text(job, "/metadata/name");
    // not the uid: names should not change because something else was made before
    let seed = format!(
        "{}/{job_name}/{index}/{attempt}/{}",
        job["metadata"]["namespace"],
        seconds(now)
    );
    let stem = if index < 0 {
        job_name
    } else {
        format!("{job_name}-{index}")
    };
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "namespace": job["metadata"]["namespace"], "generateName": format!("{stem}-"),
            "name": format!("{stem}-{}", suffix(&seed)), "finalizers": [FINALIZER], "ownerReferences": owned_by(job),
        },
        "spec": template["spec"],
    });
    for part in ["labels", "annotations"] {
        if template["metadata"][part].is_object() {
            pod["metadata"][part] = template["metadata"][part].clone();
        }
    }
    if index >= 0 {
        for part in ["labels", "annotations"] {
            pod["metadata"][part][INDEX] = json!(index.to_string());
        }
        pod["spec"]["hostname"] = json!(stem);
        for list in ["initContainers", "containers"] {
            let containers = pod["spec"].get_mut(list).and_then(Value::as_array_mut);
            containers.into_iter().flatten().for_each(tell_index);
        }
    }
    if pod["metadata"]["labels"][JOBSET].is_string() {
        // what JobSet's webhook adds to pods
        pod["metadata"]["labels"]["jobset.sigs.k8s.io/priority"] = json!("0");
    }
    pod
}

fn tell_index(container: &mut Value) {
    const NAME: &str = "JOB_COMPLETION_INDEX";
    let mut env: Vec<Value> = items(&container["env"]).cloned().collect();
    if env.iter().any(|var| var["name"] == NAME) {
        return;
    }
    let path = format!("metadata.labels['{INDEX}']");
    env.push(json!({"name": NAME, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}));
    container["env"] = json!(env);
}
