//! Where the outputs of a training lie: the volumes that its container writes to, and the directories that its own
//! arguments and variables name. Only what is certain is told: a path in a shell line or a script is not.

use kf_mcp_core::kube::Page;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::pods::{Pod, outside};

/// Outputs that are told.
const MOST: usize = 12;
/// The options and variables that name a directory for results, in any case and with either dash.
const NAMES: [&str; 4] = ["output_dir", "save_dir", "checkpoint_dir", "default_root_dir"];
/// A claim that JobSet made for the job.
const OF_JOB: &str = "deleted with the job unless its runtime retains it";
/// What is on no volume.
const LOST: &str = "on no volume: lost with the pod";

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Path in the container, or a URI.
    pub(crate) path: String,
    /// What says so: an argument, a variable, or a volume.
    pub(crate) from: String,
    /// The PersistentVolumeClaim it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) claim: Option<String>,
    /// What becomes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Output {
    /// In words.
    pub(crate) fn words(&self) -> String {
        let claim = self
            .claim
            .as_ref()
            .map(|claim| format!(" on claim {claim}"))
            .unwrap_or_default();
        let note = self.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        format!("{} ({}){claim}{note}", self.path, self.from)
    }
}

/// The outputs of a TrainJob: as its first training pod is made, or, without pods, as far as the job itself says.
pub(crate) fn of_train_job(job: &Value, page: Option<&Page>, lead: Option<&Pod>) -> Vec<Output> {
    let name = text(job, "/metadata/name");
    let pod = lead.and_then(|lead| {
        let pods = page?
            .items
            .iter()
            .filter_map(|item| serde_json::from_str::<Value>(item.get()).ok());
        let mut pods = pods;
        Some((
            pods.find(|pod| pod["metadata"]["name"] == lead.metadata.name)?,
            lead.container(),
        ))
    });
    match pod {
        Some((pod, container)) => of_spec(&pod["spec"], container, name),
        None => of_spec(&expected(job), "node", name),
    }
}

/// The outputs that a pod's spec tells; `job` makes the names of the claims that are the job's own.
pub(crate) fn of_spec(spec: &Value, container: &str, job: &str) -> Vec<Output> {
    let containers = list(spec, "containers");
    let named = containers.iter().find(|of| of["name"] == container);
    let Some(container) = named.or_else(|| containers.first()) else {
        return Vec::new();
    };
    let mounts = mounts(spec, container);
    let mut outputs: Vec<Output> = Vec::new();
    for (from, path) in told(container) {
        let mount = mounts
            .iter()
            .filter(|mount| holds(mount.path, &path))
            .max_by_key(|mount| mount.path.len());
        let (claim, note) = match mount {
            _ if !path.starts_with('/') => (None, None),
            None => (None, Some(LOST.to_owned())),
            Some(mount) => mount.lies(job),
        };
        outputs.push(Output {
            path: outside(&path),
            from,
            claim,
            note,
        });
    }
    for mount in mounts.iter().filter(|mount| mount.claim.is_some() && !mount.read_only) {
        let (claim, note) = mount.lies(job);
        if outputs.iter().all(|output| output.claim != claim) {
            outputs.push(Output {
                path: outside(mount.path),
                from: "mounted volume".into(),
                claim,
                note,
            });
        }
    }
    outputs.truncate(MOST);
    outputs
}

/// One mount of a container.
struct Mount<'a> {
    path: &'a str,
    volume: &'a Value,
    claim: Option<&'a str>,
    read_only: bool,
}

impl Mount<'_> {
    /// The claim, and what becomes of it.
    fn lies(&self, job: &str) -> (Option<String>, Option<String>) {
        let volume = text(self.volume, "/name");
        if let Some(claim) = self.claim {
            // JobSet calls the claims that it makes so, and the volumes as their templates.
            let own = claim.strip_suffix(job).and_then(|rest| rest.strip_suffix('-')) == Some(volume);
            return (Some(outside(claim)), own.then(|| OF_JOB.to_owned()));
        }
        let note = match self.volume {
            of if of.get("emptyDir").is_some() => "on an emptyDir: lost with the pod".to_owned(),
            of if of.get("hostPath").is_some() => "on the disk of the node it ran on".to_owned(),
            _ => format!("on volume {}", outside(volume)),
        };
        (None, Some(note))
    }
}

fn mounts<'a>(spec: &'a Value, container: &'a Value) -> Vec<Mount<'a>> {
    let volumes = list(spec, "volumes");
    let of = |mount: &'a Value| {
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"])?;
        let source = volume.get("persistentVolumeClaim");
        Some(Mount {
            path: mount["mountPath"].as_str()?,
            volume,
            claim: source.and_then(|source| source["claimName"].as_str()),
            read_only: mount["readOnly"] == true || source.is_some_and(|source| source["readOnly"] == true),
        })
    };
    list(container, "volumeMounts").iter().filter_map(of).collect()
}

/// Whether a path is a directory of mounts or below it.
fn holds(mount: &str, path: &str) -> bool {
    let mount = mount.trim_end_matches('/');
    path.strip_prefix(mount)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What the arguments and variables of a container name, with who says it. Of an option that is given twice the last
/// counts, as it does to the parsers of Hugging Face and torchtune.
fn told(container: &Value) -> Vec<(String, String)> {
    let words: Vec<&str> = ["command", "args"]
        .iter()
        .flat_map(|of| list(container, of))
        .filter_map(Value::as_str)
        .collect();
    let mut told: Vec<(String, String)> = Vec::new();
    let mut tell = |from: String, value: &str| {
        if is_place(value) {
            told.retain(|(other, _)| *other != from);
            told.push((from, value.to_owned()));
        }
    };
    for (at, word) in words.iter().enumerate() {
        if let Some((name, value)) = word.split_once('=') {
            if let Some(name) = result_name(name) {
                tell(format!("argument {name}"), value);
            }
        } else if word.starts_with("--")
            && let (Some(name), Some(value)) = (result_name(word), words.get(at + 1))
        {
            tell(format!("argument {name}"), value);
        }
    }
    for variable in list(container, "env") {
        let (name, value) = (text(variable, "/name"), text(variable, "/value"));
        if result_name(&name.to_ascii_lowercase()).is_some() {
            tell(format!("variable {}", outside(name)), value);
        }
    }
    told
}

/// The name of an option for results, without dashes; none for others, such as `checkpointer.checkpoint_dir`, which
/// torchtune reads from.
fn result_name(option: &str) -> Option<&'static str> {
    let name = option.trim_start_matches("--").replace('-', "_");
    NAMES.iter().copied().find(|known| *known == name)
}

/// An absolute path or a URI, and nothing that a shell would change.
fn is_place(value: &str) -> bool {
    let plain = !value.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '$' | '`' | '*'));
    let uri = value.split_once("://").is_some_and(|(scheme, rest)| {
        !scheme.is_empty() && !rest.is_empty() && scheme.bytes().all(|c| c.is_ascii_alphanumeric())
    });
    plain && (value.starts_with('/') || uri)
}

/// The pod of a job that has none, as far as the job itself says: its container, and the volumes that it adds. The
/// torchtune runtimes that Trainer ships train on a claim of the job.
fn expected(job: &Value) -> Value {
    let trainer = &job["spec"]["trainer"];
    let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
    let mut args = list(trainer, "args").to_vec();
    if text(job, "/spec/runtimeRef/name").starts_with("torchtune-") {
        let claim = format!("initializer-{}", text(job, "/metadata/name"));
        volumes.push(json!({"name": "initializer", "persistentVolumeClaim": {"claimName": claim}}));
        mounts.push(json!({"name": "initializer", "mountPath": "/workspace"}));
        args.push(json!("output_dir=/workspace/output"));
    }
    for patch in list(&job["spec"], "runtimePatches") {
        let parts = &patch["trainingRuntimeSpec"]["template"]["spec"];
        for part in list(parts, "replicatedJobs")
            .iter()
            .filter(|part| part["name"] == "node")
        {
            let spec = &part["template"]["spec"]["template"]["spec"];
            volumes.extend_from_slice(list(spec, "volumes"));
            let node = list(spec, "containers")
                .iter()
                .find(|container| container["name"] == "node");
            mounts.extend_from_slice(node.map_or(&[], |node| list(node, "volumeMounts")));
        }
    }
    json!({"volumes": volumes, "containers": [{
        "name": "node", "command": trainer["command"], "args": args, "env": trainer["env"], "volumeMounts": mounts,
    }]})
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(spec: &Value) -> Vec<String> {
        of_spec(spec, "node", "a").iter().map(Output::words).collect()
    }

    fn pod(container: Value, volumes: Value) -> Value {
        let mut container = container;
        container["name"] = json!("node");
        json!({"containers": [{"name": "side"}, container], "volumes": volumes})
    }

    #[test]
    fn torchtune_writes_to_the_claim_of_the_job() {
        let command = [
            "tune",
            "run",
            "full_finetune_distributed",
            "output_dir=/workspace/output",
            "checkpointer.checkpoint_dir=/workspace/model",
        ];
        let spec = pod(
            json!({"command": command, "volumeMounts": [{"name": "initializer", "mountPath": "/workspace"}]}),
            json!([{"name": "initializer", "persistentVolumeClaim": {"claimName": "initializer-a"}}]),
        );
        let told = "/workspace/output (argument output_dir) on claim initializer-a; deleted with the job unless its runtime retains it";
        assert_eq!(words(&spec), [told]);
        let job = json!({"metadata": {"name": "a"}, "spec": {"runtimeRef": {"name": "torchtune-llama3.2-1b"}}});
        let expected = of_train_job(&job, None, None);
        assert_eq!(
            expected.iter().map(Output::words).collect::<Vec<_>>(),
            [told],
            "before it has pods"
        );
    }

    #[test]
    fn a_directory_is_on_the_volume_that_is_mounted_nearest() {
        let spec = pod(
            json!({"args": ["--output-dir", "/data/runs/1", "--save_dir=/data", "--default_root_dir", "/tmp/x"],
                "env": [{"name": "CHECKPOINT_DIR", "value": "s3://bucket/ck"}],
                "volumeMounts": [{"name": "d", "mountPath": "/data/"}, {"name": "s", "mountPath": "/data/runs"},
                    {"name": "in", "mountPath": "/in", "readOnly": true}, {"name": "o", "mountPath": "/other"}]}),
            json!([{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "s", "emptyDir": {}},
                {"name": "in", "persistentVolumeClaim": {"claimName": "inputs"}},
                {"name": "o", "persistentVolumeClaim": {"claimName": "others"}}]),
        );
        assert_eq!(
            words(&spec),
            [
                "/data/runs/1 (argument output_dir); on an emptyDir: lost with the pod",
                "/data (argument save_dir) on claim data",
                "/tmp/x (argument default_root_dir); on no volume: lost with the pod",
                "s3://bucket/ck (variable CHECKPOINT_DIR)",
                "/other (mounted volume) on claim others",
            ]
        );
    }

    #[test]
    fn what_is_not_certain_is_not_told() {
        for container in [
            json!({"command": ["bash", "-c", "python train.py --output_dir /x"]}),
            json!({"args": ["--output_dir", "$HOME/x", "--save_dir", "runs"]}),
            json!({"args": ["--output_dir"]}),
            json!({"env": [{"name": "OUTPUT_DIR", "valueFrom": {}}]}),
            json!({"args": ["checkpointer.checkpoint_dir=/workspace/model"]}),
        ] {
            assert_eq!(words(&pod(container.clone(), json!([]))), [""; 0], "{container}");
        }
        assert_eq!(of_spec(&Value::Null, "node", "a"), []);
    }

    #[test]
    fn of_an_option_that_is_given_twice_the_last_counts() {
        let spec = pod(json!({"args": ["--output_dir=/a", "--output_dir", "/b"]}), json!([]));
        assert_eq!(
            words(&spec),
            ["/b (argument output_dir); on no volume: lost with the pod"]
        );
    }

    #[test]
    fn volumes_that_a_job_adds_are_known_before_it_has_pods() {
        let spec = json!({"volumes": [{"name": "w", "persistentVolumeClaim": {"claimName": "weights"}}],
            "containers": [{"name": "node", "volumeMounts": [{"name": "w", "mountPath": "/w"}]}]});
        let job = json!({"metadata": {"name": "a"}, "spec": {"trainer": {"args": ["--output_dir=/w/1"]}, "runtimePatches": [
            {"trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [
                {"name": "node", "template": {"spec": {"template": {"spec": spec}}}}]}}}}]}});
        let told = of_train_job(&job, None, None);
        assert_eq!(
            told.iter().map(Output::words).collect::<Vec<_>>(),
            ["/w/1 (argument output_dir) on claim weights"]
        );
    }
}
