//! The log port of the simulated nodes: what a kubelet answers the API server when it is asked for a container's log.
//!
//! kwok plays the pods' lives and has no containers, so what they print is told beforehand. First that is there:
//!
//! 1. a file `NAMESPACE_POD/CONTAINER/log` (`previous` for the run before), in the CRI format or as plain lines;
//! 2. the pod's annotation `sim/log` (`sim/previous-log`), plain lines;
//! 3. the container's variable `SIM_LOG`, plain lines, for every run;
//! 4. nothing: an empty log.
//!
//! Line `i` of plain lines was printed `i` seconds after the run began, but never later than now or than its end, and
//! `{time}` in it is that time. Everything else is as a kubelet does it: which run a state means, the options, when
//! following ends, and the words of refusals.

mod cri;
mod file;
mod lines;
mod listener;
mod options;
mod pods;
mod run;
mod server;
mod session;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers requests for containers' logs, for all nodes whose kubelet endpoint is its port.
pub struct Kubelet {
    /// Looks pods up and watches those that are followed: may get and watch pods of all namespaces.
    pub client: kube::Client,
    /// The directory of prepared logs. It need not be there.
    pub logs: PathBuf,
}

/// Who the kubelet is, and who may speak with it. All PEM.
pub struct Tls {
    /// Its certificate, and those between it and its authority.
    pub certificates: Vec<u8>,
    /// The key of its certificate.
    pub key: Vec<u8>,
    /// The authority of its clients. Whoever has no certificate of it is refused in the handshake.
    pub client_ca: Vec<u8>,
}

impl Kubelet {
    /// Serves until `shutdown`; logs that are being followed then end.
    ///
    /// # Errors
    ///
    /// Certificates that cannot be used.
    pub async fn serve(self, listener: TcpListener, tls: Tls, shutdown: CancellationToken) -> Result<()> {
        let pods = Arc::new(pods::Cluster(self.client));
        server::serve(pods, self.logs, listener, &tls, shutdown).await
    }
}
