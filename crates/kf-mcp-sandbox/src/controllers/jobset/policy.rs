//! When a JobSet has succeeded, and what it does about Jobs that failed.

use serde_json::Value;

use super::status::Draft;
use super::{condition, items, number, replicas, time};
use crate::store::text;

/// Whether enough Jobs have succeeded.
pub(super) fn has_succeeded(jobset: &Value, succeeded: &[&Value]) -> bool {
    let policy = &jobset["spec"]["successPolicy"];
    let targets: Vec<&Value> = items(&policy["targetReplicatedJobs"]).collect();
    let counts = |name: &Value| targets.is_empty() || targets.contains(&name);
    let done = succeeded
        .iter()
        .filter(|job| counts(&job["metadata"]["labels"]["jobset.sigs.k8s.io/replicatedjob-name"]))
        .count();
    let wanted = if policy["operator"] == "Any" {
        1
    } else {
        items(&jobset["spec"]["replicatedJobs"])
            .filter(|replicated| counts(&replicated["name"]))
            .map(replicas)
            .sum()
    };
    i64::try_from(done).is_ok_and(|done| done >= wanted)
}

/// Does what the failure policy says about the first failure.
pub(super) fn failed(jobset: &Value, failed: &[&Value], draft: &mut Draft<'_>) {
    let policy = &jobset["spec"]["failurePolicy"];
    if policy.is_null() {
        let message = about("jobset failed due to one or more job failures", first(failed));
        draft.failed("FailedJobs", &message);
        return;
    }
    let rule = items(&policy["rules"]).find_map(|rule| {
        let matching: Vec<&Value> = failed.iter().copied().filter(|job| matches(rule, job)).collect();
        (!matching.is_empty()).then(|| (rule, first(&matching)))
    });
    let (action, reason, job) = match &rule {
        Some((rule, job)) => (
            rule["action"].as_str().unwrap_or("RestartJobSet"),
            format!("FailurePolicy_{}", text(rule, "/name")),
            *job,
        ),
        None => ("RestartJobSet", "DefaultFailurePolicy".to_owned(), first(failed)),
    };
    match action {
        "FailJobSet" => {
            let message = about("applying FailJobSet failure policy action", job);
            draft.failed("FailJobSetFailurePolicyAction", &message);
        }
        "RestartJobSetAndIgnoreMaxRestarts" => {
            let message = about("applying RestartJobSetAndIgnoreMaxRestarts failure policy action", job);
            let event = "RestartJobSetAndIgnoreMaxRestartsFailurePolicyAction";
            draft.restart(&reason, event, &message, false);
        }
        _ => {
            let most = number(policy, "/maxRestarts").unwrap_or_default();
            if number(jobset, "/status/restartsCountTowardsMax").unwrap_or_default() >= most {
                let message = about("jobset failed due to reaching max number of restarts", job);
                draft.failed("ReachedMaxRestarts", &message);
            } else {
                let message = about("applying RestartJobSet failure policy action", job);
                draft.restart(&reason, "RestartJobSetFailurePolicyAction", &message, true);
            }
        }
    }
}

fn about(what: &str, job: &Value) -> String {
    format!("{what} (first failed job: {})", text(job, "/metadata/name"))
}

/// The Job that failed first; there is always one.
fn first<'a>(failed: &[&'a Value]) -> &'a Value {
    failed
        .iter()
        .min_by_key(|job| condition(job, "Failed").and_then(|c| time(c, "/lastTransitionTime")))
        .copied()
        .unwrap_or(&Value::Null)
}

/// Whether a rule is about a failed Job. Patterns of messages are taken as plain text.
fn matches(rule: &Value, job: &Value) -> bool {
    let failure = condition(job, "Failed").unwrap_or(&Value::Null);
    let among = |list: &Value, value: &Value| list.as_array().is_none_or(|all| all.is_empty() || all.contains(value));
    let message = text(failure, "/message");
    let patterns: Vec<&str> = items(&rule["onJobFailureMessagePatterns"])
        .filter_map(Value::as_str)
        .collect();
    among(&rule["onJobFailureReasons"], &failure["reason"])
        && (patterns.is_empty() || patterns.iter().any(|pattern| message.contains(pattern)))
        && among(
            &rule["targetReplicatedJobs"],
            &job["metadata"]["labels"]["jobset.sigs.k8s.io/replicatedjob-name"],
        )
}
