//! Watches: the store's history as a stream of events.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::accept::Form;
use super::answer::Answer;
use super::errors::{too_large, too_old};
use super::list::Meta;
use super::listing::{selection, version};
use super::selector::Selection;
use super::tabular::Tabular;
use super::view::{Shown, View};
use super::{Call, PATIENCE, bookmark};
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

/// With what a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// With all there is, once the store has come to a version.
    Initial(u64),
    /// With what changed after a version.
    After(u64),
    /// With what changes from now on.
    Now,
}

struct Watcher {
    inner: Arc<Inner>,
    kind: &'static Kind,
    namespace: Option<String>,
    selection: Selection,
    writer: Writer,
    bookmarks: bool,
    /// A beginning that has to wait for its version, and for how long it does.
    waits: Option<(Begin, Timestamp)>,
    cursor: u64,
    queue: VecDeque<Bytes>,
    ticks: watch::Receiver<u64>,
    ends: Timestamp,
    next_bookmark: Timestamp,
    left: Option<usize>,
    finished: bool,
    closing: CancellationToken,
}

/// How events become lines.
struct Writer {
    view: View,
    tabular: Option<Tabular>,
    /// The first table describes its columns.
    headers: bool,
    now: Timestamp,
}

#[derive(Serialize)]
struct Line<T> {
    r#type: &'static str,
    object: T,
}

/// Answers a watch.
pub(crate) fn watch(
    inner: &Arc<Inner>,
    call: &Call,
    kind: &'static Kind,
    form: Form,
    trouble: Trouble,
    closing: &CancellationToken,
) -> Result<Answer, Status> {
    let selection = inner.with(|state, _| selection(&state.store, call, kind))?;
    let lifetime = call.query.number("timeoutSeconds")?.filter(|&s| s != 0);
    let tabular = Tabular::new(inner, call, kind, form)?;
    let now = inner.clock.now();
    let at = |by: SignedDuration| now.saturating_add(by).unwrap_or(Timestamp::MAX);
    let begin = begin(call, trouble)?;
    let mut watcher = Watcher {
        inner: Arc::clone(inner),
        kind,
        namespace: call.target.namespace.clone(),
        selection,
        writer: Writer {
            view: call.view,
            tabular,
            headers: true,
            now,
        },
        bookmarks: call.query.flag("allowWatchBookmarks"),
        waits: Some((begin, at(PATIENCE))),
        cursor: 0,
        queue: VecDeque::new(),
        ticks: inner.ticks.subscribe(),
        ends: at(SignedDuration::from_secs(lifetime.unwrap_or(LIFETIME))),
        next_bookmark: at(BOOKMARKS),
        left: trouble.drop_after,
        finished: false,
        closing: closing.clone(),
    };
    if lifetime.is_some_and(|seconds| seconds < 0) {
        watcher.finished = true;
    } else {
        inner.with(|state, _| watcher.read(&state.store));
    }
    let chunks = futures::stream::unfold(watcher, async |mut watcher| {
        let line = watcher.next().await?;
        Some((Ok(line), watcher))
    });
    Ok(Answer::chunks("application/json", Box::pin(chunks)))
}

/// Reads with what a watch begins: without a version with all there is, unless that is not wanted.
fn begin(call: &Call, trouble: Trouble) -> Result<Begin, Status> {
    let from = version(call)?.filter(|&version| version > 0);
    let initial = call
        .query
        .has("sendInitialEvents")
        .then(|| call.query.flag("sendInitialEvents"));
    Ok(match (from, initial) {
        (Some(_), None | Some(false)) if trouble.expired => Begin::After(0),
        (Some(version), None | Some(false)) => Begin::After(version),
        (None, Some(false)) => Begin::Now,
        (from, _) => Begin::Initial(from.unwrap_or_default()),
    })
}

impl Watcher {
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
            if self.finished {
                return None;
            }
            // what changed up to the end is still told
            self.finished = now >= self.ends && self.waits.is_none();
            // seen before the store is read: a change after that wakes the wait below
            self.ticks.borrow_and_update();
            let inner = Arc::clone(&self.inner);
            self.writer.now = now;
            inner.with(|state, _| self.read(&state.store));
            if self.queue.is_empty() && self.bookmarks && self.waits.is_none() && now >= self.next_bookmark {
                self.bookmark(false);
                self.next_bookmark = now.saturating_add(BOOKMARKS).unwrap_or(Timestamp::MAX);
            }
            if !self.queue.is_empty() || self.finished {
                continue;
            }
            let wake = match self.waits {
                Some((_, until)) => until,
                None if self.bookmarks => self.ends.min(self.next_bookmark),
                None => self.ends,
            };
            tokio::select! {
                changed = self.ticks.changed() => changed.ok()?,
                () = self.inner.clock.until(Some(wake)) => {}
                () = self.closing.cancelled() => return None,
            }
        }
    }

    /// Queues what there is at the beginning, or what changed since the last look.
    fn read(&mut self, store: &Store) {
        if let Some((begin, until)) = self.waits {
            if !self.begin(store, begin, until) {
                return;
            }
            self.waits = None;
        }
        let Ok(changes) = store.changes_since(self.cursor) else {
            self.error(&too_old(self.cursor, store.oldest()));
            return;
        };
        let resource = self.kind.qualified();
        for change in changes {
            let here = change.key.resource == resource
                && self
                    .namespace
                    .as_ref()
                    .is_none_or(|namespace| *namespace == change.key.namespace);
            if here && let Some(line) = event(change, &self.selection, &mut self.writer) {
                self.queue.push_back(line);
            }
        }
        self.cursor = self.cursor.max(store.version());
    }

    /// Queues what there is at the beginning; false while its version is yet to come.
    fn begin(&mut self, store: &Store, begin: Begin, until: Timestamp) -> bool {
        match begin {
            Begin::After(version) => self.cursor = version,
            Begin::Now => self.cursor = store.version(),
            Begin::Initial(version) if version > store.version() => {
                if self.writer.now >= until {
                    self.error(&too_large(version, store.version()));
                }
                return false;
            }
            Begin::Initial(_) => {
                for object in store.list(self.kind, self.namespace.as_deref()) {
                    if self.selection.matches(object) {
                        self.queue.push_back(self.writer.line("ADDED", object));
                    }
                }
                self.cursor = store.version();
                if self.bookmarks {
                    self.bookmark(true);
                }
            }
        }
        true
    }

    fn bookmark(&mut self, initial: bool) {
        let object = bookmark::object(self.kind, self.cursor, initial);
        self.queue.push_back(self.writer.line("BOOKMARK", &object));
    }

    /// The last line of a watch that cannot go on.
    fn error(&mut self, status: &Status) {
        self.queue.push_back(line("ERROR", status.body()));
        self.finished = true;
    }
}

impl Writer {
    fn line(&mut self, r#type: &'static str, object: &Value) -> Bytes {
        match &self.tabular {
            Some(tabular) => {
                let headers = std::mem::take(&mut self.headers);
                line(r#type, tabular.rows(vec![object], Meta::of(object), headers, self.now))
            }
            None => line(r#type, Shown(object, self.view)),
        }
    }
}

/// A change as a selection sees it: an object that enters it is added, one that leaves it is deleted.
fn event(change: &Change, selection: &Selection, writer: &mut Writer) -> Option<Bytes> {
    let is = selection.matches(&change.object);
    let was = match (change.event, &change.before) {
        (Event::Added, _) => false,
        (Event::Modified, Some(before)) => selection.matches(before),
        (Event::Modified, None) | (Event::Deleted, _) => is,
    };
    match (was, is, change.event) {
        (false, false, _) => None,
        (_, _, Event::Deleted) => Some(writer.line("DELETED", &change.object)),
        (false, true, _) => Some(writer.line("ADDED", &change.object)),
        (true, true, _) => Some(writer.line("MODIFIED", &change.object)),
        (true, false, _) => {
            // the state that was still selected, at the version of the change
            let mut last = change.before.as_deref().cloned().unwrap_or(Value::Null);
            metadata(&mut last).insert("resourceVersion".into(), json!(change.version.to_string()));
            Some(writer.line("DELETED", &last))
        }
    }
}

fn line<T: Serialize>(r#type: &'static str, object: T) -> Bytes {
    let mut line = serde_json::to_vec(&Line { r#type, object }).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
