//! Watches: the store's history as a stream of events.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Call;
use super::answer::Answer;
use super::errors::{Cause, invalid, too_old};
use super::list::version;
use super::selector::Selection;
use super::view::{Shown, View};
use crate::Inner;
use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{Change, Event, Store, metadata};

/// How often a quiet watch says that it is alive.
const BOOKMARKS: SignedDuration = SignedDuration::from_secs(60);
/// How long a watch lives that does not say how long. Real servers choose between half an hour and an hour.
const LIFETIME: i64 = 3600;

/// What faults do to a watch.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Trouble {
    /// Ends after so many events.
    pub(crate) drop_after: Option<usize>,
    /// Says 410 at once.
    pub(crate) expired: bool,
}

struct Watcher {
    inner: Arc<Inner>,
    kind: &'static Kind,
    namespace: Option<String>,
    selection: Selection,
    view: View,
    bookmarks: bool,
    cursor: u64,
    queue: VecDeque<Bytes>,
    ticks: watch::Receiver<u64>,
    ends: Timestamp,
    next_bookmark: Timestamp,
    left: Option<usize>,
    finished: bool,
    closing: CancellationToken,
}

#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    object: Shown<'a>,
}

/// Answers a watch.
pub(crate) fn watch(
    inner: &Arc<Inner>,
    call: &Call,
    kind: &'static Kind,
    trouble: Trouble,
    closing: &CancellationToken,
) -> Result<Answer, Status> {
    let selection = Selection::new(kind, &call.query)?;
    let initial = call.query.flag("sendInitialEvents");
    let bookmarks = call.query.flag("allowWatchBookmarks");
    if initial && call.query.get("resourceVersionMatch") != Some("NotOlderThan") {
        return Err(invalid(
            "meta.k8s.io",
            "ListOptions",
            "",
            &Cause {
                reason: "FieldValueForbidden",
                field: "sendInitialEvents",
                message: "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
                    .to_owned(),
            },
        ));
    }
    let lifetime = call
        .query
        .number("timeoutSeconds")?
        .filter(|&s| s > 0)
        .unwrap_or(LIFETIME);
    let now = inner.clock.now();
    let at = |by: SignedDuration| now.saturating_add(by).unwrap_or(Timestamp::MAX);
    let mut watcher = Watcher {
        inner: Arc::clone(inner),
        kind,
        namespace: call.target.namespace.clone(),
        selection,
        view: call.view,
        bookmarks,
        cursor: 0,
        queue: VecDeque::new(),
        ticks: inner.ticks.subscribe(),
        ends: at(SignedDuration::from_secs(lifetime)),
        next_bookmark: at(BOOKMARKS),
        left: trouble.drop_after,
        finished: false,
        closing: closing.clone(),
    };
    inner.with(|state, _| -> Result<(), Status> {
        let from = version(call, &state.store)?.filter(|&version| version > 0);
        let from = if trouble.expired { from.map(|_| 0) } else { from };
        watcher.begin(&state.store, from, initial);
        Ok(())
    })?;
    let chunks = futures::stream::unfold(watcher, async |mut watcher| {
        let line = watcher.next().await?;
        Some((Ok(line), watcher))
    });
    Ok(Answer::chunks("application/json", Box::pin(chunks)))
}

impl Watcher {
    fn begin(&mut self, store: &Store, from: Option<u64>, initial: bool) {
        if let Some(version) = from.filter(|_| !initial) {
            self.cursor = version;
        } else {
            for object in store.list(self.kind, self.namespace.as_deref()) {
                if self.selection.matches(object) {
                    self.queue.push_back(line("ADDED", object, self.view));
                }
            }
            self.cursor = store.version();
        }
        if initial && self.bookmarks {
            self.bookmark(true);
        }
        self.read(store);
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.left == Some(0) {
                return None;
            }
            if let Some(line) = self.queue.pop_front() {
                self.left = self.left.map(|left| left.saturating_sub(1));
                return Some(line);
            }
            let now = self.inner.clock.now();
            if self.finished || now >= self.ends {
                return None;
            }
            // seen before the store is read: a change after that wakes the wait below
            self.ticks.borrow_and_update();
            let inner = Arc::clone(&self.inner);
            inner.with(|state, _| self.read(&state.store));
            if self.queue.is_empty() && self.bookmarks && now >= self.next_bookmark {
                self.bookmark(false);
                self.next_bookmark = now.saturating_add(BOOKMARKS).unwrap_or(Timestamp::MAX);
            }
            if !self.queue.is_empty() || self.finished {
                continue;
            }
            let wake = if self.bookmarks {
                self.ends.min(self.next_bookmark)
            } else {
                self.ends
            };
            tokio::select! {
                changed = self.ticks.changed() => changed.ok()?,
                () = self.inner.clock.until(Some(wake)) => {}
                () = self.closing.cancelled() => return None,
            }
        }
    }

    /// Queues what changed since the last look.
    fn read(&mut self, store: &Store) {
        let Ok(changes) = store.changes_since(self.cursor) else {
            let body = too_old(self.cursor, store.oldest()).body();
            self.queue.push_back(line("ERROR", &body, View::Whole));
            self.finished = true;
            return;
        };
        let resource = self.kind.qualified();
        for change in changes {
            let here = change.key.resource == resource
                && self
                    .namespace
                    .as_ref()
                    .is_none_or(|namespace| *namespace == change.key.namespace);
            if here && let Some(line) = event(change, &self.selection, self.view) {
                self.queue.push_back(line);
            }
        }
        self.cursor = self.cursor.max(store.version());
    }

    fn bookmark(&mut self, initial: bool) {
        let mut object = json!({
            "kind": self.kind.kind,
            "apiVersion": self.kind.api_version(),
            "metadata": {"resourceVersion": self.cursor.to_string(), "creationTimestamp": null},
        });
        if initial {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        self.queue.push_back(line("BOOKMARK", &object, self.view));
    }
}

/// A change as a selection sees it: an object that enters it is added, one that leaves it is deleted.
fn event(change: &Change, selection: &Selection, view: View) -> Option<Bytes> {
    let is = selection.matches(&change.object);
    let was = match (change.event, &change.before) {
        (Event::Added, _) => false,
        (Event::Modified, Some(before)) => selection.matches(before),
        (Event::Modified, None) | (Event::Deleted, _) => is,
    };
    match (was, is, change.event) {
        (false, false, _) => None,
        (_, _, Event::Deleted) => Some(line("DELETED", &change.object, view)),
        (false, true, _) => Some(line("ADDED", &change.object, view)),
        (true, true, _) => Some(line("MODIFIED", &change.object, view)),
        (true, false, _) => {
            // the state that was still selected, at the version of the change
            let mut last = change.before.as_deref().cloned().unwrap_or(Value::Null);
            metadata(&mut last).insert("resourceVersion".into(), json!(change.version.to_string()));
            Some(line("DELETED", &last, view))
        }
    }
}

fn line(r#type: &'static str, object: &Value, view: View) -> Bytes {
    let mut line = serde_json::to_vec(&Line {
        r#type,
        object: Shown(object, view),
    })
    .unwrap_or_default();
    line.push(b'\n');
    line.into()
}
