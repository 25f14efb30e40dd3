//! `wait_for_training`: waits until a training job has a status, ends, or clearly will not get there.

use std::time::Duration;

use kf_mcp_core::{Access, Cx, ErrorCode, Namespace, Next, Phase, Render, Text, Tool, ToolError, ToolSpec};
use kf_mcp_trainjob::{JobName, JobState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::vigil::{Ended, Vigil};
use crate::reason::Reason;
use crate::settings;
use crate::waiting::advice;

/// The longest wait, in seconds, unless the operator sets less. Who runs the server beside an editor waits so long by default.
const MOST: u64 = 600;
/// How long is waited by default over HTTP, where proxies and clients end what takes a minute.
const REMOTE: u64 = 50;

/// Wait until a training job has a target status, ends, or is stuck.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitForTraining {
    /// Job.
    name: JobName,
    /// Statuses.
    #[serde(default = "complete")]
    #[schemars(transform = bare)]
    target_statuses: Vec<JobState>,
    /// Default yours.
    namespace: Option<Namespace>,
    /// Default and most 600; over HTTP 50.
    #[schemars(range(min = 1))]
    timeout_seconds: Option<u64>,
    /// Not used.
    // Callers of the earlier server give it.
    #[serde(rename = "polling_interval")]
    _polling_interval: Option<i64>,
}

/// The words of a status say what they mean.
fn bare(statuses: &mut schemars::Schema) {
    if let Some(item) = statuses.pointer_mut("/items").and_then(Value::as_object_mut) {
        item.remove("description");
    }
}

fn complete() -> Vec<JobState> {
    vec![JobState::Complete]
}

/// How many seconds are waited, when so many are asked for and the operator allows `most`.
fn seconds(asked: Option<u64>, remote: bool, most: u64) -> u64 {
    let usual = if remote { REMOTE } else { MOST };
    asked.unwrap_or(usual).clamp(1, most)
}

/// What `wait_for_training` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Waited {
    name: String,
    namespace: String,
    status: JobState,
    /// Whether one of the statuses was reached.
    reached: bool,
    /// Why the wait ended.
    ended: Ended,
    /// One word for why the job does not run well.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    waited_seconds: u64,
    /// How to go on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_seen: Vec<String>,
}

impl Render for Waited {
    fn render(&self, text: &mut Text) {
        let (name, status) = (&self.name, self.status.as_str());
        let end = match self.ended {
            Ended::Target => format!("is {status}"),
            Ended::Finished => format!("has ended: {status}"),
            Ended::Stalled => format!("is stuck: {status}"),
            Ended::Deleted => format!("was deleted; it was {status}"),
            Ended::Timeout => format!("is still {status}"),
        };
        text.line(format!(
            "training job {name} in {} {end} (waited {} s)",
            self.namespace, self.waited_seconds
        ));
        if let Some(reason) = &self.reason {
            text.fact(reason, self.message.as_deref().unwrap_or("no more is known"));
        }
        text.facts("next", &self.hints);
        text.facts("not seen", &self.not_seen);
    }
}

impl Tool for WaitForTraining {
    type Output = Waited;
    const SPEC: ToolSpec = ToolSpec::read("wait_for_training", Phase::Monitoring)
        .access(&[
            Access::new("trainer.kubeflow.org", "trainjobs", &["list", "watch"]),
            Access::new("", "pods", &["list"]).degrades(),
            Access::new("", "events", &["list"]).degrades(),
        ])
        .next(&[
            Next::to("get_training_logs", "it runs, or has ended"),
            Next::to(
                "diagnose_training_job",
                "it failed, or is stuck and the reason does not suffice",
            ),
        ])
        .deadline(MOST + 15);

    async fn run(self, cx: &Cx) -> Result<Waited, ToolError> {
        let namespace = cx.namespace(self.namespace.as_ref()).await?;
        let targets = if self.target_statuses.is_empty() {
            complete()
        } else {
            self.target_statuses
        };
        let most = settings::max_wait(cx, MOST)?;
        let seconds = seconds(self.timeout_seconds, cx.is_remote(), most);
        let begun = Instant::now();
        let until = begun + Duration::from_secs(seconds);
        let mut vigil = Vigil::new(cx, &namespace, &self.name, &targets, begun, seconds);
        let ended = match timeout_at(until, vigil.keep()).await {
            Ok(ended) => ended?,
            Err(_) => Ended::Timeout,
        };
        let Some(status) = vigil.state else {
            let asked = format!("wait for training job `{}` in namespace `{namespace}`", self.name);
            let why = format!("{} did not answer within {seconds} s", cx.kube().server());
            return Err(ToolError::new(ErrorCode::Timeout, asked, why)
                .fix("try again")
                .tool("health_check"));
        };
        let mut hints = hints(ended, status, vigil.reason.as_ref());
        if self.timeout_seconds.is_some_and(|asked| asked > most) && ended == Ended::Timeout {
            hints.push(format!("{most} s is the longest that one call waits"));
        }
        let not_seen = vigil.not_seen.into_iter().collect();
        let reason = vigil
            .reason
            .filter(|_| ended != Ended::Target || status == JobState::Failed);
        Ok(Waited {
            name: self.name.to_string(),
            namespace,
            status,
            reached: ended == Ended::Target,
            ended,
            message: reason.as_ref().map(|reason| reason.message.clone()),
            reason: reason.map(|reason| reason.code),
            waited_seconds: begun.elapsed().as_secs(),
            hints,
            not_seen,
        })
    }
}

kf_mcp_core::register!(WaitForTraining);

/// How to go on.
fn hints(ended: Ended, status: JobState, reason: Option<&Reason>) -> Vec<String> {
    let hint = match (ended, status) {
        (Ended::Stalled, _) => reason.map_or("diagnose_training_job tells more", |reason| {
            advice(&reason.code, &reason.message)
        }),
        (Ended::Timeout, _) if reason.is_some() => {
            "call again with the same arguments to wait on, or see what diagnose_training_job says of it"
        }
        (Ended::Timeout, _) => "call again with the same arguments to wait on",
        (Ended::Deleted, _) => "list_training_jobs shows what there is",
        (_, JobState::Failed) => "diagnose_training_job tells why, and what would help",
        (Ended::Finished, _) => "it will not come to another status: get_training_logs shows what it printed",
        (Ended::Target, _) => return Vec::new(),
    };
    vec![hint.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_long_over_http_is_asked_for() {
        for (asked, remote, most, want) in [
            (None, false, MOST, 600),
            (None, true, MOST, 50),
            (None, false, 120, 120),
            (None, true, 20, 20),
            (Some(300), true, MOST, 300),
            (Some(7), false, MOST, 7),
            (Some(9_000), false, MOST, 600),
            (Some(0), false, MOST, 1),
        ] {
            assert_eq!(seconds(asked, remote, most), want, "{asked:?} {remote} {most}");
        }
    }
}
