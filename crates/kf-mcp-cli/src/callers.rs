//! Who may call over HTTP, put together from the settings: tokens, an issuer, the cluster, proxies; and the listener's certificate.

use std::path::Path;
use std::sync::Arc;

use kf_mcp_core::{Engine, Redacted};
use kf_mcp_server::auth::{Auth, AuthOptions, Personas, Proxies};
use kf_mcp_server::tls::{Pem, Tls};

use crate::settings::{Settings, TlsFiles, Unusable};
use crate::{tokens, watched};

/// Who may call, none where everybody may.
pub(crate) fn of(settings: &Settings, engine: &Engine) -> Result<Option<Arc<Auth>>, Unusable> {
    let auth = &settings.auth;
    if !auth.authenticates() {
        return Ok(None);
    }
    for assignment in &auth.personas {
        if engine.catalogues().of(assignment.persona()).is_none() {
            return Err(Unusable(format!(
                "auth-personas: there is no persona `{}`",
                assignment.persona()
            )));
        }
    }
    let proxies = auth.believes_proxies().then(|| {
        let secret = auth.trusted_proxy_secret.as_ref().map(Redacted::expose);
        Proxies::new(auth.trusted_proxy.clone(), secret.map(String::as_str))
    });
    let options = AuthOptions {
        tokens: tokens::of(settings, engine)?,
        jwt: auth.jwt.clone(),
        review: auth.review.clone(),
        proxies: proxies.transpose().map_err(Unusable)?,
        personas: Personas::new(auth.personas.clone()),
        public_url: auth.public_url.clone(),
    };
    Ok(Some(Arc::new(Auth::new(options, engine).map_err(Unusable)?)))
}

/// The listener's certificate, which follows its files.
pub(crate) fn tls(files: &TlsFiles) -> Result<Arc<Tls>, Unusable> {
    let read = Read::of(files).map_err(Unusable)?;
    let tls = Arc::new(Tls::new(read.pem()).map_err(Unusable)?);
    let followed = [&files.cert, &files.key].into_iter().chain(&files.client_ca);
    for file in followed {
        let (tls, files) = (Arc::clone(&tls), files.clone());
        let in_force = std::fs::read(file).unwrap_or_default();
        watched::follow("certificate", file.clone(), in_force, move |_| {
            tls.replace(Read::of(&files)?.pem())
        });
    }
    Ok(tls)
}

/// What is in the files.
struct Read {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Read {
    fn of(files: &TlsFiles) -> Result<Self, String> {
        let read = |file: &Path| std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()));
        Ok(Self {
            certificate: read(&files.cert)?,
            key: read(&files.key)?,
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    fn pem(&self) -> Pem<'_> {
        Pem {
            certificate: &self.certificate,
            key: &self.key,
            client_ca: self.client_ca.as_deref(),
        }
    }
}
