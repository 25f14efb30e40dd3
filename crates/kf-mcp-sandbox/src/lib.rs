//! A Kubeflow cluster in memory, for trying things out and for tests: a small API server, not a mock of our calls.

pub mod admission;
pub mod apiserver;
mod builtin;
pub mod clock;
pub mod controllers;
mod driver;
pub mod faults;
mod fields;
mod history;
mod http;
pub mod kinds;
mod load;
pub mod logs;
pub mod pattern;
pub mod record;
pub mod registry;
mod release;
pub mod scenario;
pub mod status;
pub mod store;
mod strategic;
mod table;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use apiserver::Service;
pub use clock::Clock;
pub use faults::{Fault, Faults};
pub use record::Recorded;
pub use release::Release;
pub use scenario::{Scenario, ScenarioError};

use kinds::Kind;
use pattern::Pattern;
use record::Recorder;
use registry::Registry;
use store::Store;

/// A cluster. Clones are the same cluster.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
    namespace: Arc<str>,
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Inner {
    state: Mutex<State>,
    pub(crate) clock: Clock,
    pub(crate) faults: Faults,
    /// Which Trainer is installed.
    pub(crate) trainer: Release,
    /// The store's version, for those who wait for a change.
    pub(crate) ticks: watch::Sender<u64>,
    rules: Mutex<Vec<Pattern>>,
    records: Mutex<Recorder>,
}

/// What changes together.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    /// How many names were generated.
    pub(crate) names: u64,
    /// When something next happens by itself.
    due: Option<Timestamp>,
}

impl Sandbox {
    /// A cluster as a scenario describes it, with its controllers at rest.
    pub fn new(scenario: Scenario, clock: Clock) -> Self {
        let namespace = load::namespace(&scenario).into();
        let now = clock.now();
        let store = load::store(scenario.objects, now);
        let (ticks, _) = watch::channel(store.version());
        let inner = Arc::new(Inner {
            state: Mutex::new(State {
                store,
                registry: scenario.registry,
                names: 0,
                due: None,
            }),
            clock,
            faults: Faults::default(),
            trainer: scenario.trainer,
            ticks,
            rules: Mutex::new(scenario.forbidden.iter().map(|rule| Pattern::new(rule)).collect()),
            records: Mutex::default(),
        });
        inner.settle();
        Self { inner, namespace }
    }

    /// A cluster by the name of its scenario.
    pub fn named(name: &str, clock: Clock) -> Result<Self, ScenarioError> {
        Ok(Self::new(scenario::load(name, clock.now())?, clock))
    }

    /// A client of this cluster, without a network between. Needs a tokio runtime around it.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.service(), self.namespace.to_string())
    }

    /// The API server.
    pub fn service(&self) -> Service {
        Service::new(Arc::clone(&self.inner), CancellationToken::new())
    }

    /// The cluster's time.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Lets time pass at once, with everything happening in it that would happen by itself.
    pub fn advance(&self, by: SignedDuration) {
        driver::advance(&self.inner, by);
    }

    /// Lets things happen by themselves as a running clock goes on. The task ends with the last clone of the sandbox.
    pub fn spawn_driver(&self) -> JoinHandle<()> {
        driver::spawn(&self.inner)
    }

    /// The namespace that a new user looks at first.
    pub fn default_namespace(&self) -> String {
        self.namespace.to_string()
    }

    /// The switchboard of faults.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// Refuses what matches `verb resource[.group][/subresource][@namespace]` from now on; `*` is anything.
    pub fn forbid(&self, pattern: &str) {
        self.inner.rules_mut(|rules| rules.push(Pattern::new(pattern)));
    }

    /// Forgets all rules that refuse.
    pub fn allow_all(&self) {
        self.inner.rules_mut(Vec::clear);
    }

    /// The last requests, oldest first, at most 10,000.
    pub fn requests(&self) -> Vec<Recorded> {
        self.inner.records(|records| records.all())
    }

    /// Like [`Sandbox::requests`], and forgets them.
    pub fn take_requests(&self) -> Vec<Recorded> {
        self.inner.records(Recorder::take)
    }

    /// Forgets the history, so that watches and continue tokens from before are told `410 Gone`.
    pub fn compact(&self) {
        self.inner.with(|state, _| state.store.compact());
    }

    /// A direct look at an object.
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let kind = Kind::named(kind)?;
        self.inner
            .with(|state, _| state.store.get(kind, namespace, name).map(|object| (**object).clone()))
    }

    /// Serves the API over HTTP until `shutdown` is done.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let closing = CancellationToken::new();
        let service = Service::new(Arc::clone(&self.inner), closing.clone());
        http::serve(service, closing, listener, shutdown).await
    }

    /// A kubeconfig for clients of [`Sandbox::serve`].
    pub fn kubeconfig(&self, addr: SocketAddr) -> String {
        http::kubeconfig(addr, &self.namespace)
    }
}

impl Inner {
    /// Works on the state at the time that is now. The controllers answer to every change before others see it.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let (result, before, after) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let before = state.store.version();
            if state.due.is_some_and(|due| due <= now) {
                state.settle(now);
            }
            let settled = state.store.version();
            let result = work(&mut state, now);
            if state.store.version() != settled {
                state.settle(now);
            }
            (result, before, state.store.version())
        };
        if after != before {
            self.ticks.send_replace(after);
        }
        result
    }

    /// Lets the controllers work, and tells when there is next something to do.
    pub(crate) fn settle(&self) -> Option<Timestamp> {
        self.with(|state, now| {
            state.settle(now);
            state.due
        })
    }

    pub(crate) fn rules<T>(&self, look: impl FnOnce(&[Pattern]) -> T) -> T {
        look(&self.rules.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn rules_mut(&self, change: impl FnOnce(&mut Vec<Pattern>)) {
        change(&mut self.rules.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn record(&self, recorded: Recorded) {
        self.records(|records| records.push(recorded));
    }

    fn records<T>(&self, work: impl FnOnce(&mut Recorder) -> T) -> T {
        work(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn settle(&mut self, now: Timestamp) {
        self.due = controllers::settle(&mut self.store, now);
    }
}
