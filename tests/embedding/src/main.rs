//! A downstream server of one's own: only the trainer's module, beside a tool that is not Kubeflow's.

use kf_mcp_core::{Cx, Persona, Phase, Render, Text, Tool, ToolError, ToolSpec};
use kf_mcp_server::Server;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Say which team a namespace belongs to.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetTeam {
    /// Namespace to look up.
    namespace: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Team {
    team: String,
}

impl Render for Team {
    fn render(&self, text: &mut Text) {
        text.fact("team", &self.team);
    }
}

impl Tool for GetTeam {
    type Output = Team;
    const SPEC: ToolSpec = ToolSpec::read("get_team", Phase::Discovery);

    async fn run(self, _: &Cx) -> Result<Team, ToolError> {
        Ok(Team {
            team: self.namespace.trim_start_matches("team-").to_owned(),
        })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let server = server()?;
    server.serve_stdio().await?;
    Ok(())
}

fn server() -> Result<Server, kf_mcp_server::BuildError> {
    Server::builder()
        .module(&kf_mcp_trainer::MODULE)
        .tool::<GetTeam>()
        .persona(Persona::Readonly)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kf_mcp_core::CallMeta;

    #[tokio::test]
    async fn only_the_module_and_the_own_tool_are_there() {
        let server = server().unwrap();
        let names: Vec<&str> = server
            .engine()
            .catalogue()
            .tools()
            .iter()
            .map(|tool| tool.spec.name)
            .collect();
        assert!(names.contains(&"list_training_jobs") && names.contains(&"get_team"));
        assert!(!names.contains(&"list_models") && !names.contains(&"run_container_training"));
        let arguments = [("namespace".to_owned(), "team-a".into())].into_iter().collect();
        let called = server
            .engine()
            .call("get_team", arguments, CallMeta::local())
            .await
            .unwrap();
        assert_eq!(called.answer.text, "team: a");
    }

    #[tokio::test]
    async fn single_tools_need_no_module() {
        use kf_mcp_trainer::tools::monitoring::GetTrainingLogs;
        use kf_mcp_trainer::tools::training::RunContainerTraining;
        let builder = Server::builder()
            .tool::<GetTrainingLogs>()
            .change::<RunContainerTraining>();
        let server = builder.persona(Persona::DataScientist).build().unwrap();
        let names: Vec<&str> = server
            .engine()
            .catalogue()
            .tools()
            .iter()
            .map(|tool| tool.spec.name)
            .collect();
        assert_eq!(names, ["run_container_training", "get_training_logs"]);
    }
}
