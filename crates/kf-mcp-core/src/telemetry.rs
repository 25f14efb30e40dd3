//! What the server says about itself: logs to stderr, and a bounded ring of them for `get_server_logs`.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::{redact, text};

/// How many log records are kept.
const KEPT: usize = 1000;

/// One log record, redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Record {
    /// RFC 3339, UTC.
    pub time: String,
    /// ERROR, WARN, INFO, DEBUG or TRACE.
    pub level: String,
    /// Module.
    pub target: String,
    /// The message and its fields.
    pub message: String,
}

/// The server's latest log records. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ServerLog {
    ring: Arc<Mutex<VecDeque<(Level, Record)>>>,
}

impl ServerLog {
    /// The latest records at a level or above, oldest first.
    pub fn latest(&self, level: Level, most: usize) -> Vec<Record> {
        let ring = self.ring.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut latest: Vec<Record> = ring
            .iter()
            .rev()
            .filter(|(at, _)| *at <= level)
            .take(most)
            .map(|(_, record)| record.clone())
            .collect();
        latest.reverse();
        latest
    }

    /// The layer that fills the ring.
    pub fn layer(&self) -> Ring {
        Ring(self.clone())
    }

    fn push(&self, level: Level, record: Record) {
        let mut ring = self.ring.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back((level, record));
    }
}

/// A tracing layer that keeps the latest records in memory.
#[derive(Debug, Clone)]
pub struct Ring(ServerLog);

impl<S: Subscriber> Layer<S> for Ring {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        let message = text::bounded(&redact::secrets(&text::clean(&fields.line())), 2000);
        self.0.push(
            level,
            Record {
                time: text::time(Timestamp::now()),
                level: level.to_string(),
                target: event.metadata().target().to_owned(),
                message,
            },
        );
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: String,
}

impl Fields {
    fn line(&self) -> String {
        format!("{}{}", self.message, self.others)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a String cannot fail.
        let written = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.others, " {}={value:?}", field.name())
        };
        debug_assert!(written.is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn the_ring_is_bounded_filtered_and_redacted() {
        let log = ServerLog::default();
        let subscriber = tracing_subscriber::registry().with(log.layer());
        tracing::subscriber::with_default(subscriber, || {
            for n in 0..KEPT + 5 {
                tracing::debug!(n, "noise");
            }
            tracing::warn!(token = "hf_abcdefghijklmnopqrstuvwx", "login");
        });
        assert_eq!(log.latest(Level::TRACE, 5000).len(), KEPT);
        let warnings = log.latest(Level::WARN, 10);
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].message, "login token=\"***\"");
    }
}
