//! `delete_training_job`: deletes a training job with all that belongs to it.

use kf_mcp_core::kube::resources::TRAIN_JOBS;
use kf_mcp_core::kube::{KubeError, Resource};
use kf_mcp_core::{Access, Change, Cx, Namespace, Next, Phase, Render, Text, ToolError, ToolSpec};
use kf_mcp_trainjob::{JobName, JobState, ObjectMeta, TrainJob};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::claims::{self, Claims};
use crate::legacy::{self, JobKind, LegacyJob, with_legacy};
use crate::origin::Origin;
use crate::pods::outside;
use crate::refusal::{of_job, said};
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
    /// Like PyTorchJob.
    kind: Option<JobKind>,
}

/// What would go. The status is no part of the plan's identity, but whether the job has ended is: then other things are
/// lost.
#[derive(Debug, Serialize)]
pub struct Deletion {
    kind: JobKind,
    name: String,
    namespace: String,
    uid: String,
    generation: i64,
    finished: bool,
    #[serde(flatten)]
    origin: Origin,
    deletes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keeps: Vec<String>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
    #[serde(skip)]
    status: JobState,
    #[serde(skip)]
    of: &'static Resource,
}

/// What `delete_training_job` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deleted {
    kind: &'static str,
    name: String,
    namespace: String,
    /// False when it was gone already.
    deleted: bool,
    already_gone: bool,
    #[serde(skip)]
    words: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

impl Render for Deletion {
    fn render(&self, text: &mut Text) {
        text.line(format!(
            "delete {} {} in {} ({})",
            self.kind.words(),
            self.name,
            self.namespace,
            self.status.as_str()
        ));
        text.fact("created by", self.origin.line());
        text.fact("with it go", self.deletes.join(", "));
        text.fact("what stays", self.keeps.join(", "));
        text.facts("warning", &self.warnings);
        text.facts("not seen", &self.not_seen);
    }
}

impl Render for Deleted {
    fn render(&self, text: &mut Text) {
        let done = if self.already_gone {
            "was gone already"
        } else {
            "is deleted; its pods end within moments"
        };
        text.line(format!("{} {} in {} {done}", self.words, self.name, self.namespace));
        text.facts("warning", &self.warnings);
        text.facts("not seen", &self.not_seen);
    }
}

impl Change for DeleteTrainingJob {
    type Plan = Deletion;
    type Output = Deleted;
    const SPEC: ToolSpec = ToolSpec::destructive(NAME, Phase::Lifecycle)
        .access(with_legacy![["get", "delete"].with_argument("kind");
            Access::new("trainer.kubeflow.org", "trainjobs", &["get", "delete"]),
            Access::new("", "persistentvolumeclaims", &["list"]).degrades(),
        ])
        .next(&[Next::to("list_training_jobs", "you want to see what is left")]);

    async fn plan(&self, cx: &Cx) -> Result<Deletion, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let mine = cx.mark().await?;
        let plan = if let Some(kind) = self.kind.and_then(JobKind::legacy) {
            let object = legacy::get(cx, kind, &namespace, &self.name).await;
            let object = object.map_err(|error| of_job(error, &self.name, &namespace, GONE))?;
            of_legacy(&LegacyJob::read(kind, &object), &object, namespace, &mine)
        } else {
            let (object, claims) = futures::join!(
                cx.kube().get::<Value>(&TRAIN_JOBS, Some(&namespace), &self.name),
                claims::of_job(cx, &namespace, &self.name),
            );
            match object {
                Ok(object) => deletion(&object, claims, namespace, &mine),
                Err(error) => {
                    let missed = of_job(error, &self.name, &namespace, GONE);
                    return Err(legacy::say_which(cx, &namespace, &self.name, self.kind, missed).await);
                }
            }
        };
        plan.removal().run(cx, true).await?;
        Ok(plan)
    }

    async fn apply(plan: Deletion, cx: &Cx) -> Result<Deleted, ToolError> {
        let deleted = match plan.removal().run(cx, false).await {
            Ok(deleted) => deleted,
            Err(error) if error.code() == 409 => {
                let kind = plan.kind.words();
                let asked = format!("delete {kind} `{}` in namespace `{}`", plan.name, plan.namespace);
                return Err(replaced("job", asked, NAME));
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Deleted {
            kind: plan.kind.name(),
            words: plan.kind.words(),
            name: plan.name,
            namespace: plan.namespace,
            deleted,
            already_gone: !deleted,
            warnings: if deleted { plan.warnings } else { Vec::new() },
            not_seen: if deleted { plan.not_seen } else { Vec::new() },
        })
    }
}

kf_mcp_core::register!(change DeleteTrainingJob);

impl Deletion {
    fn removal(&self) -> Removal<'_> {
        Removal {
            of: self.of,
            namespace: Some(&self.namespace),
            name: &self.name,
            uid: &self.uid,
        }
    }
}

/// The plan for a TrainJob. Claims that may not be listed are told as its shape has them.
fn deletion(object: &Value, claims: Result<Claims, KubeError>, namespace: String, mine: &str) -> Deletion {
    let job = TrainJob::from_value(object).0;
    let name = outside(&job.metadata.name);
    let status = JobState::of(&job);
    let mut deletes = vec![format!("JobSet {name}")];
    deletes.push(match job.nodes() {
        _ if status.is_final() => "what is left of its pods, with their logs".into(),
        Some(1) => "the pod of its node with its log".into(),
        Some(nodes) => format!("the pods of {nodes} nodes with their logs"),
        None => "its pods with their logs".into(),
    });
    let mut not_seen = Vec::new();
    let claims = claims.unwrap_or_else(|error| {
        not_seen.push(format!("volume claims: {}", said(error)));
        // Only a job that fetches something has one, on the runtimes that Trainer ships.
        let has = job.has_initializers() || job.spec.runtime_ref.name.starts_with("torchtune-");
        Claims {
            go: has.then(|| format!("initializer-{name}")).into_iter().collect(),
            stay: Vec::new(),
        }
    });
    let mut plan = Deletion {
        kind: JobKind::TrainJob,
        namespace,
        uid: job.metadata.uid.clone(),
        generation: job.metadata.generation,
        finished: status.is_final(),
        origin: Origin::of(&job.metadata.labels, mine),
        deletes,
        keeps: Vec::new(),
        warnings: Vec::new(),
        not_seen,
        status,
        of: &TRAIN_JOBS,
        name,
    };
    for claim in &claims.go {
        plan.deletes.push(format!("PersistentVolumeClaim {claim}"));
        plan.warnings.push(lost(claim));
    }
    plan.keep(
        claims
            .stay
            .into_iter()
            .map(|claim| (claim, " (retained by its runtime)")),
    );
    plan.keep(claims::mounted(object).into_iter().map(|claim| (claim, "")));
    plan.warn(&job.metadata);
    plan
}

/// What goes with a claim that goes.
fn lost(claim: &str) -> String {
    let holds = if claim.starts_with("initializer-") {
        "the dataset, the model and what the training wrote to /workspace/output"
    } else {
        "what the training wrote to it"
    };
    format!("the claim {claim} holds {holds}: trained weights that are nowhere else are lost")
}

/// The plan for a job of the training operator v1, which owns its pods itself.
fn of_legacy(job: &LegacyJob, object: &Value, namespace: String, mine: &str) -> Deletion {
    let status = job.state();
    let replicas: Vec<String> = job
        .replicas
        .iter()
        .map(|of| format!("{} {}", of.r#type, of.replicas))
        .collect();
    let mut plan = Deletion {
        kind: JobKind::Legacy(job.kind),
        name: outside(&job.metadata.name),
        namespace,
        uid: job.metadata.uid.clone(),
        generation: job.metadata.generation,
        finished: status.is_final(),
        origin: Origin::of(&job.metadata.labels, mine),
        deletes: vec![
            if status.is_final() {
                "what is left of its pods, with their logs".to_owned()
            } else {
                format!("its pods with their logs ({})", replicas.join(", "))
            },
            "its services".into(),
        ],
        keeps: Vec::new(),
        warnings: Vec::new(),
        not_seen: Vec::new(),
        status,
        of: job.kind.resource_of(&job.api_version),
    };
    plan.keep(claims::mounted(object).into_iter().map(|claim| (claim, "")));
    plan.warn(&job.metadata);
    plan
}

impl Deletion {
    fn keep(&mut self, claims: impl Iterator<Item = (String, &'static str)>) {
        self.keeps
            .extend(claims.map(|(claim, why)| format!("PersistentVolumeClaim {claim}{why}")));
    }

    /// What holds for jobs of every kind.
    fn warn(&mut self, metadata: &ObjectMeta) {
        self.warnings.extend(self.origin.warning.clone());
        if !self.finished {
            self.warnings
                .push("the job has not ended: what it has done since its last checkpoint is lost".into());
        }
        if metadata.deletion_timestamp.is_some() {
            self.warnings.push("it is being deleted already".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan_with(spec: Value, status: Value, claims: Claims) -> Deletion {
        let job = json!({"metadata": {"name": "a", "uid": "u", "generation": 2, "labels": {
            "kubeflow-mcp/managed-by": "mcp", "kubeflow-mcp/caller": "me"}}, "spec": spec, "status": status});
        deletion(&job, Ok(claims), "team-a".into(), "me")
    }

    fn plan(spec: Value, status: Value) -> Deletion {
        plan_with(spec, status, Claims::default())
    }

    fn complete() -> Value {
        json!({"conditions": [{"type": "Complete", "status": "True"}]})
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
        let ended = plan(torch, complete());
        assert!(ended.finished && ended.warnings.is_empty() && ended.keeps.is_empty());
    }

    #[test]
    fn section_21_item_17_claims_that_go_are_told_from_those_that_stay() {
        let claims = Claims {
            go: vec!["initializer-a".into()],
            stay: vec!["kept-a".into()],
        };
        let volume = json!({"volumes": [{"name": "w", "persistentVolumeClaim": {"claimName": "weights"}}]});
        let tuned = plan_with(
            json!({"runtimeRef": {"name": "mine"}, "initializer": {"model": {}}, "runtimePatches": [volume]}),
            complete(),
            claims,
        );
        assert!(
            tuned
                .deletes
                .contains(&"PersistentVolumeClaim initializer-a".to_owned())
        );
        assert!(tuned.warnings[0].contains("trained weights"));
        assert_eq!(
            tuned.keeps,
            [
                "PersistentVolumeClaim kept-a (retained by its runtime)",
                "PersistentVolumeClaim weights"
            ]
        );
        // a claim that is gone already, as after a deadline, is not said to go
        assert_eq!(
            plan(json!({"runtimeRef": {"name": "torchtune-llama3.2-1b"}}), complete())
                .deletes
                .len(),
            2
        );
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
