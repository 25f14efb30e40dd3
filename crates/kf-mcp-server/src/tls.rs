//! TLS of the listener: a certificate that can be replaced while the server runs, and clients that have to have one of their own.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// What the listener shows, and whom it accepts.
#[derive(Debug)]
pub struct Tls {
    config: RwLock<Arc<ServerConfig>>,
    certified: bool,
}

/// Texts of PEM files.
#[derive(Debug, Clone, Copy)]
pub struct Pem<'a> {
    /// The certificate and those between it and an authority.
    pub certificate: &'a [u8],
    /// Its private key.
    pub key: &'a [u8],
    /// Authorities, of one of which clients must have a certificate.
    pub client_ca: Option<&'a [u8]>,
}

impl Tls {
    /// TLS with a certificate. The error says what is wrong with it.
    pub fn new(pem: Pem<'_>) -> Result<Self, String> {
        Ok(Self {
            config: RwLock::new(Arc::new(config(pem)?)),
            certified: pem.client_ca.is_some(),
        })
    }

    /// Shows another certificate from now on.
    pub fn replace(&self, pem: Pem<'_>) -> Result<(), String> {
        if self.certified != pem.client_ca.is_some() {
            return Err("whether clients need a certificate does not change while the server runs".into());
        }
        let config = Arc::new(config(pem)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// Whether every client that gets through has a certificate of its own.
    pub(crate) fn certified(&self) -> bool {
        self.certified
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn config(pem: Pem<'_>) -> Result<ServerConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match pem.client_ca {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates("client authorities", authorities)? {
                roots
                    .add(authority)
                    .map_err(|error| format!("client authority: {error}"))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier
                .build()
                .map_err(|error| format!("client authorities: {error}"))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates("certificate", pem.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(pem.key).map_err(|error| format!("private key: {error}"))?;
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("certificate and key: {error}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| format!("{what}: {error}"))?;
    if read.is_empty() {
        return Err(format!("{what}: there is none in the file"));
    }
    Ok(read)
}
