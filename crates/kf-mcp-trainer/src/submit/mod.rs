//! From arguments to a job, the way that all tools that submit share: arguments, checks, warnings, body. Pure.
//!
//! A tool has [`JobOptions`] (and [`ProgramOptions`], when the program is the caller's) among its arguments, and hands them on
//! as [`Wishes`]. [`of_arguments`] checks what the runtime does not decide, [`of_runtime`] the rest; what is different from
//! tool to tool is the [`Program`], which may depend on the runtime. [`submission`] makes the job of them, and
//! `tools/training/plan.rs` shows, tries and creates it.

mod check;
mod env;
mod options;
mod problems;
mod queue;
mod unknown;
mod warn;

use std::collections::BTreeMap;

use kf_mcp_trainjob::{
    ClaimMount, Dialect, PatchedPart, Runtime, RuntimeRef, Submission, generated_name, max_name_length,
};
use serde_json::{Map, Value};

pub(crate) use check::{long_words, of_arguments, of_runtime, runs_programs};
pub(crate) use env::is_clear_secret;
pub(crate) use options::{JobOptions, ProgramOptions};
pub(crate) use problems::Problems;
pub(crate) use queue::{fate, waits_in};
pub(crate) use unknown::{is_foreign, told_of, too_old, unserved};
pub(crate) use warn::warnings;

/// The wishes of a call, as they came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes<'a> {
    /// The tool, for its errors.
    pub(crate) tool: &'static str,
    /// The name of the job, if one was given.
    pub(crate) name: Option<&'a str>,
    /// The runtime, if one was named.
    pub(crate) runtime: Option<&'a str>,
    /// What every job may be given.
    pub(crate) job: &'a JobOptions,
    /// What a program of the caller's may be given, if it is one. Without it no GPU is asked for by default.
    pub(crate) own: Option<&'a ProgramOptions>,
}

impl<'a> Wishes<'a> {
    /// The variables.
    fn env(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.own.and_then(|own| own.env.as_ref()).into_iter().flatten()
    }

    /// The GPUs, if they were counted.
    fn gpu_per_node(&self) -> Option<u32> {
        self.own.and_then(|own| own.gpu_per_node)
    }

    /// The processes on each node, if they were counted.
    fn num_proc_per_node(&self) -> Option<u32> {
        self.own.and_then(|own| own.num_proc_per_node)
    }

    /// The resources, if any were named.
    fn resources_per_node(&self) -> Option<&'a Map<String, Value>> {
        self.job.resources_per_node.as_ref().filter(|given| !given.is_empty())
    }
}

/// What is right whatever the runtime.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Checked {
    /// What each node asks for.
    pub(crate) resources: BTreeMap<String, String>,
    /// The caller's variables, as Kubernetes writes them.
    pub(crate) env: Vec<Value>,
}

/// What runs in the training container: the part of a job that each tool makes in its own way.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Program {
    /// The image; none for the runtime's.
    pub(crate) image: Option<String>,
    /// The command; empty for the runtime's, or the image's.
    pub(crate) command: Vec<String>,
    /// Its arguments.
    pub(crate) args: Vec<String>,
    /// Variables that the tool sets beside the caller's.
    pub(crate) env: Vec<Value>,
    /// `spec.initializer`, for what is fetched before the training.
    pub(crate) initializer: Option<Value>,
    /// Claims that the training containers read from.
    pub(crate) claims: Vec<ClaimMount>,
    /// Parts of the runtime that get the pod options too, beside those that train.
    pub(crate) also: Vec<PatchedPart>,
    /// What a generated name begins with; an image's name is shortened to its last part.
    pub(crate) called: String,
    /// The command in words, where the real one says little.
    pub(crate) in_words: Option<Vec<String>>,
    /// What it needs of the cluster's Trainer.
    pub(crate) least: Option<Least>,
    /// What the plan tells besides, as a word and a text.
    pub(crate) told: Vec<(&'static str, String)>,
}

/// The oldest Trainer that runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Least {
    /// Its dialect.
    pub(crate) dialect: Dialect,
    /// The argument that asks for more than an older one can do.
    pub(crate) argument: &'static str,
    /// What to give instead.
    pub(crate) instead: &'static str,
}

/// The job, without our marks.
pub(crate) fn submission(
    wishes: &Wishes,
    program: Program,
    checked: Checked,
    runtime: &Runtime,
    namespace: &str,
    seed: &str,
) -> Submission {
    let job = wishes.job;
    let generated = || generated_name(&program.called, seed, max_name_length(runtime, job.num_nodes));
    let name = wishes.name.map_or_else(generated, str::to_owned);
    let trains = runtime.training_parts().map(PatchedPart::trains);
    let mut env = checked.env;
    env.extend(program.env);
    let mut labels = job.labels.clone().unwrap_or_default();
    labels.extend(job.queue_labels());
    Submission {
        name,
        namespace: namespace.to_owned(),
        runtime: RuntimeRef {
            name: runtime.name.clone(),
            scope: runtime.scope,
        },
        image: program.image,
        command: program.command,
        args: program.args,
        env,
        num_nodes: job.num_nodes,
        resources: checked.resources,
        num_proc_per_node: wishes.num_proc_per_node(),
        initializer: program.initializer,
        pods: job.pods(),
        claims: program.claims,
        parts: trains.chain(program.also).collect(),
        labels,
        annotations: job.annotations.clone().unwrap_or_default(),
        active_deadline_seconds: job.active_deadline_seconds,
        suspend: job.suspend,
    }
}
