//! Who calls over HTTP. What a trusted proxy says counts first, then a bearer token: one that the operator has given out, one of
//! an issuer that the operator trusts, or one of the cluster.

mod crypto;
mod jwt;
mod keys;
mod metadata;
mod personas;
mod proxy;
mod review;
mod tokens;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http_body_util::{BodyExt, Limited};
use jsonwebtoken::dangerous::insecure_decode_claims;
use kf_mcp_core::{Caller, Engine, Principal};
use rmcp::RoleServer;
use rmcp::service::RequestContext;
use serde::Deserialize;

pub use self::jwt::JwtOptions;
pub use self::personas::{Assignment, Personas};
pub use self::proxy::{From as ProxyFrom, Proxies};
pub use self::tokens::{Token, Tokens};

use self::jwt::Jwt;
use self::metadata::{Resource, WELL_KNOWN};
use self::review::Review;
use crate::http::MAX_BODY;
use crate::listener::Peer;

/// The longest bearer token.
const LONGEST: usize = 16 << 10;

/// The ways in which callers may say who they are. With none of them nobody is known.
#[derive(Debug, Default)]
pub struct AuthOptions {
    /// Tokens that the operator has given out.
    pub tokens: Option<Arc<Tokens>>,
    /// An issuer of JSON web tokens.
    pub jwt: Option<JwtOptions>,
    /// Tokens of the cluster.
    pub review: Option<ReviewOptions>,
    /// Proxies that have asked before.
    pub proxies: Option<Proxies>,
    /// The personas of those whom others vouch for.
    pub personas: Personas,
    /// The URL at which clients know the MCP endpoint.
    pub public_url: Option<String>,
}

/// How tokens of the cluster are reviewed.
#[derive(Debug, Clone, Default)]
pub struct ReviewOptions {
    /// Whom they must be meant for; the API server itself where nothing is said.
    pub audiences: Vec<String>,
    /// Whether callers act with their tokens.
    pub hands_on: bool,
}

/// Tells who calls.
#[derive(Debug)]
pub struct Auth {
    tokens: Option<Arc<Tokens>>,
    jwt: Option<Jwt>,
    review: Option<Review>,
    proxies: Option<Proxies>,
    personas: Personas,
    public_url: Option<String>,
    engine: Engine,
}

/// Why a caller is not known.
#[derive(Debug)]
enum Verdict {
    /// They did not say who they are.
    Nobody,
    /// Their token is not accepted; why.
    Invalid(String),
    /// What a trusted proxy says of them cannot be; why.
    Misled(String),
    /// It cannot be found out now; why.
    Unavailable(String),
}

/// Somebody who is known.
#[derive(Debug)]
struct Known {
    caller: Caller,
    /// Whether a token of more scopes would let them do more.
    by_scope: bool,
}

impl From<Caller> for Known {
    fn from(caller: Caller) -> Self {
        Self {
            caller,
            by_scope: false,
        }
    }
}

impl Auth {
    /// Ways to tell who calls an engine. The error says what of them cannot be used.
    pub fn new(options: AuthOptions, engine: &Engine) -> Result<Self, String> {
        let jwt = options.jwt.map(|jwt| Jwt::new(jwt, engine.clone())).transpose()?;
        let review = options
            .review
            .map(|review| Review::new(Arc::clone(engine.cluster()), review.audiences, review.hands_on));
        let auth = Self {
            tokens: options.tokens,
            jwt,
            review,
            proxies: options.proxies,
            personas: options.personas,
            public_url: options.public_url,
            engine: engine.clone(),
        };
        engine.catalogues().hold("assignments of personas", auth.vouched());
        Ok(auth)
    }

    /// The personas that callers may come with, beside the default one.
    pub fn personas(&self) -> BTreeSet<String> {
        let tokens = self.tokens.iter().flat_map(|tokens| tokens.personas());
        tokens.chain(self.vouched()).collect()
    }

    /// Those of callers whom others vouch for.
    fn vouched(&self) -> Vec<String> {
        if self.jwt.is_none() && self.review.is_none() && self.proxies.is_none() {
            return Vec::new();
        }
        self.personas.names().map(str::to_owned).collect()
    }

    /// Where the keys of the tokens' issuer are, and how many there are now or why they cannot be fetched; nothing where no issuer
    /// is trusted.
    pub async fn issuer_keys(&self) -> Option<(&str, Result<usize, String>)> {
        let jwt = self.jwt.as_ref()?;
        Some((&jwt.options().jwks_uri, jwt.count().await))
    }

    /// Asks everybody who comes this way who they are, and tells clients where tokens come from. `here` is the URL of the MCP
    /// endpoint where nothing else is known of it.
    pub(crate) fn protect(self: &Arc<Self>, router: Router, here: String) -> Router {
        let resource = self.jwt.as_ref().map(|jwt| {
            let options = jwt.options();
            let url = self.public().map_or(here, str::to_owned);
            let scopes = self.personas.scopes().map(|(scope, _)| scope).collect();
            Arc::new(Resource::new(url, &options.issuer, scopes))
        });
        let state = (Arc::clone(self), resource.clone());
        let router = router.layer(middleware::from_fn_with_state(state, authenticate));
        match resource {
            None => router,
            Some(resource) => {
                let document = move || {
                    let resource = Arc::clone(&resource);
                    async move { resource.answer() }
                };
                router
                    .route(WELL_KNOWN, get(document.clone()))
                    .route(&format!("{WELL_KNOWN}/{{*path}}"), get(document))
            }
        }
    }

    /// The URL at which clients know the endpoint, if somebody said so.
    fn public(&self) -> Option<&str> {
        let audiences = self.jwt.iter().flat_map(|jwt| &jwt.options().audience);
        let mut urls = self
            .public_url
            .iter()
            .chain(audiences.filter(|audience| audience.starts_with("https://")));
        urls.next().map(String::as_str)
    }

    /// The name of this server in that URL.
    pub(crate) fn host(&self) -> Option<String> {
        let url: Uri = self.public()?.parse().ok()?;
        url.host().map(str::to_owned)
    }

    /// Who made a request. What said so is taken off it, and so is what only a trusted proxy may say.
    async fn known(&self, peer: Option<&Peer>, headers: &mut HeaderMap) -> Result<Known, Verdict> {
        let proxied = match &self.proxies {
            Some(proxies) => proxies.caller(peer, headers),
            None => {
                proxy::strip(headers);
                Ok(None)
            }
        };
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (presented, more) = (given.next().cloned(), given.next().is_some());
        headers.remove(header::AUTHORIZATION);
        if let Some(principal) = proxied? {
            return Ok(self.with_persona(principal, &[]).into());
        }
        let invalid = |why: &str| Verdict::Invalid(why.to_owned());
        let presented = presented.ok_or(Verdict::Nobody)?;
        let bearer = presented.to_str().ok().filter(|_| !more).and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let token = bearer.filter(|token| !token.is_empty() && token.len() <= LONGEST);
        let token = token.ok_or_else(|| invalid("it is no bearer token"))?;
        if let Some(caller) = self.tokens.as_ref().and_then(|tokens| tokens.bearer(token)) {
            return Ok(caller.into());
        }
        match (&self.jwt, &self.review) {
            (Some(jwt), review) if review.is_none() || is_of(token, &jwt.options().issuer) => {
                let bearer = jwt.verify(token).await?;
                Ok(Known {
                    caller: self.with_persona(bearer.principal, &bearer.scopes),
                    by_scope: true,
                })
            }
            (_, Some(review)) => Ok(self.with_persona(review.verify(token).await?, &[]).into()),
            _ => Err(invalid("it is not known here, or no longer")),
        }
    }

    fn with_persona(&self, principal: Principal, scopes: &[String]) -> Caller {
        let persona = self.personas.of(&principal.user, &principal.groups, scopes);
        Principal { persona, ..principal }.into()
    }

    /// The scope that would let a caller use a tool which they may not, and others may.
    fn lacking(&self, caller: &Caller, tool: &str) -> Option<&str> {
        let catalogue = self.engine.catalogue_of(caller);
        catalogue.hidden(tool)?;
        let enough = |persona: &str| {
            let catalogue = self.engine.catalogues().of(persona);
            catalogue.is_some_and(|catalogue| catalogue.get(tool).is_some())
        };
        self.personas
            .scopes()
            .find(|(_, persona)| enough(persona))
            .map(|(scope, _)| scope)
    }
}

/// Whether a token says that it is an issuer's. It may say so of itself: whether it is true is found out later.
fn is_of(token: &str, issuer: &str) -> bool {
    #[derive(Deserialize)]
    struct Claims {
        iss: String,
    }
    insecure_decode_claims::<Claims>(token).is_ok_and(|claims| claims.iss == issuer)
}

/// Lets through who is known.
async fn authenticate(
    State((auth, resource)): State<(Arc<Auth>, Option<Arc<Resource>>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let resource = resource.as_deref();
    let peer = request.extensions().get::<Peer>().cloned();
    let Known { caller, by_scope } = match auth.known(peer.as_ref(), request.headers_mut()).await {
        Ok(known) => known,
        Err(Verdict::Nobody) => {
            let text = "a bearer token is needed: send it in the Authorization header";
            return metadata::unauthenticated(resource, None, text);
        }
        Err(Verdict::Invalid(why)) => {
            let text = format!("the bearer token is not accepted: {why}");
            return metadata::unauthenticated(resource, Some(&why), &text);
        }
        Err(Verdict::Misled(why)) => return metadata::unauthenticated(resource, None, &why),
        Err(Verdict::Unavailable(why)) => {
            let wait = [(header::RETRY_AFTER, "5")];
            return (StatusCode::SERVICE_UNAVAILABLE, wait, format!("{why}\n")).into_response();
        }
    };
    if by_scope && request.method() == Method::POST {
        let (again, tool) = match called(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        request = again;
        let lacking = tool
            .as_deref()
            .and_then(|tool| Some((tool, auth.lacking(&caller, tool)?)));
        if let Some((tool, scope)) = lacking {
            let text = format!("{tool} needs a token with the scope {scope}");
            return metadata::insufficient(resource, scope, &text);
        }
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// The tool that a request calls, if it calls one, and the request as it was.
async fn called(request: Request) -> Result<(Request, Option<String>), Response> {
    #[derive(Deserialize)]
    struct Message {
        method: String,
        params: Params,
    }
    #[derive(Deserialize)]
    struct Params {
        name: String,
    }
    let (head, body) = request.into_parts();
    let body: Bytes = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let text = format!("a request has at most {} MiB\n", MAX_BODY >> 20);
            return Err((StatusCode::PAYLOAD_TOO_LARGE, text).into_response());
        }
        Err(_) => return Err((StatusCode::BAD_REQUEST, "the request broke off\n").into_response()),
    };
    let message = serde_json::from_slice::<Message>(&body).ok();
    let tool = message
        .filter(|message| message.method == "tools/call")
        .map(|message| message.params.name);
    Ok((Request::from_parts(head, Body::from(body)), tool))
}

/// Who made a request of HTTP, or the local user.
pub(crate) fn of_request(request: &Request) -> Caller {
    request.extensions().get::<Caller>().cloned().unwrap_or(Caller::Local)
}

/// Whether a request came over HTTP.
pub(crate) fn is_remote(cx: &RequestContext<RoleServer>) -> bool {
    cx.extensions.get::<Parts>().is_some()
}

/// Who makes a request.
pub(crate) fn caller(cx: &RequestContext<RoleServer>) -> Caller {
    let parts = cx.extensions.get::<Parts>();
    let named = parts.and_then(|parts| parts.extensions.get::<Caller>());
    named.cloned().unwrap_or(Caller::Local)
}
