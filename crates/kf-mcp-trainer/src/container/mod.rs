//! From the arguments of `run_container_training` to a job: checks, warnings, and the body. Pure.

mod check;
mod env;
mod warn;

use std::collections::BTreeMap;

use kf_mcp_core::{ErrorCode, ToolError};
use kf_mcp_trainjob::{PodOptions, Runtime, RuntimeRef, Submission, generated_name, max_name_length};
use serde_json::{Map, Value};

pub(crate) use check::{of_arguments, of_runtime};
pub(crate) use warn::warnings;

/// The wishes of a call, as they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wishes<'a> {
    pub(crate) image: &'a str,
    pub(crate) command: &'a [String],
    pub(crate) args: &'a [String],
    pub(crate) name: Option<&'a str>,
    pub(crate) runtime: &'a str,
    pub(crate) num_nodes: u32,
    pub(crate) gpu_per_node: Option<u32>,
    pub(crate) resources_per_node: Option<&'a Map<String, Value>>,
    pub(crate) env: Option<&'a Map<String, Value>>,
    pub(crate) pods: PodOptions,
    pub(crate) labels: Option<&'a BTreeMap<String, String>>,
    pub(crate) annotations: Option<&'a BTreeMap<String, String>>,
    pub(crate) num_proc_per_node: Option<u32>,
    pub(crate) active_deadline_seconds: Option<i64>,
    pub(crate) suspend: bool,
}

impl<'a> Wishes<'a> {
    /// The variables.
    fn env(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.env.into_iter().flatten()
    }
}

/// What is right whatever the runtime.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Checked {
    pub(crate) resources: BTreeMap<String, String>,
    pub(crate) env: Vec<Value>,
}

/// All that is wrong with a call, told at once.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    found: Vec<(String, String)>,
    fixes: Vec<String>,
}

impl Problems {
    fn add(&mut self, field: impl Into<String>, why: impl Into<String>) {
        self.found.push((field.into(), why.into()));
    }

    fn fix(&mut self, fix: &str) {
        if !self.fixes.iter().any(|known| known == fix) {
            self.fixes.push(fix.to_owned());
        }
    }

    /// An error when anything is wrong.
    pub(crate) fn settle(self) -> Result<(), ToolError> {
        let Some((first, _)) = self.found.first() else {
            return Ok(());
        };
        let told: Vec<String> = self
            .found
            .iter()
            .take(20)
            .map(|(field, why)| format!("`{field}` {why}"))
            .collect();
        let mut error = ToolError::new(
            ErrorCode::InvalidArgument,
            "call of run_container_training",
            format!("{}.", told.join("; ")),
        );
        error.field = first.split(['.', '[']).next().map(str::to_owned);
        Err(if self.fixes.is_empty() {
            error
        } else {
            error.fix(self.fixes.join("; "))
        })
    }
}

/// The job, without our marks.
pub(crate) fn submission(
    wishes: &Wishes,
    checked: Checked,
    runtime: &Runtime,
    namespace: &str,
    seed: &str,
) -> Submission {
    let name = wishes.name.map(str::to_owned);
    let name = name.unwrap_or_else(|| generated_name(wishes.image, seed, max_name_length(runtime, wishes.num_nodes)));
    Submission {
        name,
        namespace: namespace.to_owned(),
        runtime: RuntimeRef {
            name: runtime.name.clone(),
            scope: runtime.scope,
        },
        image: wishes.image.to_owned(),
        command: wishes.command.to_vec(),
        args: wishes.args.to_vec(),
        env: checked.env,
        num_nodes: wishes.num_nodes,
        resources: checked.resources,
        num_proc_per_node: wishes.num_proc_per_node,
        pods: wishes.pods.clone(),
        parts: runtime.training_parts().map(str::to_owned).collect(),
        labels: wishes.labels.cloned().unwrap_or_default(),
        annotations: wishes.annotations.cloned().unwrap_or_default(),
        active_deadline_seconds: wishes.active_deadline_seconds,
        suspend: wishes.suspend,
    }
}
