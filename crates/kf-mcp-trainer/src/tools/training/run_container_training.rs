//! `run_container_training`: submits a training job that runs an image of the caller's on the nodes of a runtime.

use kf_mcp_core::{Change, Cost, Cx, Next, Phase, ToolError, ToolSpec};
use kf_mcp_trainjob::{JobName, image};
use schemars::JsonSchema;
use serde::Deserialize;

use super::plan::{self, DEFAULT_RUNTIME, Draft, Submit, Submitted};
use crate::submit::{self, JobOptions, Problems, Program, ProgramOptions, Wishes};

/// As many words as Trainer takes in a command.
const MOST_WORDS: usize = 128;

/// Submit a training job that runs your container image on one or more nodes. Without confirmed=true it only shows the
/// plan, tried by the API server.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct RunContainerTraining {
    /// Image.
    image: String,
    /// Command; default the image's.
    command: Option<Vec<String>>,
    /// Its arguments.
    args: Option<Vec<String>>,
    /// Job name; default made from the image.
    name: Option<JobName>,
    /// Default torch-distributed.
    runtime: Option<String>,
    #[serde(flatten)]
    program: ProgramOptions,
    #[serde(flatten)]
    job: JobOptions,
}

impl RunContainerTraining {
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

    /// What is wrong with what only this tool takes.
    fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        if let Err(why) = image(self.image.trim()) {
            problems.add("image", why);
        }
        for (field, words) in [("command", &self.command), ("args", &self.args)] {
            let words = words.as_deref().unwrap_or_default();
            if words.len() > MOST_WORDS {
                problems.add(
                    field,
                    format!("has {} items, at most {MOST_WORDS} are possible", words.len()),
                );
            }
            submit::long_words(field, words, &mut problems);
        }
        // A shell's line that became a list of one: there is no program of that name.
        if let Some([line]) = self.command.as_deref()
            && line.trim().contains(char::is_whitespace)
            && !line.starts_with('/')
        {
            problems.add(
                "command",
                "is one word with spaces in it, and no shell parts it: give a list such as [\"python\", \"train.py\"], or [\"sh\", \"-c\", …]",
            );
        }
        problems
    }

    fn container(&self) -> Program {
        Program {
            image: Some(self.image.trim().to_owned()),
            command: self.command.clone().unwrap_or_default(),
            args: self.args.clone().unwrap_or_default(),
            called: self.image.trim().to_owned(),
            ..Program::default()
        }
    }
}

impl Change for RunContainerTraining {
    type Plan = Submit;
    type Output = Submitted;
    const SPEC: ToolSpec = ToolSpec::write("run_container_training", Phase::Training)
        .access(&plan::ACCESS)
        .next(&[
            Next::to("get_training_job", "the job is submitted"),
            Next::to("list_runtimes", "you do not know which runtime to name"),
            Next::to("get_cluster_resources", "you want to know whether it fits"),
        ]);

    async fn plan(&self, cx: &Cx) -> Result<Submit, ToolError> {
        let wishes = self.wishes();
        let checked = submit::of_arguments(&wishes, self.problems())?;
        let namespace = cx.namespace(self.job.namespace.as_ref()).await?;
        let found = plan::runtime(cx, &namespace, self.runtime()).await?;
        submit::runs_programs(&found.runtime)?;
        Draft {
            wishes,
            checked,
            namespace,
            found,
            program: self.container(),
            problems: Problems::default(),
            warnings: Vec::new(),
        }
        .planned(cx)
        .await
    }

    fn cost(plan: &Submit) -> Cost {
        plan.cost()
    }

    fn spelled_out(&self, plan: &Submit) -> Vec<(&'static str, String)> {
        plan.whole_command().into_iter().collect()
    }

    async fn apply(plan: Submit, cx: &Cx) -> Result<Submitted, ToolError> {
        plan.carried_out(cx).await
    }
}

kf_mcp_core::register!(change RunContainerTraining);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::plan::{Pinned, Summary};
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_image_must_be_given() {
        let call: RunContainerTraining = serde_json::from_value(json!({"image": " i "})).unwrap();
        let wishes = call.wishes();
        assert_eq!((wishes.job.num_nodes, call.program.gpu_per_node), (1, None));
        assert_eq!(call.container().image.as_deref(), Some("i"));
        let checked = submit::of_arguments(&wishes, call.problems()).unwrap();
        assert_eq!(json!(checked.resources), json!({"nvidia.com/gpu": "1"}));
    }

    #[test]
    fn what_only_this_tool_takes_is_told_with_the_rest() {
        let call = json!({"image": "a b", "command": vec!["x"; 129], "num_nodes": 0});
        let call: RunContainerTraining = serde_json::from_value(call).unwrap();
        let error = submit::of_arguments(&call.wishes(), call.problems()).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("image"));
        for part in ["`image` must not", "`command` has 129 items", "`num_nodes`"] {
            assert!(error.answered.contains(part), "{part}: {}", error.answered);
        }
    }

    #[test]
    fn a_line_for_a_shell_is_no_command() {
        let said = |command: serde_json::Value| {
            let call: RunContainerTraining = serde_json::from_value(json!({"image": "i", "command": command})).unwrap();
            let told = submit::of_arguments(&call.wishes(), call.problems());
            told.map_err(|error| error.answered).err().unwrap_or_default()
        };
        assert!(said(json!(["python train.py --lr 1"])).contains("is one word with spaces"));
        for good in [
            json!(["/opt/My Program/run"]),
            json!(["python"]),
            json!(["sh", "-c", "python train.py"]),
            json!(null),
        ] {
            assert_eq!(said(good), "");
        }
    }

    #[test]
    fn the_digest_of_a_plan_covers_what_it_hides() {
        let plan = |secret: &str| {
            let summary = Summary {
                name: "a".into(),
                namespace: "b".into(),
                image: "i".into(),
                num_nodes: 1,
                devices: None,
                extended: BTreeMap::new(),
                command: vec!["--api-token".into(), secret.into()],
                told: BTreeMap::new(),
            };
            let body = json!({"spec": {"trainer": {"args": ["--api-token", secret]}}});
            let runtime = kf_mcp_trainjob::Runtime::default();
            json!(Submit::new(summary, Pinned::of(&runtime), body, Vec::new())).to_string()
        };
        assert!(!plan("abc").contains("abc"));
        assert_ne!(plan("abc"), plan("abd"));
    }
}
