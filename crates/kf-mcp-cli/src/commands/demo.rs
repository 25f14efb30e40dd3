//! `demo`: an MCP client walks a training job from the first question to its end, on the sandbox.
//!
//! The client speaks MCP over a pipe inside the process, as an agent would over standard input and output. The sandbox's
//! clock is moved by hand, so that minutes of training take no time. A step whose answer is not what it should be ends
//! the demo with an error.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use kf_mcp_core::kube::Cluster;
use kf_mcp_core::{Catalogue, Clock, Persona, Selection};
use kf_mcp_sandbox::{Clock as SandboxClock, Sandbox};
use kf_mcp_server::Server;
use rmcp::model::{CallToolRequestParams, ProtocolVersion};
use rmcp::service::{ClientLifecycleMode, Peer, RoleClient, serve_client_with_lifecycle};
use serde_json::{Value, json};

use crate::clients::COMPILED;

/// The longest answer that is printed in full, in lines.
const LINES: usize = 14;
/// The longest line that is printed in full, in characters.
const WIDTH: usize = 132;

pub(crate) async fn run() -> Result<ExitCode> {
    let sandbox = Sandbox::named("showcase", SandboxClock::manual(Timestamp::now())).context("load the sandbox")?;
    let server = server(&sandbox)?;
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (input, output) = tokio::io::split(theirs);
    let serving = tokio::spawn(async move { server.serve_streams(input, output).await });
    let modern = ClientLifecycleMode::Discover {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
    };
    let client = serve_client_with_lifecycle((), tokio::io::split(ours), modern)
        .await
        .context("connect the client")?;
    let mut walk = Walk {
        peer: client.peer().clone(),
        sandbox,
        step: 0,
    };
    walk.all().await?;
    client.cancel().await.context("close the client")?;
    serving.await.context("the server's task")??;
    Ok(ExitCode::SUCCESS)
}

fn server(sandbox: &Sandbox) -> Result<Server> {
    let clients = COMPILED.iter().map(|module| module.name().to_owned()).collect();
    let catalogue = Catalogue::new(
        COMPILED,
        &Selection {
            clients,
            persona: Persona::MlEngineer,
        },
    )?;
    let cluster = Cluster::ready(sandbox.client(), sandbox.default_namespace(), "the sandbox (showcase)");
    let time = sandbox.clone();
    let server = Server::builder()
        .catalogue(catalogue)
        .cluster(Arc::new(cluster))
        .clock(Clock::from_fn(move || time.clock().now()))
        .build()?;
    Ok(server)
}

/// The walk, step by step.
struct Walk {
    peer: Peer<RoleClient>,
    sandbox: Sandbox,
    step: usize,
}

impl Walk {
    async fn all(&mut self) -> Result<()> {
        let tools = self.peer.list_all_tools().await.context("list the tools")?;
        say("kubeflow-mcp demo: what an agent sees and does, on a Kubeflow cluster in memory.")?;
        say(&format!(
            "The server offers {} tools to the persona ml-engineer.",
            tools.len()
        ))?;
        let has = |client: &str| COMPILED.iter().any(|module| module.name() == client);
        if has("trainer") {
            self.plan_and_submit().await?;
            self.watch().await?;
            self.look_at_a_failure().await?;
            self.end().await?;
        }
        if has("optimizer") {
            self.searches().await?;
        }
        if has("hub") {
            self.models().await?;
        }
        say(&format!("\n{} steps, each with the answer it should have.", self.step))
    }

    async fn plan_and_submit(&mut self) -> Result<()> {
        self.tell("Plan: is Kubeflow Trainer there, and which devices are free?")?;
        let answer = self.call("check_compatibility", json!({})).await?;
        expect(&answer, "/compatible", &json!(true))?;
        let answer = self.call("get_cluster_resources", json!({})).await?;
        contains(&answer, "nvidia.com/gpu")?;
        self.tell("Discover: what runs already, and on which runtimes could a job run?")?;
        let answer = self.call("list_training_jobs", json!({"namespace": "*"})).await?;
        for status in ["Running", "Complete", "Failed", "Suspended"] {
            contains(&answer, status)?;
        }
        let answer = self.call("list_runtimes", json!({})).await?;
        contains(&answer, "torch-distributed")?;
        self.tell("Preview: two nodes with one GPU each. The API server has tried it, nothing is changed.")?;
        let mut job = json!({
            "name": "demo-resnet", "image": "ghcr.io/example/resnet:1.0", "command": ["torchrun", "train.py"],
            "runtime": "torch-distributed", "num_nodes": 2, "gpu_per_node": 1,
        });
        let answer = self.call("run_container_training", job.clone()).await?;
        let plan = answer["plan_id"]
            .as_str()
            .context("the preview has no plan_id")?
            .to_owned();
        self.tell("Confirm: the same call with the plan's id. Now the job exists.")?;
        job["confirmed"] = json!(true);
        job["plan_id"] = json!(plan);
        let answer = self.call("run_container_training", job).await?;
        expect(&answer, "/name", &json!("demo-resnet"))
    }

    async fn watch(&mut self) -> Result<()> {
        let job = json!({"name": "demo-resnet"});
        self.pass(60)?;
        self.tell("Watch: the job's status, the last lines it printed, and what Kubernetes did.")?;
        let answer = self.call("get_training_job", job.clone()).await?;
        expect(&answer, "/status", &json!("Running"))?;
        let answer = self
            .call("get_training_logs", json!({"name": "demo-resnet", "tail_lines": 6}))
            .await?;
        contains(&answer, "loss")?;
        let answer = self
            .call("get_training_events", json!({"name": "demo-resnet", "limit": 8}))
            .await?;
        contains(&answer, "Scheduled")?;
        self.pass(300)?;
        let answer = self.call("get_training_job", job).await?;
        expect(&answer, "/status", &json!("Complete"))
    }

    async fn look_at_a_failure(&mut self) -> Result<()> {
        self.tell("A job that failed: which step, and its last words?")?;
        let failed = self
            .call("list_training_jobs", json!({"status": "Failed", "namespace": "*"}))
            .await?;
        let row = failed
            .pointer("/jobs/0")
            .context("the showcase has no failed job")?
            .clone();
        let answer = self
            .call(
                "get_training_job",
                json!({"name": row["name"], "namespace": row["namespace"]}),
            )
            .await?;
        contains(&answer, "OOMKilled")?;
        let logs = json!({"name": row["name"], "namespace": row["namespace"], "step": "node-3", "tail_lines": 5});
        let answer = self.call("get_training_logs", logs).await?;
        contains(&answer, "lines")
    }

    async fn end(&mut self) -> Result<()> {
        self.tell("End: a deletion is previewed too.")?;
        let answer = self.call("delete_training_job", json!({"name": "demo-resnet"})).await?;
        let plan = answer["plan_id"]
            .as_str()
            .context("the preview has no plan_id")?
            .to_owned();
        let confirm = json!({"name": "demo-resnet", "confirmed": true, "plan_id": plan});
        let answer = self.call("delete_training_job", confirm).await?;
        contains(&answer, "demo-resnet")
    }

    async fn searches(&mut self) -> Result<()> {
        self.tell("Optimize: hyperparameter searches (Katib Experiments), and the best trial of one.")?;
        let answer = self.call("list_optimization_jobs", json!({"namespace": "*"})).await?;
        let row = answer
            .pointer("/jobs/0")
            .context("the showcase has no experiment")?
            .clone();
        let one = json!({"name": row["name"], "namespace": row["namespace"]});
        let answer = self.call("get_best_hyperparameters", one).await?;
        contains(&answer, "accuracy")
    }

    async fn models(&mut self) -> Result<()> {
        self.tell("Register: which models are there, and what is known about one?")?;
        let answer = self.call("list_models", json!({})).await?;
        contains(&answer, "bert-sentiment")?;
        let answer = self.call("get_model", json!({"name": "bert-sentiment"})).await?;
        contains(&answer, "accuracy")
    }

    /// Lets the sandbox's time go on.
    fn pass(&mut self, seconds: i64) -> Result<()> {
        self.sandbox.advance(SignedDuration::from_secs(seconds));
        say(&format!("\n   … {seconds} s pass on the cluster …"))
    }

    fn tell(&mut self, what: &str) -> Result<()> {
        say(&format!("\n── {what}"))
    }

    /// Calls a tool, prints the call and its answer as a person would read it, and returns the structured answer.
    async fn call(&mut self, tool: &'static str, arguments: Value) -> Result<Value> {
        self.step += 1;
        say(&format!("\n> {tool} {}", shown(&arguments)))?;
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let answer = self
            .peer
            .call_tool(CallToolRequestParams::new(tool).with_arguments(arguments))
            .await;
        let answer = answer.with_context(|| format!("call {tool}"))?;
        let text: String = answer
            .content
            .iter()
            .filter_map(|c| c.as_text())
            .map(|t| t.text.clone())
            .collect();
        let lines: Vec<&str> = text.lines().collect();
        for line in lines.iter().take(LINES) {
            let cut = if line.chars().count() > WIDTH { "…" } else { "" };
            say(&format!("  {}{cut}", line.chars().take(WIDTH).collect::<String>()))?;
        }
        if lines.len() > LINES {
            say(&format!("  … ({} more lines)", lines.len() - LINES))?;
        }
        if answer.is_error == Some(true) {
            bail!("{tool} failed: {text}");
        }
        answer
            .structured_content
            .with_context(|| format!("{tool} answered nothing structured"))
    }
}

/// Arguments as a person would type them.
fn shown(arguments: &Value) -> String {
    let pairs = arguments.as_object().into_iter().flatten();
    pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn say(line: &str) -> Result<()> {
    super::print(line)
}

fn expect(answer: &Value, pointer: &str, want: &Value) -> Result<()> {
    match answer.pointer(pointer) {
        Some(have) if have == want => Ok(()),
        have => bail!("the answer's {pointer} is {have:?}, and should be {want}"),
    }
}

fn contains(answer: &Value, part: &str) -> Result<()> {
    if answer.to_string().contains(part) {
        Ok(())
    } else {
        bail!("the answer says nothing of {part}: {answer}")
    }
}
