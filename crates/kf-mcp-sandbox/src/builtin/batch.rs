//! Defaults of Jobs.

use serde_json::{Value, json};

use super::pod::template;
use super::set;

/// Fills in a Job.
pub(super) fn job(job: &mut Value) {
    let spec = &mut job["spec"];
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        spec["completions"] = json!(1);
    }
    for (field, value) in [
        ("parallelism", json!(1)),
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
        ("manualSelector", json!(false)),
    ] {
        set(spec, field, &value);
    }
    let replacement = if spec["podFailurePolicy"].is_null() {
        "TerminatingOrFailed"
    } else {
        "Failed"
    };
    set(spec, "podReplacementPolicy", &json!(replacement));
    template(&mut spec["template"]["spec"]);
}

/// The selector, and the labels of the pods that it selects.
pub(super) fn selector(job: &mut Value) {
    let (uid, name) = (job["metadata"]["uid"].clone(), job["metadata"]["name"].clone());
    let spec = &mut job["spec"];
    if spec["manualSelector"] == true || !spec["selector"].is_null() {
        return;
    }
    spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    for prefix in ["", "batch.kubernetes.io/"] {
        spec["template"]["metadata"]["labels"][format!("{prefix}controller-uid")] = uid.clone();
        spec["template"]["metadata"]["labels"][format!("{prefix}job-name")] = name.clone();
    }
    // a Job without labels takes those of its pods
    if job["metadata"]["labels"]
        .as_object()
        .is_none_or(serde_json::Map::is_empty)
    {
        job["metadata"]["labels"] = job["spec"]["template"]["metadata"]["labels"].clone();
    }
}
