//! Whose session is whose: a session id is no proof of who calls, so another caller's request on it is refused.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kf_mcp_core::Caller;

/// Sessions of one caller at one time, where callers are told apart.
pub(crate) const MOST: usize = 32;

/// The callers that opened the sessions, by the session's id.
#[derive(Debug, Default)]
pub(crate) struct Owners(Mutex<HashMap<String, Caller>>);

impl Owners {
    /// Whether a caller may use a session. One that nobody has opened here is not judged: it is not known further on either.
    pub(crate) fn may(&self, session: &str, caller: &Caller) -> bool {
        self.owners().get(session).is_none_or(|owner| owner == caller)
    }

    /// Notes who opened a session.
    pub(crate) fn opened(&self, session: &str, caller: &Caller) {
        self.owners().insert(session.to_owned(), caller.clone());
    }

    /// How many sessions a caller has, of those that still live.
    pub(crate) fn count(&self, caller: &Caller, lives: impl Fn(&str) -> bool) -> usize {
        let mut owners = self.owners();
        owners.retain(|session, _| lives(session));
        owners.values().filter(|owner| *owner == caller).count()
    }

    fn owners(&self) -> MutexGuard<'_, HashMap<String, Caller>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kf_mcp_core::Identity;

    #[test]
    fn a_session_is_its_openers_and_ended_ones_are_forgotten() {
        let [alice, bob] = ["alice", "bob"].map(|name| Caller::named(Identity::new("token", name), None));
        let owners = Owners::default();
        owners.opened("1", &alice);
        owners.opened("2", &alice);
        assert!(owners.may("1", &alice) && !owners.may("1", &bob) && owners.may("9", &bob));
        assert_eq!((owners.count(&alice, |_| true), owners.count(&bob, |_| true)), (2, 0));
        assert_eq!(owners.count(&alice, |session| session == "2"), 1);
        assert!(owners.may("1", &bob), "an id that lives no more is nobody's");
    }
}
