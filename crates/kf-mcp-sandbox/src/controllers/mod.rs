//! Controllers as pure steps: look at the store and the time, say what to write. No tasks, no sleeping.

pub mod claim;
pub mod events;
pub mod experiment;
pub mod job;
pub mod jobset;
pub mod namespace;
pub mod objects;
pub mod pod;
pub mod quantity;
pub mod quota;
pub mod scheduler;
mod sha1;
pub mod trainjob;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::builtin;
use crate::kinds::Kind;
use crate::store::{Store, metadata, text};
use objects::items;

/// One write that a controller wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create an object (an object that is there already is left alone).
    Create(&'static Kind, Value),
    /// Remember how often something failed since it last went well, and when that was last, by a uid.
    Remember(String, u32, Timestamp),
    /// Write an event that is counted with those like it.
    Report(Value),
    /// Replace an object.
    Update(&'static Kind, Value),
    /// Replace an object's status.
    UpdateStatus(&'static Kind, Value),
    /// Delete an object and what it owns.
    Delete(&'static Kind, String, String),
}

type Controller = fn(&Store, Timestamp) -> Vec<Action>;

/// In the order in which a new TrainJob is passed on, so that most of the work is done in one round.
const CONTROLLERS: &[Controller] = &[
    trainjob::step,
    jobset::step,
    claim::step,
    job::step,
    scheduler::step,
    pod::step,
    experiment::step,
    quota::step,
    namespace::step,
];

/// Controllers that have not come to rest after so many rounds contradict each other; better to stop than to hang.
const ROUNDS: usize = 60;

/// How many moments of the past one call works through when time has made a large jump.
const MOMENTS: usize = 5_000;

/// What all controllers want to write now.
pub fn step(store: &Store, now: Timestamp) -> Vec<Action> {
    CONTROLLERS
        .iter()
        .flat_map(|controller| controller(store, now))
        .collect()
}

/// Lets the controllers write until none wants to any more. Returns when something next happens by itself.
///
/// When time has jumped, what was due in between happens in order and with its own time.
pub fn settle(store: &mut Store, now: Timestamp) -> Option<Timestamp> {
    for _ in 0..MOMENTS {
        let moment = next(store).filter(|due| *due < now).unwrap_or(now);
        let before = store.version();
        quiet(store, moment);
        if moment == now {
            return next(store).map(|due| due.max(now));
        }
        if store.version() == before {
            break;
        }
    }
    quiet(store, now);
    next(store).map(|due| due.max(now))
}

/// When something next happens by itself; may lie in the past.
fn next(store: &Store) -> Option<Timestamp> {
    [
        pod::next(store),
        job::next(store),
        jobset::next(store),
        trainjob::next(store),
    ]
    .into_iter()
    .flatten()
    .min()
}

fn quiet(store: &mut Store, now: Timestamp) {
    for _ in 0..ROUNDS {
        let before = store.version();
        for controller in CONTROLLERS {
            for action in controller(store, now) {
                apply(store, action, now);
            }
        }
        if store.version() == before {
            return;
        }
    }
    tracing::warn!("the sandbox's controllers did not come to rest in {ROUNDS} rounds");
}

fn apply(store: &mut Store, action: Action, now: Timestamp) {
    // A refusal means that the object changed or went since the step looked: the next round looks again.
    match action {
        Action::Create(kind, object) => create(store, kind, object, now),
        Action::Remember(uid, failures, last) => store.remember(uid, failures, last),
        Action::Report(event) => events::record(store, event, now),
        Action::Update(kind, object) => {
            if let Ok(stored) = store.update(kind, current(object)) {
                finalized(store, kind, &stored);
            }
        }
        Action::UpdateStatus(kind, object) => drop(store.update_status(kind, current(object))),
        Action::Delete(kind, namespace, name) => drop(store.delete(kind, &namespace, &name, false)),
    }
}

/// Creates an object as the API server would store it.
fn create(store: &mut Store, kind: &'static Kind, mut object: Value, now: Timestamp) {
    builtin::fill(kind, &mut object);
    let uid = store.new_uid();
    metadata(&mut object).entry("uid").or_insert_with(|| json!(uid));
    builtin::identified(kind, &mut object);
    drop(store.create(kind, object, now));
}

/// Removes an object that was only waiting for its last finalizer.
fn finalized(store: &mut Store, kind: &Kind, object: &Value) {
    let waits = items(&object["metadata"]["finalizers"]).next().is_some();
    if !waits && object["metadata"]["deletionTimestamp"].is_string() {
        let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
        store.delete(kind, &namespace, &name, false).ok();
    }
}

/// Without its resourceVersion, so that a controller's two writes to one object do not conflict with each other.
fn current(mut object: Value) -> Value {
    metadata(&mut object).remove("resourceVersion");
    object
}

/// The delete of an object.
fn delete(kind: &'static Kind, object: &Value) -> Action {
    Action::Delete(
        kind,
        text(object, "/metadata/namespace"),
        text(object, "/metadata/name"),
    )
}

#[cfg(test)]
mod tests;
