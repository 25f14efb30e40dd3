//! Who may call over HTTP, as whom calls act, and what the listener shows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kf_mcp_core::Redacted;
use kf_mcp_core::kube::{ActAs, Impersonation};
use kf_mcp_core::policy::Pattern;
use kf_mcp_core::rbac::Callers;
use kf_mcp_server::auth::{Assignment, JwtOptions, ProxyFrom, ReviewOptions};
use serde::{Deserialize, Serialize};

use super::values::Names;
use super::{Unusable, one_of};

/// The farthest that clocks may be apart, in seconds.
const MOST_LEEWAY: u64 = 300;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RawJwt {
    issuer: Option<String>,
    audience: Names,
    user_claim: Option<String>,
    user_prefix: Option<String>,
    groups_claim: Option<String>,
    groups_prefix: Option<String>,
    leeway: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RawImpersonate {
    groups: Names,
    extra: Names,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RawTls {
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
}

/// The keys about callers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct RawAuth {
    auth_token: Option<String>,
    auth_token_file: Option<PathBuf>,
    allow_unauthenticated: bool,
    auth_personas: Names,
    public_url: Option<String>,
    jwks_uri: Option<String>,
    jwt: RawJwt,
    token_review: bool,
    token_review_audience: Names,
    trusted_proxy: Names,
    trusted_proxy_secret_file: Option<PathBuf>,
    identity: Option<String>,
    impersonate: RawImpersonate,
    tls: RawTls,
}

/// Who may call over HTTP, and as whom they act.
#[derive(Debug)]
pub(crate) struct AuthSettings {
    /// The one bearer token.
    pub(crate) token: Option<Redacted<String>>,
    /// A file of bearer tokens.
    pub(crate) token_file: Option<PathBuf>,
    /// An issuer of JSON web tokens.
    pub(crate) jwt: Option<JwtOptions>,
    /// Tokens of the cluster.
    pub(crate) review: Option<ReviewOptions>,
    /// Where trusted proxies are.
    pub(crate) trusted_proxy: Vec<ProxyFrom>,
    /// What they know.
    pub(crate) trusted_proxy_secret: Option<Redacted<String>>,
    /// Who has which persona.
    pub(crate) personas: Vec<Assignment>,
    /// The URL at which clients know the endpoint.
    pub(crate) public_url: Option<String>,
    /// Whether other machines are served although nobody is asked who they are.
    pub(crate) allow_unauthenticated: bool,
    /// As whom calls act.
    pub(crate) acts: ActAs,
    /// Certificates of the listener.
    pub(crate) tls: Option<TlsFiles>,
}

/// Files with what the listener shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_ca: Option<PathBuf>,
}

impl AuthSettings {
    /// Whether callers are asked who they are.
    pub(crate) fn authenticates(&self) -> bool {
        self.token.is_some()
            || self.token_file.is_some()
            || self.jwt.is_some()
            || self.review.is_some()
            || self.believes_proxies()
    }

    /// Whether some proxy is believed who calls.
    pub(crate) fn believes_proxies(&self) -> bool {
        !self.trusted_proxy.is_empty() || self.trusted_proxy_secret.is_some()
    }

    /// How callers are treated, for the rights that this takes.
    pub(crate) fn callers(&self) -> Callers<'_> {
        Callers {
            acts: &self.acts,
            reviewed: self.review.is_some(),
        }
    }

    /// What does not fit together when callers are served over HTTP, or over stdio.
    pub(crate) fn problem(&self, http: bool) -> Option<&'static str> {
        let own = matches!(self.acts, ActAs::Own);
        let reviews_for_itself = self.review.as_ref().is_some_and(|review| review.audiences.is_empty());
        if !own && !http {
            return Some(
                "identity: over stdio there is one caller, and calls act as the kubeconfig says: leave it own",
            );
        }
        if !own && !self.authenticates() {
            return Some("identity: calls can act as their callers only if those are asked who they are");
        }
        if matches!(self.acts, ActAs::Token) && !reviews_for_itself {
            return Some(
                "identity token: only the API server can say that a token is meant for it: use --token-review, without an audience",
            );
        }
        let client_ca = self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        if self.trusted_proxy.contains(&ProxyFrom::Certified) && !client_ca {
            return Some("trusted-proxy mtls needs --tls-client-ca: whose certificates are good");
        }
        None
    }
}

impl RawAuth {
    pub(super) fn check(self) -> Result<AuthSettings, Unusable> {
        if self.auth_token.is_some() && self.auth_token_file.is_some() {
            let why = "auth-token and auth-token-file are both given: put all tokens into the file";
            return Err(Unusable(why.into()));
        }
        let secret = self.trusted_proxy_secret_file.as_deref().map(secret).transpose()?;
        let parsed = |what: &str, why: String| Unusable(format!("{what}: {why}"));
        let from = self.trusted_proxy.0.iter().map(|from| from.parse());
        let assignments = self.auth_personas.0.iter().map(|line| line.parse());
        if !self.token_review && !self.token_review_audience.0.is_empty() {
            return Err(Unusable("token-review-audience needs token-review".into()));
        }
        if let Some(url) = self.public_url.as_ref().filter(|url| !is_web(url)) {
            return Err(Unusable(format!("public-url `{url}` is no http or https URL")));
        }
        let identity = self.identity.as_deref().unwrap_or("own");
        let handed_on = !self.impersonate.groups.0.is_empty() || !self.impersonate.extra.0.is_empty();
        if handed_on && identity != "impersonate" {
            let why = "impersonate-groups and impersonate-extra say what is handed on with identity impersonate";
            return Err(Unusable(why.into()));
        }
        let acts = match one_of("identity", identity, &["own", "impersonate", "token"])? {
            "impersonate" => ActAs::Impersonate(self.impersonate.check()?),
            "token" => ActAs::Token,
            _ => ActAs::Own,
        };
        Ok(AuthSettings {
            jwt: jwt(self.jwks_uri, self.jwt)?,
            review: self.token_review.then(|| ReviewOptions {
                audiences: self.token_review_audience.0.clone(),
                hands_on: matches!(acts, ActAs::Token),
            }),
            trusted_proxy: from
                .collect::<Result<_, _>>()
                .map_err(|why| parsed("trusted-proxy", why))?,
            trusted_proxy_secret: secret,
            personas: assignments
                .collect::<Result<_, _>>()
                .map_err(|why| parsed("auth-personas", why))?,
            public_url: self.public_url,
            allow_unauthenticated: self.allow_unauthenticated,
            token: self.auth_token.map(Redacted::new),
            token_file: self.auth_token_file,
            acts,
            tls: self.tls.check()?,
        })
    }
}

impl RawImpersonate {
    fn check(self) -> Result<Impersonation, Unusable> {
        if let Some(group) = self.groups.0.iter().find(|group| group.starts_with("system:")) {
            let why = format!("impersonate-groups: groups of the system are never handed on: leave out `{group}`");
            return Err(Unusable(why));
        }
        let patterns = self.groups.0.iter().map(|text| {
            let pattern = Pattern::new(text);
            pattern.map_err(|why| Unusable(format!("impersonate-groups: `{text}` {why}")))
        });
        Ok(Impersonation {
            groups: patterns.collect::<Result<_, _>>()?,
            extra: self.extra.0,
        })
    }
}

impl RawTls {
    fn check(self) -> Result<Option<TlsFiles>, Unusable> {
        match (self.cert, self.key, self.client_ca) {
            (Some(cert), Some(key), client_ca) => Ok(Some(TlsFiles { cert, key, client_ca })),
            (None, None, None) => Ok(None),
            _ => Err(Unusable("tls-cert and tls-key are needed both".into())),
        }
    }
}

fn jwt(jwks_uri: Option<String>, raw: RawJwt) -> Result<Option<JwtOptions>, Unusable> {
    let RawJwt {
        issuer,
        audience,
        user_claim,
        user_prefix,
        groups_claim,
        groups_prefix,
        leeway,
    } = raw;
    let audience = Some(audience.0).filter(|audience| !audience.is_empty());
    let (jwks_uri, issuer, audience) = match (jwks_uri, issuer, audience) {
        (None, None, None) => return Ok(None),
        (Some(uri), Some(issuer), Some(audience)) => (uri, issuer, audience),
        _ => {
            let why = "jwks-uri, jwt-issuer and jwt-audience are needed all three: tokens of others, or for others, are not accepted";
            return Err(Unusable(why.into()));
        }
    };
    let mut options = JwtOptions::new(jwks_uri, issuer, audience);
    for (option, given) in [
        (&mut options.user_claim, user_claim),
        (&mut options.user_prefix, user_prefix),
        (&mut options.groups_claim, groups_claim),
        (&mut options.groups_prefix, groups_prefix),
    ] {
        if let Some(given) = given {
            *option = given;
        }
    }
    if let Some(leeway) = leeway {
        if leeway > MOST_LEEWAY {
            return Err(Unusable(format!(
                "jwt-leeway {leeway} is more than {MOST_LEEWAY} seconds"
            )));
        }
        options.leeway = Duration::from_secs(leeway);
    }
    Ok(Some(options))
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// The secret in a file: all of it but the spaces around.
fn secret(file: &Path) -> Result<Redacted<String>, Unusable> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Unusable(format!("trusted proxy's secret {}: {error}", file.display())))?;
    Ok(Redacted::new(text.trim().to_owned()))
}
