//! TLS connections of clients that have shown a certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::serve::Listener;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Tls;

/// How long a client may take for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

type Accepted = Option<(TlsStream<TcpStream>, SocketAddr)>;

/// A listener that hands out connections when their handshake is done. Slow clients do not hold others up.
pub(crate) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: FuturesUnordered<BoxFuture<'static, Accepted>>,
}

impl TlsListener {
    /// Wraps a listener.
    pub(crate) fn new(tcp: TcpListener, tls: &Tls) -> Result<Self> {
        Ok(Self {
            tcp,
            acceptor: TlsAcceptor::from(Arc::new(config(tls)?)),
            handshakes: FuturesUnordered::new(),
        })
    }
}

fn config(tls: &Tls) -> Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut clients = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&tls.client_ca) {
        let certificate = certificate.context("read the authority of the clients")?;
        clients.add(certificate).context("trust the authority of the clients")?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(clients), Arc::clone(&provider))
        .build()
        .context("verify clients")?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&tls.certificates)
        .collect::<Result<_, _>>()
        .context("read the kubelet's certificate")?;
    let key = PrivateKeyDer::from_pem_slice(&tls.key).context("read the kubelet's key")?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choose TLS versions")?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates, key)
        .context("use the kubelet's certificate")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (tcp, addr) = Listener::accept(&mut self.tcp) => {
                    let acceptor = self.acceptor.clone();
                    self.handshakes.push(Box::pin(async move {
                        // a line of a log must not wait for the next one
                        tcp.set_nodelay(true).ok()?;
                        let tls = tokio::time::timeout(HANDSHAKE, acceptor.accept(tcp)).await;
                        Some((tls.ok()?.ok()?, addr))
                    }));
                }
                // a client that failed has been told so by the handshake itself
                Some(done) = self.handshakes.next() => if let Some(accepted) = done {
                    return accepted;
                },
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
