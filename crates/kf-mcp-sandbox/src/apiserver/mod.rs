//! The API server: a tower service that answers HTTP requests from the store.

mod access;
mod answer;
mod body;
mod call;
mod delete;
mod discovery;
mod errors;
mod fresh;
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
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower::BoxError;

pub use answer::Body;
pub(crate) use call::Call;
pub(crate) use fresh::{defaults, service_account};

use crate::Inner;
use crate::faults::Fault;
use crate::kinds::Kind;
use crate::record::Recorded;
use crate::status::Status;
use answer::Answer;
use route::{Route, route};

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
        let mut call = Call::new(&parts, &route);
        let faults = self.inner.faults.hit(&call.asked());
        let mut cut = None;
        for fault in &faults {
            match fault {
                Fault::Slow(by) => self.hold(*by).await,
                Fault::Cut(after) => cut = Some(*after),
                _ => {}
            }
        }
        let answer = match call::collect(body).await {
            Ok(bytes) => {
                call.body = bytes;
                self.dispatch(&call, &route, &faults)
            }
            Err(status) => Err(status),
        };
        let answer = answer.unwrap_or_else(|status| Answer::status(&status));
        self.inner
            .record(Recorded::of(&call, parts.uri.path(), answer.code.as_u16()));
        answer.into_response(cut)
    }

    /// Holds an answer back.
    async fn hold(&self, by: Duration) {
        // the end is fixed before the wait is announced, so that whoever then moves the clock ends it
        let mut delay = pin!(self.inner.clock.delay(by));
        let _waiting = if futures::poll!(&mut delay).is_pending() {
            self.inner.faults.wait()
        } else {
            return;
        };
        tokio::select! {
            () = delay => {}
            () = self.closing.cancelled() => {}
        }
    }

    fn dispatch(&self, call: &Call, route: &Route, faults: &[Fault]) -> Result<Answer, Status> {
        for fault in faults {
            refuse(call, fault)?;
        }
        match route {
            Route::Other(path) => Ok(other(path)),
            Route::Groups { core } => Ok(self.inner.with(|state, _| discovery::groups(&state.store, *core))),
            Route::Group(group) => Ok(self.inner.with(|state, _| discovery::group(&state.store, group))),
            Route::Version(group, version) => Ok(self
                .inner
                .with(|state, _| discovery::version(&state.store, group, version))),
            Route::Resource(_) => self.resource(call, faults),
        }
    }

    fn resource(&self, call: &Call, faults: &[Fault]) -> Result<Answer, Status> {
        let (inner, target) = (&self.inner, &call.target);
        // who may do what is asked before what there is, as in a real server
        if !inner.rules(|rules| access::allowed(rules, &call.asked())) {
            return Err(access::forbidden(
                &call.user,
                &call.asked(),
                target.name.as_deref().unwrap_or_default(),
            ));
        }
        if let Some(answer) = access::review(inner, call) {
            return Ok(answer);
        }
        let kind = Kind::find(&target.group, &target.version, &target.resource)
            .filter(|kind| inner.with(|state, _| discovery::served(&state.store, kind)))
            .filter(|kind| kind.namespaced || target.namespace.is_none())
            .filter(|kind| !kind.namespaced || target.namespace.is_some() || target.name.is_none());
        let Some(kind) = kind else {
            return Ok(Answer::unknown_path());
        };
        let Some(name) = target.name.as_deref() else {
            return self.collection(call, kind, faults);
        };
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
                let drop_after = faults
                    .iter()
                    .find_map(|f| if let Fault::DropWatch(n) = f { Some(*n) } else { None });
                let trouble = watch::Trouble {
                    drop_after,
                    expired: faults.contains(&Fault::ExpiredWatch),
                };
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
        "/openapi/v2" | "/openapi/v3" => Answer::status(
            &Status::new(404, "NotFound", "the server could not find the requested resource").details(json!({})),
        ),
        _ => Answer::unknown_path(),
    }
}
