//! The API server: a tower service that answers HTTP requests from the store.

mod accept;
mod access;
mod answer;
mod apply;
mod body;
mod bookmark;
mod call;
mod change;
mod delete;
mod discovery;
mod errors;
mod fresh;
mod health;
mod list;
mod listing;
mod logs;
mod media;
mod names;
mod openapi;
mod options;
mod patch;
mod proxy;
mod query;
mod review;
mod route;
mod selector;
mod syntax;
mod tabular;
mod verbs;
mod view;
mod watch;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::ACCEPT;
use http::{Method, Request, Response};
use jiff::SignedDuration;
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
use accept::{Asked, Form};
use answer::Answer;
use route::{Route, route};
use tabular::Tabular;

/// How long a request waits for a version that is yet to come.
const PATIENCE: SignedDuration = SignedDuration::from_secs(3);

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
        let mut call = Call::new(&parts, &route, self.inner.trainer);
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
                self.catch_up(&call).await;
                self.dispatch(&call, &route, &faults)
            }
            Err(status) => Err(status),
        };
        let answer = answer.unwrap_or_else(|status| Answer::status(&status));
        self.inner
            .record(Recorded::of(&call, parts.uri.path(), answer.code.as_u16()));
        answer.into_response(cut)
    }

    /// Waits a while for the version that a request wants.
    async fn catch_up(&self, call: &Call) {
        let Some(version) = listing::awaited(call) else { return };
        let mut ticks = self.inner.ticks.subscribe();
        if *ticks.borrow() >= version {
            return;
        }
        let until = self.inner.clock.now().saturating_add(PATIENCE).ok();
        // the end is fixed before the wait is announced, so that whoever then moves the clock ends it
        let _waiting = self.inner.faults.wait();
        tokio::select! {
            () = self.inner.clock.until(until) => {}
            _ = ticks.wait_for(|current| *current >= version) => {}
            () = self.closing.cancelled() => {}
        }
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
            Route::Other(path) => Ok(self.other(call, path)),
            Route::Groups { core } => self
                .inner
                .with(|state, _| discovery::groups(&state.store, *core, &call.headers)),
            Route::Group(group) => Ok(self.inner.with(|state, _| discovery::group(&state.store, group))),
            Route::Version(group, version) => self
                .inner
                .with(|state, _| discovery::version(&state.store, group, version)),
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
        if let Some(answer) = review::review(inner, call) {
            return answer;
        }
        let kind = Kind::find(&target.group, &target.version, &target.resource)
            .filter(|kind| inner.with(|state, _| discovery::served(&state.store, kind)))
            .filter(|kind| kind.namespaced || target.namespace.is_none())
            .filter(|kind| !kind.namespaced || target.namespace.is_some() || target.name.is_none());
        let Some(kind) = kind else {
            return discovery::unknown(&target.group);
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
            _ if kind.custom() => return Err(errors::not_found(kind, name)),
            _ => return discovery::unknown(kind.group),
        };
        let form = self.form(call, kind)?;
        let tabular = Tabular::new(inner, call, kind, form)?;
        let answer = match (call.verb, status) {
            ("get", _) => verbs::get(inner, call, kind, name),
            ("update", status) => verbs::update(inner, call, kind, name, status),
            ("patch", status) => patch::patch(inner, call, kind, name, status),
            ("delete", false) => delete::delete(inner, call, kind, name),
            (verb, true) if kind.custom() => Err(errors::verb_not_supported(kind, verb)),
            _ => Err(errors::method_not_allowed()),
        }?;
        match &tabular {
            Some(tabular) => Ok(tabular.answer(answer, kind, inner.clock.now())),
            None if form == Form::NotAList => Err(accept::not_a_list(kind)),
            None => Ok(answer),
        }
    }

    /// The form of the answer that the client accepts.
    fn form(&self, call: &Call, kind: &Kind) -> Result<Form, Status> {
        let asked = match call.verb {
            "list" | "deletecollection" => Asked::List,
            "watch" => Asked::Watch,
            _ => Asked::Object,
        };
        accept::negotiate(call.header(&ACCEPT), kind, asked)
    }

    /// Paths outside of the API.
    fn other(&self, call: &Call, path: &str) -> Answer {
        if matches!(path, "/version" | "/version/") {
            return match call.method {
                Method::GET => discovery::server_version(),
                _ => Answer::status(&errors::method_not_allowed()),
            };
        }
        let document = || {
            self.inner
                .with(|state, _| openapi::answer(&state.store, path, &call.query, &call.headers))
        };
        health::answer(path, &call.query)
            .or_else(document)
            .unwrap_or_else(Answer::unknown_path)
    }

    fn collection(&self, call: &Call, kind: &'static Kind, faults: &[Fault]) -> Result<Answer, Status> {
        let inner = &self.inner;
        let form = self.form(call, kind)?;
        match call.verb {
            "list" => list::list(inner, call, kind, form, faults.contains(&Fault::ExpiredContinue)),
            "watch" => {
                let drop_after = faults
                    .iter()
                    .find_map(|f| if let Fault::DropWatch(n) = f { Some(*n) } else { None });
                let trouble = watch::Trouble {
                    drop_after,
                    expired: faults.contains(&Fault::ExpiredWatch),
                };
                watch::watch(inner, call, kind, form, trouble, &self.closing)
            }
            "create" | "deletecollection" if kind.namespaced && call.target.namespace.is_none() => {
                // a custom kind has no such path, a built-in one has it for lists
                if kind.custom() {
                    return discovery::unknown(kind.group);
                }
                Err(errors::method_not_allowed())
            }
            "deletecollection" if kind.kind == "Namespace" => Err(errors::method_not_allowed()),
            "update" | "patch" if kind.custom() => Err(errors::bad_request("name must be provided")),
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
