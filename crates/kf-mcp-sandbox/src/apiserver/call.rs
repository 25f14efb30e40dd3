//! A request as the handlers see it.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::BoxError;

use super::accept;
use super::errors;
use super::query::Query;
use super::route::{Route, Target};
use super::view::View;
use crate::pattern::Asked;
use crate::release::Release;
use crate::status::Status;

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
    pub(crate) headers: HeaderMap,
    pub(crate) user: String,
    /// `User-Agent`.
    pub(crate) agent: String,
    pub(crate) verb: &'static str,
    pub(crate) target: Target,
    pub(crate) body: Bytes,
    /// Which Trainer is installed: what a TrainJob's fields are.
    pub(crate) trainer: Release,
}

impl Call {
    /// Reads what comes before the body.
    pub(crate) fn new(parts: &Parts, route: &Route, trainer: Release) -> Self {
        let raw_query = parts.uri.query().unwrap_or_default().to_owned();
        let query = Query::new(&raw_query);
        let target = if let Route::Resource(target) = route {
            target.clone()
        } else {
            Target::default()
        };
        Self {
            verb: verb(&parts.method, route, &target, &query),
            raw_query,
            query,
            content_type: content_type(&parts.headers),
            view: accept::view(&header(&parts.headers, &ACCEPT)),
            user: user(&parts.headers),
            agent: header(&parts.headers, &USER_AGENT),
            target,
            body: Bytes::new(),
            trainer,
            method: parts.method.clone(),
            headers: parts.headers.clone(),
        }
    }

    /// A header, empty when it is not there.
    pub(crate) fn header(&self, name: &HeaderName) -> &str {
        let text = self.headers.get(name).and_then(|value| value.to_str().ok());
        text.unwrap_or_default()
    }

    /// The request as rules see it.
    pub(crate) fn asked(&self) -> Asked<'_> {
        let target = &self.target;
        let namespace = if target.resource == "namespaces" {
            &target.name
        } else {
            &target.namespace
        };
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
        Method::GET if named && !target.watch => "get",
        Method::GET if target.watch || query.flag("watch") => "watch",
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
    let text = header(headers, &CONTENT_TYPE);
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn header(headers: &HeaderMap, name: &HeaderName) -> String {
    let text = headers.get(name).and_then(|value| value.to_str().ok());
    text.unwrap_or_default().to_owned()
}

fn user(headers: &HeaderMap) -> String {
    let user = headers
        .get("impersonate-user")
        .and_then(|v| v.to_str().ok())
        .filter(|user| !user.is_empty());
    user.unwrap_or("sandbox").to_owned()
}

/// The whole body, unless it is too long.
pub(crate) async fn collect<B>(body: B) -> Result<Bytes, Status>
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
