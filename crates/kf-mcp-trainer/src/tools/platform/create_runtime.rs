//! `create_runtime`: makes a training runtime, of the cluster or of one namespace.

use kf_mcp_core::caller::CALLER_LABEL;
use kf_mcp_core::kube::{Created, KubeError};
use kf_mcp_core::{Access, Change, Cx, ErrorCode, Next, Phase, Render, Text, ToolError, ToolSpec};
use kf_mcp_trainjob::{MANAGED_BY_LABEL, MANAGED_BY_VALUE, PLAN_ANNOTATION, label_value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::target::{Shown, Target, needed, settle};
use crate::differences::{Difference, bounded, differences};
use crate::pods::outside;
use crate::runtime_object::{self, Form, Use};

const NAME: &str = "create_runtime";
/// Characters of the manifest that the text of a preview shows.
const MOST: usize = 6000;
const EXAMPLE: &str =
    "give mlPolicy and template, for example those of a runtime that is there (get_runtime), or a whole object";

/// Create a training runtime. The preview is tried by the API server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRuntime {
    /// New name.
    name: String,
    /// Whole object, or mlPolicy, podGroupPolicy, template.
    spec: Option<Map<String, Value>>,
    /// The label that makes the SDK see it; default by mlPolicy.
    framework: Option<String>,
    /// Default the whole cluster.
    namespace: Option<String>,
}

/// A runtime that would be created.
#[derive(Debug, Serialize)]
pub struct Creation {
    #[serde(flatten)]
    target: Target,
    manifest: Shown,
    /// Stands for what the manifest does not show.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<String>,
    /// What the server would store besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    server_adds: Vec<Difference>,
    warnings: Vec<String>,
    /// What the API server said about the trial; it says it only for a new object.
    #[serde(skip)]
    server_warnings: Vec<String>,
    /// The runtime of this very plan, if it exists already.
    #[serde(skip)]
    existing: Option<String>,
}

/// What `create_runtime` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CreatedRuntime {
    #[serde(flatten)]
    target: Target,
    uid: String,
    /// This plan had been carried out before; nothing was created now.
    already_created: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Render for Creation {
    fn render(&self, text: &mut Text) {
        let words = self.target.words();
        match self.existing {
            Some(_) => text.line(format!("{words} exists already by this plan")),
            None => text.line(format!("create {words}")),
        }
        text.facts("warning", self.warnings.iter().chain(&self.server_warnings));
        text.line(self.manifest.yaml(MOST));
        if !self.server_adds.is_empty() {
            text.line("the server adds:");
            for difference in &self.server_adds {
                text.line(difference.line());
            }
        }
    }
}

impl Render for CreatedRuntime {
    fn render(&self, text: &mut Text) {
        let done = if self.already_created {
            "was created before"
        } else {
            "created"
        };
        text.line(format!("{} {done}", self.target.words()));
        text.facts("warning", &self.warnings);
    }
}

impl Change for CreateRuntime {
    type Plan = Creation;
    type Output = CreatedRuntime;
    const SPEC: ToolSpec = ToolSpec::write(NAME, Phase::Platform)
        .access(&[
            Access::new("trainer.kubeflow.org", "clustertrainingruntimes", &["get", "create"]).cluster(),
            Access::new("trainer.kubeflow.org", "trainingruntimes", &["get", "create"]).with_argument("namespace"),
        ])
        .next(&[Next::to("get_runtime", "it is there")]);

    async fn plan(&self, cx: &Cx) -> Result<Creation, ToolError> {
        let given = needed(self.spec.as_ref(), "spec", EXAMPLE)?;
        let target = Target::of(&self.name, self.namespace.as_deref())?;
        let mut form = Form::read(given, Use::New, &target.name, target.namespace());
        let mut notes = std::mem::take(&mut form.notes);
        if let Some(framework) = self.framework.as_deref().map(str::trim) {
            label_value(framework).map_err(|why| ToolError::argument("framework", why))?;
            form.framework(framework);
        } else if let Some(framework) = runtime_object::framework(&form.body(&target.name, target.namespace(), &[])) {
            form.framework(framework);
            notes.push(format!(
                "the framework label is {framework}, by the policy: give framework for another"
            ));
        }
        let body = form.body(&target.name, target.namespace(), &[]);
        let problems = if form.problems.is_empty() {
            runtime_object::problems(&body)
        } else {
            std::mem::take(&mut form.problems)
        };
        settle(NAME, "spec", &problems)?;
        let marks = [
            (MANAGED_BY_LABEL, MANAGED_BY_VALUE.to_owned()),
            (CALLER_LABEL, cx.mark().await?),
        ];
        let body = form.body(&target.name, target.namespace(), &marks);
        notes.extend(runtime_object::warnings(&body));
        Creation::of(target, body, notes).tried(cx).await
    }

    async fn apply(plan: Creation, cx: &Cx) -> Result<CreatedRuntime, ToolError> {
        plan.carried_out(cx).await
    }
}

kf_mcp_core::register!(change CreateRuntime);

impl Creation {
    fn of(target: Target, body: Value, warnings: Vec<String>) -> Self {
        let manifest = Shown(body);
        Self {
            target,
            hidden: manifest.digest(),
            manifest,
            server_adds: Vec::new(),
            warnings,
            server_warnings: Vec::new(),
            existing: None,
        }
    }

    /// Lets the server try it, and compares what it would store with what it was given.
    async fn tried(mut self, cx: &Cx) -> Result<Self, ToolError> {
        let stored = match self.create(cx, &self.manifest.0, true).await {
            Ok(created) => {
                self.server_warnings = created.warnings.iter().map(|warning| outside(warning)).collect();
                created.object
            }
            Err(error) if error.is_already_exists() => {
                let mut stored = self.own(cx, error).await?;
                self.existing = Some(uid(&stored));
                if let Some(annotations) = stored
                    .pointer_mut("/metadata/annotations")
                    .and_then(Value::as_object_mut)
                {
                    annotations.remove(PLAN_ANNOTATION);
                    if annotations.is_empty() {
                        stored["metadata"]
                            .as_object_mut()
                            .map(|metadata| metadata.remove("annotations"));
                    }
                }
                stored
            }
            Err(error) => return Err(self.target.refused("create", error)),
        };
        let (added, more) = bounded(differences(&self.manifest.0, &stored));
        self.server_adds = added;
        self.warnings.extend(more);
        Ok(self)
    }

    async fn carried_out(self, cx: &Cx) -> Result<CreatedRuntime, ToolError> {
        let mut body = self.manifest.0.clone();
        if let Some(id) = cx.plan_id() {
            body["metadata"]["annotations"][PLAN_ANNOTATION] = json!(id);
        }
        let (uid, already_created, warnings) = if let Some(uid) = self.existing.clone() {
            (uid, true, Vec::new())
        } else {
            match self.create(cx, &body, false).await {
                Ok(created) => {
                    let said = created.warnings.iter().map(|warning| outside(warning));
                    let warnings = self.warnings.iter().cloned().chain(said).collect();
                    (uid(&created.object), false, warnings)
                }
                Err(error) if error.is_already_exists() => (uid(&self.own(cx, error).await?), true, Vec::new()),
                Err(error) => return Err(self.target.refused("create", error)),
            }
        };
        Ok(CreatedRuntime {
            target: self.target,
            uid,
            already_created,
            warnings,
        })
    }

    async fn create(&self, cx: &Cx, body: &Value, dry_run: bool) -> Result<Created<Value>, KubeError> {
        let (of, namespace) = (self.target.resource(), self.target.namespace());
        cx.kube().create(of, namespace, body, dry_run).await
    }

    /// The runtime that has the name, if this plan made it; else the name is taken.
    async fn own(&self, cx: &Cx, taken: KubeError) -> Result<Value, ToolError> {
        let (of, namespace) = (self.target.resource(), self.target.namespace());
        let stored = match cx.kube().get::<Value>(of, namespace, &self.target.name).await {
            Ok(stored) => stored,
            Err(error) if error.is_not_found() || error.is_forbidden() => {
                return Err(self.target.refused("create", taken));
            }
            Err(error) => return Err(error.into()),
        };
        let by = stored
            .pointer("/metadata/annotations")
            .and_then(|all| all.get(PLAN_ANNOTATION)?.as_str());
        if by.is_some() && by == cx.plan_id() {
            return Ok(stored);
        }
        Err(ToolError::new(
            ErrorCode::AlreadyExists,
            self.target.asked("create"),
            "a runtime of that name exists",
        )
        .fix("choose another name, or change the one that is there with patch_runtime")
        .tool("patch_runtime"))
    }
}

fn uid(object: &Value) -> String {
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
    outside(uid.unwrap_or_default())
}
