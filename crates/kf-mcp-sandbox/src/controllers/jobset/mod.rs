//! The JobSet controller: one Job per replicated job, a headless Service, volume claims, and what they add up to.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects::{Note, hash, is_true, items, kind, new_event, number, owned_by, set_condition};
use super::{Action, delete, job};
use crate::store::{Store, seconds, text};

/// Brings the children and the status of all unfinished JobSets in line with their spec.
pub fn step(store: &Store, now: Timestamp) -> Vec<Action> {
    let mut actions = Vec::new();
    for jobset in store.list(kind("JobSet"), None) {
        if !is_true(jobset, "Completed") && !is_true(jobset, "Failed") {
            reconcile(store, jobset, now, &mut actions);
        }
    }
    actions
}

/// The name of the Job of a replicated job (there is only ever replica 0).
fn job_name(jobset: &Value, replicated: &Value) -> String {
    format!("{}-{}-0", text(jobset, "/metadata/name"), text(replicated, "/name"))
}

fn reconcile(store: &Store, jobset: &Value, now: Timestamp, actions: &mut Vec<Action>) {
    let namespace = text(jobset, "/metadata/namespace");
    let suspended = jobset["spec"]["suspend"] == true;
    let mut next = jobset.clone();
    if next["status"].is_null() {
        next["status"] = json!({"restarts": 0});
    }
    surroundings(store, jobset, now, actions);
    let jobs: Vec<(&Value, Option<&Value>)> = items(&jobset["spec"]["replicatedJobs"])
        .map(|r| {
            (
                r,
                store
                    .get(kind("Job"), &namespace, &job_name(jobset, r))
                    .map(|job| &**job),
            )
        })
        .collect();
    let statuses: Vec<Value> = jobs
        .iter()
        .map(|(replicated, job)| replicated_status(replicated, *job))
        .collect();
    if let Some(failed) = jobs
        .iter()
        .filter_map(|(_, job)| *job)
        .find(|job| is_true(job, "Failed"))
    {
        fail(&mut next, failed, &jobs, now, actions);
    } else if succeeded(jobset, &statuses) {
        finish(
            &mut next,
            "Completed",
            "AllJobsCompleted",
            "jobset completed successfully",
            now,
            actions,
        );
        sweep(&jobs, actions);
    } else {
        for (replicated, job) in &jobs {
            match job {
                Some(job) => switch(job, replicated, suspended, actions),
                None if ready_to_start(replicated, &statuses) => {
                    actions.push(Action::Create(kind("Job"), make(jobset, replicated, suspended)));
                }
                None => {}
            }
        }
        suspension(&mut next, suspended, now, actions);
    }
    let mut statuses = statuses;
    // The real controller's order is not that of the spec; this one was seen on the shipped runtimes.
    statuses.sort_by_key(|status| std::cmp::Reverse(text(status, "/name")));
    next["status"]["replicatedJobsStatus"] = json!(statuses);
    if next != *jobset {
        actions.push(Action::UpdateStatus(kind("JobSet"), next));
    }
}

fn replicated_status(replicated: &Value, job: Option<&Value>) -> Value {
    let mut status =
        json!({"name": replicated["name"], "ready": 0, "succeeded": 0, "failed": 0, "active": 0, "suspended": 0});
    let Some(job) = job else { return status };
    let count = |field: &str| number(job, &format!("/status/{field}")).unwrap_or_default();
    if is_true(job, "Failed") {
        status["failed"] = json!(1);
    } else if is_true(job, "Complete") {
        status["succeeded"] = json!(1);
    } else if job["spec"]["suspend"] == true {
        status["suspended"] = json!(1);
    } else {
        let parallelism = number(job, "/spec/parallelism").unwrap_or(1);
        let pods = number(job, "/spec/completions").unwrap_or(parallelism).min(parallelism);
        status["active"] = json!(i64::from(count("active") > 0));
        status["ready"] = json!(i64::from(count("ready") + count("succeeded") >= pods));
    }
    status
}

fn succeeded(jobset: &Value, statuses: &[Value]) -> bool {
    let policy = &jobset["spec"]["successPolicy"];
    let targets: Vec<&Value> = items(&policy["targetReplicatedJobs"]).collect();
    let mut wanted = statuses
        .iter()
        .filter(|s| targets.is_empty() || targets.contains(&&s["name"]))
        .map(|s| s["succeeded"] == 1);
    if policy["operator"] == "Any" {
        wanted.any(|done| done)
    } else {
        wanted.all(|done| done)
    }
}

fn ready_to_start(replicated: &Value, statuses: &[Value]) -> bool {
    items(&replicated["dependsOn"]).all(|dependency| {
        statuses
            .iter()
            .filter(|s| s["name"] == dependency["name"])
            .all(|s| s["succeeded"] == 1 || (dependency["status"] == "Ready" && s["ready"] == 1))
    })
}

fn fail(
    next: &mut Value,
    failed: &Value,
    jobs: &[(&Value, Option<&Value>)],
    now: Timestamp,
    actions: &mut Vec<Action>,
) {
    let allowed = number(next, "/spec/failurePolicy/maxRestarts").unwrap_or_default();
    let restarts = number(next, "/status/restarts").unwrap_or_default();
    let first = format!("(first failed job: {})", text(failed, "/metadata/name"));
    if restarts < allowed {
        next["status"]["restarts"] = json!(restarts + 1);
        for job in jobs.iter().filter_map(|(_, job)| *job) {
            actions.push(delete(kind("Job"), job));
        }
        return;
    }
    if allowed > 0 {
        let message = format!("jobset failed due to reaching max number of restarts {first}");
        finish(next, "Failed", "ReachedMaxRestarts", &message, now, actions);
    } else {
        let message = format!("jobset failed due to one or more job failures {first}");
        finish(next, "Failed", "FailedJobs", &message, now, actions);
    }
    sweep(jobs, actions);
}

fn finish(next: &mut Value, condition: &str, reason: &str, message: &str, now: Timestamp, actions: &mut Vec<Action>) {
    set_condition(next, condition, "True", reason, message, now);
    next["status"]["terminalState"] = json!(condition);
    let level = if condition == "Completed" { "Normal" } else { "Warning" };
    let note = Note {
        reporter: "jobset",
        level,
        reason,
        message,
    };
    actions.push(new_event(next, note, "Reconciling", now));
}

/// Jobs that still run when their JobSet has ended go; finished ones stay for their pods and logs.
fn sweep(jobs: &[(&Value, Option<&Value>)], actions: &mut Vec<Action>) {
    for job in jobs
        .iter()
        .filter_map(|(_, job)| *job)
        .filter(|job| !job::is_finished(job))
    {
        actions.push(delete(kind("Job"), job));
    }
}

fn suspension(next: &mut Value, suspended: bool, now: Timestamp, actions: &mut Vec<Action>) {
    let (status, reason, message) = if suspended {
        ("True", "SuspendedJobs", "jobset is suspended")
    } else if is_true(next, "Suspended") {
        ("False", "ResumeJobs", "jobset is resumed")
    } else {
        return;
    };
    if set_condition(next, "Suspended", status, reason, message, now) {
        let note = Note {
            reporter: "jobset",
            level: "Normal",
            reason,
            message,
        };
        actions.push(new_event(next, note, "Reconciling", now));
    }
}

/// Suspends or resumes a Job; on resuming, what may have been patched meanwhile is taken over.
fn switch(job: &Value, replicated: &Value, suspended: bool, actions: &mut Vec<Action>) {
    if job::is_finished(job) || (job["spec"]["suspend"] == true) == suspended {
        return;
    }
    let mut next = job.clone();
    next["spec"]["suspend"] = json!(suspended);
    if !suspended {
        let template = &replicated["template"]["spec"]["template"];
        for field in ["nodeSelector", "tolerations", "schedulingGates"] {
            if !template["spec"][field].is_null() {
                next["spec"]["template"]["spec"][field] = template["spec"][field].clone();
            }
        }
        for field in ["labels", "annotations"] {
            for (key, value) in template["metadata"][field].as_object().into_iter().flatten() {
                next["spec"]["template"]["metadata"][field][key] = value.clone();
            }
        }
    }
    actions.push(Action::Update(kind("Job"), next));
}

fn make(jobset: &Value, replicated: &Value, suspended: bool) -> Value {
    let name = job_name(jobset, replicated);
    let mut template = replicated["template"].clone();
    let marks = marks(jobset, replicated, &name);
    for part in ["labels", "annotations"] {
        merge(&mut template["metadata"], part, &marks);
        merge(&mut template["spec"]["template"]["metadata"], part, &marks);
    }
    template["spec"]["template"]["metadata"]["labels"]["jobset.sigs.k8s.io/priority"] = json!("0");
    template["spec"]["suspend"] = json!(suspended);
    if jobset["spec"]["network"]["enableDNSHostnames"] == true {
        template["spec"]["template"]["spec"]["subdomain"] = jobset["metadata"]["name"].clone();
    }
    for claim in claims(jobset) {
        let volume = json!({"name": claim.0, "persistentVolumeClaim": {"claimName": claim.1}});
        let spec = &mut template["spec"]["template"]["spec"];
        match spec.get_mut("volumes").and_then(Value::as_array_mut) {
            Some(volumes) => volumes.push(volume),
            None => spec["volumes"] = json!([volume]),
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

fn merge(metadata: &mut Value, part: &str, marks: &Value) {
    if metadata.is_null() {
        *metadata = json!({});
    }
    if metadata[part].is_null() {
        metadata[part] = json!({});
    }
    for (key, value) in marks.as_object().into_iter().flatten() {
        metadata[part][key] = value.clone();
    }
}

/// The labels (and annotations) that JobSet puts on Jobs and pods.
fn marks(jobset: &Value, replicated: &Value, name: &str) -> Value {
    let mut jobs = items(&jobset["spec"]["replicatedJobs"]);
    let total = items(&jobset["spec"]["replicatedJobs"]).count();
    let position = jobs.position(|r| r["name"] == replicated["name"]).unwrap_or_default();
    let key = format!("{}/{name}", text(jobset, "/metadata/namespace"));
    let key: String = (0..3)
        .map(|part| format!("{:016x}", hash(&format!("{key}#{part}"))))
        .collect();
    json!({
        "jobset.sigs.k8s.io/jobset-name": jobset["metadata"]["name"],
        "jobset.sigs.k8s.io/jobset-uid": jobset["metadata"]["uid"],
        "jobset.sigs.k8s.io/replicatedjob-name": replicated["name"],
        "jobset.sigs.k8s.io/replicatedjob-replicas": "1",
        "jobset.sigs.k8s.io/global-replicas": total.to_string(),
        "jobset.sigs.k8s.io/job-index": "0",
        "jobset.sigs.k8s.io/job-global-index": position.to_string(),
        "jobset.sigs.k8s.io/job-key": key[..40],
        "jobset.sigs.k8s.io/restart-attempt": number(jobset, "/status/restarts").unwrap_or_default().to_string(),
        "jobset.sigs.k8s.io/group-name": "default",
        "jobset.sigs.k8s.io/group-replicas": total.to_string(),
        "jobset.sigs.k8s.io/job-group-index": position.to_string(),
    })
}

/// Volume name and claim name of each claim template.
fn claims(jobset: &Value) -> Vec<(String, String)> {
    items(&jobset["spec"]["volumeClaimPolicies"])
        .flat_map(|policy| items(&policy["templates"]))
        .map(|template| text(template, "/metadata/name"))
        .map(|name| (name.clone(), format!("{name}-{}", text(jobset, "/metadata/name"))))
        .collect()
}

/// The headless Service and the volume claims, bound at once as a fast provisioner would.
fn surroundings(store: &Store, jobset: &Value, now: Timestamp, actions: &mut Vec<Action>) {
    let namespace = text(jobset, "/metadata/namespace");
    let name = text(jobset, "/metadata/name");
    if jobset["spec"]["network"]["enableDNSHostnames"] == true
        && store.get(kind("Service"), &namespace, &name).is_none()
    {
        actions.push(Action::Create(
            kind("Service"),
            json!({
                "metadata": {"name": name, "namespace": namespace, "ownerReferences": owned_by(jobset)},
                "spec": {
                    "clusterIP": "None", "clusterIPs": ["None"], "type": "ClusterIP",
                    "selector": {"jobset.sigs.k8s.io/jobset-name": name}, "publishNotReadyAddresses": true,
                },
                "status": {"loadBalancer": {}},
            }),
        ));
    }
    let templates = items(&jobset["spec"]["volumeClaimPolicies"]).flat_map(|policy| items(&policy["templates"]));
    for (template, (_, claim)) in templates.zip(claims(jobset)) {
        if store.get(kind("PersistentVolumeClaim"), &namespace, &claim).is_some() {
            continue;
        }
        let seed = hash(&format!("{namespace}/{claim}/{}", seconds(now)));
        let mut spec = template["spec"].clone();
        spec["volumeName"] = json!(format!("pvc-{seed:016x}"));
        spec["volumeMode"] = json!("Filesystem");
        if spec["storageClassName"].is_null() {
            spec["storageClassName"] = json!("standard");
        }
        let status = json!({
            "phase": "Bound", "accessModes": spec["accessModes"], "capacity": spec["resources"]["requests"],
        });
        let metadata = json!({"name": claim, "namespace": namespace, "ownerReferences": owned_by(jobset)});
        let object = json!({"metadata": metadata, "spec": spec, "status": status});
        actions.push(Action::Create(kind("PersistentVolumeClaim"), object));
    }
}
