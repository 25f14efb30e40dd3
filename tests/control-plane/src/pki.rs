//! Certificates and kubeconfigs: one authority for a control plane, and an identity for each process and user.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

use crate::layout::Layout;

/// The names that the API server, the webhooks and the kubelet are reached by.
const SERVING: [&str; 4] = ["127.0.0.1", "10.96.0.1", "localhost", "kubernetes.default.svc"];
/// The group that may do everything.
pub(crate) const MASTERS: &str = "system:masters";

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The authority that every certificate of a control plane is signed by.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The authority's own certificate, as PEM.
    pub(crate) certificate: String,
}

impl Authority {
    /// A new authority.
    pub(crate) fn new() -> Result<(Self, Pair)> {
        let key = KeyPair::generate().context("make a key")?;
        let certificate = params(&[])?
            .self_signed(&key)
            .context("sign the authority's certificate")?
            .pem();
        let pair = Pair {
            certificate: certificate.clone(),
            key: key.serialize_pem(),
        };
        Ok((Self::of(key, certificate)?, pair))
    }

    /// The authority of a control plane that is there.
    pub(crate) fn read(layout: &Layout) -> Result<Self> {
        let read = |name: &str| {
            let path = layout.pki().join(name);
            fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
        };
        let key = KeyPair::from_pem(&read("ca.key")?).context("read the authority's key")?;
        Self::of(key, read("ca.crt")?)
    }

    fn of(key: KeyPair, certificate: String) -> Result<Self> {
        Ok(Self {
            issuer: Issuer::new(params(&[])?, key),
            certificate,
        })
    }

    /// A certificate for whoever listens.
    pub(crate) fn serving(&self) -> Result<Pair> {
        let mut params = leaf(&SERVING, "control-plane")?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    /// A certificate that says who its holder is: a user, and the groups it is in.
    pub(crate) fn client(&self, user: &str, groups: &[&str]) -> Result<Pair> {
        let mut params = leaf(&[], user)?;
        for group in groups {
            params.distinguished_name.push(DnType::OrganizationName, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Pair> {
        let key = KeyPair::generate().context("make a key")?;
        let certificate = params.signed_by(&key, &self.issuer).context("sign a certificate")?;
        Ok(Pair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// A kubeconfig of a user.
    pub(crate) fn kubeconfig(&self, port: u16, user: &Pair, namespace: &str) -> String {
        let file = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "control-plane",
            "clusters": [{"name": "control-plane", "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority-data": BASE64.encode(&self.certificate),
            }}],
            "users": [{"name": "user", "user": {
                "client-certificate-data": BASE64.encode(&user.certificate),
                "client-key-data": BASE64.encode(&user.key),
            }}],
            "contexts": [{"name": "control-plane", "context": {
                "cluster": "control-plane", "user": "user", "namespace": namespace,
            }}],
        });
        // JSON is YAML, and every client reads it
        format!("{file:#}\n")
    }
}

/// A key that service-account tokens are signed with, and the one they are checked with.
pub(crate) fn token_keys() -> Result<(String, String)> {
    let key = KeyPair::generate().context("make a key")?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

/// Writes a file that only its owner may read.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("create {}", path.display()))?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("write {}", path.display()))
}

/// The authority's parameters.
fn params(names: &[&str]) -> Result<CertificateParams> {
    let mut params = named(names, "control-plane-ca")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf(names: &[&str], common: &str) -> Result<CertificateParams> {
    let mut params = named(names, common)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok(params)
}

fn named(names: &[&str], common: &str) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).context("name a certificate")?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    Ok(params)
}
