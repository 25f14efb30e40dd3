//! `delete_runtime`: deletes a training runtime, after telling which jobs use it.

use futures::StreamExt;
use kf_mcp_core::kube::ListQuery;
use kf_mcp_core::kube::resources::TRAIN_JOBS;
use kf_mcp_core::{Access, Change, Cx, NamespaceOrAll, Phase, Render, Scope, Text, ToolError, ToolSpec};
use kf_mcp_trainjob::{JobState, RuntimeScope, TrainJob};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::target::Target;
use crate::pods::outside;
use crate::removal::{Removal, replaced};

const NAME: &str = "delete_runtime";
/// Jobs that are looked at: one page, of each namespace where a policy names some.
const PAGE: u32 = 500;
/// How many namespaces are looked at at once.
const AT_ONCE: usize = 8;
/// Jobs that are named.
const MOST: usize = 50;

/// Delete a training runtime. The preview lists the jobs on it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteRuntime {
    /// Runtime.
    name: String,
    /// Default cluster-wide.
    namespace: Option<String>,
}

/// What would go, and whom that touches. A plan is stale when a job has come or ended since.
#[derive(Debug, Serialize)]
pub struct Deletion {
    #[serde(flatten)]
    target: Target,
    uid: String,
    generation: i64,
    #[serde(flatten)]
    users: Users,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

/// The jobs on a runtime that have not ended.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Users {
    /// `namespace/name`, the suspended ones first.
    jobs: Vec<User>,
    jobs_in_all: usize,
    jobs_suspended: usize,
    /// How many have ended; they lose nothing, and so are no part of the plan.
    #[serde(skip)]
    ended: usize,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct User {
    namespace: String,
    name: String,
    suspended: bool,
}

/// What `delete_runtime` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DeletedRuntime {
    #[serde(flatten)]
    target: Target,
    /// False when it was gone already.
    deleted: bool,
    already_gone: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

impl Render for Deletion {
    fn render(&self, text: &mut Text) {
        text.line(format!("delete {}", self.target.words()));
        let Users {
            jobs,
            jobs_in_all,
            ended,
            ..
        } = &self.users;
        let ended = if *ended > 0 {
            format!("; ended: {ended}")
        } else {
            String::new()
        };
        text.line(format!("jobs on it that have not ended: {jobs_in_all}{ended}"));
        if *jobs_in_all > jobs.len() {
            text.line(format!("the first {} of them:", jobs.len()));
        }
        for job in jobs {
            let suspended = if job.suspended { " (suspended)" } else { "" };
            text.line(format!("{}/{}{suspended}", job.namespace, job.name));
        }
        text.facts("warning", &self.warnings);
        text.facts("not seen", &self.not_seen);
    }
}

impl Render for DeletedRuntime {
    fn render(&self, text: &mut Text) {
        let done = if self.already_gone {
            "was gone already"
        } else {
            "is deleted"
        };
        text.line(format!("{} {done}", self.target.words()));
        text.facts("warning", &self.warnings);
        text.facts("not seen", &self.not_seen);
    }
}

impl Change for DeleteRuntime {
    type Plan = Deletion;
    type Output = DeletedRuntime;
    const SPEC: ToolSpec = ToolSpec::destructive(NAME, Phase::Platform).access(&[
        Access::new("trainer.kubeflow.org", "clustertrainingruntimes", &["get", "delete"]).cluster(),
        Access::new("trainer.kubeflow.org", "trainingruntimes", &["get", "delete"]).with_argument("namespace"),
        Access::new("trainer.kubeflow.org", "trainjobs", &["list"])
            .cluster()
            .degrades(),
    ]);

    async fn plan(&self, cx: &Cx) -> Result<Deletion, ToolError> {
        let target = Target::of(&self.name, self.namespace.as_deref())?;
        let (object, jobs) = futures::join!(target.read(cx, "delete"), jobs(cx, target.namespace()));
        let object = object?;
        let (jobs, not_seen) = jobs?;
        let users = used_by(&target, &jobs);
        let plan = deletion(target, &object, users, not_seen);
        let tried = plan.removal().run(cx, true).await;
        tried.map_err(|error| plan.target.refused("delete", error))?;
        Ok(plan)
    }

    async fn apply(plan: Deletion, cx: &Cx) -> Result<DeletedRuntime, ToolError> {
        let deleted = match plan.removal().run(cx, false).await {
            Ok(deleted) => deleted,
            Err(error) if error.code() == 409 => {
                return Err(replaced("runtime", plan.target.asked("delete"), NAME));
            }
            Err(error) => return Err(plan.target.refused("delete", error)),
        };
        Ok(DeletedRuntime {
            target: plan.target,
            deleted,
            already_gone: !deleted,
            warnings: if deleted { plan.warnings } else { Vec::new() },
            not_seen: if deleted { plan.not_seen } else { Vec::new() },
        })
    }
}

kf_mcp_core::register!(change DeleteRuntime);

impl Deletion {
    fn removal(&self) -> Removal<'_> {
        Removal {
            of: self.target.resource(),
            namespace: self.target.namespace(),
            name: &self.target.name,
            uid: &self.uid,
        }
    }
}

/// The jobs of a namespace, or of all that there are or that the policy allows; and what could not be seen.
async fn jobs(cx: &Cx, namespace: Option<&str>) -> Result<(Vec<TrainJob>, Vec<String>), ToolError> {
    let mut not_seen = Vec::new();
    let places = match namespace {
        Some(one) => vec![Some(one.to_owned())],
        None => match cx.scope(Some(&NamespaceOrAll::All)).await? {
            Scope::Several(allowed) => {
                not_seen.extend(allowed.not_seen);
                not_seen.push("jobs that use it in namespaces that the policy does not allow".to_owned());
                allowed.names.into_iter().map(Some).collect()
            }
            Scope::One(_) | Scope::All => vec![None],
        },
    };
    let query = ListQuery {
        limit: Some(PAGE),
        ..ListQuery::default()
    };
    let ask = async |place: Option<String>| {
        let page = cx.kube().list(&TRAIN_JOBS, place.as_deref(), &query).await;
        (place, page)
    };
    let pages = futures::stream::iter(places.into_iter().map(ask)).buffered(AT_ONCE);
    let pages: Vec<_> = pages.collect().await;
    let mut jobs = Vec::new();
    for (place, page) in pages {
        let of = || match &place {
            Some(namespace) => format!("namespace {namespace}"),
            None => "all namespaces".to_owned(),
        };
        match page {
            Ok(page) => {
                jobs.extend(page.items.iter().map(|item| TrainJob::read(item.get()).0));
                if page.next.is_some() {
                    let why = format!(
                        "jobs beyond the first {PAGE} of {}: there are more, which may use it",
                        of()
                    );
                    not_seen.push(why);
                }
            }
            Err(error) if error.is_forbidden() => {
                not_seen.push(format!("the jobs that use it: you may not list those of {}", of()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((jobs, not_seen))
}

/// Which of the jobs use a runtime.
fn used_by(target: &Target, jobs: &[TrainJob]) -> Users {
    let mut users = Users::default();
    let of_it = |job: &&TrainJob| {
        let named = &job.spec.runtime_ref;
        // a reference without a kind means the cluster's
        let kind = if named.kind.is_empty() {
            RuntimeScope::Cluster.kind()
        } else {
            &named.kind
        };
        named.name == target.name && kind == target.scope.kind()
    };
    for job in jobs.iter().filter(of_it) {
        let state = JobState::of(job);
        if state.is_final() {
            users.ended += 1;
            continue;
        }
        let suspended = job.spec.suspend || state == JobState::Suspended;
        users.jobs.push(User {
            namespace: outside(&job.metadata.namespace),
            name: outside(&job.metadata.name),
            suspended,
        });
    }
    // Those that are harmed come first.
    users
        .jobs
        .sort_by(|a, b| (!a.suspended, &a.namespace, &a.name).cmp(&(!b.suspended, &b.namespace, &b.name)));
    users.jobs_in_all = users.jobs.len();
    users.jobs_suspended = users.jobs.iter().filter(|job| job.suspended).count();
    users.jobs.truncate(MOST);
    users
}

fn deletion(target: Target, object: &Value, users: Users, not_seen: Vec<String>) -> Deletion {
    let mut warnings = Vec::new();
    let suspended = users.jobs_suspended;
    if suspended > 0 {
        warnings.push(format!(
            "suspended jobs on it: {suspended}. Trainer refuses to resume a job whose runtime is gone, so they can only be \
             deleted, until a runtime of that name is there again"
        ));
    }
    if users.jobs_in_all > suspended {
        warnings.push(
            "jobs that run go on by the copy of the runtime that Trainer (since 2.3) took when they began, but cannot be \
             suspended or resumed any more"
                .into(),
        );
    }
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let finalizers: Vec<String> = finalizers
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(outside)
        .collect();
    if !finalizers.is_empty() {
        warnings.push(format!(
            "it stays, and ends only when {} lets it go: older Trainers hold a runtime while jobs use it",
            finalizers.join(", ")
        ));
    }
    if object.pointer("/metadata/deletionTimestamp").is_some() {
        warnings.push("it is being deleted already".into());
    }
    let text = |at: &str| {
        object
            .pointer(at)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Deletion {
        uid: text("/metadata/uid"),
        generation: object
            .pointer("/metadata/generation")
            .and_then(Value::as_i64)
            .unwrap_or_default(),
        target,
        users,
        warnings,
        not_seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(name: &str, reference: Value, suspend: bool, ended: bool) -> TrainJob {
        let conditions = if ended {
            json!([{"type": "Complete", "status": "True"}])
        } else {
            json!([])
        };
        TrainJob::from_value(&json!({"metadata": {"name": name, "namespace": "n"},
            "spec": {"runtimeRef": reference, "suspend": suspend}, "status": {"conditions": conditions}}))
        .0
    }

    #[test]
    fn the_jobs_on_a_runtime_are_found_by_name_and_kind() {
        let cluster = json!({"name": "r"});
        let own = json!({"name": "r", "kind": "TrainingRuntime"});
        let jobs = [
            job("runs", cluster.clone(), false, false),
            job("waits", cluster.clone(), true, false),
            job("ended", cluster, false, true),
            job("own", own, false, false),
            job("other", json!({"name": "q"}), false, false),
        ];
        let names = |users: &Users| users.jobs.iter().map(|job| job.name.clone()).collect::<Vec<_>>();
        let users = used_by(&Target::new("r", None), &jobs);
        assert_eq!(
            (names(&users), users.jobs_in_all, users.ended),
            (vec!["waits".into(), "runs".into()], 2, 1)
        );
        assert_eq!(names(&used_by(&Target::new("r", Some("n")), &jobs)), ["own"]);
        let plan = deletion(
            Target::new("r", None),
            &json!({"metadata": {"finalizers": ["x/y"]}}),
            users,
            Vec::new(),
        );
        assert_eq!(plan.warnings.len(), 3, "{:?}", plan.warnings);
        assert!(plan.warnings[0].starts_with("suspended jobs on it: 1."));
    }

    #[test]
    fn a_job_that_has_ended_is_no_part_of_the_plan() {
        let ended = [job("ended", json!({"name": "r"}), false, true)];
        let users = used_by(&Target::new("r", None), &ended);
        assert_eq!(json!(users), json!({"jobs": [], "jobs_in_all": 0, "jobs_suspended": 0}));
    }
}
