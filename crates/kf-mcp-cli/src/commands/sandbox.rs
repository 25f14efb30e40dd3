//! `sandbox`: the cluster in this binary as a Kubernetes API server on loopback.

use std::process::ExitCode;

use anyhow::Context;
use kf_mcp_sandbox::{Clock, Sandbox};
use tokio::net::TcpListener;

use crate::options::SandboxOptions;
use crate::settings::Unusable;
use crate::shutdown;

pub(crate) async fn run(options: SandboxOptions) -> anyhow::Result<ExitCode> {
    if !(options.speed > 0.0 && options.speed <= 100_000.0) {
        return Err(Unusable(format!("speed {} is not between 0 and 100000", options.speed)).into());
    }
    let sandbox =
        Sandbox::named(&options.scenario, Clock::real(options.speed)).map_err(|error| Unusable(error.to_string()))?;
    let listener = TcpListener::bind(("127.0.0.1", options.port))
        .await
        .context("listen on loopback")?;
    let addr = listener.local_addr()?;
    let kubeconfig = sandbox.kubeconfig(addr);
    match &options.write_kubeconfig {
        Some(file) => {
            std::fs::write(file, &kubeconfig).with_context(|| format!("write {}", file.display()))?;
            super::print(&format!(
                "sandbox ({}) at http://{addr}\nexport KUBECONFIG={}",
                options.scenario,
                file.display()
            ))?;
        }
        None => super::print(&format!(
            "# sandbox ({}) at http://{addr}; as a kubeconfig:\n{kubeconfig}",
            options.scenario
        ))?,
    }
    let _driver = sandbox.spawn_driver();
    sandbox.serve(listener, shutdown::requested()).await?;
    Ok(ExitCode::SUCCESS)
}
