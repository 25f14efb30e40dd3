//! `patch_runtime`: changes a training runtime by a JSON merge patch, and shows what that does to it.

use kf_mcp_core::{Access, Change, Cx, Phase, Render, Text, ToolError, ToolSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::target::{Shown, Target, needed, settle};
use crate::differences::{Difference, bounded, differences};
use crate::runtime_object::{self, Form, Use};

const NAME: &str = "patch_runtime";
const EXAMPLE: &str = r#"give what changes, for example {"mlPolicy": {"numNodes": 2}}"#;
/// How many things that go with a replaced list are named.
const MOST_LOST: usize = 8;

/// Change a training runtime by JSON merge patch: null removes, lists are replaced whole. The preview is the diff.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchRuntime {
    /// Runtime.
    name: String,
    /// spec and metadata, or parts: mlPolicy, template, labels.
    patch: Option<Map<String, Value>>,
    /// Default cluster-wide.
    namespace: Option<String>,
}

/// What would change. It is about the runtime of that uid and generation and no other.
#[derive(Debug, Serialize)]
pub struct Patching {
    #[serde(flatten)]
    target: Target,
    uid: String,
    generation: i64,
    patch: Shown,
    /// Stands for what the patch does not show.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden: Option<String>,
    changes: Vec<Difference>,
    warnings: Vec<String>,
    /// The version that the difference is about.
    #[serde(skip)]
    version: String,
}

/// What `patch_runtime` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Patched {
    #[serde(flatten)]
    target: Target,
    /// False when it was like that already.
    changed: bool,
    generation: i64,
    changes: Vec<Difference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Render for Patching {
    fn render(&self, text: &mut Text) {
        text.line(format!("change {}", self.target.words()));
        told(&self.changes, &self.warnings, text);
    }
}

impl Render for Patched {
    fn render(&self, text: &mut Text) {
        let done = if self.changed {
            "changed"
        } else {
            "was like that already"
        };
        text.line(format!(
            "{} {done} (generation {})",
            self.target.words(),
            self.generation
        ));
        told(&self.changes, &self.warnings, text);
    }
}

fn told(changes: &[Difference], warnings: &[String], text: &mut Text) {
    for change in changes {
        text.line(change.line());
    }
    text.facts("warning", warnings);
}

impl Change for PatchRuntime {
    type Plan = Patching;
    type Output = Patched;
    const SPEC: ToolSpec = ToolSpec::write(NAME, Phase::Platform).access(&[
        Access::new("trainer.kubeflow.org", "clustertrainingruntimes", &["get", "patch"]).cluster(),
        Access::new("trainer.kubeflow.org", "trainingruntimes", &["get", "patch"]).with_argument("namespace"),
    ]);

    async fn plan(&self, cx: &Cx) -> Result<Patching, ToolError> {
        let target = Target::of(&self.name, self.namespace.as_deref())?;
        let given = needed(self.patch.as_ref(), "patch", EXAMPLE)?;
        let form = Form::read(given, Use::Patch, &target.name, target.namespace());
        settle(NAME, "patch", &form.problems)?;
        let patch = form.patch();
        let is = target.read(cx, "patch").await?;
        // Nobody else checks a changed runtime: Trainer's webhook looks at new ones only.
        let would_be = runtime_object::merged(&is, &patch);
        let known = runtime_object::problems(&is);
        let mut problems = runtime_object::problems(&would_be);
        problems.retain(|problem| !known.contains(problem));
        settle(NAME, "patch", &problems)?;
        let (of, namespace) = (target.resource(), target.namespace());
        let tried = cx
            .kube()
            .merge_patch::<Value>(of, namespace, &target.name, &patch, true)
            .await;
        let tried = tried.map_err(|error| target.refused("patch", error))?;
        let mut warnings = form.notes;
        let found = differences(&is, &tried);
        warnings.extend(lost(&found));
        let old = runtime_object::warnings(&is);
        warnings.extend(
            runtime_object::warnings(&tried)
                .into_iter()
                .filter(|warning| !old.contains(warning)),
        );
        let (changes, more) = bounded(found);
        warnings.extend(more);
        if changes.is_empty() {
            warnings.push("nothing would change".into());
        } else {
            warnings.push(
                "jobs that exist keep the runtime as it was when they began (since Trainer 2.3); new ones get this"
                    .into(),
            );
        }
        let text = |at: &str| is.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let patch = Shown(patch);
        Ok(Patching {
            target,
            uid: text("/metadata/uid"),
            generation: generation(&is),
            hidden: patch.digest(),
            patch,
            changes,
            warnings,
            version: text("/metadata/resourceVersion"),
        })
    }

    async fn apply(plan: Patching, cx: &Cx) -> Result<Patched, ToolError> {
        let mut generation = plan.generation;
        let changed = !plan.changes.is_empty();
        if changed {
            let mut patch = plan.patch.0;
            patch["metadata"]["uid"] = json!(plan.uid);
            patch["metadata"]["resourceVersion"] = json!(plan.version);
            let (of, namespace) = (plan.target.resource(), plan.target.namespace());
            let stored = cx
                .kube()
                .merge_patch::<Value>(of, namespace, &plan.target.name, &patch, false)
                .await;
            generation = self::generation(&stored.map_err(|error| plan.target.refused("patch", error))?);
        }
        Ok(Patched {
            target: plan.target,
            changed,
            generation,
            changes: plan.changes,
            warnings: plan.warnings,
        })
    }
}

kf_mcp_core::register!(change PatchRuntime);

fn generation(object: &Value) -> i64 {
    let generation = object.pointer("/metadata/generation").and_then(Value::as_i64);
    generation.unwrap_or_default()
}

/// What goes because a list was replaced by one that has less.
fn lost(found: &[Difference]) -> Option<String> {
    let lost: Vec<&str> = found
        .iter()
        .filter(|difference| difference.leaves_a_list())
        .map(|difference| difference.path.as_str())
        .collect();
    let more = lost.len().saturating_sub(MOST_LOST);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let named = &lost[..lost.len().min(MOST_LOST)];
    (!lost.is_empty()).then(|| {
        format!(
            "a merge patch replaces a list whole, so this goes: {}{more}. To keep it, repeat it in the patch",
            named.join(", ")
        )
    })
}
