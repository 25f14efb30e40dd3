//! What the server says about itself: logs to stderr, and a bounded ring of them for `get_server_logs`.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::{Caller, redact, text};

/// How many log records are kept.
const KEPT: usize = 1000;
/// The longest message that is kept, in characters.
const LONGEST: usize = 16_000;

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
    ring: Arc<Mutex<VecDeque<Kept>>>,
}

#[derive(Debug, Clone)]
struct Kept {
    level: Level,
    /// Whose call it is about, if it is about the call of one of several callers.
    caller: Option<CallerKey>,
    time: Timestamp,
    target: &'static str,
    /// As it was logged: it is cleaned and redacted when it is read, which few records ever are.
    message: String,
}

impl Kept {
    fn record(&self) -> Record {
        Record {
            time: text::time(self.time),
            level: self.level.to_string(),
            target: self.target.to_owned(),
            message: text::bounded(&redact::secrets(&text::clean(&self.message)), 2000),
        }
    }
}

/// Who a span's call is of.
#[derive(Debug, Clone)]
struct CallerKey(Arc<str>);

/// The name of the span around the call of one of several callers, and its field.
const SPAN: &str = "call";
const CALLER: &str = "caller";

/// Marks what is logged within it as being about a caller's call. Where there is only one caller nothing needs a mark.
pub(crate) fn span(caller: &Caller) -> tracing::Span {
    match caller {
        Caller::Local => tracing::Span::none(),
        // as an error, so that no level leaves it out: without it the lines would be everybody's
        Caller::Named(_) => tracing::error_span!(SPAN, caller = key(caller)),
    }
}

/// Marks what is logged within it as being for the operator alone: callers that are told apart do not see it.
pub fn for_the_operator() -> tracing::Span {
    // no caller has this key: theirs name an issuer too
    tracing::error_span!(SPAN, caller = "operator")
}

/// What no other caller has, in one line: issuers have no spaces.
fn key(caller: &Caller) -> String {
    caller.key().replace('\n', " ")
}

impl ServerLog {
    /// The latest records at a level or above, oldest first: all of them, or those that are about no other caller's call.
    pub fn latest(&self, level: Level, most: usize, only_for: Option<&Caller>) -> Vec<Record> {
        let key = only_for.map(key);
        let may = |kept: &&Kept| match (&key, &kept.caller) {
            (Some(key), Some(CallerKey(of))) => **of == **key,
            _ => true,
        };
        let ring = self.ring.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let fitting = ring.iter().rev().filter(|kept| kept.level <= level).filter(may);
        let latest: Vec<Kept> = fitting.take(most).cloned().collect();
        // redacting takes a while, and nobody else has to wait for it
        drop(ring);
        latest.iter().rev().map(Kept::record).collect()
    }

    /// The layer that fills the ring.
    pub fn layer(&self) -> Ring {
        Ring(self.clone())
    }

    fn push(&self, kept: Kept) {
        let mut ring = self.ring.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(kept);
    }
}

/// A tracing layer that keeps the latest records in memory.
#[derive(Debug, Clone)]
pub struct Ring(ServerLog);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Ring {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut found = Found(None);
        if attributes.metadata().name() == SPAN {
            attributes.record(&mut found);
        }
        if let (Some(caller), Some(span)) = (found.0, cx.span(id)) {
            span.extensions_mut().insert(caller);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let caller = cx
            .event_scope(event)
            .and_then(|mut scope| scope.find_map(|span| span.extensions().get::<CallerKey>().cloned()));
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = *event.metadata().level();
        self.0.push(Kept {
            level,
            caller,
            time: Timestamp::now(),
            target: event.metadata().target(),
            // long enough that what is cut off is not shown either way
            message: text::bounded(&fields.line(), LONGEST),
        });
    }
}

/// The caller in the fields of a span.
struct Found(Option<CallerKey>);

impl Visit for Found {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == CALLER {
            self.0 = Some(CallerKey(value.into()));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
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
    use crate::Identity;
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
        assert_eq!(log.latest(Level::TRACE, 5000, None).len(), KEPT);
        let warnings = log.latest(Level::WARN, 10, None);
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].message, "login token=\"***\"");
    }

    #[test]
    fn what_is_about_the_call_of_one_caller_is_not_told_to_others() {
        let log = ServerLog::default();
        let [alice, bob] = ["alice", "bob"].map(|name| Caller::named(Identity::new("token", name), None));
        let subscriber = tracing_subscriber::registry().with(log.layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("started");
            for caller in [&alice, &bob] {
                span(caller).in_scope(|| {
                    tracing::info_span!("inner").in_scope(|| tracing::info!("of {}", caller.as_str()));
                });
            }
        });
        let told = |only_for| {
            let records = log.latest(Level::INFO, 10, only_for);
            records.iter().map(|record| record.message.clone()).collect::<Vec<_>>()
        };
        assert_eq!(told(None), ["started", "of alice", "of bob"]);
        assert_eq!(told(Some(&alice)), ["started", "of alice"]);
    }
}
