//! Journeys of jobs that fail, are diagnosed, and are submitted again with a change.

use serde_json::{Value, json};

use super::failures::brittle;
use super::{job, submit, with};
use crate::World;

/// Diagnoses until the first finding is the one, and what else must hold does.
async fn diagnosed(world: &World, name: &str, code: &str, right: impl Fn(&Value) -> bool) -> Value {
    let what = format!("the diagnosis {code} of {name}");
    world
        .place
        .until(&what, async || {
            let told = world.good("diagnose_training_job", job(name)).await;
            (told["findings"][0]["code"] == code && right(&told)).then_some(told)
        })
        .await
}

fn codes(told: &Value) -> Vec<&str> {
    let findings = told["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    findings.iter().filter_map(|finding| finding["code"].as_str()).collect()
}

/// Calls what a finding advises, as a change that is confirmed.
async fn follow(world: &World, finding: &Value) -> Value {
    let fix = &finding["fix"];
    let tool = fix["tool"].as_str().unwrap_or_default();
    world.confirmed(tool, fix["arguments"].clone()).await
}

/// Sets what a kubelet would say of the first pod of a job that has not started.
async fn kubelet_says(world: &World, name: &str, reason: &str, message: &str) {
    let pod = world
        .place
        .until("the waiting pod", async || {
            let pod = world.pods(name).await.into_iter().next()?;
            let waits = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
            (waits["reason"] == "ContainerCreating").then_some(pod)
        })
        .await;
    let mut status = pod["status"]["containerStatuses"][0].clone();
    status["state"] = json!({"waiting": {"reason": reason, "message": message}});
    let pod = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let patch = json!({"status": {"containerStatuses": [status]}});
    world.merge("pods", &format!("{pod}/status"), &patch).await;
}

/// The story of KEP-936: out of memory, found as the cause, and fixed by a copy with the memory that the finding names.
pub async fn an_out_of_memory_is_diagnosed_and_fixed_by_a_copy(world: &World) {
    brittle(world).await;
    let mut arguments = with(submit("hungry", 2, 0), "runtime", json!("brittle"));
    arguments["resources_per_node"] = json!({"cpu": 1, "memory": "2Gi"});
    world.confirmed("run_container_training", arguments).await;
    world.running("hungry", 2).await;
    world.end("hungry", 137).await;
    world.status("hungry", "Failed").await;
    let told = diagnosed(world, "hungry", "OOMKilled", |told| {
        codes(told)
            .last()
            .is_some_and(|last| ["BackoffLimitExceeded", "FailedJobs"].contains(last))
    })
    .await;
    assert_eq!(told["healthy"], false, "{told}");
    let fix = &told["findings"][0]["fix"];
    assert_eq!(fix["tool"], "clone_training_job", "{told}");
    assert_eq!(
        fix["arguments"]["resources_per_node"],
        json!({"memory": "4Gi"}),
        "{told}"
    );

    let copy = follow(world, &told["findings"][0]).await;
    let name = copy["name"].as_str().unwrap_or_default().to_owned();
    assert!(name.starts_with("hungry-"), "{copy}");
    world.status(&name, "Running").await;
    let (old, new) = (trainer(world, "hungry").await, trainer(world, &name).await);
    assert_eq!(
        new["resourcesPerNode"]["limits"],
        json!({"cpu": "1", "memory": "4Gi"}),
        "{new}"
    );
    for same in ["image", "env", "numNodes"] {
        assert_eq!(old[same], new[same], "{same}");
    }
    let told = world.good("diagnose_training_job", job(&name)).await;
    assert_eq!((&told["healthy"], codes(&told).len()), (&json!(true), 0), "{told}");
}

async fn trainer(world: &World, name: &str) -> Value {
    let job = world
        .object("trainjobs.trainer.kubeflow.org", name)
        .await
        .unwrap_or_default();
    job["spec"]["trainer"].clone()
}

/// A job that somebody else made, with what only they write, is copied as it is; a confirmation that is repeated makes no
/// second copy.
pub async fn a_job_of_another_client_is_copied_once(world: &World) {
    let patch = json!({"manager": "trainer.kubeflow.org/kubeflow-sdk", "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [
        {"name": "node", "template": {"spec": {"template": {"spec": {"nodeSelector": {"no": "such-node"}}}}}}]}}}});
    let foreign = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob",
        "metadata": {"name": "foreign", "labels": {"team": "nlp"}, "finalizers": ["example.com/keep"],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
        "spec": {
            "runtimeRef": {"name": "torch-distributed"}, "suspend": true, "runtimePatches": [patch],
            "trainer": {"image": "example.com/train:1", "command": ["python", "a.py"], "args": ["--lr", "1"], "numNodes": 1,
                "env": [{"name": "A", "value": "1"}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
        },
    });
    world.create("trainjobs.trainer.kubeflow.org", &foreign).await;
    let arguments = json!({"name": "foreign", "new_name": "second", "env": {"A": "2"}, "suspend": true});
    let preview = world.good("clone_training_job", arguments.clone()).await;
    let changes = &preview["preview"]["changes"];
    assert_eq!(
        *changes,
        json!([{"path": "spec.trainer.env[A].value", "was": "\"1\"", "now": "\"2\""}]),
        "{preview}"
    );
    let mut confirm = with(arguments, "confirmed", json!(true));
    confirm["plan_id"] = preview["plan_id"].clone();
    let first = world.good("clone_training_job", confirm.clone()).await;
    let again = world.good("clone_training_job", confirm).await;
    assert_eq!(
        (&first["already_submitted"], &again["already_submitted"]),
        (&json!(false), &json!(true))
    );
    let copy = world
        .object("trainjobs.trainer.kubeflow.org", "second")
        .await
        .unwrap_or_default();
    let original = world
        .object("trainjobs.trainer.kubeflow.org", "foreign")
        .await
        .unwrap_or_default();
    let mut specs = [original["spec"].clone(), copy["spec"].clone()];
    for spec in &mut specs {
        spec["runtimePatches"][0]["time"] = Value::Null;
        spec["trainer"]["env"][0]["value"] = Value::Null;
    }
    assert_eq!(specs[0], specs[1]);
    assert_eq!(copy["metadata"]["labels"]["team"], "nlp");
    assert_eq!(copy["metadata"]["labels"]["kubeflow-mcp/managed-by"], "mcp");
    for gone in [
        "/metadata/finalizers",
        "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
    ] {
        assert_eq!(copy.pointer(gone), None, "{copy}");
    }
    let taken = world
        .bad("clone_training_job", json!({"name": "foreign", "new_name": "second"}))
        .await;
    assert_eq!(taken["code"], "already_exists", "{taken}");
    world
        .merge(
            "trainjobs.trainer.kubeflow.org",
            "foreign",
            &json!({"metadata": {"finalizers": null}}),
        )
        .await;
}

/// A shortage of GPUs, in the scheduler's words.
pub async fn a_shortage_of_devices_is_explained(world: &World) {
    world.confirmed("run_container_training", submit("greedy", 1, 64)).await;
    let told = diagnosed(world, "greedy", "Unschedulable", |_| true).await;
    let first = &told["findings"][0];
    assert!(first["what"].to_string().contains("64 nvidia.com/gpu"), "{told}");
    assert!(
        first["evidence"].to_string().contains("Insufficient nvidia.com/gpu"),
        "{told}"
    );
    assert_eq!(first["fix"]["tool"], "get_cluster_resources", "{told}");
    world
        .good("get_cluster_resources", first["fix"]["arguments"].clone())
        .await;
    // a copy that asks for less finds its place
    let copy = world
        .confirmed(
            "clone_training_job",
            json!({"name": "greedy", "resources_per_node": {"gpu": 0}}),
        )
        .await;
    world.status(copy["name"].as_str().unwrap_or_default(), "Running").await;
}

/// What no waiting brings: labels that no node has, a claim that nobody made. The wait ends, and neither it nor the diagnosis
/// speaks of what is free.
pub async fn what_waiting_does_not_bring_is_told_as_that(world: &World) {
    let claimed = json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "unmade"}}],
        "volume_mounts": [{"name": "data", "mountPath": "/data"}]});
    for (name, more, code, what, hint) in [
        (
            "astray",
            json!({"node_selector": {"example.com/zone": "mars"}}),
            "Unschedulable",
            "no node has the labels",
            "node_selector",
        ),
        (
            "unclaimed",
            claimed,
            "MissingClaim",
            "does not exist",
            "PersistentVolumeClaim",
        ),
    ] {
        let mut arguments = submit(name, 1, 0);
        if let (Some(arguments), Some(more)) = (arguments.as_object_mut(), more.as_object()) {
            arguments.extend(more.clone());
        }
        world.confirmed("run_container_training", arguments).await;
        let told = diagnosed(world, name, code, |_| true).await;
        let first = &told["findings"][0];
        assert!(first["what"].to_string().contains(what), "{told}");
        assert!(first["fix"]["do"].to_string().contains(hint), "{told}");
        assert_ne!(first["fix"]["tool"], "get_cluster_resources", "{told}");
        let waited = world.good("wait_for_training", job(name)).await;
        assert_eq!(
            (&waited["ended"], &waited["reason"]),
            (&json!("stalled"), &json!(code)),
            "{waited}"
        );
        assert!(waited["hints"].to_string().contains(hint), "{waited}");
    }
}

/// A quota, before what else is wrong.
pub async fn a_quota_is_the_cause_of_missing_pods(world: &World) {
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}}});
    world.create("resourcequotas", &quota).await;
    world
        .place
        .until("the quota to be counted", async || {
            let quota = world.object("resourcequotas", "small").await?;
            (quota["status"]["hard"]["pods"] == "0").then_some(())
        })
        .await;
    world
        .confirmed("run_container_training", submit("squeezed", 1, 0))
        .await;
    let told = diagnosed(world, "squeezed", "QuotaExceeded", |_| true).await;
    assert_eq!(codes(&told), ["QuotaExceeded"], "{told}");
    assert!(
        told["findings"][0]["evidence"]
            .to_string()
            .contains("exceeded quota: small"),
        "{told}"
    );
}

/// What a program printed before it ended: the exception and the line of the user's own, nodes that waited in vain.
pub async fn the_log_of_what_failed_first_tells_the_cause(world: &World) {
    brittle(world).await;
    let trace = "epoch 1\nTraceback (most recent call last):\n  File \"/work/train.py\", line 7, in <module>\n    main()\n  \
                 File \"/usr/lib/python3.12/json/__init__.py\", line 3, in load\nValueError: no such column";
    let nccl = "[rank1]: Watchdog caught collective operation timeout: WorkNCCL(SeqNum=9, Timeout(ms)=600000) ran for 600029 milliseconds";
    for (name, log, code, said) in [
        ("thrown", trace, "PythonException", "line 7"),
        ("stuck", nccl, "NcclTimeout", "WorkNCCL"),
    ] {
        let mut arguments = with(submit(name, 1, 0), "runtime", json!("brittle"));
        arguments["env"] = json!({"SIM_RUN": "10h", "SIM_LOG": log});
        world.confirmed("run_container_training", arguments).await;
        world.running(name, 1).await;
        // The sandbox prints a line a second.
        world
            .place
            .until("the whole log", async || {
                let logs = world.good("get_training_logs", job(name)).await;
                let last = log.lines().last().unwrap_or_default();
                logs["lines"]
                    .to_string()
                    .contains(last.split(':').next().unwrap_or_default())
                    .then_some(())
            })
            .await;
        world.end(name, 1).await;
        world.status(name, "Failed").await;
        let told = diagnosed(world, name, code, |told| codes(told).contains(&"ExitCode")).await;
        let first = &told["findings"][0];
        assert!(
            first["what"].to_string().contains(said) || first["evidence"].to_string().contains(said),
            "{told}"
        );
        assert!(
            told["log"]["lines"].as_array().is_some_and(|lines| !lines.is_empty()),
            "{told}"
        );
        assert!(first["fix"]["tool"].is_string(), "{told}");
    }
}

/// A container that ends again and again, until its pods and their logs are gone: what is left is told by events.
pub async fn a_back_off_limit_is_told_with_its_cause_and_without_it(world: &World) {
    let mut arguments = submit("crash", 1, 0);
    arguments["env"] = json!({"SIM_RUN": "500ms", "SIM_EXIT": "1", "SIM_BACKOFF": "2s", "SIM_LOG": "out of luck"});
    world.confirmed("run_container_training", arguments).await;
    let told = diagnosed(world, "crash", "CrashLoop", |told| {
        told["log"]["previous"] == true && told["findings"][0]["passed"].is_null()
    })
    .await;
    assert!(told["log"]["lines"].to_string().contains("out of luck"), "{told}");
    world.status("crash", "Failed").await;
    let told = world
        .place
        .until("what is left", async || {
            let told = world.good("diagnose_training_job", job("crash")).await;
            codes(&told).contains(&"BackoffLimitExceeded").then_some(told)
        })
        .await;
    assert_eq!(told["healthy"], false);
    assert!(told["findings"][0]["fix"]["tool"].is_string(), "{told}");
}

/// Images, Secrets and claims that are not there, and what a deadline ended.
pub async fn what_pods_wait_for_is_named(world: &World) {
    let mut arguments = submit("pulling", 1, 0);
    arguments["env"] = json!({"SIM_START": "10h"});
    world.confirmed("run_container_training", arguments.clone()).await;
    kubelet_says(
        world,
        "pulling",
        "ImagePullBackOff",
        "Back-off pulling image \"example.com/train:1\": not found",
    )
    .await;
    let told = diagnosed(world, "pulling", "ImagePull", |_| true).await;
    assert_eq!(told["findings"][0]["fix"]["tool"], "clone_training_job", "{told}");

    arguments["name"] = json!("secretless");
    world.confirmed("run_container_training", arguments).await;
    kubelet_says(
        world,
        "secretless",
        "CreateContainerConfigError",
        "secret \"hf-token\" not found",
    )
    .await;
    let told = diagnosed(world, "secretless", "MissingSecret", |_| true).await;
    assert!(
        told["findings"][0]["fix"]["do"]
            .to_string()
            .contains("create secret generic hf-token"),
        "{told}"
    );

    let mut arguments = submit("claimless", 1, 0);
    arguments["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    arguments["volume_mounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    arguments["active_deadline_seconds"] = json!(8);
    world.confirmed("run_container_training", arguments).await;
    let told = diagnosed(world, "claimless", "MissingClaim", |_| true).await;
    assert!(
        told["findings"][0]["fix"]["do"]
            .to_string()
            .contains("PersistentVolumeClaim data"),
        "{told}"
    );
    world.status("claimless", "Failed").await;
    let told = world
        .place
        .until("the deadline", async || {
            let told = world.good("diagnose_training_job", job("claimless")).await;
            let codes = codes(&told);
            (codes.last() == Some(&"DeadlineExceeded") && codes.len() == 2).then_some(told)
        })
        .await;
    assert!(told["notes"].to_string().contains("jobs_status"), "{told}");
}

/// A webhook that refuses what the job is made of: its name is too long, which Trainer notices only then.
pub async fn what_a_webhook_refuses_later_is_found_and_fixed(world: &World) {
    let name = "n".repeat(58);
    let long = json!({
        "apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "metadata": {"name": name},
        "spec": {"runtimeRef": {"name": "torch-distributed"}, "trainer": {"image": "example.com/train:1", "numNodes": 1,
            "env": [{"name": "SIM_RUN", "value": "10h"}]}},
    });
    world.create("trainjobs.trainer.kubeflow.org", &long).await;
    let told = diagnosed(world, &name, "CreationFailed", |_| true).await;
    let copy = follow(world, &told["findings"][0]).await;
    world.status(copy["name"].as_str().unwrap_or_default(), "Running").await;
}

/// The pause that Trainer says it made, and did not: a copy runs.
pub async fn a_job_that_cannot_be_resumed_is_run_by_a_copy(world: &World) {
    let arguments = json!({"name": "tuned", "model": "Qwen/Qwen2.5-1.5B", "dataset": "tatsu-lab/alpaca"});
    world.confirmed("fine_tune", arguments).await;
    world
        .place
        .until("its parts", async || {
            let job = world.object("trainjobs.trainer.kubeflow.org", "tuned").await?;
            job["status"]["jobsStatus"].is_array().then_some(())
        })
        .await;
    let suspend = json!({"spec": {"suspend": true}});
    world.merge("trainjobs.trainer.kubeflow.org", "tuned", &suspend).await;
    let told = diagnosed(world, "tuned", "StillRunning", |_| true).await;
    assert_eq!(told["findings"][0]["fix"]["tool"], "delete_training_job", "{told}");
    let preview = world.good("clone_training_job", json!({"name": "tuned"})).await;
    assert_eq!(
        preview["preview"]["changes"],
        json!([{"path": "spec.suspend", "was": "true", "now": "false"}]),
        "{preview}"
    );
    let refused = world
        .bad("clone_training_job", json!({"name": "tuned", "suspend": true}))
        .await;
    assert_eq!(refused["field"], "suspend", "{refused}");
}

/// Pods that others took the place of.
pub async fn a_preempted_pod_is_told_from_one_that_failed(world: &World) {
    brittle(world).await;
    let arguments = with(submit("ousted", 1, 0), "runtime", json!("brittle"));
    world.confirmed("run_container_training", arguments).await;
    world.running("ousted", 1).await;
    let pod = world.pods("ousted").await[0].clone();
    let mut conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.push(json!({"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
        "message": "default-scheduler: preempting to accommodate a higher priority pod", "lastTransitionTime": pod["metadata"]["creationTimestamp"]}));
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    world
        .merge(
            "pods",
            &format!("{name}/status"),
            &json!({"status": {"conditions": conditions}}),
        )
        .await;
    world.end("ousted", 143).await;
    world.status("ousted", "Failed").await;
    let told = diagnosed(world, "ousted", "Preempted", |told| codes(told).len() >= 3).await;
    assert_eq!(codes(&told)[1], "ExitCode", "{told}");
}
