//! `health_check`: is this server well, and does the API server answer?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Cx, Phase, Render, Text, Tool, ToolError, ToolSpec};

/// Check that this server runs and that the Kubernetes API server answers; says which cluster, clients and persona it has.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthCheck {}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// `healthy`, or `unreachable` when the API server does not answer.
    status: &'static str,
    version: &'static str,
    clients: Vec<&'static str>,
    persona: String,
    tools: usize,
    server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ToolError>,
}

impl schemars::JsonSchema for ToolError {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ToolError".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object"})
    }
}

impl Render for Health {
    fn render(&self, text: &mut Text) {
        text.fact("status", self.status);
        text.fact("server", &self.server);
        text.fact("kubernetes", self.kubernetes.as_deref().unwrap_or_default());
        text.fact("namespace", self.namespace.as_deref().unwrap_or_default());
        text.fact("kubeflow-mcp", self.version);
        text.fact("clients", self.clients.join(", "));
        text.fact("persona", format!("{} ({} tools)", self.persona, self.tools));
        if let Some(problem) = &self.problem {
            text.fact("problem", problem);
        }
    }
}

impl Tool for HealthCheck {
    type Output = Health;
    const SPEC: ToolSpec = ToolSpec::read("health_check", Phase::Health);

    async fn run(self, cx: &Cx) -> Result<Health, ToolError> {
        let catalogue = cx.catalogue();
        let mut health = Health {
            status: "healthy",
            version: env!("CARGO_PKG_VERSION"),
            clients: catalogue.clients().to_vec(),
            persona: catalogue.persona().to_string(),
            tools: catalogue.tools().len(),
            server: String::new(),
            kubernetes: None,
            namespace: None,
            problem: None,
        };
        match cx.kube().version().await {
            Ok(version) => {
                let (namespace, server) = cx.kube().defaults().await?;
                health.kubernetes = version.get("gitVersion").and_then(Value::as_str).map(str::to_owned);
                health.namespace = Some(namespace);
                health.server = server;
            }
            Err(error) => {
                health.status = "unreachable";
                health.server.clone_from(&error.server);
                health.problem = Some(error.into());
            }
        }
        Ok(health)
    }
}

crate::register!(HealthCheck);
