//! Connections: accepted, bounded in number and in how long they may take to say what they want, with TLS or without.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;
use tower::ServiceExt;

use crate::tls::Tls;

/// Connections at one time.
const MOST: usize = 4096;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the head of a request may take, from the end of the one before: so long a connection may be idle, too.
const HEAD: Duration = Duration::from_secs(30);
/// How long to wait after the system would not accept a connection: it has no more file descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Its address.
    pub(crate) addr: SocketAddr,
    /// Whether it has shown a certificate of the client authorities.
    pub(crate) certified: bool,
}

/// Serves connections until `ended` resolves; then none is accepted any more, and those that are idle end. The rest is the
/// caller's to wait for.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    router: Router,
    ended: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(MOST));
    let mut ended = std::pin::pin!(ended);
    loop {
        let accepted = async {
            // it is never closed
            let slot = Arc::clone(&slots).acquire_owned().await.ok();
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            biased;
            () = &mut ended => break,
            accepted = accepted => accepted,
        };
        let (stream, addr) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "accept");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let (router, tls, watcher) = (router.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            connection(stream, addr, tls, router, watcher).await;
            drop(slot);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

async fn connection(stream: TcpStream, addr: SocketAddr, tls: Option<Arc<Tls>>, router: Router, watcher: Watcher) {
    // Without TCP_NODELAY every streamed answer waits 40 ms for the client's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let mut certified = false;
    let stream = match tls {
        None => Either::Left(stream),
        Some(tls) => {
            certified = tls.certified();
            let handshake = TlsAcceptor::from(tls.config()).accept(stream);
            match tokio::time::timeout(HANDSHAKE, handshake).await {
                Ok(Ok(stream)) => Either::Right(stream),
                Ok(Err(error)) => return tracing::debug!(%error, %addr, "TLS handshake"),
                Err(_) => return tracing::debug!(%addr, "TLS handshake took too long"),
            }
        }
    };
    let peer = Peer { addr, certified };
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let request: Request = request.map(axum::body::Body::new);
        router.clone().oneshot(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let served = watcher
        .watch(http.serve_connection(TokioIo::new(stream), service))
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, %addr, "connection");
    }
}
