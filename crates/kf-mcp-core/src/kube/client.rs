//! [`Kube`]: requests of one call to the API server, each through the [gate](super::gate).

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use kube::core::params::{DeleteParams, PatchParams, PostParams, Preconditions, PropagationPolicy};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::Whole;
use super::error::{Cause, KubeError};
use super::gate::{Asked, Gate};
use super::groups::Groups;
use super::page::{List, ListQuery, Page};
use super::resource::Resource;
use super::resources::NAMESPACES;
use crate::caller::Identity;

/// The largest answer that is held: a page of 500 big objects fits.
pub(super) const MAX_BODY: usize = 64 << 20;

/// What a create answered.
#[derive(Debug)]
pub struct Created<T> {
    /// The object as stored (or as it would be, in a dry run).
    pub object: T,
    /// The server's warnings, in its words.
    pub warnings: Vec<String>,
}

/// How to delete.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Only if the object still has this uid.
    pub uid: Option<String>,
    /// Only try.
    pub dry_run: bool,
}

/// The API server as one call sees it.
#[derive(Debug, Clone)]
pub struct Kube {
    pub(super) gate: Arc<Gate>,
}

impl Kube {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self { gate }
    }

    /// The gate of this call.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The server in words, for messages.
    pub fn server(&self) -> String {
        self.gate.server()
    }

    /// Further namespaces that the kubeconfig names for this cluster.
    pub async fn named_namespaces(&self) -> Result<Vec<String>, KubeError> {
        let asked = Asked::about("find", "the namespaces of the kubeconfig");
        Ok(self.gate.connected(&asked).await?.namespaces.clone())
    }

    /// Namespace of calls that name none, and the server's address. Connects if that has not happened.
    pub async fn defaults(&self) -> Result<(String, String), KubeError> {
        let asked = Asked::about("find", "the default namespace");
        let connected = self.gate.connected(&asked).await?;
        Ok((connected.namespace.clone(), connected.server.clone()))
    }

    /// As whom the process acts. Connects if that has not happened.
    pub async fn identity(&self) -> Result<Identity, KubeError> {
        let asked = Asked::about("find", "the user of the kubeconfig");
        Ok(self.gate.connected(&asked).await?.identity.clone())
    }

    /// Reads one object.
    pub async fn get<T: DeserializeOwned>(
        &self,
        of: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<T, KubeError> {
        let asked = of.asked("get", namespace, Some(name));
        let request = self.build(
            &asked,
            kube::core::Request::new(of.url(namespace)).get(name, &Default::default()),
        )?;
        let answer = self.send(&asked, request).await?;
        self.gate.saw(&asked, &answer.body);
        self.decode(&asked, &answer.body)
    }

    /// Lists one page.
    pub async fn list(&self, of: &Resource, namespace: Option<&str>, query: &ListQuery) -> Result<Page, KubeError> {
        let asked = of.asked("list", namespace, None);
        let request = self.build(
            &asked,
            kube::core::Request::new(of.url(namespace)).list(&query.params()),
        )?;
        let list: List = self.json(&asked, request).await?;
        Ok(list.into())
    }

    /// The namespaces of the cluster, for callers that a policy binds to some of them. Every tool may need them for that, so
    /// none declares it: `list_namespaces` does for all.
    pub(crate) async fn namespaces(&self) -> Result<Page, KubeError> {
        let query = ListQuery {
            limit: Some(1000),
            ..ListQuery::default()
        };
        let asked = NAMESPACES.asked("list", None, None);
        let request = kube::core::Request::new(NAMESPACES.url(None)).list(&query.params());
        let request = self.build(&asked, request)?;
        self.gate.counted(&asked);
        let answer = self.succeed(&asked, request).await?;
        let list: List = self.decode(&asked, &answer.body)?;
        Ok(list.into())
    }

    /// Creates an object with strict field validation, or only tries to.
    pub async fn create<T: DeserializeOwned>(
        &self,
        of: &Resource,
        namespace: Option<&str>,
        object: &impl Serialize,
        dry_run: bool,
    ) -> Result<Created<T>, KubeError> {
        let asked = of.asked("create", namespace, None);
        self.gate.admit_images(&asked, object)?;
        let body =
            serde_json::to_vec(object).map_err(|error| self.gate.error(&asked, Cause::Malformed(error.to_string())))?;
        let params = PostParams {
            dry_run,
            field_manager: Some("kubeflow-mcp".into()),
        };
        let mut request = self.build(
            &asked,
            kube::core::Request::new(of.url(namespace)).create(&params, body),
        )?;
        strict(&mut request);
        let answer = self.send(&asked, request).await?;
        Ok(Created {
            object: self.decode(&asked, &answer.body)?,
            warnings: answer.warnings(),
        })
    }

    /// Merge-patches an object (or a subresource) with strict field validation, or only tries to.
    pub async fn merge_patch<T: DeserializeOwned>(
        &self,
        of: &Resource,
        namespace: Option<&str>,
        name: &str,
        patch: &impl Serialize,
        dry_run: bool,
    ) -> Result<T, KubeError> {
        let asked = of.asked("patch", namespace, Some(name));
        self.gate.admit_images(&asked, patch)?;
        let params = PatchParams {
            dry_run,
            field_manager: Some("kubeflow-mcp".into()),
            ..PatchParams::default()
        };
        let patch = kube::core::params::Patch::Merge(patch);
        let mut request = self.build(
            &asked,
            kube::core::Request::new(of.url(namespace)).patch(name, &params, &patch),
        )?;
        strict(&mut request);
        self.json(&asked, request).await
    }

    /// Deletes an object in the background, with what it owns, or only tries to.
    pub async fn delete(
        &self,
        of: &Resource,
        namespace: Option<&str>,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<(), KubeError> {
        let asked = of.asked("delete", namespace, Some(name));
        let params = DeleteParams {
            dry_run: options.dry_run,
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: options.uid.clone().map(|uid| Preconditions {
                uid: Some(uid),
                ..Preconditions::default()
            }),
            ..DeleteParams::default()
        };
        let request = self.build(
            &asked,
            kube::core::Request::new(of.url(namespace)).delete(name, &params),
        )?;
        self.send(&asked, request).await.map(drop)
    }

    /// Asks the server what it is: `/version`. Needs no declared access, every authenticated caller may.
    pub async fn version(&self) -> Result<serde_json::Value, KubeError> {
        self.about("the version of the API server", "/version").await
    }

    /// Asks which API groups there are: `/apis`. Needs no declared access, every authenticated caller may.
    pub async fn groups(&self) -> Result<Groups, KubeError> {
        self.about("the API groups that are served", "/apis").await
    }

    /// Reads what is no object.
    async fn about<T: DeserializeOwned>(&self, what: &str, path: &'static str) -> Result<T, KubeError> {
        let asked = Asked::about("read", what);
        let request = Request::get(path).body(Vec::new());
        let request = request.map_err(|error| self.gate.error(&asked, Cause::Malformed(error.to_string())))?;
        let answer = self.succeed(&asked, request).await?;
        self.decode(&asked, &answer.body)
    }

    /// Sends a request through the API server's proxy to a Service. `port` is the Service's port name or number, `path`
    /// begins with a slash and may have a query. The backend's own errors come back as an answer, not as an error.
    pub async fn service_proxy(
        &self,
        namespace: &str,
        service: &str,
        port: &str,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), KubeError> {
        let verb = match method {
            Method::GET => "get",
            Method::POST => "create",
            Method::PATCH => "patch",
            _ => "update",
        };
        let asked = Asked {
            verb,
            group: String::new(),
            resource: "services/proxy".into(),
            namespace: Some(namespace.into()),
            name: Some(service.into()),
        };
        let url = format!("/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy{path}");
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| self.gate.error(&asked, Cause::Malformed(error.to_string())))?;
        self.gate.admit(&asked)?;
        let answer = self.exchange(&asked, request).await?;
        Ok((answer.status, answer.body))
    }

    pub(super) fn build(
        &self,
        asked: &Asked,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Request<Vec<u8>>, KubeError> {
        request.map_err(|error| self.gate.error(asked, Cause::Malformed(error.to_string())))
    }

    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        asked: &Asked,
        request: Request<Vec<u8>>,
    ) -> Result<T, KubeError> {
        let answer = self.send(asked, request).await?;
        self.decode(asked, &answer.body)
    }

    pub(super) fn decode<T: DeserializeOwned>(&self, asked: &Asked, body: &[u8]) -> Result<T, KubeError> {
        serde_json::from_slice(body).map_err(|error| self.gate.error(asked, Cause::Malformed(error.to_string())))
    }

    async fn send(&self, asked: &Asked, request: Request<Vec<u8>>) -> Result<Whole, KubeError> {
        self.gate.admit(asked)?;
        self.succeed(asked, request).await
    }

    /// One request that must succeed.
    pub(super) async fn succeed(&self, asked: &Asked, request: Request<Vec<u8>>) -> Result<Whole, KubeError> {
        let answer = self.exchange(asked, request).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(self.gate.error(asked, answer.refusal()))
    }

    /// One request and its whole answer, whatever the status.
    async fn exchange(&self, asked: &Asked, request: Request<Vec<u8>>) -> Result<Whole, KubeError> {
        let response = self.open(asked, request).await?;
        let (head, body) = response.into_parts();
        let read = async {
            let read = Limited::new(body, MAX_BODY).collect().await;
            read.map_err(|error| {
                self.gate
                    .error(asked, Cause::Unreachable(format!("the answer broke off: {error}")))
            })
        };
        let body = self
            .gate
            .within(asked, self.gate.cluster.describe(), read)
            .await?
            .to_bytes();
        Ok(Whole {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// Sends a request and returns as soon as the head of the answer is there.
    pub(super) async fn open(
        &self,
        asked: &Asked,
        mut request: Request<Vec<u8>>,
    ) -> Result<http::Response<Body>, KubeError> {
        self.gate.identify(asked, request.headers_mut())?;
        let connected = self.gate.connected(asked).await?;
        let client = connected.bare.as_ref().unwrap_or(&connected.client);
        let send = async {
            client.send(request.map(Body::from)).await.map_err(|error| {
                let why = innermost(&error);
                self.gate.error(asked, Cause::Unreachable(why))
            })
        };
        self.gate.within(asked, connected.server.clone(), send).await
    }
}

fn strict(request: &mut Request<Vec<u8>>) {
    let uri = request.uri().to_string();
    let join = if uri.ends_with(['?', '&']) {
        ""
    } else if uri.contains('?') {
        "&"
    } else {
        "?"
    };
    if let Ok(uri) = format!("{uri}{join}fieldValidation=Strict").parse() {
        *request.uri_mut() = uri;
    }
}

/// The last cause of an error chain: "connection refused" rather than three wrappers around it.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_validation_joins_any_query() {
        for (uri, want) in [
            ("/a", "/a?fieldValidation=Strict"),
            ("/a?", "/a?fieldValidation=Strict"),
            ("/a?dryRun=All", "/a?dryRun=All&fieldValidation=Strict"),
            ("/a?dryRun=All&", "/a?dryRun=All&fieldValidation=Strict"),
        ] {
            let mut request = Request::get(uri).body(Vec::new()).unwrap();
            strict(&mut request);
            assert_eq!(request.uri().to_string(), want);
        }
    }
}
