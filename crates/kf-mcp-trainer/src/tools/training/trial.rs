//! The trial of a job: the API server makes it without keeping it, in the dialect that its Trainer speaks.

use kf_mcp_core::kube::resources::TRAIN_JOBS;
use kf_mcp_core::kube::{Created, KubeError};
use kf_mcp_core::{Cx, ErrorCode, ToolError};
use kf_mcp_trainjob::Dialect;
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::Submit;
use crate::pods::outside;
use crate::submit::{self, Least};

/// What is read of a job that was tried.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tried {
    spec: TriedSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TriedSpec {
    suspend: bool,
}

/// Lets the server try a plan: its rules, its webhooks, and whether the name is free. The newest dialect is tried first, and
/// an older one only when the server does not know its field; `least` is the oldest that will do.
pub(super) async fn tried(
    cx: &Cx,
    least: Option<Least>,
    plan: impl Fn(Dialect) -> Submit,
) -> Result<Submit, ToolError> {
    for dialect in Dialect::ALL {
        let mut plan = plan(dialect);
        let mut body = plan.manifest.0.clone();
        if body["spec"][dialect.field()].is_null() {
            // Says nothing, and shows whether the server knows the field.
            body["spec"][dialect.field()] = json!([]);
        }
        match dry_run(cx, &plan, &body).await {
            Ok(created) => heard(&mut plan, &created),
            Err(error) if error.is_already_exists() => plan.existing = Some(plan.existing(cx, error).await?),
            Err(error) if submit::is_foreign(dialect, error.message()) => continue,
            Err(error) => {
                let unserved = submit::unserved(dialect, error.message());
                return Err(if unserved.is_empty() {
                    plan.refused(error)
                } else {
                    submit::too_old(dialect, plan.asked(), &unserved, None)
                });
            }
        }
        return match least.filter(|least| dialect < least.dialect) {
            Some(Least { argument, instead, .. }) => Err(submit::too_old(
                dialect,
                plan.asked(),
                &[argument].into(),
                Some(instead),
            )),
            None => Ok(plan),
        };
    }
    let fields = Dialect::ALL.map(Dialect::field).join(", ");
    let why = format!("the TrainJobs of this cluster have none of the fields {fields}");
    Err(ToolError::new(ErrorCode::Unsupported, plan(Dialect::default()).asked(), why).tool("check_compatibility"))
}

/// Lets the server try a plan whose dialect is settled, because it is made from a job that the server has.
pub(super) async fn once(cx: &Cx, mut plan: Submit) -> Result<Submit, ToolError> {
    match dry_run(cx, &plan, &plan.manifest.0).await {
        Ok(created) => heard(&mut plan, &created),
        Err(error) if error.is_already_exists() => plan.existing = Some(plan.existing(cx, error).await?),
        Err(error) => return Err(plan.refused(error)),
    }
    Ok(plan)
}

/// What the server said of a good trial.
fn heard(plan: &mut Submit, Created { object, warnings }: &Created<Tried>) {
    plan.server_warnings = warnings.iter().map(|warning| outside(warning)).collect();
    plan.server_warnings.extend(plan.fate(object.spec.suspend));
}

async fn dry_run(cx: &Cx, plan: &Submit, body: &Value) -> Result<Created<Tried>, KubeError> {
    let namespace = Some(plan.summary.namespace.as_str());
    cx.kube().create(&TRAIN_JOBS, namespace, body, true).await
}
