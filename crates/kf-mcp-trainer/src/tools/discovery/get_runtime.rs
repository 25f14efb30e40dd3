//! `get_runtime`: what a training runtime brings to the jobs on it.

use std::collections::BTreeMap;

use kf_mcp_core::{Access, Cx, Namespace, Next, ObjectName, Phase, Render, Text, Tool, ToolError, ToolSpec};
use kf_mcp_trainjob::{
    Container, Devices, Policy, ReplicatedJob, Runtime, RuntimeScope, max_name_length, reserved_names,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::pods::outside;
use crate::runtimes::{self, Found};

/// Show a training runtime: framework, image, command, default nodes and devices, parts, and the longest job name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetRuntime {
    /// Runtime name.
    name: ObjectName,
    /// Also give the call that would list the image's Python packages; nothing is started.
    #[serde(default)]
    include_packages: bool,
    /// Whose own runtimes come first; your namespace by default.
    namespace: Option<Namespace>,
}

/// What `get_runtime` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RuntimeFacts {
    name: String,
    scope: RuntimeScope,
    #[serde(skip_serializing_if = "String::is_empty")]
    framework: String,
    /// How the nodes are made to work together.
    policy: Policy,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deprecated: bool,
    /// Nodes of a job that does not say.
    nodes: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_proc_per_node: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<Devices>,
    /// Image of the training container.
    #[serde(skip_serializing_if = "String::is_empty")]
    image: String,
    /// Command of the training container, where the runtime sets one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    /// The longest name of a job, with the default nodes.
    max_job_name_length: usize,
    /// Variables that jobs must not set.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reserved_env: &'static [&'static str],
    jobs: Vec<Part>,
    /// Volume claims that each job gets, and loses when it is deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volume_claims: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The call that would list the image's packages.
    #[serde(skip_serializing_if = "Option::is_none")]
    packages_call: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Part {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    step: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waits_for: Vec<String>,
    containers: Vec<ContainerFacts>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ContainerFacts {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    image: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    resources: BTreeMap<String, String>,
    /// What an initializer fetches unless the job says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_uri: Option<String>,
}

impl Render for RuntimeFacts {
    fn render(&self, text: &mut Text) {
        let deprecated = if self.deprecated { ", deprecated" } else { "" };
        text.line(format!("{} ({} runtime{deprecated})", self.name, self.scope.as_str()));
        text.fact("framework", &self.framework);
        let processes = self
            .num_proc_per_node
            .map(|n| format!(", {n} processes per node"))
            .unwrap_or_default();
        text.fact("policy", format!("{}{processes}", self.policy.as_str()));
        let devices = self
            .devices
            .as_ref()
            .map(|d| format!(" x {} {}", d.per_node, d.resource))
            .unwrap_or_default();
        text.fact("default nodes", format!("{}{devices}", self.nodes));
        text.fact("image", &self.image);
        text.fact("command", self.command.join(" "));
        text.fact("longest job name", self.max_job_name_length);
        text.fact("reserved env", self.reserved_env.join(", "));
        for part in &self.jobs {
            let waits = if part.waits_for.is_empty() {
                String::new()
            } else {
                format!(" after {}", part.waits_for.join(", "))
            };
            let step = if part.step.is_empty() {
                String::new()
            } else {
                format!(" ({})", part.step)
            };
            let containers: Vec<String> = part.containers.iter().map(ContainerFacts::line).collect();
            text.line(format!("job {}{step}{waits}: {}", part.name, containers.join("; ")));
        }
        text.fact("volume claims of each job", self.volume_claims.join(", "));
        text.fact("note", self.note.as_deref().unwrap_or_default());
        if let Some(call) = &self.packages_call {
            text.line(format!(
                "to list its packages, call {} with {}",
                call["tool"].as_str().unwrap_or_default(),
                call["arguments"]
            ));
        }
        text.facts("not seen", &self.not_seen);
    }
}

impl ContainerFacts {
    fn of(container: &Container) -> Self {
        Self {
            name: outside(&container.name),
            image: outside(&container.image),
            command: command(container),
            resources: container.resources.clone(),
            storage_uri: container.env.get("STORAGE_URI").map(|uri| outside(uri)),
        }
    }

    fn line(&self) -> String {
        let resources: Vec<String> = self
            .resources
            .iter()
            .map(|(name, amount)| format!("{name}={amount}"))
            .collect();
        let uri = self
            .storage_uri
            .as_deref()
            .map(|uri| format!("fetches {uri}"))
            .unwrap_or_default();
        let words = [&self.name, &self.image, &resources.join(","), &uri];
        words
            .into_iter()
            .filter(|word| !word.is_empty())
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn command(container: &Container) -> Vec<String> {
    container
        .command
        .iter()
        .chain(&container.args)
        .map(|word| outside(word))
        .collect()
}

impl Tool for GetRuntime {
    type Output = RuntimeFacts;
    const SPEC: ToolSpec = ToolSpec::read("get_runtime", Phase::Discovery)
        .access(&[
            Access::new("trainer.kubeflow.org", "trainingruntimes", &["get"]).degrades(),
            Access::new("trainer.kubeflow.org", "clustertrainingruntimes", &["get"])
                .cluster()
                .degrades(),
        ])
        .next(&[
            Next::to("list_runtimes", "there is no such runtime"),
            Next::to("run_container_training", "it is the one to use"),
        ]);

    async fn run(self, cx: &Cx) -> Result<RuntimeFacts, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let Some(Found { runtime, not_seen }) = runtimes::find(cx, &namespace, &self.name).await? else {
            return Err(ToolError::new(
                kf_mcp_core::ErrorCode::NotFound,
                format!("read the training runtime `{}`", self.name),
                format!("there is none of that name, neither in namespace `{namespace}` nor in the cluster"),
            )
            .fix("list_runtimes shows what there is")
            .tool("list_runtimes"));
        };
        Ok(facts(&runtime, self.include_packages, not_seen))
    }
}

kf_mcp_core::register!(GetRuntime);

fn facts(runtime: &Runtime, packages: bool, not_seen: Vec<String>) -> RuntimeFacts {
    let node = runtime.node();
    let nodes = u32::try_from(runtime.num_nodes).unwrap_or(1).max(1);
    let part = |part: &ReplicatedJob| Part {
        name: outside(&part.name),
        step: outside(&part.step),
        waits_for: part.depends_on.iter().map(|name| outside(name)).collect(),
        containers: part.containers.iter().map(ContainerFacts::of).collect(),
    };
    RuntimeFacts {
        name: runtime.name.clone(),
        scope: runtime.scope,
        framework: outside(&runtime.framework),
        policy: runtime.policy,
        deprecated: runtime.deprecated,
        nodes: runtime.num_nodes,
        num_proc_per_node: runtime.num_proc_per_node,
        devices: runtime.devices(),
        image: node.map(|node| outside(&node.image)).unwrap_or_default(),
        command: node.map(command).unwrap_or_default(),
        max_job_name_length: max_name_length(runtime, nodes),
        reserved_env: reserved_names(runtime.policy),
        jobs: runtime.replicated_jobs.iter().map(part).collect(),
        volume_claims: runtime.claims.iter().map(|claim| outside(claim)).collect(),
        note: runtime.note().map(str::to_owned),
        packages_call: node.filter(|_| packages).map(|node| packages_call(runtime, node)),
        not_seen,
    }
}

/// Reading packages means running the image, which a read tool does not do: this is how the caller can.
fn packages_call(runtime: &Runtime, node: &Container) -> Value {
    // Only built-in fine-tuning runs on a torchtune runtime; its image runs anywhere.
    let on = if runtime.is_torchtune() {
        "torch-distributed"
    } else {
        &runtime.name
    };
    json!({"tool": "run_container_training", "arguments": {
        "image": node.image, "command": ["pip", "list", "--format=freeze"], "runtime": on, "gpu_per_node": 0,
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_tells_what_jobs_need_to_know() {
        let container =
            |name: &str| json!({"name": name, "image": "i", "env": [{"name": "STORAGE_URI", "value": "hf://a/b"}]});
        let part = |name: &str, step: &str| {
            json!({"name": name, "template": {"metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": step}},
                "spec": {"template": {"spec": {"containers": [container(if step == "trainer" { "node" } else { name })]}}}}})
        };
        let value = json!({"metadata": {"name": "t", "labels": {"trainer.kubeflow.org/framework": "torchtune"}},
            "spec": {"mlPolicy": {"numNodes": 1, "torch": {}}, "template": {"spec": {"replicatedJobs": [
                part("dataset-initializer", "dataset-initializer"), part("node", "trainer")]}}}});
        let runtime = Runtime::from_value(&value, RuntimeScope::Cluster);
        let facts = facts(&runtime, true, Vec::new());
        assert_eq!((facts.max_job_name_length, facts.reserved_env.len()), (33, 5));
        assert_eq!(facts.jobs[0].containers[0].storage_uri.as_deref(), Some("hf://a/b"));
        assert_eq!(
            facts.packages_call.as_ref().unwrap()["arguments"]["runtime"],
            "torch-distributed"
        );
        let mut text = Text::new(jiff::Timestamp::UNIX_EPOCH);
        facts.render(&mut text);
        assert!(
            text.finish()
                .contains("job dataset-initializer (dataset-initializer): dataset-initializer i fetches hf://a/b")
        );
    }
}
