//! Opening what the settings name: the catalogue, the cluster (real or sandbox), the server.

use std::sync::Arc;

use anyhow::Context;
use kf_mcp_core::kube::{Cluster, ClusterOptions};
use kf_mcp_core::{Catalogue, Clock};
use kf_mcp_server::Server;

use crate::clients::COMPILED;
use crate::settings::{Settings, Unusable};
use crate::telemetry;

/// The catalogue that the settings choose.
pub(crate) fn catalogue(settings: &Settings) -> Result<Catalogue, Unusable> {
    Catalogue::new(COMPILED, &settings.selection).map_err(|error| Unusable(error.to_string()))
}

/// A server, with the sandbox's driver if it runs on one. Call within the runtime.
pub(crate) fn server(settings: &Settings) -> anyhow::Result<Server> {
    let catalogue = catalogue(settings)?;
    let world = world(settings)?;
    let log = telemetry::start(settings);
    Server::builder()
        .catalogue(catalogue)
        .instructions(settings.instructions)
        .cluster(Arc::new(world.cluster))
        .clock(world.clock)
        .settings(settings.sections.clone())
        .log(log)
        .build()
        .context("build the server")
}

struct World {
    cluster: Cluster,
    clock: Clock,
}

fn world(settings: &Settings) -> anyhow::Result<World> {
    if let Some(scenario) = &settings.sandbox {
        return sandbox(scenario, settings);
    }
    let options = ClusterOptions {
        kubeconfig: settings.kubeconfig.clone(),
        context: settings.context.clone(),
        namespace: settings.namespace.clone(),
    };
    Ok(World {
        cluster: Cluster::lazy(options),
        clock: Clock::system(),
    })
}

#[cfg(not(feature = "sandbox"))]
fn sandbox(_: &str, _: &Settings) -> anyhow::Result<World> {
    Err(Unusable("this binary has no sandbox: build it with the cargo feature `sandbox`".into()).into())
}

#[cfg(feature = "sandbox")]
fn sandbox(scenario: &str, settings: &Settings) -> anyhow::Result<World> {
    use kf_mcp_sandbox::{Clock as SandboxClock, Sandbox};
    let clock = SandboxClock::real(settings.sandbox_speed);
    let sandbox = Sandbox::named(scenario, clock).map_err(|error| Unusable(error.to_string()))?;
    let namespace = settings
        .namespace
        .clone()
        .unwrap_or_else(|| sandbox.default_namespace());
    let cluster = Cluster::ready(sandbox.client(), namespace, format!("the sandbox ({scenario})"));
    let time = sandbox.clone();
    // The driver lives as long as the process.
    drop(sandbox.spawn_driver());
    Ok(World {
        cluster,
        clock: Clock::from_fn(move || time.clock().now()),
    })
}
