//! `run_custom_training`: submits a training job that runs a Python script of the caller's on the nodes of a runtime.

use kf_mcp_core::{Change, Cost, Cx, Next, Phase, ToolError, ToolSpec};
use kf_mcp_trainjob::{JobName, image};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::plan::{self, DEFAULT_RUNTIME, Draft, Submit, Submitted};
use crate::script::{Script, ScriptPolicy, Wanted};
use crate::submit::{self, JobOptions, Problems, ProgramOptions, Wishes};

/// Submit a Python script as a training job on one or more nodes. Without confirmed=true it only shows the plan.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct RunCustomTraining {
    /// Source; train(...) is called if defined.
    script: String,
    /// Of train(...).
    #[schemars(extend("x-nulls" = true))]
    func_args: Option<Map<String, Value>>,
    /// For pip.
    packages: Option<Vec<String>>,
    /// First replaces PyPI.
    pip_index_urls: Option<Vec<String>>,
    /// Default the runtime's.
    image: Option<String>,
    /// Default made up.
    name: Option<JobName>,
    /// Default torch-distributed.
    runtime: Option<String>,
    #[serde(flatten)]
    program: ProgramOptions,
    #[serde(flatten)]
    job: JobOptions,
}

impl RunCustomTraining {
    fn wishes(&self) -> Wishes<'_> {
        Wishes {
            tool: Self::SPEC.name,
            name: self.name.as_deref(),
            runtime: Some(self.runtime()),
            job: &self.job,
            own: Some(&self.program),
        }
    }

    fn runtime(&self) -> &str {
        self.runtime.as_deref().unwrap_or(DEFAULT_RUNTIME)
    }

    fn image(&self) -> Option<&str> {
        self.image.as_deref().map(str::trim).filter(|image| !image.is_empty())
    }

    /// Reads the script, and finds what is wrong with what only this tool takes.
    fn read(&self, policy: &ScriptPolicy) -> (Script<'_>, Problems) {
        let mut problems = Problems::default();
        let wanted = Wanted {
            script: &self.script,
            func_args: self.func_args.as_ref(),
            packages: self.packages.as_deref().unwrap_or_default(),
            pip_index_urls: self.pip_index_urls.as_deref().unwrap_or_default(),
        };
        let script = Script::read(wanted, policy, &mut problems);
        if let Some(Err(why)) = self.image().map(image) {
            problems.add("image", why);
        }
        (script, problems)
    }

    /// The names of the caller's variables.
    fn variables(&self) -> Vec<String> {
        self.program
            .env
            .iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    }
}

impl Change for RunCustomTraining {
    type Plan = Submit;
    type Output = Submitted;
    const SPEC: ToolSpec = ToolSpec::write("run_custom_training", Phase::Training)
        .access(&plan::ACCESS)
        .next(&[
            Next::to("get_training_job", "the job is submitted"),
            Next::to("list_runtimes", "you do not know which runtime to name"),
        ]);

    async fn plan(&self, cx: &Cx) -> Result<Submit, ToolError> {
        let (wishes, policy) = (self.wishes(), cx.settings::<ScriptPolicy>("trainer")?);
        let (script, problems) = self.read(&policy);
        let checked = submit::of_arguments(&wishes, problems)?;
        let namespace = cx.namespace(self.job.namespace.as_ref()).await?;
        let found = plan::runtime(cx, &namespace, self.runtime()).await?;
        submit::runs_programs(&found.runtime)?;
        let mut problems = Problems::default();
        let mut program = script.program(found.runtime.policy, &self.variables(), &mut problems);
        program.image = self.image().map(str::to_owned);
        Draft {
            wishes,
            checked,
            namespace,
            found,
            program,
            problems,
            warnings: script.warnings,
        }
        .planned(cx)
        .await
    }

    fn cost(plan: &Submit) -> Cost {
        plan.cost()
    }

    fn spelled_out(&self, _: &Submit) -> Vec<(&'static str, String)> {
        vec![("script", self.script.clone())]
    }

    async fn apply(plan: Submit, cx: &Cx) -> Result<Submitted, ToolError> {
        plan.carried_out(cx).await
    }
}

kf_mcp_core::register!(change RunCustomTraining);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_that_is_wrong_is_told_before_anything_is_asked() {
        let call = json!({"script": "x = = 1", "func_args": {"a": 1}, "packages": ["--pre"], "pip_index_urls": ["x"],
            "image": "a b", "env": {"HF_TOKEN": "hf"}, "num_nodes": 0});
        let call: RunCustomTraining = serde_json::from_value(call).unwrap();
        let (_, problems) = call.read(&ScriptPolicy::default());
        let error = submit::of_arguments(&call.wishes(), problems).unwrap_err();
        for part in [
            "`script` is no Python: line 1, column 5",
            "`func_args`",
            "`packages[0]`",
            "`pip_index_urls[0]`",
            "`image`",
            "`env.HF_TOKEN`",
            "`num_nodes`",
        ] {
            assert!(error.answered.contains(part), "{part}: {}", error.answered);
        }
    }
}
