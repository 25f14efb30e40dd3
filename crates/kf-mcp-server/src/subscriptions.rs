//! Telling clients that the tools have changed: with another policy, a caller may see others.
//!
//! Two generations, two ways: a client that listens gets it on the stream of its subscription, a client that began with
//! `initialize` as a notification of its session.

use std::sync::{Mutex, PoisonError};

use rmcp::model::{ErrorData, SubscriptionFilter};
use rmcp::service::SubscriptionContext;
use rmcp::{Peer, RoleServer};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a client can listen to of what it asks for.
pub(crate) fn accepted(asked: &SubscriptionFilter) -> SubscriptionFilter {
    let mut accepted = SubscriptionFilter::new();
    accepted.tools_list_changed = asked.tools_list_changed;
    accepted
}

/// Tells each change until the client leaves or the server ends.
pub(crate) async fn listen(
    mut changes: watch::Receiver<u64>,
    ending: &CancellationToken,
    cx: SubscriptionContext,
) -> Result<(), ErrorData> {
    loop {
        tokio::select! {
            () = cx.cancelled() => return Ok(()),
            () = ending.cancelled() => return Ok(()),
            changed = changes.changed() => {
                if changed.is_err() || cx.sink().notify_tool_list_changed().await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

/// The sessions of clients that began with `initialize`.
#[derive(Debug, Default)]
pub(crate) struct Peers(Mutex<Option<Vec<Peer<RoleServer>>>>);

impl Peers {
    /// Remembers a session. Those that have ended are forgotten. Answers whether it is the first.
    pub(crate) fn add(&self, peer: Peer<RoleServer>) -> bool {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = peers.is_none();
        let peers = peers.get_or_insert_default();
        peers.retain(|peer| !peer.is_transport_closed());
        peers.push(peer);
        first
    }

    /// The sessions that live.
    fn living(&self) -> Vec<Peer<RoleServer>> {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let peers = peers.get_or_insert_default();
        peers.retain(|peer| !peer.is_transport_closed());
        peers.clone()
    }

    /// Tells all of them.
    pub(crate) async fn tell(&self) {
        for peer in self.living() {
            if let Err(error) = peer.notify_tool_list_changed().await {
                tracing::debug!(%error, "a client was not told that the tools changed");
            }
        }
    }
}
