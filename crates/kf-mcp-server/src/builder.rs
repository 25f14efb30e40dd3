//! Putting a server together.

use std::sync::Arc;

use kf_mcp_core::kube::{Cluster, ClusterOptions};
use kf_mcp_core::telemetry::ServerLog;
use kf_mcp_core::{
    Catalogue, CatalogueError, Change, ClientModule, Clock, Engine, EngineOptions, Entry, Persona, Selection, Tier,
    Tool,
};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::Server;
use crate::handler::Handler;

/// Why a server cannot be built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The tools do not make a catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}

/// A server in the making. Without a cluster it uses the kubeconfig, without a persona `readonly`.
#[derive(Default)]
pub struct Builder {
    modules: Vec<&'static dyn ClientModule>,
    tools: Vec<&'static Entry>,
    catalogue: Option<Catalogue>,
    persona: Persona,
    instructions: Tier,
    cluster: Option<Arc<Cluster>>,
    clock: Option<Clock>,
    settings: Map<String, Value>,
    log: ServerLog,
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

    /// The server.
    pub fn build(self) -> Result<Server, BuildError> {
        let catalogue = match self.catalogue {
            Some(catalogue) => catalogue,
            None if self.tools.is_empty() => {
                let clients = self.modules.iter().map(|module| module.name().to_owned()).collect();
                Catalogue::new(
                    &self.modules,
                    &Selection {
                        clients,
                        persona: self.persona,
                    },
                )?
            }
            None => {
                let mut entries = self.tools;
                entries.extend(self.modules.iter().flat_map(|module| module.tools()));
                Catalogue::of_tools(entries, self.persona)?
            }
        };
        let engine = Engine::new(EngineOptions {
            catalogue,
            cluster: self
                .cluster
                .unwrap_or_else(|| Arc::new(Cluster::lazy(ClusterOptions::default()))),
            clock: self.clock.unwrap_or_else(Clock::system),
            settings: self.settings,
            log: self.log,
        });
        Ok(Server {
            handler: Arc::new(Handler::new(engine, self.instructions)),
        })
    }
}
