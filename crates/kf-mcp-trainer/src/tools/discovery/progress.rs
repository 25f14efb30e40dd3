//! How a job reads as text.

use kf_mcp_core::{Render, Text};

use super::get_training_job::TrainingJob;
use crate::legacy::{Replica, RunPolicy};

/// Steps that the text shows.
const MOST_STEPS: usize = 20;

impl Render for TrainingJob {
    fn render(&self, text: &mut Text) {
        let kind = self.kind.map(|kind| format!("{kind} ")).unwrap_or_default();
        text.line(format!(
            "{kind}{} in {}: {}",
            self.name,
            self.namespace,
            self.status.as_str()
        ));
        let why = [self.reason.as_deref(), self.message.as_deref()];
        text.fact("reason", why.into_iter().flatten().collect::<Vec<_>>().join(": "));
        if let Some(runtime) = &self.runtime {
            text.fact("runtime", format!("{} ({})", runtime.name, runtime.kind));
        }
        // The replicas of a v1 job have devices of their own.
        let devices = self
            .devices
            .as_ref()
            .filter(|_| self.replicas.is_empty())
            .map(|d| format!(" x {} {}", d.per_node, d.resource))
            .unwrap_or_default();
        let nodes = self
            .nodes
            .map(|nodes| nodes.to_string())
            .unwrap_or_else(|| "as the runtime says".into());
        text.fact("nodes", format!("{nodes}{devices}"));
        let replicas: Vec<String> = self.replicas.iter().map(Replica::words).collect();
        text.fact("replicas", replicas.join(", "));
        text.fact(
            "run policy",
            self.run_policy.as_ref().map(RunPolicy::words).unwrap_or_default(),
        );
        text.fact("image", self.image.as_deref().unwrap_or_default());
        for output in &self.outputs {
            text.fact("output", output.words());
        }
        let times = [
            ("created", &self.created),
            ("started", &self.started),
            ("finished", &self.finished),
        ];
        let times = times
            .into_iter()
            .filter_map(|(what, at)| Some(format!("{what} {} ago", text.age_of(at.as_deref()?))));
        let times: Vec<String> = times.collect();
        text.fact("times", times.join(", "));
        if let Some(progress) = &self.progress {
            let line = progress.line(text);
            text.fact("progress (as the training tells it)", line);
        }
        if !self.steps.is_empty() {
            let rows = self.steps.iter().take(MOST_STEPS).map(|step| {
                let restarts = if step.restarts > 0 {
                    step.restarts.to_string()
                } else {
                    String::new()
                };
                let place = step.node.clone().unwrap_or_default();
                [
                    step.name.clone(),
                    restarts,
                    place,
                    step.pod.clone().unwrap_or_default(),
                    step.status.clone(),
                ]
            });
            text.table(["step", "restarts", "node", "pod", "status"], rows);
        }
        let more = self.steps.len().saturating_sub(MOST_STEPS) + self.steps_left_out;
        if more > 0 {
            text.line(format!("… and {more} more steps"));
        }
        for (what, notes) in [("note", &self.notes), ("not seen", &self.not_seen)] {
            for note in notes {
                text.fact(what, note);
            }
        }
        if let Some(object) = &self.object {
            text.line(format!("object: {object}"));
        }
    }
}
