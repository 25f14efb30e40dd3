//! `list_training_jobs`: the training jobs of a namespace or of all, page by page.
//!
//! Everything comes from the jobs themselves: no runtime and no pod is read, so a page without filters is one request.
//! Jobs of the training operator v1 are lists of their own; how they are walked through is in `super::kinds`.

use kf_mcp_core::paging::{Limit, Listed, filter_words};
use kf_mcp_core::{Access, Cx, ErrorCode, NamespaceOrAll, Next, Phase, Render, Text, Tool, ToolError, ToolSpec, text};
use kf_mcp_trainjob::{JobState, TrainJob};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::kinds;
use crate::legacy::{self, JobKind, KindOrAll, LegacyJob, with_legacy};
use crate::pods::outside;
use crate::reason;

pub(super) const NAME: &str = "list_training_jobs";
/// How many notes the text shows.
const MOST_NOTES: usize = 10;

/// List training jobs with status, nodes and age.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListTrainingJobs {
    /// Only on this.
    #[schemars(length(max = 253))]
    runtime: Option<String>,
    /// Like PyTorchJob; `*` for all.
    #[serde(default)]
    kind: KindOrAll,
    /// Only these.
    status: Option<JobState>,
    /// Namespace, or `*` for all; yours by default.
    namespace: Option<NamespaceOrAll>,
    /// At most this many.
    #[serde(default)]
    limit: Limit,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Label selector.
    #[schemars(length(max = 1000))]
    label_selector: Option<String>,
}

/// What `list_training_jobs` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TrainingJobs {
    jobs: Vec<Row>,
    #[serde(flatten)]
    listed: Listed,
    /// Where other training jobs may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    /// Of a job of the training operator v1; a TrainJob does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    status: JobState,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Absent when the job leaves it to its runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<i64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    runtime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// What is odd about the job, or what could not be read of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Row {
    fn of(job: &TrainJob, problem: Option<String>, all: bool) -> Self {
        let status = JobState::of(job);
        let reason = reason::of_conditions(job, status);
        let deleted = job.metadata.deletion_timestamp.map(|_| "is being deleted".to_owned());
        Self {
            kind: None,
            name: outside(&job.metadata.name),
            namespace: all.then(|| outside(&job.metadata.namespace)),
            status,
            note: problem
                .or(deleted)
                .or(reason.as_ref().map(|reason| reason.message.clone()))
                .map(|n| outside(&n)),
            reason: reason.map(|reason| reason.code),
            nodes: job.nodes(),
            runtime: outside(&job.spec.runtime_ref.name),
            created: job.metadata.creation_timestamp.map(text::time),
        }
    }

    fn of_legacy(job: &LegacyJob, all: bool) -> Self {
        let reason = legacy::of_conditions(job);
        let deleted = job.metadata.deletion_timestamp.map(|_| "is being deleted".to_owned());
        Self {
            kind: Some(job.kind.name),
            name: outside(&job.metadata.name),
            namespace: all.then(|| outside(&job.metadata.namespace)),
            status: job.state(),
            note: job
                .problem
                .clone()
                .or(deleted)
                .or(reason.as_ref().map(|reason| reason.message.clone()))
                .map(|n| outside(&n)),
            reason: reason.map(|reason| outside(&reason.code)),
            nodes: Some(job.nodes()).filter(|nodes| *nodes > 0),
            runtime: String::new(),
            created: job.metadata.creation_timestamp.map(text::time),
        }
    }

    fn status(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{}({reason})", self.status.as_str()),
            None => self.status.as_str().to_owned(),
        }
    }

    fn nodes(&self) -> String {
        self.nodes.map(|nodes| nodes.to_string()).unwrap_or_default()
    }

    fn age(&self, text: &Text) -> String {
        self.created
            .as_deref()
            .map(|created| text.age_of(created))
            .unwrap_or_default()
    }
}

impl Render for TrainingJobs {
    fn render(&self, text: &mut Text) {
        let listed = &self.listed;
        // A column that would say the same in each row is left out.
        let (everywhere, kinds) = (listed.everywhere(), self.jobs.iter().any(|row| row.kind.is_some()));
        let columns = [("namespace", everywhere), ("kind", kinds)];
        let mut head: Vec<&str> = columns.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        head.extend(["name", "status", "nodes", "age"]);
        let rows: Vec<Vec<String>> = self
            .jobs
            .iter()
            .map(|row| {
                let mut cells = Vec::new();
                cells.extend(everywhere.then(|| row.namespace.clone().unwrap_or_default()));
                cells.extend(kinds.then(|| row.kind.unwrap_or("TrainJob").to_owned()));
                cells.extend([row.name.clone(), row.status(), row.nodes(), row.age(text)]);
                cells
            })
            .collect();
        if !rows.is_empty() {
            text.rows(&head, rows);
        }
        for row in self.jobs.iter().filter(|row| row.note.is_some()).take(MOST_NOTES) {
            text.line(format!(
                "note on {}: {}",
                row.name,
                row.note.as_deref().unwrap_or_default()
            ));
        }
        let place = listed.place();
        let mut line = match (self.jobs.len(), listed.total) {
            (0, _) if listed.has_more => "none so far, but the list goes on".to_owned(),
            (0, Some(0)) => format!("no training jobs in {place}"),
            (0, None) => format!("no training jobs in {place} that fit"),
            (some, Some(total)) => format!("{some} of {total}"),
            (some, None) => format!("{some} on this page"),
        };
        if let Some(cursor) = &listed.next_cursor {
            line.push_str(&format!("; next cursor: {cursor}"));
        }
        text.line(line);
        text.facts("not seen", &listed.not_seen);
        text.fact("hint", self.hint.as_deref().unwrap_or_default());
    }
}

const ACCESS: &[Access] = with_legacy![["list"].cluster().with_argument("kind");
    Access::new("trainer.kubeflow.org", "trainjobs", &["list"]).cluster(),
];

impl Tool for ListTrainingJobs {
    type Output = TrainingJobs;
    const SPEC: ToolSpec = ToolSpec::read(NAME, Phase::Discovery).access(ACCESS).next(&[
        Next::to("get_training_job", "you want one job's steps and why it does not run"),
        Next::to("list_namespaces", "the list is empty"),
    ]);

    async fn run(self, cx: &Cx) -> Result<TrainingJobs, ToolError> {
        let scope = cx.scope(self.namespace.as_ref()).await?;
        let labels = self
            .label_selector
            .as_deref()
            .map(str::trim)
            .filter(|labels| !labels.is_empty());
        let walk = kinds::Walk {
            kind: self.kind,
            scope: &scope,
            labels,
            filter: &filter_words(&[
                ("status", self.status.map(JobState::as_str)),
                ("runtime", self.runtime.as_deref()),
            ]),
            limit: self.limit.rows(),
            cursor: self.cursor.as_deref(),
        };
        let read = |kind: JobKind, raw: &RawValue| self.row(kind, raw, scope.is_many());
        let found = walk.page(cx, read).await.map_err(|error| selector(error, labels))?;
        // A list that is empty without any filter is the moment to say where else jobs may be; it alone pays for the look.
        let filtered = labels.is_some() || self.status.is_some() || self.runtime.is_some();
        let asks = self.kind == KindOrAll::default() && !filtered && found.rows.is_empty() && !found.listed.has_more;
        let hint = if asks {
            legacy::served_hint(&legacy::served(cx).await)
        } else {
            None
        };
        Ok(TrainingJobs {
            jobs: found.rows,
            listed: found.listed,
            hint,
        })
    }
}

impl ListTrainingJobs {
    /// The row of an object, none if a filter leaves it out.
    fn row(&self, kind: JobKind, raw: &RawValue, all: bool) -> Option<Row> {
        let fits = |runtime: &str, status: JobState| {
            self.runtime.as_deref().is_none_or(|wanted| runtime == wanted)
                && self.status.is_none_or(|wanted| status == wanted)
        };
        match kind {
            JobKind::TrainJob => {
                let (job, problem) = TrainJob::read(raw.get());
                fits(&job.spec.runtime_ref.name, JobState::of(&job)).then(|| Row::of(&job, problem, all))
            }
            JobKind::Legacy(kind) => {
                let job = LegacyJob::read(kind, &serde_json::from_str(raw.get()).unwrap_or_default());
                fits("", job.state()).then(|| Row::of_legacy(&job, all))
            }
        }
    }
}

kf_mcp_core::register!(ListTrainingJobs);

/// The server refuses a list only for its selector.
fn selector(error: ToolError, labels: Option<&str>) -> ToolError {
    if labels.is_none() || error.code != ErrorCode::AdmissionDenied {
        return error;
    }
    ToolError::argument("label_selector", error.answered).fix("write it like team=nlp,stage in (dev,test)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_broken_object_is_a_row_with_a_note() {
        let odd = json!({"metadata": {"name": "odd"}, "spec": {"runtimeRef": 1}}).to_string();
        let (job, problem) = TrainJob::read(&odd);
        let row = serde_json::to_value(Row::of(&job, problem, false)).unwrap();
        assert_eq!(
            (row["name"].as_str(), row["status"].as_str()),
            (Some("odd"), Some("Created"))
        );
        assert!(row["note"].as_str().unwrap().contains("not readable"));
    }

    #[test]
    fn rows_are_short() {
        let job = json!({"metadata": {"name": "bert", "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {
            "runtimeRef": {"name": "torch-distributed"}, "trainer": {"numNodes": 2}}, "status": {"conditions": [
            {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too late"}]}});
        let (job, problem) = TrainJob::from_value(&job);
        let page = TrainingJobs {
            jobs: vec![Row::of(&job, problem, false)],
            listed: Listed {
                namespace: "team-a".into(),
                has_more: true,
                next_cursor: Some("abc".into()),
                total: Some(7),
                ..Listed::default()
            },
            hint: None,
        };
        let mut text = Text::new("2026-01-01T00:05:00Z".parse().unwrap());
        page.render(&mut text);
        assert_eq!(
            text.finish(),
            "name status nodes age\nbert Failed(DeadlineExceeded) 2 5m\nnote on bert: too late\n1 of 7; next cursor: abc"
        );
    }
}
