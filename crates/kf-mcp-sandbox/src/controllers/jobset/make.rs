//! The Jobs and claims of a JobSet.

use serde_json::{Map, Value, json};

use super::{items, job_name, owned_by, replicas, restarts};
use crate::controllers::sha1;
use crate::store::text;

/// The Job of one replica.
pub(super) fn job(jobset: &Value, replicated: &Value, index: i64, suspended: bool) -> Value {
    let name = job_name(jobset, replicated, index);
    let mut template = replicated["template"].clone();
    let marks = marks(jobset, replicated, index, &name);
    for part in ["labels", "annotations"] {
        merge(&mut template["metadata"], part, &marks);
        merge(&mut template["spec"]["template"]["metadata"], part, &marks);
    }
    template["spec"]["suspend"] = json!(suspended);
    let spec = &mut template["spec"]["template"]["spec"];
    if jobset["spec"]["network"]["enableDNSHostnames"] == true {
        spec["subdomain"] = json!(subdomain(jobset));
    }
    for policy in items(&jobset["spec"]["volumeClaimPolicies"]) {
        for claim in items(&policy["templates"]) {
            if !mounts(spec, &claim["metadata"]["name"]) {
                continue;
            }
            let source = json!({"claimName": claim_name(jobset, claim)});
            let volume = json!({"name": claim["metadata"]["name"], "persistentVolumeClaim": source});
            let mut volumes: Vec<Value> = items(&spec["volumes"]).cloned().collect();
            volumes.push(volume);
            spec["volumes"] = json!(volumes);
        }
    }
    json!({
        "metadata": {
            "name": name, "namespace": jobset["metadata"]["namespace"], "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"], "ownerReferences": owned_by(jobset),
        },
        "spec": template["spec"],
        "status": {},
    })
}

/// A suspended Job, resumed with what may have been changed of its pods meanwhile.
pub(super) fn resumed(job: &Value, replicated: &Value) -> Value {
    let mut next = job.clone();
    next["spec"]["suspend"] = json!(false);
    let new = &replicated["template"]["spec"]["template"];
    let old = &mut next["spec"]["template"];
    for part in ["labels", "annotations"] {
        if new["metadata"][part].is_object() {
            merge(&mut old["metadata"], part, &new["metadata"][part]);
        }
    }
    if new["spec"]["nodeSelector"].is_object() {
        merge(&mut old["spec"], "nodeSelector", &new["spec"]["nodeSelector"]);
    }
    for list in ["tolerations", "schedulingGates"] {
        let mut all: Vec<Value> = items(&old["spec"][list]).cloned().collect();
        for item in items(&new["spec"][list]) {
            if !all.contains(item) {
                all.push(item.clone());
            }
        }
        if !all.is_empty() {
            old["spec"][list] = json!(all);
        }
    }
    next
}

/// A volume claim of a JobSet.
pub(super) fn claim(jobset: &Value, policy: &Value, template: &Value, name: &str) -> Value {
    let mut metadata = json!({"name": name, "namespace": jobset["metadata"]["namespace"]});
    merge(&mut metadata, "labels", &template["metadata"]["labels"]);
    metadata["labels"]["jobset.sigs.k8s.io/jobset-name"] = jobset["metadata"]["name"].clone();
    if template["metadata"]["annotations"].is_object() {
        metadata["annotations"] = template["metadata"]["annotations"].clone();
    }
    if policy["retentionPolicy"]["whenDeleted"] == "Delete" {
        metadata["ownerReferences"] = owned_by(jobset);
    }
    json!({"metadata": metadata, "spec": template["spec"]})
}

/// The name of a claim.
pub(super) fn claim_name(jobset: &Value, template: &Value) -> String {
    format!(
        "{}-{}",
        text(template, "/metadata/name"),
        text(jobset, "/metadata/name")
    )
}

/// What the names of pods end with in the cluster's DNS.
pub(super) fn subdomain(jobset: &Value) -> String {
    let given = text(jobset, "/spec/network/subdomain");
    if given.is_empty() {
        text(jobset, "/metadata/name")
    } else {
        given
    }
}

fn mounts(spec: &Value, volume: &Value) -> bool {
    items(&spec["containers"])
        .chain(items(&spec["initContainers"]))
        .flat_map(|container| items(&container["volumeMounts"]))
        .any(|mount| mount["name"] == *volume)
}

fn merge(owner: &mut Value, part: &str, more: &Value) {
    if !owner.is_object() {
        *owner = json!({});
    }
    if !owner[part].is_object() {
        owner[part] = json!({});
    }
    for (key, value) in more.as_object().into_iter().flatten() {
        owner[part][key] = value.clone();
    }
}

/// The labels (and annotations) that JobSet puts on Jobs and pods.
fn marks(jobset: &Value, replicated: &Value, index: i64, name: &str) -> Value {
    let all = &jobset["spec"]["replicatedJobs"];
    let group = text(replicated, "/groupName");
    let in_group = |other: &Value| text(other, "/groupName") == group;
    let total: i64 = items(all).map(replicas).sum();
    let of_group: i64 = items(all).filter(|other| in_group(other)).map(replicas).sum();
    let before = |counted: &dyn Fn(&Value) -> bool| {
        let earlier = items(all).take_while(|other| other["name"] != replicated["name"]);
        earlier.filter(|other| counted(other)).map(replicas).sum::<i64>() + index
    };
    let key = sha1::hex(&format!("{}/{name}", text(jobset, "/metadata/namespace")));
    let mut marks = Map::new();
    for (mark, value) in [
        ("jobset-name", text(jobset, "/metadata/name")),
        ("jobset-uid", text(jobset, "/metadata/uid")),
        ("replicatedjob-name", text(replicated, "/name")),
        ("replicatedjob-replicas", replicas(replicated).to_string()),
        ("global-replicas", total.to_string()),
        ("job-index", index.to_string()),
        ("job-global-index", before(&|_| true).to_string()),
        ("job-key", key),
        ("restart-attempt", restarts(jobset).to_string()),
        ("group-name", group.clone()),
        ("group-replicas", of_group.to_string()),
        ("job-group-index", before(&in_group).to_string()),
    ] {
        marks.insert(format!("jobset.sigs.k8s.io/{mark}"), json!(value));
    }
    let coordinator = &jobset["spec"]["coordinator"];
    if coordinator.is_object() {
        let number = |field: &str| coordinator[field].as_i64().unwrap_or_default();
        let pod = format!(
            "{}-{}-{}-{}.{}",
            text(jobset, "/metadata/name"),
            text(coordinator, "/replicatedJob"),
            number("jobIndex"),
            number("podIndex"),
            subdomain(jobset),
        );
        marks.insert("jobset.sigs.k8s.io/coordinator".to_owned(), json!(pod));
    }
    Value::Object(marks)
}
