//! Backends that are not Kubernetes: a REST service that is reached by its own URL or through the API server's proxy.
//!
//! A component's client is a thin struct over `&Cx` that builds paths; sending, deadline, bounds and error words are here.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::call::Engine;
use crate::cx::Cx;
use crate::error::{ErrorCode, ToolError};
use crate::kube::client::innermost;

/// The largest answer of a backend that is held.
const MAX_BODY: usize = 16 << 20;

/// How many redirects are followed.
const REDIRECTS: usize = 4;

/// Where a backend is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Its own base URL, without a slash at the end.
    Url(String),
    /// A Service, through the API server's proxy.
    Service {
        /// Namespace of the Service.
        namespace: String,
        /// Name of the Service.
        name: String,
        /// Port name or number of the Service.
        port: String,
    },
}

impl Address {
    /// The base URL that an operator wrote, none when it is no http or https URL that paths can be added to. Credentials
    /// in it would not be sent, so they make it none too.
    pub fn of_url(written: &str) -> Option<Self> {
        let written = written.trim().trim_end_matches('/');
        let url: http::Uri = written.parse().ok()?;
        let web = matches!(url.scheme_str(), Some("http" | "https"));
        let plain = url.authority().is_some_and(|at| !at.as_str().contains('@')) && url.query().is_none();
        (web && plain).then(|| Self::Url(written.to_owned()))
    }

    /// The address in words, without credentials.
    pub fn words(&self) -> String {
        match self {
            Self::Url(url) => crate::redact::secrets(url),
            Self::Service { namespace, name, port } => format!("service {namespace}/{name}:{port}"),
        }
    }
}

/// An answer of a backend.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Body.
    pub body: Bytes,
}

impl Engine {
    /// Reads a small document of a public server for the process itself, for no caller: at most `most` bytes within `within`.
    /// No redirect is followed.
    pub async fn fetch(&self, url: &str, most: usize, within: Duration) -> Result<Reply, String> {
        let request = request(Method::GET, url, Vec::new()).map_err(|error| error.to_string())?;
        let pool = self.shared().backends.get()?;
        let exchange = async {
            let (reply, _) = exchange(pool, request, most).await?;
            Ok(reply)
        };
        let done = tokio::time::timeout(within, exchange).await;
        done.unwrap_or_else(|_| Err(format!("no answer within {} s", within.as_secs())))
    }
}

impl Cx {
    /// Sends a request to a backend within this call's deadline. An answer of any status is a reply; what is an error is
    /// for the component's client to say.
    pub async fn send(&self, to: &Address, method: Method, path: &str, body: Vec<u8>) -> Result<Reply, ToolError> {
        match to {
            Address::Service { namespace, name, port } => {
                let (status, body) = self
                    .kube()
                    .service_proxy(namespace, name, port, method, path, body)
                    .await?;
                Ok(Reply { status, body })
            }
            Address::Url(base) => {
                let url = format!("{base}{path}");
                let (reply, _) = self.send_direct(to, method, &url, body, MAX_BODY).await?;
                Ok(reply)
            }
        }
    }

    /// Reads a small document of a public server at `base`, a URL without a slash at the end: at most `most` bytes, and
    /// through a few redirects as long as they stay on that server. Where else one points is not followed, and is the reply.
    pub async fn fetch(&self, base: &str, path: &str, most: usize) -> Result<Reply, ToolError> {
        let (to, origin) = (Address::Url(base.to_owned()), origin(base));
        let mut url = format!("{base}{path}");
        for _ in 0..REDIRECTS {
            let (reply, location) = self.send_direct(&to, Method::GET, &url, Vec::new(), most).await?;
            let next = location.filter(|_| reply.status.is_redirection());
            match next.and_then(|location| on_server(origin, &location)) {
                Some(next) => url = next,
                None => return Ok(reply),
            }
        }
        let why = format!("{}: too many redirects", to.words());
        Err(ToolError::new(
            ErrorCode::Unreachable,
            format!("GET {}", crate::redact::secrets(path)),
            why,
        ))
    }

    /// A request, and where the reply's `Location` points.
    async fn send_direct(
        &self,
        to: &Address,
        method: Method,
        url: &str,
        body: Vec<u8>,
        most: usize,
    ) -> Result<(Reply, Option<String>), ToolError> {
        let asked = format!("{method} {}", crate::redact::secrets(url));
        let fail = |code, why: String| {
            ToolError::new(code, asked.clone(), format!("{}: {why}", to.words()))
                .fix("check the backend's address in the configuration, and that it runs")
        };
        let request =
            request(method, url, body).map_err(|error| fail(ErrorCode::InvalidArgument, error.to_string()))?;
        let pool = self
            .shared
            .backends
            .get()
            .map_err(|why| fail(ErrorCode::Internal, why))?;
        let exchange = async {
            let done = exchange(pool, request, most).await;
            done.map_err(|why| fail(ErrorCode::Unreachable, why))
        };
        tokio::select! {
            biased;
            () = self.cancelled().cancelled() => Err(ToolError::new(ErrorCode::Cancelled, asked.clone(), "the call was cancelled")),
            () = tokio::time::sleep_until(self.deadline()) => Err(fail(ErrorCode::Timeout, "no answer in time".into())),
            done = exchange => done,
        }
    }
}

fn request(method: Method, url: &str, body: Vec<u8>) -> http::Result<Request<Full<Bytes>>> {
    Request::builder()
        .method(method)
        .uri(url)
        .header(http::header::CONTENT_TYPE, "application/json")
        .header(http::header::ACCEPT, "application/json")
        .body(Full::new(Bytes::from(body)))
}

/// A request and its whole reply, and where the reply's `Location` points.
async fn exchange(pool: &Pool, request: Request<Full<Bytes>>, most: usize) -> Result<(Reply, Option<String>), String> {
    let reply = pool
        .request(request)
        .await
        .map_err(|error| format!("no connection: {}", innermost(&error)))?;
    let status = reply.status();
    let location = reply.headers().get(http::header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = Limited::new(reply.into_body(), most).collect().await;
    let body = body
        .map_err(|error| format!("the answer broke off: {error}"))?
        .to_bytes();
    Ok((Reply { status, body }, location))
}

/// Scheme and host of a URL.
fn origin(base: &str) -> &str {
    let host = base.find("://").map_or(0, |at| at + 3);
    let end = base[host..].find('/').map_or(base.len(), |at| host + at);
    &base[..end]
}

/// A redirect's target as a URL, if it is on the server.
fn on_server(origin: &str, location: &str) -> Option<String> {
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(format!("{origin}{location}"));
    }
    let rest = location.strip_prefix(origin)?;
    rest.starts_with('/').then(|| location.to_owned())
}

type Pool = hyper_util::client::legacy::Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The connection pool for backends with a URL of their own, made when the first of them is asked.
#[derive(Debug, Default)]
pub(crate) struct Backends {
    pool: std::sync::OnceLock<Pool>,
}

impl Backends {
    fn get(&self) -> Result<&Pool, String> {
        if let Some(pool) = self.pool.get() {
            return Ok(pool);
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(std::time::Duration::from_secs(3)));
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| format!("no root certificates: {error}"))?;
        let connector = tls.https_or_http().enable_all_versions().wrap_connector(tcp);
        let pool = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(self.pool.get_or_init(|| pool))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_on_their_server() {
        let base = "https://hub.example/mirror";
        assert_eq!(origin(base), "https://hub.example");
        assert_eq!(origin("http://127.0.0.1:1"), "http://127.0.0.1:1");
        for (location, want) in [
            ("/api/x?y", Some("https://hub.example/api/x?y")),
            ("https://hub.example/a", Some("https://hub.example/a")),
            ("//evil.example/a", None),
            ("https://hub.example.evil/a", None),
            ("https://hub.example@evil/a", None),
            ("http://hub.example/a", None),
            ("a", None),
        ] {
            assert_eq!(on_server(origin(base), location).as_deref(), want, "{location}");
        }
    }
}
