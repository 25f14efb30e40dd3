//! Opening what the settings name: the catalogue, the cluster (real or sandbox), the server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use kf_mcp_core::audit::Audit;
use kf_mcp_core::kube::{ActAs, Cluster, ClusterOptions};
use kf_mcp_core::{Catalogues, Clock, Engine, Persona, Policy, ToolSpec, Tools};
use kf_mcp_server::Server;

use crate::clients::COMPILED;
use crate::settings::{AuditLog, Settings, Unusable};
use crate::{telemetry, watched};

/// The catalogues that the settings choose, under their policy. A policy that cannot be used is no policy to go on without.
pub(crate) fn catalogues(settings: &Settings) -> Result<Catalogues, Unusable> {
    let tools = Tools::new(COMPILED, &settings.clients).map_err(|error| Unusable(error.to_string()))?;
    let policy = match &settings.policy {
        Some(file) => Policy::read(file).map_err(|error| Unusable(error.to_string()))?,
        None => Policy::default(),
    };
    Catalogues::new(tools, policy, &settings.persona).map_err(Unusable)
}

/// What the default persona and some others may use, by name.
pub(crate) fn specs<'a>(
    catalogues: &Catalogues,
    also: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<&'static str, ToolSpec>, Unusable> {
    let mut of = vec![catalogues.default()];
    for persona in also {
        let catalogue = catalogues.of(persona);
        of.push(catalogue.ok_or_else(|| Unusable(format!("there is no persona `{persona}`")))?);
    }
    let tools = of.iter().flat_map(|catalogue| catalogue.tools());
    Ok(tools.map(|tool| (tool.spec.name, tool.spec)).collect())
}

/// All chosen tools, whatever the policy and the persona leave of them.
pub(crate) fn unbound(settings: &Settings) -> Result<Catalogues, Unusable> {
    let tools = Tools::new(COMPILED, &settings.clients).map_err(|error| Unusable(error.to_string()))?;
    Catalogues::new(tools, Policy::default(), Persona::PlatformAdmin.as_str()).map_err(Unusable)
}

/// Follows the changes of a policy.
pub(crate) fn follow_policy(engine: Engine, file: PathBuf) {
    let in_force = engine.catalogue().allowance().policy().source().as_bytes().to_vec();
    watched::follow("policy", file, in_force, move |file| {
        let policy = Policy::read(file).map_err(|error| error.to_string())?;
        let odd = oddities(&policy).unwrap_or_default();
        engine.catalogues().replace(policy)?;
        warn_of(&odd);
        Ok(())
    });
}

/// Tells in the log what is odd about a policy.
fn warn_of(odd: &[String]) {
    for odd in odd {
        tracing::warn!("policy: {odd}");
    }
}

/// All tools of this binary, whatever is chosen of them.
pub(crate) fn all_tools() -> Result<Tools, Unusable> {
    let clients: Vec<String> = COMPILED.iter().map(|module| module.name().to_owned()).collect();
    Tools::new(COMPILED, &clients).map_err(|error| Unusable(error.to_string()))
}

/// What is odd about a policy: rules that mean no tool of this binary.
pub(crate) fn oddities(policy: &Policy) -> Result<Vec<String>, Unusable> {
    let specs: Vec<_> = all_tools()?.specs().copied().collect();
    Ok(policy.warnings(&specs))
}

/// A server whose calls act as somebody, with the sandbox's driver if it runs on one. Call within the runtime.
pub(crate) fn server(settings: &Settings, audit: Audit, acts: ActAs) -> anyhow::Result<Server> {
    let catalogues = catalogues(settings)?;
    let world = world(settings)?;
    let log = telemetry::start(settings);
    if settings.policy.is_some() {
        warn_of(&oddities(catalogues.default().allowance().policy())?);
    }
    let mut builder = Server::builder().audit(audit);
    if let Some(key) = &settings.state_key {
        builder = builder.state_key(key.clone());
    }
    builder
        .confirm_within(Duration::from_secs(settings.confirm_within))
        .catalogues(catalogues)
        .instructions(settings.instructions)
        .cluster(Arc::new(world.cluster.acting(acts)))
        .clock(world.clock)
        .settings(settings.sections.clone())
        .log(log)
        .build()
        .context("build the server")
}

/// The audit log. A file is written at its end, so that others may take away what was written before.
pub(crate) fn audit(settings: &Settings) -> anyhow::Result<Audit> {
    let required = settings.audit_required;
    Ok(match &settings.audit_log {
        AuditLog::None => Audit::default(),
        AuditLog::Stderr => Audit::to(std::io::stderr(), required),
        AuditLog::File(file) => {
            let mut options = std::fs::OpenOptions::new();
            options.append(true).create(true);
            // who asked for what is not for everybody on the machine
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let opened = options
                .open(file)
                .map_err(|error| Unusable(format!("audit log {}: {error}", file.display())))?;
            Audit::to(opened, required)
        }
    })
}

/// Whether the audit log can be opened, without making one.
pub(crate) fn try_audit(settings: &Settings) -> Result<(), Unusable> {
    let AuditLog::File(file) = &settings.audit_log else {
        return Ok(());
    };
    let tried = match std::fs::OpenOptions::new().append(true).open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            folder.map_or(Ok(()), |folder| std::fs::read_dir(folder).map(drop))
        }
        opened => opened.map(drop),
    };
    tried.map_err(|error| Unusable(format!("audit log {}: {error}", file.display())))
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
