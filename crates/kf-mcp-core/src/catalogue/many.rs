//! [`Catalogues`]: one for each kind of caller, under the policy as it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::watch;

use super::{Catalogue, Tools};
use crate::policy::Policy;
use crate::policy::persona::Persona;

/// The catalogues of a server. The policy behind them can be replaced while calls run: a call keeps the one it began with.
#[derive(Debug)]
pub struct Catalogues {
    tools: Tools,
    now: RwLock<Arc<Now>>,
    changed: watch::Sender<u64>,
    /// The personas that callers come with, by what says so. A policy without one of them is not put in force.
    held: Mutex<BTreeMap<&'static str, BTreeSet<String>>>,
}

/// Everything that follows from one policy.
#[derive(Debug)]
struct Now {
    policy: Arc<Policy>,
    /// For callers that come without a persona of their own.
    default: Arc<Catalogue>,
    others: Mutex<BTreeMap<String, Arc<Catalogue>>>,
}

impl Now {
    fn of(default: Catalogue) -> Self {
        Self {
            policy: default.allowance().shared_policy(),
            default: Arc::new(default),
            others: Mutex::default(),
        }
    }

    fn others(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Catalogue>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Catalogues {
    /// The catalogues of some tools; `persona` is that of callers who come without one. The error says that there is no such
    /// persona.
    pub fn new(tools: Tools, policy: Policy, persona: &str) -> Result<Self, String> {
        let policy = Arc::new(policy);
        let role = policy.role(persona)?;
        Ok(tools.catalogue(policy.allowance(role)).into())
    }

    /// The catalogue of callers without a persona of their own.
    pub fn default(&self) -> Arc<Catalogue> {
        Arc::clone(&self.now().default)
    }

    /// The catalogue of a persona; an empty one when the policy has it no more.
    pub fn of_or_none(&self, persona: &str) -> Arc<Catalogue> {
        self.of(persona).unwrap_or_else(|| {
            let nothing = Arc::new(Policy::nothing()).allowance(Persona::Readonly.into());
            Arc::new(self.tools.catalogue(nothing))
        })
    }

    /// Says with which personas callers come, in the place of those that the same source named before.
    pub fn hold(&self, source: &'static str, personas: impl IntoIterator<Item = String>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(source, personas.into_iter().collect());
    }

    /// The catalogue of a persona; none when the policy has no such persona.
    pub fn of(&self, persona: &str) -> Option<Arc<Catalogue>> {
        let now = self.now();
        if persona == now.default.persona() {
            return Some(Arc::clone(&now.default));
        }
        if let Some(made) = now.others().get(persona) {
            return Some(Arc::clone(made));
        }
        let role = now.policy.role(persona).ok()?;
        let made = Arc::new(self.tools.catalogue(now.policy.allowance(role)));
        let mut others = now.others();
        Some(Arc::clone(others.entry(persona.to_owned()).or_insert(made)))
    }

    /// All tools, before persona and policy.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// Puts another policy in force. The error says why it cannot be: the policy before stays.
    pub fn replace(&self, policy: Policy) -> Result<(), String> {
        let policy = Arc::new(policy);
        let role = policy.role(self.default().persona())?;
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for (source, persona) in held
            .iter()
            .flat_map(|(source, personas)| personas.iter().map(move |persona| (source, persona)))
        {
            let gone = |why| format!("{why}; {source} give it to callers");
            policy.role(persona).map_err(gone)?;
        }
        let next = Now::of(self.tools.catalogue(policy.allowance(role)));
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.changed.send_modify(|times| *times += 1);
        Ok(())
    }

    /// Tells when the policy was replaced: how often that has happened.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn now(&self) -> Arc<Now> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<Catalogue> for Catalogues {
    fn from(default: Catalogue) -> Self {
        Self {
            tools: default.all.clone(),
            now: RwLock::new(Arc::new(Now::of(default))),
            changed: watch::Sender::new(0),
            held: Mutex::default(),
        }
    }
}
