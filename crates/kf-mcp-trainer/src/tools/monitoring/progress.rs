//! The answer of `get_training_progress`: how far, how well, with what, and where each of it is from.

use kf_mcp_core::{Image, Render, Text};
use kf_mcp_trainjob::JobState;
use schemars::JsonSchema;
use serde::Serialize;

use crate::gpu_use::{self, Gpu};
use crate::progress::{Position, Series, Told, short};
use crate::reported::Reported;

/// Metrics that the text shows.
const MOST_METRICS: usize = 10;
/// Rows of use that the text shows.
const MOST_ROWS: usize = 20;

/// What `get_training_progress` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TrainingProgress {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) status: JobState,
    /// How much is done: as reported, else as read from the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remaining_seconds: Option<u64>,
    /// Where these two are from: `status` or `log`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<&'static str>,
    /// `status.trainerStatus`: what the training itself reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reported: Option<Reported>,
    /// What known patterns found in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log: Option<FromLog>,
    /// What the pods use at the moment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) usage: Vec<Row>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) usage_left_out: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) not_seen: Vec<String>,
    #[serde(skip)]
    pub(super) chart: Option<Vec<u8>>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What a log tells.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FromLog {
    pub(super) step_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pod: Option<String>,
    /// Whether it is that of the run before the last restart.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) previous: bool,
    /// Whose patterns were recognised.
    pub(super) patterns: Vec<&'static str>,
    /// Lines that were read, and those with progress.
    pub(super) lines: usize,
    pub(super) matched: usize,
    #[serde(flatten)]
    pub(super) position: Position,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) metrics: Vec<Series>,
    /// Further metrics: ask for them by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) other_metrics: Vec<String>,
    /// When the last line with progress was printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) updated: Option<String>,
    /// Why there is no log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
}

/// What one step uses.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Row {
    pub(super) step: String,
    pub(super) pod: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) gpus: Vec<Gpu>,
}

impl FromLog {
    pub(super) fn of(step: &str, pod: Option<String>, previous: bool, told: Told) -> Self {
        Self {
            step_name: step.to_owned(),
            pod,
            previous,
            patterns: told.families.iter().map(|family| family.words()).collect(),
            lines: told.lines,
            matched: told.matched,
            position: told.position,
            metrics: told.metrics,
            other_metrics: told.others,
            updated: told.updated.map(kf_mcp_core::text::time),
            why: None,
        }
    }
}

impl Render for TrainingProgress {
    fn render(&self, text: &mut Text) {
        let mut head = vec![self.status.as_str().to_owned()];
        head.extend(self.percent.map(|percent| format!("{}%", short(percent))));
        head.extend(
            self.remaining_seconds
                .filter(|s| *s > 0)
                .map(|seconds| format!("about {} to go", span(seconds))),
        );
        let source = self
            .source
            .map(|source| format!(" (from its {source})"))
            .unwrap_or_default();
        text.line(format!(
            "{} in {}: {}{source}",
            self.name,
            self.namespace,
            head.join(", ")
        ));
        if let Some(reported) = &self.reported {
            let line = reported.line(text);
            text.fact("reported by the training", line);
        }
        if let Some(log) = &self.log {
            log.render(text);
        }
        if !self.usage.is_empty() {
            let rows = self.usage.iter().take(MOST_ROWS).map(|row| {
                let (busy, memory) = gpu_use::phrases(&row.gpus);
                [
                    row.step.clone(),
                    row.cpu.clone().unwrap_or_default(),
                    row.memory.clone().unwrap_or_default(),
                    busy,
                    memory,
                ]
            });
            text.table(["step", "cpu", "memory", "gpu_busy", "gpu_memory"], rows);
        }
        let more = self.usage.len().saturating_sub(MOST_ROWS) + self.usage_left_out;
        if more > 0 {
            text.line(format!("… and {more} more steps"));
        }
        text.facts("note", &self.notes);
        text.facts("not seen", &self.not_seen);
    }

    fn images(&self) -> Vec<Image> {
        self.chart.iter().cloned().map(Image::png).collect()
    }
}

impl FromLog {
    fn render(&self, text: &mut Text) {
        if let Some(why) = &self.why {
            text.fact(&format!("no log of {}", self.step_name), why);
            return;
        }
        let run = if self.previous {
            ", run before the last restart"
        } else {
            ""
        };
        if self.matched == 0 {
            return;
        }
        let ago = self
            .updated
            .as_deref()
            .map(|at| text.age_of(at))
            .filter(|ago| !ago.is_empty());
        let ago = ago.map(|ago| format!(", last {ago} ago")).unwrap_or_default();
        text.line(format!(
            "read from the log of {}{run} (untrusted text; patterns: {}; {} of {} lines{ago}):",
            self.step_name,
            self.patterns.join(", "),
            self.matched,
            self.lines
        ));
        let place = self.position.words();
        if !place.is_empty() {
            text.line(place);
        }
        for series in self.metrics.iter().take(MOST_METRICS) {
            text.line(words(series));
        }
        let more = self.metrics.iter().skip(MOST_METRICS).map(|series| &series.name);
        let others: Vec<&str> = more.chain(&self.other_metrics).map(String::as_str).collect();
        text.fact("other metrics", others.join(", "));
    }
}

impl Position {
    /// Where the training stands, on one line.
    fn words(&self) -> String {
        let part = |what: &str, done: Option<String>, total: Option<String>| {
            let total = total.map(|total| format!("/{total}")).unwrap_or_default();
            done.map(|done| format!("{what} {done}{total}"))
        };
        let count = |number: Option<u64>| number.map(|number| number.to_string());
        let mut parts: Vec<String> = Vec::new();
        parts.extend(part("step", count(self.step), count(self.steps)));
        parts.extend(part("epoch", self.epoch.map(short), self.epochs.map(short)));
        parts.extend(part(
            "step of the epoch",
            count(self.epoch_step),
            count(self.epoch_steps),
        ));
        for rate in &self.throughput {
            let measured = if rate.measured { " (measured)" } else { "" };
            parts.push(format!("{} {}{measured}", short(rate.value), rate.unit));
        }
        parts.extend(
            self.epoch_eta_seconds
                .map(|seconds| format!("epoch ends in about {}", span(seconds))),
        );
        parts.join(", ")
    }
}

/// A metric on one line.
fn words(series: &Series) -> String {
    let mut parts = vec![series.name.clone()];
    parts.extend(series.latest.map(short));
    if let (Some(min), Some(max), true) = (series.min, series.max, series.y.len() > 1) {
        parts.push(format!("({}..{})", short(min), short(max)));
    }
    if let (Some(from), Some(to), true) = (series.x.first(), series.x.last(), series.x.len() > 1) {
        parts.push(format!(
            "{} by {} {}..{}",
            series.trend,
            series.by.words(),
            short(*from),
            short(*to)
        ));
    }
    if series.not_finite > 0 {
        let now = if series.not_finite_now { ", also the last" } else { "" };
        let times = if series.not_finite == 1 { "time" } else { "times" };
        parts.push(format!("NaN or infinite {} {times}{now}", series.not_finite));
    }
    parts.join(" ")
}

/// A time that will pass, in two units.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h{}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}
