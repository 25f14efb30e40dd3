//! Katib, as little of it as a client needs to see that its Experiment has been noticed: no trials are run.

use jiff::Timestamp;
use serde_json::json;

use super::Action;
use super::objects::{kind, set_condition};
use crate::store::{Store, seconds};

/// Marks new Experiments as created.
pub fn step(store: &Store, now: Timestamp) -> Vec<Action> {
    let experiments = kind("Experiment");
    store
        .list(experiments, None)
        .filter(|experiment| experiment["status"].is_null())
        .map(|experiment| {
            let mut next = (**experiment).clone();
            next["status"] = json!({
                "startTime": seconds(now), "completionTime": null, "currentOptimalTrial": {"observation": {}},
            });
            set_condition(
                &mut next,
                "Created",
                "True",
                "ExperimentCreated",
                "Experiment is created",
                now,
            );
            if let Some(condition) = next.pointer_mut("/status/conditions/0") {
                condition["lastUpdateTime"] = json!(seconds(now));
            }
            Action::UpdateStatus(experiments, next)
        })
        .collect()
}
