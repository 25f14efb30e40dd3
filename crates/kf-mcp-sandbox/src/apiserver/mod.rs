//! The API server: a tower service that answers HTTP requests from the store.

mod access;
mod answer;
mod body;
mod delete;
mod discovery;
mod errors;
mod list;
mod logs;
mod options;
mod patch;
mod proxy;
mod query;
mod route;
mod selector;
mod verbs;
mod view;
mod watch;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower::BoxError;

pub use answer::Body;
pub(crate) use verbs::{defaults, service_account};

use crate::Inner;
use crate::faults::Fault;
use crate::kinds::Kind;
use crate::pattern::Asked;
use crate::record::Recorded;
use crate::status::Status;
use answer::Answer;
use query::Query;
use route::{Route, Target, route};
use view::View;

/// Longer request bodies are refused, as a real server does.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// One request, read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) raw_query: String,
    pub(crate) query: Query,
    pub(crate) content_type: String,
    pub(crate) view: View,
    pub(crate) user: String,
    pub(crate) verb: &'static str,
    pub(crate) target: Target,
    pub(crate) body: Bytes,
}

/// The API server as a tower service, for `kube::Client::new` and for HTTP.
#[derive(Debug, Clone)]
pub struct Service {
    inner: Arc<Inner>,
    /// Ends the streams that would otherwise go on for ever.
    closing: CancellationToken,
}

impl<B> tower::Service<Request<B>> for Service
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

impl Service {
    pub(crate) fn new(inner: Arc<Inner>, closing: CancellationToken) -> Self {
        Self { inner, closing }
    }

    async fn answer<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let route = route(parts.uri.path());
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        let query = Query::new(&raw_query);
        let target = if let Route::Resource(target) = &route { target.clone() } else { Target::default() };
        let mut call = Call {
            verb: verb(&parts.method, &route, &target, &query),
            raw_query,
            query,
            content_type: content_type(&parts.headers),
            view: View::of(&parts.headers),
            user: user(&parts.headers),
            target,
            body: Bytes::new(),
            method: parts.method,
        };
        let faults = self.inner.faults.hit(&call.asked());
        let mut cut = None;
        for fault in &faults {
            match fault {
                Fault::Slow(by) => tokio::select! {
                    () = self.inner.clock.delay(*by) => {}
                    () = self.closing.cancelled() => {}
                },
                Fault::Cut(after) => cut = Some(*after),
                _ => {}
            }
        }
        let answer = match collect(body).await {
            Ok(bytes) => {
                call.body = bytes;
                self.dispatch(&call, &route, &faults)
            }
            Err(status) => Err(status),
        };
        let answer = answer.unwrap_or_else(|status| Answer::status(&status));
        self.inner.record(Recorded::of(&call, parts.uri.path(), answer.code.as_u16()));
        answer.into_response(cut)
    }

    fn dispatch(&self, call: &Call, route: &Route, faults: &[Fault]) -> Result<Answer, Status> {
        for fault in faults {
            refuse(call, fault)?;
        }
        match route {
            Route::Other(path) => Ok(other(path)),
            Route::Groups { core } => Ok(self.inner.with(|state, _| discovery::groups(&state.store, *core))),
            Route::Group(group) => Ok(self.inner.with(|state, _| discovery::group(&state.store, group))),
            Route::Version(group, version) => {
                Ok(self.inner.with(|state, _| discovery::version(&state.store, group, version)))
            }
            Route::Resource(_) => self.resource(call, faults),
        }
    }

    fn resource(&self, call: &Call, faults: &[Fault]) -> Result<Answer, Status> {
        let (inner, target) = (&self.inner, &call.target);
        // who may do what is asked before what there is, as in a real server
        if !inner.rules(|rules| access::allowed(rules, &call.asked())) {
            return Err(access::forbidden(&call.user, &call.asked(), target.name.as_deref().unwrap_or_default()));
        }
        if let Some(answer) = access::review(inner, call) {
            return Ok(answer);
        }
        let kind = Kind::find(&target.group, &target.version, &target.resource)
            .filter(|kind| inner.with(|state, _| discovery::served(&state.store, kind)))
            .filter(|kind| kind.namespaced || target.namespace.is_none())
            .filter(|kind| !kind.namespaced || target.namespace.is_some() || target.name.is_none());
        let Some(kind) = kind else { return Ok(Answer::unknown_path()) };
        let Some(name) = target.name.as_deref() else { return self.collection(call, kind, faults) };
        let status = match target.subresource.as_str() {
            "" => false,
            "status" if kind.status && target.rest.is_none() => true,
            "log" if kind.kind == "Pod" && call.verb == "get" => {
                return logs::log(inner, call, kind, name, &self.closing);
            }
            "log" if kind.kind == "Pod" => return Err(errors::method_not_allowed()),
            "proxy" if kind.kind == "Service" => return proxy::proxy(inner, call, kind, name),
            _ => return Ok(Answer::unknown_path()),
        };
        match (call.verb, status) {
            ("get", _) => verbs::get(inner, call, kind, name),
            ("update", status) => verbs::update(inner, call, kind, name, status),
            ("patch", status) => patch::patch(inner, call, kind, name, status),
            ("delete", false) => delete::delete(inner, call, kind, name),
            _ => Err(errors::method_not_allowed()),
        }
    }

    fn collection(&self, call: &Call, kind: &'static Kind, faults: &[Fault]) -> Result<Answer, Status> {
        let inner = &self.inner;
        match call.verb {
            "list" => list::list(inner, call, kind, faults.contains(&Fault::ExpiredContinue)),
            "watch" => {
                let drop_after = faults.iter().find_map(|f| if let Fault::DropWatch(n) = f { Some(*n) } else { None });
                let trouble = watch::Trouble { drop_after, expired: faults.contains(&Fault::ExpiredWatch) };
                watch::watch(inner, call, kind, trouble, &self.closing)
            }
            "create" | "deletecollection" if kind.namespaced && call.target.namespace.is_none() => {
                Err(errors::method_not_allowed())
            }
            "create" => verbs::create(inner, call, kind),
            "deletecollection" => delete::delete_collection(inner, call, kind),
            _ => Err(errors::method_not_allowed()),
        }
    }
}

impl Call {
    /// The request as rules see it.
    pub(crate) fn asked(&self) -> Asked<'_> {
        let target = &self.target;
        let namespace = if target.resource == "namespaces" { &target.name } else { &target.namespace };
        Asked {
            verb: self.verb,
            group: &target.group,
            resource: &target.resource,
            subresource: &target.subresource,
            namespace: namespace.as_deref(),
        }
    }
}

fn verb(method: &Method, route: &Route, target: &Target, query: &Query) -> &'static str {
    let named = target.name.is_some() || !matches!(route, Route::Resource(_));
    match *method {
        Method::GET if named => "get",
        Method::GET if query.flag("watch") => "watch",
        Method::GET => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if named => "delete",
        Method::DELETE => "deletecollection",
        _ => "",
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn user(headers: &HeaderMap) -> String {
    let user = headers.get("impersonate-user").and_then(|v| v.to_str().ok()).filter(|user| !user.is_empty());
    user.unwrap_or("sandbox").to_owned()
}

async fn collect<B>(body: B) -> Result<Bytes, Status>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {BODY_LIMIT}");
            Err(Status::new(413, "RequestEntityTooLarge", message))
        }
        Err(error) => Err(errors::bad_request(error.to_string())),
    }
}

/// Faults that are refusals.
fn refuse(call: &Call, fault: &Fault) -> Result<(), Status> {
    let name = call.target.name.as_deref().unwrap_or_default();
    match fault {
        Fault::Forbidden => Err(access::forbidden(&call.user, &call.asked(), name)),
        Fault::Conflict => {
            let kind = Kind::find(&call.target.group, &call.target.version, &call.target.resource);
            kind.map_or(Ok(()), |kind| Err(errors::conflict(kind, name)))
        }
        Fault::TooManyRequests { retry_after } => {
            let message = "the server has received too many requests and has asked us to try again later";
            let details = json!({"retryAfterSeconds": retry_after});
            Err(Status::new(429, "TooManyRequests", message).details(details))
        }
        Fault::Internal => {
            let message = "Internal error occurred: etcdserver: request timed out";
            let details = json!({"causes": [{"message": "etcdserver: request timed out"}]});
            Err(Status::new(500, "InternalError", message).details(details))
        }
        _ => Ok(()),
    }
}

/// Paths outside of the API.
fn other(path: &str) -> Answer {
    match path {
        "/version" | "/version/" => discovery::server_version(),
        "/healthz" | "/livez" | "/readyz" => Answer::whole(StatusCode::OK, "text/plain; charset=utf-8", "ok"),
        "/openapi/v2" | "/openapi/v3" => {
            Answer::status(&Status::new(404, "NotFound", "the server could not find the requested resource").details(json!({})))
        }
        _ => Answer::unknown_path(),
    }
}
