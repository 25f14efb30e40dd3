//! `spec.runPolicy`: how long a v1 job may run and what stays of it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::pods::outside;

/// What a run policy says; fields that it leaves out are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct RunPolicy {
    /// Which pods go when the job ends: `All`, `Running` or `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clean_pod_policy: Option<String>,
    /// Seconds after which it is ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) active_deadline_seconds: Option<i64>,
    /// Seconds after its end after which the operator deletes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl_seconds_after_finished: Option<i64>,
    /// How often pods may fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backoff_limit: Option<i64>,
    /// Who starts its pods together, by the queue it waits in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<String>,
}

impl RunPolicy {
    /// Reads a run policy; what makes no sense is left out.
    pub(super) fn read(policy: &Value) -> Self {
        let number = |name: &str| policy.get(name).and_then(Value::as_i64);
        let text = |pointer: &str| {
            let said = policy.pointer(pointer)?.as_str().map(outside)?;
            (!said.is_empty()).then_some(said)
        };
        Self {
            clean_pod_policy: text("/cleanPodPolicy"),
            active_deadline_seconds: number("activeDeadlineSeconds"),
            ttl_seconds_after_finished: number("ttlSecondsAfterFinished"),
            backoff_limit: number("backoffLimit"),
            queue: text("/schedulingPolicy/queue"),
        }
    }

    /// In words, empty when it says nothing.
    pub(crate) fn words(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.active_deadline_seconds.map(|s| format!("ended after {s} s")));
        words.extend(
            self.ttl_seconds_after_finished
                .map(|s| format!("deleted {s} s after its end")),
        );
        words.extend(self.backoff_limit.map(|n| format!("{n} retries")));
        words.extend(
            self.clean_pod_policy
                .as_ref()
                .map(|which| format!("cleans {which} pods")),
        );
        words.extend(self.queue.as_ref().map(|queue| format!("queue {queue}")));
        words.join(", ")
    }
}
