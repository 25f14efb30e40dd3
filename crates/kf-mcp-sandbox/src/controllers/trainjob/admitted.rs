//! What the API server makes of a JobSet that Trainer applies: defaults, and the refusals of JobSet's webhook.

use serde_json::{Value, json};

use super::super::objects::items;
use super::checks;
use super::shape::each;
use crate::builtin;
use crate::store::text;

/// A new JobSet as it is stored, or why it is not.
pub(super) fn created(mut jobset: Value) -> Result<Value, String> {
    let spec = &mut jobset["spec"];
    builtin::jobset(spec);
    for (field, default) in [
        ("successPolicy", json!({"operator": "All"})),
        ("startupPolicy", json!({"startupPolicyOrder": "AnyOrder"})),
    ] {
        if spec[field].is_null() {
            spec[field] = default;
        }
    }
    for inner in ["enableDNSHostnames", "publishNotReadyAddresses"] {
        if spec["network"][inner].is_null() {
            spec["network"][inner] = json!(true);
        }
    }
    for replicated in each(spec, "replicatedJobs") {
        let job = &mut replicated["template"]["spec"];
        if job["completionMode"].is_null() {
            job["completionMode"] = json!("Indexed");
        }
        if job["template"]["spec"]["restartPolicy"].is_null() {
            job["template"]["spec"]["restartPolicy"] = json!("OnFailure");
        }
    }
    for policy in each(spec, "volumeClaimPolicies") {
        if policy["retentionPolicy"].is_null() {
            policy["retentionPolicy"] = json!({"whenDeleted": "Delete"});
        }
    }
    for (index, rule) in spec
        .pointer_mut("/failurePolicy/rules")
        .into_iter()
        .flat_map(elements)
        .enumerate()
    {
        if rule["name"].as_str().is_none_or(str::is_empty) {
            rule["name"] = json!(format!("failurePolicyRule{index}"));
        }
    }
    checks::created(&jobset)?;
    Ok(jobset)
}

fn elements(list: &mut Value) -> impl Iterator<Item = &mut Value> {
    list.as_array_mut().into_iter().flatten()
}

/// A JobSet after Trainer applied another one to it, or why it may not change so.
///
/// Trainer owns the fields it applied before: what it no longer applies goes, what the webhook added stays, except in
/// lists that are replaced as a whole. The policies of volume claims are such a list, and they must not change: what the
/// webhook added to them at creation makes every later apply fail.
pub(super) fn applied(old: &Value, wanted: &Value) -> Result<Value, String> {
    let mut next = old.clone();
    let spec = &mut next["spec"];
    let mut new = wanted["spec"].clone();
    builtin::jobset(&mut new);
    if new["volumeClaimPolicies"] != spec["volumeClaimPolicies"] {
        return Err(format!(
            "JobSet.jobset.x-k8s.io \"{}\" is invalid: spec.volumeClaimPolicies: Invalid value: Value is immutable",
            text(old, "/metadata/name")
        ));
    }
    for replicated in each(&mut new, "replicatedJobs") {
        let before = items(&spec["replicatedJobs"]).find(|before| before["name"] == replicated["name"]);
        let Some(before) = before else { continue };
        let (before, after) = (&before["template"]["spec"], &mut replicated["template"]["spec"]);
        if after["completionMode"].is_null() {
            after["completionMode"] = before["completionMode"].clone();
        }
        if after["template"]["spec"]["restartPolicy"].is_null() {
            after["template"]["spec"]["restartPolicy"] = before["template"]["spec"]["restartPolicy"].clone();
        }
        if let Some(field) = changed(before, after) {
            return Err(format!(
                "admission webhook \"vjobset.kb.io\" denied the request: JobSet.jobset.x-k8s.io \"{}\" is invalid: \
                 spec.replicatedJobs: Invalid value: {field}: field is immutable",
                text(old, "/metadata/name")
            ));
        }
    }
    spec["replicatedJobs"] = new["replicatedJobs"].clone();
    spec["suspend"] = new["suspend"].clone();
    for part in ["labels", "annotations"] {
        if wanted["metadata"][part].is_object() {
            next["metadata"][part] = wanted["metadata"][part].clone();
        }
    }
    Ok(next)
}

/// The list of replicated jobs as the webhook would show it, when more has changed than may be.
fn changed(before: &Value, after: &Value) -> Option<String> {
    let bare = |job: &Value| {
        let mut job = job.clone();
        for field in ["labels", "annotations"] {
            job["template"]["metadata"]
                .as_object_mut()
                .map(|metadata| metadata.remove(field));
        }
        for field in ["nodeSelector", "tolerations", "schedulingGates"] {
            job["template"]["spec"].as_object_mut().map(|spec| spec.remove(field));
        }
        job
    };
    (bare(before) != bare(after)).then(|| after.to_string())
}
