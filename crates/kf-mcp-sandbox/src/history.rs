//! What happened to the objects of the store, newest last: what watches read, and what tells how things were before.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use crate::store::{Key, StoreError};

/// How many changes are remembered; whoever asks for what was before them is told `410 Gone`.
const LIMIT: usize = 20_000;

/// What happened to an object, as a watch reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The object is new.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone; the recorded object is its last state.
    Deleted,
}

/// One entry of the history.
#[derive(Debug, Clone)]
pub struct Change {
    /// The resourceVersion the change made.
    pub version: u64,
    /// What happened.
    pub event: Event,
    /// Which object.
    pub key: Key,
    /// The object after the change; for a deletion its last state at the version of the deletion.
    pub object: Arc<Value>,
    /// The object before the change, unless it is new: watches with selectors report what left their selection, and
    /// lists of an older version show it.
    pub before: Option<Arc<Value>>,
}

/// The last changes.
#[derive(Debug, Default)]
pub(crate) struct History {
    changes: VecDeque<Change>,
    /// The newest version that is forgotten.
    forgotten: u64,
}

impl History {
    /// A history that begins after a version.
    pub(crate) fn after(version: u64) -> Self {
        Self {
            forgotten: version,
            ..Self::default()
        }
    }

    /// The oldest version from which [`History::since`] can still answer.
    pub(crate) fn oldest(&self) -> u64 {
        self.forgotten
    }

    /// Forgets everything up to a version, as etcd's compaction does.
    pub(crate) fn compact(&mut self, version: u64) {
        self.changes.clear();
        self.forgotten = version;
    }

    /// Adds the newest change.
    pub(crate) fn push(&mut self, change: Change) {
        if self.changes.len() >= LIMIT
            && let Some(oldest) = self.changes.pop_front()
        {
            self.forgotten = oldest.version;
        }
        self.changes.push_back(change);
    }

    /// What changed after a version, oldest first; [`StoreError::Expired`] when that is no longer known.
    pub(crate) fn since(&self, version: u64) -> Result<impl DoubleEndedIterator<Item = &Change> + use<'_>, StoreError> {
        if version < self.forgotten {
            return Err(StoreError::Expired);
        }
        let from = self.changes.partition_point(|change| change.version <= version);
        Ok(self.changes.range(from..))
    }

    /// Turns objects as they are now into what they were at a version. Only changes of objects that `concerns` accepts
    /// are undone.
    pub(crate) fn undo(
        &self,
        objects: &mut BTreeMap<Key, Arc<Value>>,
        version: u64,
        concerns: impl Fn(&Key) -> bool,
    ) -> Result<(), StoreError> {
        for change in self.since(version)?.rev().filter(|change| concerns(&change.key)) {
            match &change.before {
                Some(before) => objects.insert(change.key.clone(), Arc::clone(before)),
                None => objects.remove(&change.key),
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(name: &str) -> Key {
        Key {
            resource: "pods".to_owned(),
            namespace: "team-a".to_owned(),
            name: name.to_owned(),
        }
    }

    fn change(version: u64, event: Event, name: &str, before: Option<Value>) -> Change {
        Change {
            version,
            event,
            key: key(name),
            object: Arc::new(json!(version)),
            before: before.map(Arc::new),
        }
    }

    #[test]
    fn changes_are_undone_newest_first() {
        let mut history = History::after(10);
        history.push(change(11, Event::Added, "a", None));
        history.push(change(12, Event::Modified, "a", Some(json!(11))));
        history.push(change(13, Event::Deleted, "b", Some(json!(9))));
        history.push(change(14, Event::Added, "c", None));
        let now: BTreeMap<Key, Arc<Value>> = [(key("a"), Arc::new(json!(12))), (key("c"), Arc::new(json!(14)))].into();
        let at = |version| {
            let mut objects = now.clone();
            history.undo(&mut objects, version, |_| true).map(|()| {
                objects
                    .into_iter()
                    .map(|(key, object)| (key.name, object.as_u64().unwrap()))
                    .collect::<Vec<_>>()
            })
        };
        let named = |objects: &[(&str, u64)]| Ok(objects.iter().map(|(name, v)| ((*name).to_owned(), *v)).collect());
        assert_eq!(at(14), named(&[("a", 12), ("c", 14)]));
        assert_eq!(at(13), named(&[("a", 12)]));
        assert_eq!(at(12), named(&[("a", 12), ("b", 9)]));
        assert_eq!(at(11), named(&[("a", 11), ("b", 9)]));
        assert_eq!(at(10), named(&[("b", 9)]));
        assert_eq!(at(9), Err(StoreError::Expired));
    }

    #[test]
    fn the_oldest_changes_are_forgotten() {
        let mut history = History::after(0);
        for version in 1..=20_002 {
            history.push(change(version, Event::Added, "a", None));
        }
        assert_eq!(history.oldest(), 2);
        assert!(history.since(1).is_err());
        assert_eq!(history.since(20_000).unwrap().count(), 2);
        history.compact(20_002);
        assert_eq!(history.since(20_002).unwrap().count(), 0);
        assert!(history.since(20_001).is_err());
    }
}
