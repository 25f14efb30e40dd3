//! Putting a server together.

use std::sync::Arc;
use std::time::Duration;

use kf_mcp_core::audit::Audit;
use kf_mcp_core::kube::{Cluster, ClusterOptions};
use kf_mcp_core::telemetry::ServerLog;
use kf_mcp_core::{
    Catalogue, CatalogueError, Catalogues, Change, ClientModule, Clock, Engine, EngineOptions, Entry, Persona,
    Selection, Tier, Tool,
};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::Server;
use crate::confirm::{Confirmations, MIN_KEY, PATIENCE};
use crate::handler::Handler;

/// Why a server cannot be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The tools do not make a catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The key that seals questions to people cannot be used, or none could be made.
    #[error("{0}")]
    StateKey(String),
}

/// A server in the making. Without a cluster it uses the kubeconfig, without a persona `readonly`.
#[derive(Default)]
pub struct Builder {
    modules: Vec<&'static dyn ClientModule>,
    tools: Vec<&'static Entry>,
    catalogue: Option<Catalogue>,
    catalogues: Option<Catalogues>,
    persona: Persona,
    instructions: Tier,
    cluster: Option<Arc<Cluster>>,
    clock: Option<Clock>,
    settings: Map<String, Value>,
    log: ServerLog,
    state_key: Option<Vec<u8>>,
    confirm_within: Option<Duration>,
    audit: Audit,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("persona", &self.persona)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Offers all tools of a module.
    pub fn module(mut self, module: &'static dyn ClientModule) -> Self {
        self.modules.push(module);
        self
    }

    /// Offers one read tool. Needs no link-time collection.
    pub fn tool<T: Tool>(mut self) -> Self {
        self.tools.push(const { &Entry::tool::<T>("embedded") });
        self
    }

    /// Offers one change. Needs no link-time collection.
    pub fn change<C: Change>(mut self) -> Self {
        self.tools.push(const { &Entry::change::<C>("embedded") });
        self
    }

    /// Offers a catalogue that was made before (instead of modules and tools).
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.catalogue = Some(catalogue);
        self
    }

    /// Offers catalogues that were made before, whose policy can be replaced (instead of modules and tools).
    pub fn catalogues(mut self, catalogues: Catalogues) -> Self {
        self.catalogues = Some(catalogues);
        self
    }

    /// For whom: what is listed follows from it.
    pub fn persona(mut self, persona: Persona) -> Self {
        self.persona = persona;
        self
    }

    /// How much an agent is told before its first call.
    pub fn instructions(mut self, tier: Tier) -> Self {
        self.instructions = tier;
        self
    }

    /// The cluster to act on.
    pub fn cluster(mut self, cluster: Arc<Cluster>) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// Where time comes from, when it is not the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The configuration's sections, as modules read them.
    pub fn settings(mut self, settings: Map<String, Value>) -> Self {
        self.settings = settings;
        self
    }

    /// The ring that the process's tracing subscriber fills (see [`ServerLog::layer`]).
    pub fn log(mut self, log: ServerLog) -> Self {
        self.log = log;
        self
    }

    /// What seals questions to people: at least 32 bytes, the same in all replicas. Without it each process makes its own, and
    /// a question is good only for the process that asked.
    pub fn state_key(mut self, key: Vec<u8>) -> Self {
        self.state_key = Some(key);
        self
    }

    /// Where the audit log goes: nowhere, where nothing is said.
    pub fn audit(mut self, audit: Audit) -> Self {
        self.audit = audit;
        self
    }

    /// How long a person has to answer a question about a change: five minutes where nothing is said.
    pub fn confirm_within(mut self, patience: Duration) -> Self {
        self.confirm_within = Some(patience);
        self
    }

    /// The server.
    pub fn build(self) -> Result<Server, BuildError> {
        let catalogues = match (self.catalogues, self.catalogue) {
            (Some(catalogues), _) => catalogues,
            (None, Some(catalogue)) => catalogue.into(),
            (None, None) if self.tools.is_empty() => {
                let clients = self.modules.iter().map(|module| module.name().to_owned()).collect();
                Catalogue::new(
                    &self.modules,
                    &Selection {
                        clients,
                        persona: self.persona,
                    },
                )?
                .into()
            }
            (None, None) => {
                let mut entries = self.tools;
                entries.extend(self.modules.iter().flat_map(|module| module.tools()));
                Catalogue::of_tools(entries, self.persona)?.into()
            }
        };
        let key = match self.state_key {
            Some(key) => key,
            None => {
                let mut key = vec![0; MIN_KEY];
                let made = getrandom::fill(&mut key);
                made.map_err(|error| BuildError::StateKey(format!("no random numbers for a state key: {error}")))?;
                key
            }
        };
        let confirmations =
            Confirmations::new(key, self.confirm_within.unwrap_or(PATIENCE)).map_err(BuildError::StateKey)?;
        let engine = Engine::new(EngineOptions {
            catalogues,
            cluster: self
                .cluster
                .unwrap_or_else(|| Arc::new(Cluster::lazy(ClusterOptions::default()))),
            clock: self.clock.unwrap_or_else(Clock::system),
            settings: self.settings,
            log: self.log,
            audit: self.audit,
        });
        Ok(Server {
            handler: Arc::new(Handler::new(engine, self.instructions, confirmations)),
        })
    }
}
