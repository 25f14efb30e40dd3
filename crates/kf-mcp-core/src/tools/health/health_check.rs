//! `health_check`: is this server well, and does the API server answer?

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Access, Cx, Phase, Render, Text, Tool, ToolError, ToolSpec};

/// Check that this server and the Kubernetes API server answer; tells cluster, clients, persona and as whom calls act.
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
    /// As whom this call acts on the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    acts_as: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
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
        text.fact("acts as", self.acts_as.as_deref().unwrap_or_default());
        text.fact("kubeflow-mcp", self.version);
        text.fact("clients", self.clients.join(", "));
        text.fact("persona", format!("{} ({} tools)", self.persona, self.tools));
        text.fact("policy", self.policy.as_deref().unwrap_or_default());
        text.facts("not seen", &self.not_seen);
        if let Some(problem) = &self.problem {
            text.fact("problem", problem);
        }
    }
}

impl Tool for HealthCheck {
    type Output = Health;
    const SPEC: ToolSpec = ToolSpec::read("health_check", Phase::Health).access(&[Access::new(
        "authentication.k8s.io",
        "selfsubjectreviews",
        &["create"],
    )
    .cluster()
    .degrades()]);

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
            acts_as: None,
            policy: catalogue
                .allowance()
                .policy()
                .origin()
                .map(|file| file.display().to_string()),
            not_seen: Vec::new(),
            problem: None,
        };
        // servers before Kubernetes 1.28 do not say who one is, and are well all the same
        let (version, acting) = tokio::join!(cx.kube().version(), cx.kube().acts_as());
        match version {
            Ok(version) => {
                match acting {
                    Ok(acting) => health.acts_as = Some(acting.username),
                    Err(error) => health
                        .not_seen
                        .push(format!("as whom calls act: {}", ToolError::from(error).answered)),
                }
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
