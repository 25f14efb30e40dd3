//! What must be right before anything is sent.

use std::collections::{BTreeMap, BTreeSet};

use kf_mcp_core::names::{is_label, is_subdomain};
use kf_mcp_core::{ErrorCode, ToolError};
use kf_mcp_trainjob::{Runtime, count, devices, label_key, label_value, max_name_length, node_resources, reserved_env};
use serde_json::{Map, Value, json};

use super::{Checked, Problems, Wishes, env, queue};
use crate::pods::outside;

/// More than any node has.
const MOST_GPUS: u32 = 1024;
/// As many bytes as Linux takes in one argument or variable, with the zero at its end.
pub(super) const MOST_BYTES: usize = (128 << 10) - 1;
/// As many volumes and tolerations as a patch may have.
const MOST_ITEMS: usize = 128;
/// As many bytes as all annotations may have.
const MOST_ANNOTATIONS: usize = 256 << 10;
/// Labels and annotations under this are ours.
const OURS: &str = "kubeflow-mcp/";

/// Checks what does not depend on the runtime. Everything that is wrong is told at once, with what the tool itself found.
pub(crate) fn of_arguments(wishes: &Wishes, mut problems: Problems) -> Result<Checked, ToolError> {
    let job = wishes.job;
    if wishes.runtime.is_some_and(|name| !is_subdomain(name)) {
        problems.add(
            "runtime",
            "is not the name of a runtime: a-z, 0-9, `-` and `.`, at most 253 characters",
        );
    }
    if job
        .service_account_name
        .as_deref()
        .is_some_and(|name| !is_subdomain(name))
    {
        problems.add("service_account_name", "is not the name of a ServiceAccount");
    }
    if wishes.gpu_per_node().is_some_and(|gpus| gpus > MOST_GPUS) {
        problems.add("gpu_per_node", format!("must be at most {MOST_GPUS}"));
    }
    if !(1..=10_000).contains(&job.num_nodes) {
        problems.add("num_nodes", "must be between 1 and 10000");
    }
    if wishes
        .num_proc_per_node()
        .is_some_and(|processes| !(1..=1024).contains(&processes))
    {
        problems.add("num_proc_per_node", "must be between 1 and 1024");
    }
    if job.active_deadline_seconds.is_some_and(|seconds| seconds < 1) {
        problems.add("active_deadline_seconds", "must be at least 1");
    }
    let resources = resources(wishes, &mut problems);
    let env = env::variables(wishes, &mut problems);
    marks(wishes, &mut problems);
    queue::check(job, &mut problems);
    pods(wishes, &mut problems);
    problems.settle(wishes.tool)?;
    Ok(Checked { resources, env })
}

/// `resources_per_node` decides alone where it is given; else `gpu_per_node` counts NVIDIA GPUs, 1 unless it says so.
fn resources(wishes: &Wishes, problems: &mut Problems) -> BTreeMap<String, String> {
    let Some(given) = wishes.resources_per_node() else {
        let gpus = wishes.own.map_or(0, |own| own.gpu_per_node.unwrap_or(1));
        return node_resources(&gpu(gpus)).unwrap_or_default();
    };
    let named = node_resources(given).unwrap_or_else(|wrong| {
        for why in wrong {
            problems.add("resources_per_node", why.to_string());
        }
        BTreeMap::new()
    });
    let has = devices(&named).map_or(0, |devices| devices.per_node);
    match wishes.gpu_per_node() {
        // 1 is what clients fill in by themselves: the default conflicts with nothing.
        None | Some(1) => {}
        Some(gpus) if u64::from(gpus) == has => {}
        Some(gpus) => problems.add(
            "gpu_per_node",
            format!(
                "is {gpus}, but resources_per_node has {has} devices: leave it out, resources_per_node decides alone"
            ),
        ),
    }
    named
}

fn gpu(count: u32) -> Map<String, Value> {
    let given = (count > 0).then(|| ("gpu".to_owned(), json!(count)));
    given.into_iter().collect()
}

/// Labels and annotations.
fn marks(wishes: &Wishes, problems: &mut Problems) {
    for (field, marks) in [("labels", &wishes.job.labels), ("annotations", &wishes.job.annotations)] {
        for (key, value) in marks.iter().flatten() {
            let at = format!("{field}.{key}");
            if let Err(why) = label_key(key) {
                problems.add(&at, why);
            } else if key.starts_with(OURS) {
                problems.add(&at, "is set by this server");
            } else if field == "labels"
                && let Err(why) = label_value(value)
            {
                problems.add(&at, format!("has a value that {why}"));
            }
        }
    }
    let annotations = wishes.job.annotations.iter().flatten();
    let size: usize = annotations.map(|(key, value)| key.len() + value.len()).sum();
    if size > MOST_ANNOTATIONS {
        problems.add("annotations", "are larger than 256 KiB in all");
    }
}

/// The options of the pods, as far as the API server would tell too late or not clearly.
fn pods(wishes: &Wishes, problems: &mut Problems) {
    let pods = wishes.job.pods();
    for (field, items) in [
        ("volumes", &pods.volumes),
        ("tolerations", &pods.tolerations),
        ("volume_mounts", &pods.volume_mounts),
    ] {
        if items.len() > MOST_ITEMS {
            problems.add(
                field,
                format!("has {} items, at most {MOST_ITEMS} are possible", items.len()),
            );
        }
    }
    for (key, value) in &pods.node_selector {
        let wrong = label_key(key).and_then(|()| label_value(value.as_str().unwrap_or_default()));
        if let Err(why) = wrong {
            problems.add(format!("node_selector.{key}"), why);
        }
    }
    for (at, secret) in pods.image_pull_secrets.iter().enumerate() {
        if text(secret, "name").is_empty() {
            problems.add(
                format!("image_pull_secrets[{at}]"),
                r#"must be like {"name": "my-registry"}"#,
            );
        }
    }
    for (at, toleration) in pods.tolerations.iter().enumerate() {
        if let Err(why) = tolerates(toleration) {
            problems.add(format!("tolerations[{at}]"), why);
        }
    }
    let mut names = BTreeSet::new();
    for (at, volume) in pods.volumes.iter().enumerate() {
        let (field, name) = (format!("volumes[{at}]"), text(volume, "name"));
        if !is_label(name) {
            problems.add(&field, "must have a `name` of at most 63 characters a-z, 0-9 and `-`");
        } else if !names.insert(name) {
            problems.add(&field, format!("has the name `{name}` of another volume"));
        }
        if volume.len() != 2 {
            problems.add(&field, r#"must have a name and one source, like {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}"#);
        }
    }
    let (mut mounted, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (at, mount) in pods.volume_mounts.iter().enumerate() {
        let (field, name, path) = (
            format!("volume_mounts[{at}]"),
            text(mount, "name"),
            text(mount, "mountPath"),
        );
        if name.is_empty() {
            problems.add(&field, r#"must be like {"name": "data", "mountPath": "/data"}"#);
        } else if !mounted.insert(name) {
            // Trainer keeps the mounts of a patch by the name of their volume.
            problems.add(
                &field,
                format!("mounts `{name}` a second time: a job can mount each volume once"),
            );
        }
        let inside = text(mount, "subPath");
        if inside.starts_with('/') || inside.split('/').any(|part| part == "..") {
            problems.add(&field, "must have a relative `subPath` without `..`");
        }
        if !path.starts_with('/') || path.contains(':') {
            problems.add(&field, "must have an absolute `mountPath` without `:`");
        } else if !paths.insert(path) {
            problems.add(&field, format!("has the mountPath `{path}` of another mount"));
        }
    }
}

/// What the API server checks when pods are made, which is too late: the job is there by then.
fn tolerates(toleration: &Map<String, Value>) -> Result<(), String> {
    let one_of = |key: &str, known: &[&str]| match text(toleration, key) {
        "" => Ok(()),
        word if known.contains(&word) => Ok(()),
        word => Err(format!(
            "has the {key} `{}`, not one of {}",
            outside(word),
            known.join(", ")
        )),
    };
    one_of("operator", &["Exists", "Equal", "Lt", "Gt"])?;
    one_of("effect", &["NoSchedule", "PreferNoSchedule", "NoExecute"])?;
    let exists = text(toleration, "operator") == "Exists";
    if let (false, Err(why)) = (text(toleration, "key").is_empty(), label_key(text(toleration, "key"))) {
        return Err(format!("has a key that {why}"));
    }
    if exists && !text(toleration, "value").is_empty() {
        return Err("has a value beside operator Exists, which takes any: leave one of them out".into());
    }
    if !exists && text(toleration, "key").is_empty() {
        return Err("has no key, which only operator Exists does without".into());
    }
    if toleration.contains_key("tolerationSeconds") && text(toleration, "effect") != "NoExecute" {
        return Err("has tolerationSeconds, which need effect NoExecute".into());
    }
    Ok(())
}

/// What no program is started with.
pub(super) fn too_long(bytes: usize) -> String {
    format!(
        "has {bytes} bytes, and Linux starts no program with more than 128 KiB in one: have the program read it from a volume"
    )
}

/// Words of a command line that no program is started with.
pub(crate) fn long_words(field: &str, words: &[String], problems: &mut Problems) {
    for (at, word) in words.iter().enumerate().filter(|(_, word)| word.len() > MOST_BYTES) {
        problems.add(format!("{field}[{at}]"), too_long(word.len()));
    }
}

fn text<'a>(item: &'a Map<String, Value>, key: &str) -> &'a str {
    item.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Refuses a runtime that does not run programs of users.
pub(crate) fn runs_programs(runtime: &Runtime) -> Result<(), ToolError> {
    let (why, other) = if runtime.is_torchtune() {
        (
            "the runtime is for the built-in fine-tuning of torchtune and runs no containers of users",
            "name another runtime, for example torch-distributed; list_runtimes shows what there is",
        )
    } else if runtime.trainer().is_none() || runtime.node().is_none_or(|node| node.name != "node") {
        (
            "the runtime has no training container called `node`, which the job's image would replace",
            "name another runtime; list_runtimes shows what there is",
        )
    } else {
        return Ok(());
    };
    let asked = format!("run a container on the runtime `{}`", runtime.name);
    let mut error = ToolError::new(ErrorCode::Unsupported, asked, why)
        .fix(other)
        .tool("list_runtimes");
    error.field = Some("runtime".to_owned());
    Err(error)
}

/// Checks what the runtime decides: the length of the name, reserved variables, and which volumes there are. Told with what
/// the tool itself found.
pub(crate) fn of_runtime(wishes: &Wishes, runtime: &Runtime, mut problems: Problems) -> Result<(), ToolError> {
    let (job, volumes) = (wishes.job, runtime.trainer().map(|part| part.volumes.as_slice()));
    let most = max_name_length(runtime, job.num_nodes);
    if let Some(name) = wishes.name.filter(|name| name.len() > most) {
        let why = format!(
            "has {} characters; on `{}` with {} nodes at most {most} leave room for the names of the pods",
            name.len(),
            runtime.name,
            job.num_nodes
        );
        problems.add("name", why);
    }
    for (name, _) in wishes.env().filter(|(name, _)| reserved_env(runtime.policy, name)) {
        problems.add(format!("env.{name}"), "is set by Trainer itself on this runtime");
    }
    let own: BTreeSet<&str> = job
        .volumes
        .iter()
        .flatten()
        .map(|volume| text(volume, "name"))
        .collect();
    let has = || volumes.unwrap_or_default().iter().chain(&runtime.claims);
    for (at, volume) in job.volumes.iter().flatten().enumerate() {
        let name = text(volume, "name");
        if has().any(|volume| volume == name) {
            let why = format!("has the name `{name}` of a volume of the runtime: give it another");
            problems.add(format!("volumes[{at}]"), why);
        }
    }
    for (at, mount) in job.volume_mounts.iter().flatten().enumerate() {
        let name = text(mount, "name");
        let path = text(mount, "mountPath");
        // What the job's own initializers fetch is nowhere else; other mounts of the runtime may be replaced.
        if let Some(volume) = mounted_there(runtime, name, path).filter(|volume| runtime.claims.contains(volume)) {
            let why = format!(
                "has the mountPath `{path}`, where the runtime mounts what is fetched (`{volume}`): mount it elsewhere"
            );
            problems.add(format!("volume_mounts[{at}]"), why);
        }
        let known = own.contains(name) || has().any(|volume| volume == name);
        if !known {
            problems.add(
                format!("volume_mounts[{at}]"),
                format!("mounts `{name}`, which is not among the volumes"),
            );
        }
    }
    problems.settle(wishes.tool)
}

/// The volume that the runtime mounts where a job mounts another: Trainer merges mounts by their path.
pub(super) fn mounted_there<'a>(runtime: &'a Runtime, name: &str, path: &str) -> Option<&'a String> {
    let place = |path: &'_ str| path.trim_end_matches('/').to_owned();
    let mut there = runtime.node().into_iter().flat_map(|node| &node.mounts);
    let (_, volume) = there.find(|(of, volume)| *volume != name && place(of) == place(path))?;
    Some(volume)
}

/// How many processes torchrun starts on a node when nobody says: Trainer counts what is called a GPU, else CPUs.
pub(super) fn derived_processes(resources: &BTreeMap<String, String>) -> Option<u64> {
    if resources.keys().any(|name| name.to_ascii_lowercase().contains("gpu")) {
        return None;
    }
    let cpu = resources.get("cpu")?;
    count(cpu).or(Some(1))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
