//! Clients that are not ours: kubectl and the Kubeflow SDK against `kubeflow-mcp sandbox`, the Python MCP SDK against
//! `kubeflow-mcp serve`. They are installed by scripts/external-clients.sh; a test whose client is not there lists itself
//! as ignored, with the reason.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};

const BINARY: &str = env!("CARGO_BIN_EXE_kubeflow-mcp");

fn main() {
    let arguments = Arguments::from_args();
    let place = std::env::var_os("KF_EXTERNAL").map(PathBuf::from);
    let tests = vec![
        trial("kubectl reads and writes", place.as_deref(), "kubectl", kubectl),
        trial(
            "the Kubeflow SDK lists, submits and deletes",
            place.as_deref(),
            "venv/bin/python",
            kubeflow_sdk,
        ),
        trial(
            "the Python MCP SDK lists and calls",
            place.as_deref(),
            "venv/bin/python",
            mcp_sdk,
        ),
        trial(
            "the Python MCP SDK asks the person",
            place.as_deref(),
            "venv/bin/python",
            mcp_sdk_asks,
        ),
    ];
    libtest_mimic::run(&arguments, tests).exit();
}

/// A test that is ignored when its client is not installed. The reason is part of the name, where every runner shows it.
fn trial(name: &str, place: Option<&Path>, client: &str, test: fn(&Path) -> Result<(), Failed>) -> Trial {
    match place.map(|place| place.join(client)).filter(|path| path.exists()) {
        Some(path) => Trial::test(name, move || test(&path)),
        None => {
            let why =
                format!("{name} [no {client}: run scripts/external-clients.sh and set KF_EXTERNAL=target/external]");
            Trial::test(why, || Ok(())).with_ignored_flag(true)
        }
    }
}

/// The sandbox as an API server, ended when it is dropped.
struct Sandbox {
    child: Child,
    home: tempfile::TempDir,
}

impl Sandbox {
    fn start() -> Result<Self, Failed> {
        let home = tempfile::tempdir()?;
        let mut child = Command::new(BINARY)
            .args(["sandbox", "--write-kubeconfig"])
            .arg(home.path().join("kubeconfig"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        let first = lines.next().ok_or("the sandbox ended")??;
        std::thread::spawn(move || lines.for_each(drop));
        let sandbox = Self { child, home };
        if first.contains("http://127.0.0.1:") {
            Ok(sandbox)
        } else {
            Err(format!("unexpected: {first}").into())
        }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("KUBECONFIG", self.home.path().join("kubeconfig"))
            .env("HOME", self.home.path());
        command.env("KUBECACHEDIR", self.home.path().join("cache"));
        command
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a program to its end; what it printed, or why it failed.
fn run(command: &mut Command) -> Result<String, Failed> {
    let done = command.stdin(Stdio::null()).output()?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    if done.status.success() {
        Ok(text)
    } else {
        Err(text.into())
    }
}

fn must_say(text: &str, words: &[&str]) -> Result<(), Failed> {
    match words.iter().find(|word| !text.contains(*word)) {
        Some(word) => Err(format!("nothing of `{word}` in: {text}").into()),
        None => Ok(()),
    }
}

fn kubectl(program: &Path) -> Result<(), Failed> {
    let sandbox = Sandbox::start()?;
    let kubectl = |arguments: &[&str]| run(sandbox.command(program).args(arguments));
    kubectl_reads(&kubectl)?;
    let manifest = sandbox.home.path().join("job.yaml");
    std::fs::write(
        &manifest,
        "apiVersion: trainer.kubeflow.org/v1alpha1\nkind: TrainJob\nmetadata: {name: from-kubectl, namespace: default}\n\
         spec: {runtimeRef: {name: torch-distributed}, trainer: {numNodes: 1, image: \"example.com/train:1\"}}\n",
    )?;
    let manifest = manifest.display().to_string();
    must_say(
        &kubectl(&["create", "--dry-run=server", "-f", &manifest])?,
        &["created (server dry run)"],
    )?;
    must_say(&kubectl(&["create", "-f", &manifest])?, &["created"])?;
    must_say(
        &kubectl(&["get", "trainjob", "from-kubectl", "-n", "default", "-o", "yaml"])?,
        &["torch-distributed"],
    )?;
    must_say(
        &kubectl(&[
            "get",
            "pods",
            "-n",
            "default",
            "-l",
            "jobset.sigs.k8s.io/jobset-name=from-kubectl",
        ])?,
        &["from-kubectl-node-0-0"],
    )?;
    must_say(
        &kubectl(&["delete", "trainjob", "from-kubectl", "-n", "default"])?,
        &["deleted"],
    )?;
    let gone = kubectl(&["get", "trainjob", "from-kubectl", "-n", "default"])
        .err()
        .ok_or("it is still there")?;
    must_say(gone.message().unwrap_or_default(), &["NotFound"])
}

/// What `kubectl` shows of the showcase: tables, discovery and OpenAPI are the server's work.
fn kubectl_reads(kubectl: &impl Fn(&[&str]) -> Result<String, Failed>) -> Result<(), Failed> {
    let jobs = kubectl(&["get", "trainjobs", "-A"])?;
    must_say(&jobs, &["NAMESPACE", "NAME", "STATE", "AGE", "qwen-sft", "Suspended"])?;
    must_say(&kubectl(&["get", "nodes", "-o", "name"])?, &["node/"])?;
    let pods = kubectl(&["get", "pods", "-A", "-o", "wide"])?;
    must_say(
        &pods,
        &["READY", "RESTARTS", "NOMINATED NODE", "OOMKilled", "1/1", "ago)"],
    )?;
    let all = kubectl(&["get", "all", "-n", "team-a"])?;
    must_say(
        &all,
        &[
            "pod/",
            "job.batch/",
            "COMPLETIONS",
            "experiment.kubeflow.org/",
            "Succeeded",
        ],
    )?;
    let pages = kubectl(&["get", "events", "-A", "--chunk-size=5"])?;
    must_say(&pages, &["LAST SEEN", "OBJECT"])?;
    let watched = kubectl(&["get", "jobsets", "-n", "team-a", "--watch", "--request-timeout=2s"]);
    let watched = watched.unwrap_or_else(|failed| failed.message().unwrap_or_default().to_owned());
    must_say(&watched, &["TERMINALSTATE", "qwen-sft"])?;
    let resources = kubectl(&["api-resources", "--categories=katib"])?;
    must_say(
        &resources,
        &["experiments", "kubeflow.org/v1beta1", "true", "Experiment"],
    )?;
    must_say(
        &kubectl(&["api-versions"])?,
        &["trainer.kubeflow.org/v1alpha1", "batch/v1"],
    )?;
    let explained = kubectl(&["explain", "trainjob.spec.trainer"])?;
    must_say(&explained, &["GROUP:", "VERSION:    v1alpha1", "numNodes\t<integer>"])?;
    must_say(&kubectl(&["get", "--raw", "/livez?verbose"])?, &["livez check passed"])
}

fn kubeflow_sdk(python: &Path) -> Result<(), Failed> {
    let sandbox = Sandbox::start()?;
    let script = r#"
from kubeflow.trainer import TrainerClient, CustomTrainerContainer
from kubeflow.common.types import KubernetesBackendConfig
client = TrainerClient(KubernetesBackendConfig(namespace="default"))
before = client.list_jobs()
name = client.train(runtime="torch-distributed", trainer=CustomTrainerContainer(image="example.com/train:1", num_nodes=2))
job = client.get_job(name)
print("job", job.name == name, job.num_nodes)
print("listed", len(client.list_jobs()) == len(before) + 1)
print("runtimes", sorted(r.name for r in client.list_runtimes()))
client.delete_job(name)
print("left", len(client.list_jobs()) == len(before))
team = TrainerClient(KubernetesBackendConfig(namespace="team-a")).list_jobs()
print("team-a", len(team) > 0)
"#;
    let text = run(sandbox.command(python).args(["-c", script]))?;
    must_say(
        &text,
        &[
            "job True 2",
            "listed True",
            "torch-distributed",
            "left True",
            "team-a True",
        ],
    )
}

fn mcp_sdk(python: &Path) -> Result<(), Failed> {
    let script = r#"
import asyncio, sys
from mcp import Client, StdioServerParameters
async def main():
    for mode in ("auto", "legacy", "2026-07-28"):
        server = StdioServerParameters(command=sys.argv[1], args=["serve", "--sandbox", "--no-banner", "--log-level", "error"])
        async with Client(server, mode=mode) as client:
            tools = (await client.list_tools()).tools
            answer = await client.call_tool("list_training_jobs", {"limit": 3, "namespace": "*"})
            print(mode, len(tools) >= 11, not answer.is_error, len(answer.structured_content["jobs"]))
asyncio.run(main())
"#;
    let text = run(Command::new(python).args(["-c", script, BINARY]))?;
    must_say(
        &text,
        &["auto True True 3", "legacy True True 3", "2026-07-28 True True 3"],
    )
}

/// What the person says is what happens, in both generations of the protocol; and without anybody to ask nothing does.
fn mcp_sdk_asks(python: &Path) -> Result<(), Failed> {
    let script = r#"
import asyncio, os, sys, tempfile
from mcp import Client, StdioServerParameters
from mcp.types import ElicitResult
async def main():
    policy = os.path.join(tempfile.mkdtemp(), "policy.yaml")
    with open(policy, "w") as file:
        file.write("policy: {require_confirmation: person}")
    args = ["serve", "--sandbox", "--no-banner", "--log-level", "error", "--persona", "ml-engineer", "--policy", policy]
    for mode in ("legacy", "2026-07-28"):
        for action in ("accept", "decline", "cancel", None):
            asked = []
            async def person(context, params):
                asked.append(params.message)
                return ElicitResult(action=action, content={"confirm": True} if action == "accept" else None)
            server = StdioServerParameters(command=sys.argv[1], args=args)
            client = Client(server, mode=mode, **({"elicitation_callback": person} if action else {}))
            async with client:
                job = {"name": "asked", "image": "example.com/train:1", "gpu_per_node": 0, "confirmed": True}
                answer = (await client.call_tool("run_container_training", job)).structured_content
                code = answer.get("error", {}).get("code", "done")
                there = not (await client.call_tool("get_training_job", {"name": "asked"})).is_error
                print(mode, action, code, len(asked), there)
asyncio.run(main())
"#;
    let text = run(Command::new(python).args(["-c", script, BINARY]))?;
    for mode in ["legacy", "2026-07-28"] {
        for said in [
            "accept done 1 True",
            "decline declined 1 False",
            "cancel cancelled 1 False",
            "None denied_by_policy 0 False",
        ] {
            must_say(&text, &[&format!("{mode} {said}")])?;
        }
    }
    Ok(())
}
