//! What to do about a finding: a sentence, and the call that does it where there is one.

use std::sync::LazyLock;

use kf_mcp_core::text;
use kf_mcp_trainjob::TrainJob;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::ends::End;
use super::finding::{Finding, Fix};
use crate::pods::outside;
use crate::quantity::Quantity;
use crate::shortage::{Shortage, beyond_quota};
use crate::suspension;

/// What fixes depend on.
pub(super) struct Setting<'a> {
    pub(super) job: &'a TrainJob,
    /// The first container that failed.
    pub(super) first: Option<&'a End<'a>>,
    /// Whether a cause is known already, so that what follows from it needs no advice of its own.
    pub(super) known: bool,
    /// Whether nodes are on their way.
    pub(super) scales_up: bool,
    /// Another node than that of `first`, whose log may tell more.
    pub(super) other: Option<&'a str>,
}

/// What would help; none for what follows from another finding, or passes by itself.
pub(super) fn fix(finding: &Finding, setting: &Setting<'_>) -> Option<Fix> {
    let said = || {
        finding
            .evidence
            .first()
            .map(|evidence| evidence.said.as_str())
            .unwrap_or_default()
    };
    if finding.passed {
        let again = matches!(finding.code.as_str(), "OOMKilled" | "CrashLoop" | "ExitCode");
        let step = setting
            .first
            .map(|end| end.step.as_str())
            .filter(|step| again && !step.is_empty())?;
        return Some(Fix::say("read more of that run's log").to(
            "get_training_logs",
            setting,
            json!({"step": step, "previous": true, "tail_lines": 500}),
        ));
    }
    let fix = match finding.code.as_str() {
        "WaitsInQueue" => Fix::say("wait until Kueue admits it: other jobs of the queue end, or its quota grows").to("wait_for_training", setting, json!({})),
        "StillRunning" => {
            Fix::say("delete it to free its devices; jobs of this runtime cannot be paused").to("delete_training_job", setting, json!({}))
        }
        "StillSuspended" => Fix::say("submit it again: jobs of this runtime cannot be resumed. Then delete this one").to("clone_training_job", setting, json!({})),
        "Suspended" if suspension::is_blocked(setting.job, None) => {
            Fix::say("submit it again: jobs that claim a volume, as on this runtime, mostly cannot be resumed").to("clone_training_job", setting, json!({}))
        }
        "Suspended" => Fix::say("let it go on").to("update_training_job", setting, json!({"action": "resume"})),
        "NotReconciled" => Fix::say("see whether Trainer's controller runs, and what it logs").with("inspect_controller", json!({})),
        "RuntimeMissing" => Fix::say("have the runtime made again, or submit a copy on another").to("clone_training_job", setting, json!({"runtime": "<one of list_runtimes>"})),
        "CreationFailed" => return Some(refused(said(), setting)),
        "QuotaExceeded" if let Some(beyond) = beyond_quota(said()) => {
            Fix::say(format!("it asks for more than the quota has in all ({beyond}), and never fits: submit a copy that asks for less, and delete this job"))
                .with("get_cluster_resources", json!({"namespace": setting.job.metadata.namespace}))
        }
        "QuotaExceeded" => Fix::say("see what the quota leaves; free some of it (delete or suspend jobs), or submit a copy that asks for less")
            .with("get_cluster_resources", json!({"namespace": setting.job.metadata.namespace})),
        "Preempted" => Fix::say("its pods are made again and wait for room; the training goes on from its last checkpoint, if it writes any")
            .to("wait_for_training", setting, json!({"target_statuses": ["Running"]})),
        "MissingClaim" | "MissingSecret" | "ContainerConfig" | "MountFailed" => return Some(missing(finding, setting)),
        "VolumePending" => Fix::say("see what the claim waits for: its StorageClass, and the room for it").to("get_training_events", setting, json!({"warnings_only": true})),
        "SchedulingGated" => Fix::say("a gate holds its pods back: Kueue or another controller opens it").to("wait_for_training", setting, json!({"target_statuses": ["Running"]})),
        "Unschedulable" if setting.scales_up => {
            Fix::say("nodes are being added: wait for them").to("wait_for_training", setting, json!({"target_statuses": ["Running"]}))
        }
        "Unschedulable" if let Some(remedy) = Shortage::of(said()).remedy() => {
            Fix::say(remedy).to("get_training_job", setting, json!({"include_spec": true}))
        }
        "Unschedulable" => Fix::say("see what is free on one node; free it (delete or suspend jobs), wait, or submit a copy that asks for less")
            .with("get_cluster_resources", json!({"namespace": setting.job.metadata.namespace})),
        "ImagePull" => return Some(image(said(), setting)),
        "OOMKilled" | "ProcessKilled" => return Some(memory(setting)),
        "GpuOutOfMemory" => gpu_memory(setting),
        "SharedMemory" => Fix::say(
            "mount an emptyDir with medium Memory at /dev/shm (volumes and volume_mounts of run_container_training), or use fewer data loader workers",
        ),
        "PythonException" => return Some(exception(finding, setting)),
        "NcclTimeout" | "Rendezvous" => between_nodes(setting),
        "CommandNotFound" => Fix::say("submit it again with a command that the image has, or a copy with an image that has the command; then delete this job")
            .to("get_training_job", setting, json!({"include_spec": true})),
        "DeadlineExceeded" if !setting.known => {
            let seconds = setting.job.spec.active_deadline_seconds.unwrap_or(3600).saturating_mul(2);
            Fix::say("submit a copy with more time").to("clone_training_job", setting, json!({"active_deadline_seconds": seconds}))
        }
        "CrashLoop" | "ExitCode" if !setting.known && setting.first.is_some() => {
            let step = setting.first.map(|end| end.step.as_str()).unwrap_or_default();
            Fix::say("read more of its log").to("get_training_logs", setting, json!({"step": step, "tail_lines": 500}))
        }
        "NoPods" => Fix::say("see what its controllers report").to("get_training_events", setting, json!({})),
        "DeadlineExceeded" => return None,
        _ if setting.known => return None,
        "CrashLoop" | "BackoffLimitExceeded" | "FailedJobs" | "ReachedMaxRestarts" => Fix::say(
            "its pods and logs are gone. Submit a copy and read its log while it fails: get_training_logs with previous=true",
        )
        .to("clone_training_job", setting, json!({})),
        _ => Fix::say("see what happened to its pods and nodes").to("get_training_events", setting, json!({})),
    };
    Some(fix)
}

impl Fix {
    /// What it has from the cluster is from evidence, which is safe to show; `--from-literal=token=VALUE` is no secret.
    fn say(say: impl AsRef<str>) -> Self {
        Self {
            say: text::bounded(say.as_ref(), 500),
            tool: None,
            arguments: None,
        }
    }

    fn with(mut self, tool: &'static str, arguments: Value) -> Self {
        (self.tool, self.arguments) = (Some(tool), Some(arguments));
        self
    }

    /// A call about the job.
    fn to(self, tool: &'static str, setting: &Setting<'_>, more: Value) -> Self {
        let metadata = &setting.job.metadata;
        let mut arguments = Map::new();
        arguments.insert("name".into(), json!(metadata.name));
        arguments.insert("namespace".into(), json!(metadata.namespace));
        arguments.extend(more.as_object().cloned().unwrap_or_default());
        self.with(tool, Value::Object(arguments))
    }
}

/// What ended a collective operation is seldom told by who noticed it.
fn between_nodes(setting: &Setting<'_>) -> Fix {
    match setting.other {
        Some(other) => Fix::say(
            "see what the other nodes printed at that time, as one of them may have failed first; a copy with NCCL_DEBUG=INFO in env \
             tells more",
        )
        .to("get_training_logs", setting, json!({"step": other, "tail_lines": 200})),
        None => Fix::say("a copy with NCCL_DEBUG=INFO tells more").to(
            "clone_training_job",
            setting,
            json!({"env": {"NCCL_DEBUG": "INFO"}}),
        ),
    }
}

/// What the API server did not let controllers make.
fn refused(said: &str, setting: &Setting<'_>) -> Fix {
    if said.contains("too long") {
        // As much as the longest part leaves room for.
        let short: String = setting.job.metadata.name.chars().take(24).collect();
        let new = json!({"new_name": short.trim_end_matches('-')});
        return Fix::say(
            "its name leaves no room for the names of its pods: submit a copy with a shorter one, and delete this job",
        )
        .to("clone_training_job", setting, new);
    }
    Fix::say("submit it again, or a copy, with what the message names changed; or have the runtime changed").to(
        "get_training_job",
        setting,
        json!({"include_spec": true}),
    )
}

/// An image that is not to be had.
fn image(said: &str, setting: &Setting<'_>) -> Fix {
    let lower = said.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if has(&["unauthorized", "authentication", "denied", "forbidden", "401", "403"]) {
        return Fix::say(
            "the registry wants to know who pulls, or there is no such image: submit a copy with the right image, or submit it again \
             with image_pull_secrets; then delete this job",
        )
        .to("clone_training_job", setting, right_image());
    }
    if has(&[
        "not found",
        "manifest unknown",
        "invalid",
        "no such image",
        "couldn't parse",
    ]) {
        return Fix::say("there is no such image: submit a copy with the right image, and delete this job").to(
            "clone_training_job",
            setting,
            right_image(),
        );
    }
    if has(&[
        "too many requests",
        "toomanyrequests",
        "timeout",
        "i/o",
        "no such host",
        "connection",
        "deadline",
    ]) {
        return Fix::say("the registry does not answer or limits pulls: it is tried again, and may pass").to(
            "wait_for_training",
            setting,
            json!({"target_statuses": ["Running"]}),
        );
    }
    Fix::say("check the image's name and its pull secret, and submit a copy with the right image").to(
        "clone_training_job",
        setting,
        right_image(),
    )
}

/// What nobody but the caller knows stands in angle brackets, which no argument takes.
fn right_image() -> Value {
    json!({"image": "<the right image>"})
}

fn more_memory() -> Value {
    json!({"resources_per_node": {"memory": "<more>"}})
}

static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?P<kind>secret|configmap|persistentvolumeclaim) (?:"(?P<quoted>[^"\s]+)"|(?:[a-z0-9.-]+/)?(?P<bare>[a-z0-9.-]+))"#).ok()
});
static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"find key (?P<key>[^\s]+) in").ok());

/// A Secret, ConfigMap or claim that pods wait for: they go on by themselves once it is there.
fn missing(finding: &Finding, setting: &Setting<'_>) -> Fix {
    let said = finding
        .evidence
        .iter()
        .map(|evidence| evidence.said.as_str())
        .find(|said| said.contains("not found") || said.contains("find key"));
    let said = said
        .or_else(|| finding.evidence.first().map(|evidence| evidence.said.as_str()))
        .unwrap_or_default();
    let named = NAMED.as_ref().and_then(|pattern| pattern.captures(said));
    let Some(named) = named else {
        return Fix::say("make what the message names, or submit a copy without it").to(
            "get_training_events",
            setting,
            json!({"warnings_only": true}),
        );
    };
    let name = named
        .name("quoted")
        .or_else(|| named.name("bare"))
        .map_or("NAME", |name| name.as_str());
    let key = KEY.as_ref().and_then(|pattern| pattern.captures(said));
    let key = key
        .as_ref()
        .and_then(|key| key.name("key"))
        .map_or("KEY", |key| key.as_str());
    let namespace = &setting.job.metadata.namespace;
    let make = match named["kind"].to_ascii_lowercase().as_str() {
        "secret" => format!("kubectl -n {namespace} create secret generic {name} --from-literal={key}=VALUE"),
        "configmap" => format!("kubectl -n {namespace} create configmap {name} --from-literal={key}=VALUE"),
        _ => format!("make the PersistentVolumeClaim {name} in {namespace} (kubectl -n {namespace} apply -f)"),
    };
    Fix::say(format!("{make}; the pods go on by themselves then")).to(
        "wait_for_training",
        setting,
        json!({"target_statuses": ["Running"]}),
    )
}

/// Twice the memory that was not enough.
fn memory(setting: &Setting<'_>) -> Fix {
    let Some(end) = setting.first else {
        return Fix::say("submit a copy with more memory").to("clone_training_job", setting, more_memory());
    };
    if end.pod.part().ends_with("-initializer") {
        return Fix::say("the initializer's memory is set by the runtime: have its limit raised there").to(
            "get_training_job",
            setting,
            json!({}),
        );
    }
    let of_pod = end
        .pod
        .resources(end.container)
        .and_then(|resources| resources.limits.get("memory"));
    let of_job = || {
        setting
            .job
            .spec
            .trainer
            .as_ref()?
            .resources_per_node
            .limits
            .get("memory")
    };
    let Some(limit) = of_pod.or_else(of_job) else {
        return Fix::say("no limit is set, so its node had no more: submit a copy with resources_per_node that names the memory it needs")
            .to("clone_training_job", setting, more_memory());
    };
    match limit.parse::<Quantity>() {
        Ok(quantity) => {
            let twice = (quantity + quantity).binary();
            Fix::say(format!("submit a copy with more memory ({limit} was not enough, here it is twice as much), or use smaller batches"))
                .to("clone_training_job", setting, json!({"resources_per_node": {"memory": twice}}))
        }
        Err(_) => Fix::say("submit a copy with more memory").to("clone_training_job", setting, more_memory()),
    }
}

/// Memory of the GPU is not what resources_per_node asks for.
fn gpu_memory(setting: &Setting<'_>) -> Fix {
    let say = "smaller batches, shorter sequences, activation checkpointing, LoRA, or more GPUs: estimate_resources tells what fits";
    let model = setting
        .job
        .spec
        .initializer
        .as_ref()
        .and_then(|initializer| initializer.model.as_ref());
    let uri = model
        .and_then(|model| model["storageUri"].as_str())
        .and_then(|uri| uri.strip_prefix("hf://"));
    match uri {
        Some(model) => Fix::say(say).with("estimate_resources", json!({"model": outside(model)})),
        None => Fix::say(say),
    }
}

/// What to do about an exception depends on its name.
fn exception(finding: &Finding, setting: &Setting<'_>) -> Fix {
    let line = finding
        .evidence
        .iter()
        .rev()
        .find(|evidence| !evidence.said.starts_with("File "));
    let line = line.map(|evidence| evidence.said.as_str()).unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if has(&["ModuleNotFoundError", "ImportError"]) {
        return Fix::say("the image lacks a package: submit a copy with an image that has it, or the script with run_custom_training and packages")
            .to("clone_training_job", setting, json!({"image": "<one with the package>"}));
    }
    if has(&[
        "GatedRepoError",
        "RepositoryNotFoundError",
        "401 Client Error",
        "403 Client Error",
    ]) {
        return Fix::say(
            "the Hub refuses: accept the model's terms there, and give HF_TOKEN as a secretKeyRef in the env of a copy",
        )
        .to(
            "clone_training_job",
            setting,
            json!({"env": {"HF_TOKEN": {"secretKeyRef": {"name": "<secret>", "key": "<key>"}}}}),
        );
    }
    let step = setting
        .first
        .map(|end| end.step.as_str())
        .filter(|step| !step.is_empty())
        .unwrap_or("node-0");
    Fix::say("correct the program at that line and submit it again; the log before it may tell more").to(
        "get_training_logs",
        setting,
        json!({"step": step, "tail_lines": 500}),
    )
}
