//! `delete_training_job`: deletes a training job with all that belongs to it.

use kf_mcp_core::kube::resources::TRAIN_JOBS;
use kf_mcp_core::{Access, Change, Cx, Namespace, Next, Phase, Render, Text, ToolError, ToolSpec};
use kf_mcp_trainjob::{JobName, JobState, TrainJob};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::pods::outside;
use crate::refusal::of_job;
use crate::removal::{Removal, replaced};

const NAME: &str = "delete_training_job";
/// What to do about a job that is not there.
const GONE: &str = "it is gone already, or the name or namespace is another: list_training_jobs shows what there is";

/// Delete a training job with its pods, logs and volume claims. Without confirmed=true it only shows what would go.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteTrainingJob {
    /// Training job name.
    name: JobName,
    /// Namespace; yours by default.
    namespace: Option<Namespace>,
}

/// What would go. The status is no part of the plan's identity, but whether the job has ended is: then other things are
/// lost.
#[derive(Debug, Serialize)]
pub struct Deletion {
    name: String,
    namespace: String,
    uid: String,
    generation: i64,
    finished: bool,
    deletes: Vec<String>,
    warnings: Vec<String>,
    #[serde(skip)]
    status: JobState,
}

/// What `delete_training_job` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deleted {
    name: String,
    namespace: String,
    /// False when it was gone already.
    deleted: bool,
    already_gone: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Render for Deletion {
    fn render(&self, text: &mut Text) {
        text.line(format!(
            "delete training job {} in {} ({})",
            self.name,
            self.namespace,
            self.status.as_str()
        ));
        text.fact("with it go", self.deletes.join(", "));
        text.facts("warning", &self.warnings);
    }
}

impl Render for Deleted {
    fn render(&self, text: &mut Text) {
        let done = if self.already_gone {
            "was gone already"
        } else {
            "is deleted; its pods end within moments"
        };
        text.line(format!("training job {} in {} {done}", self.name, self.namespace));
    }
}

impl Change for DeleteTrainingJob {
    type Plan = Deletion;
    type Output = Deleted;
    const SPEC: ToolSpec = ToolSpec::destructive(NAME, Phase::Lifecycle)
        .access(&[Access::new("trainer.kubeflow.org", "trainjobs", &["get", "delete"])])
        .next(&[Next::to("list_training_jobs", "you want to see what is left")]);

    async fn plan(&self, cx: &Cx) -> Result<Deletion, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let object = cx.kube().get::<Value>(&TRAIN_JOBS, Some(&namespace), &self.name).await;
        let object = object.map_err(|error| of_job(error, &self.name, &namespace, GONE))?;
        let plan = deletion(&TrainJob::from_value(&object).0, namespace);
        plan.removal().run(cx, true).await?;
        Ok(plan)
    }

    async fn apply(plan: Deletion, cx: &Cx) -> Result<Deleted, ToolError> {
        let deleted = match plan.removal().run(cx, false).await {
            Ok(deleted) => deleted,
            Err(error) if error.code() == 409 => {
                let asked = format!("delete training job `{}` in namespace `{}`", plan.name, plan.namespace);
                return Err(replaced("job", asked, NAME));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Deleted {
            name: plan.name,
            namespace: plan.namespace,
            deleted,
            already_gone: !deleted,
            warnings: if deleted { plan.warnings } else { Vec::new() },
        })
    }
}

kf_mcp_core::register!(change DeleteTrainingJob);

impl Deletion {
    fn removal(&self) -> Removal<'_> {
        Removal {
            of: &TRAIN_JOBS,
            namespace: Some(&self.namespace),
            name: &self.name,
            uid: &self.uid,
        }
    }
}

fn deletion(job: &TrainJob, namespace: String) -> Deletion {
    let name = outside(&job.metadata.name);
    let status = JobState::of(job);
    let mut deletes = vec![format!("JobSet {name}")];
    deletes.push(match job.nodes() {
        Some(1) => "the pod of its node with its log".into(),
        Some(nodes) => format!("the pods of {nodes} nodes with their logs"),
        None => "its pods with their logs".into(),
    });
    let mut warnings = Vec::new();
    // Only a job that fetches something has the claim; its runtime is not read for it.
    if job.has_initializers() || job.spec.runtime_ref.name.starts_with("torchtune-") {
        deletes.push(format!("PersistentVolumeClaim initializer-{name}"));
        warnings.push(format!(
            "the claim initializer-{name} holds the dataset, the model and what the training wrote to /workspace/output: \
             trained weights that are nowhere else are lost"
        ));
    }
    if !status.is_final() {
        warnings.push("the job has not ended: what it has done since its last checkpoint is lost".into());
    }
    if job.metadata.deletion_timestamp.is_some() {
        warnings.push("it is being deleted already".into());
    }
    Deletion {
        namespace,
        uid: job.metadata.uid.clone(),
        generation: job.metadata.generation,
        finished: status.is_final(),
        deletes,
        warnings,
        status,
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan(spec: Value, status: Value) -> Deletion {
        let job = json!({"metadata": {"name": "a", "uid": "u", "generation": 2}, "spec": spec, "status": status});
        deletion(&TrainJob::from_value(&job).0, "team-a".into())
    }

    #[test]
    fn a_plan_tells_what_is_lost() {
        let torch = json!({"runtimeRef": {"name": "torch-distributed"}, "trainer": {"numNodes": 2}});
        let running = plan(
            torch.clone(),
            json!({"jobsStatus": [{"name": "node", "active": 1, "ready": 1}]}),
        );
        assert_eq!(running.deletes, ["JobSet a", "the pods of 2 nodes with their logs"]);
        assert!(!running.finished && running.warnings[0].contains("has not ended"));
        let complete = plan(torch, json!({"conditions": [{"type": "Complete", "status": "True"}]}));
        assert!(complete.finished && complete.warnings.is_empty());
        let tuned = plan(
            json!({"runtimeRef": {"name": "mine"}, "initializer": {"model": {}}}),
            json!({"conditions": [{"type": "Complete", "status": "True"}]}),
        );
        assert!(
            tuned
                .deletes
                .contains(&"PersistentVolumeClaim initializer-a".to_owned())
        );
        assert!(tuned.warnings[0].contains("trained weights"));
    }

    #[test]
    fn the_status_is_no_part_of_the_plan() {
        let created = plan(json!({}), json!({"jobsStatus": [{"name": "node"}]}));
        let running = plan(
            json!({}),
            json!({"jobsStatus": [{"name": "node", "active": 1, "ready": 1}]}),
        );
        assert_eq!(json!(created), json!(running));
        assert_ne!(created.status, running.status);
    }
}
