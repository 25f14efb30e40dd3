//! What is allowed and yet surprises: told with the plan.

use kf_mcp_core::redact;
use kf_mcp_trainjob::{Policy, Runtime, devices};
use serde_json::Value;

use super::check::{derived_processes, mounted_there};
use super::{Checked, Program, Wishes};

/// Warnings about a job that would be accepted. They depend on the arguments and the runtime alone.
pub(crate) fn warnings(wishes: &Wishes, program: &Program, checked: &Checked, runtime: &Runtime) -> Vec<String> {
    let mut warnings = Vec::new();
    if runtime.deprecated {
        warnings.push(format!("the runtime `{}` is deprecated", runtime.name));
    }
    let mut effective = runtime.node().map(|node| node.resources.clone()).unwrap_or_default();
    effective.extend(checked.resources.clone());
    let given = wishes.resources_per_node().is_some();
    if devices(&effective).is_none() && wishes.gpu_per_node() != Some(0) {
        let unused = if given && wishes.gpu_per_node() == Some(1) {
            "; gpu_per_node is not used beside it"
        } else {
            ""
        };
        warnings.push(format!(
            "resources_per_node asks for no accelerator: the job trains on CPUs{unused}"
        ));
    }
    processes(wishes, checked, runtime, &mut warnings);
    if runtime.policy == Policy::Mpi && wishes.job.num_nodes == 1 {
        warnings.push("an MPI job of 1 node has 2 pods, a launcher and a worker, and each gets the resources".into());
    }
    if runtime.policy == Policy::Plain && wishes.job.num_nodes > 1 {
        warnings.push("this runtime does not tell the nodes of each other: your program has to find them".into());
    }
    if program.command.is_empty()
        && let Some(own) = runtime.node().filter(|node| !node.command.is_empty())
    {
        warnings.push(format!(
            "without a command the runtime's own runs: {}",
            own.command.join(" ")
        ));
    }
    if let Some(seconds) = wishes.job.active_deadline_seconds {
        warnings.push(format!(
            "after {seconds} s the job fails, and its pods with their logs and its own volume claims are deleted"
        ));
    }
    match (wishes.job.suspend, wishes.job.queue()) {
        (true, None) => warnings.push("the job is created suspended: nothing runs until it is resumed".into()),
        (true, Some(queue)) => warnings.push(format!(
            "the job is created suspended, and Kueue resumes it as soon as the queue `{queue}` admits it"
        )),
        (false, _) => {}
    }
    if wishes.job.labels.as_ref().is_some_and(|labels| !labels.is_empty()) {
        warnings.push("labels are the job's and do not reach its pods".into());
    }
    for mount in wishes.job.volume_mounts.iter().flatten() {
        let text = |key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default();
        if let Some(volume) = mounted_there(runtime, text("name"), text("mountPath")) {
            warnings.push(format!(
                "the mount at {} takes the place of the runtime's volume `{volume}`",
                text("mountPath")
            ));
        }
    }
    secrets(wishes, program, &mut warnings);
    warnings
}

fn processes(wishes: &Wishes, checked: &Checked, runtime: &Runtime, warnings: &mut Vec<String>) {
    if wishes.num_proc_per_node().is_some() {
        if !matches!(runtime.policy, Policy::Torch | Policy::Mpi | Policy::Flux) {
            warnings.push(format!(
                "num_proc_per_node has no effect on a runtime of the kind {}",
                runtime.policy.as_str()
            ));
        }
        return;
    }
    if runtime.policy != Policy::Torch {
        return;
    }
    // Trainer looks at the job's own resources if there are any, and does not merge them with the runtime's here.
    let own = runtime.node().map(|node| &node.resources);
    let looked_at = if checked.resources.is_empty() {
        own
    } else {
        Some(&checked.resources)
    };
    let Some(count) = looked_at.and_then(derived_processes).filter(|count| *count > 1) else {
        return;
    };
    warnings.push(format!(
        "nothing called a GPU is asked for, so torchrun starts {count} processes on each node, one per CPU; \
         num_proc_per_node sets another number"
    ));
}

/// A secret on the command line or in a value is in the job for everybody who may read jobs.
fn secrets(wishes: &Wishes, program: &Program, warnings: &mut Vec<String>) {
    let in_words = program
        .command
        .iter()
        .chain(&program.args)
        .any(|word| redact::secrets(word) != *word);
    if in_words {
        warnings.push("command or args seem to hold a secret, which everybody who may read the job can see".into());
    }
    let holds = |value: &Value| value.as_str().is_some_and(|value| redact::secrets(value) != value);
    let names: Vec<&str> = wishes
        .env()
        .filter(|(_, value)| holds(value))
        .map(|(name, _)| name.as_str())
        .collect();
    if !names.is_empty() {
        warnings.push(format!("the values of env {} seem to hold a secret", names.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{JobOptions, ProgramOptions};
    use super::*;
    use kf_mcp_trainjob::RuntimeScope;
    use serde_json::json;

    fn told(policy: &str, resources: Value, change: impl FnOnce(&mut JobOptions, &mut ProgramOptions)) -> String {
        with(policy, resources, change, &Program::default())
    }

    fn with(
        policy: &str,
        resources: Value,
        change: impl FnOnce(&mut JobOptions, &mut ProgramOptions),
        program: &Program,
    ) -> String {
        let value = json!({"metadata": {"name": "r"}, "spec": {"mlPolicy": {policy: {}}, "template": {"spec": {"replicatedJobs": [
            {"name": "node", "template": {"spec": {"template": {"spec": {"containers": [{"name": "node"}]}}}}}]}}}});
        let runtime = Runtime::from_value(&value, RuntimeScope::Cluster);
        let mut job = JobOptions {
            num_nodes: 1,
            ..JobOptions::default()
        };
        let mut own = ProgramOptions::default();
        change(&mut job, &mut own);
        let wishes = Wishes {
            tool: "t",
            name: None,
            runtime: Some("r"),
            job: &job,
            own: Some(&own),
        };
        let checked = Checked {
            resources: serde_json::from_value(resources).unwrap(),
            env: Vec::new(),
        };
        warnings(&wishes, program, &checked, &runtime).join("; ")
    }

    #[test]
    fn surprises_are_told() {
        let gpu = || json!({"nvidia.com/gpu": "1"});
        assert_eq!(told("torch", gpu(), |_, _| {}), "");
        assert!(told("torch", json!({"cpu": "8"}), |_, _| {}).contains("torchrun starts 8 processes"));
        assert!(!told("torch", json!({"cpu": "8"}), |_, own| own.num_proc_per_node = Some(1)).contains("torchrun"));
        assert!(!told("torch", json!({"cpu": "8", "amd.com/gpu": "1"}), |_, _| {}).contains("torchrun"));
        assert!(told("jax", json!({}), |_, own| own.num_proc_per_node = Some(1)).contains("no effect"));
        assert!(told("mpi", gpu(), |_, _| {}).contains("2 pods"));
        assert!(told("plain", gpu(), |job, _| job.num_nodes = 2).contains("of each other"));
        let deadline = told("torch", json!({}), |job, _| job.active_deadline_seconds = Some(60));
        assert!(deadline.contains("volume claims are deleted"));
        assert_eq!(told("torch", json!({}), |_, own| own.gpu_per_node = Some(0)), "");
        let leaks = Program {
            args: vec!["--key=hf_abcdefghijklmnopqrstuvwx".into()],
            ..Program::default()
        };
        assert!(with("torch", gpu(), |_, _| {}, &leaks).contains("a secret"));
    }
}
