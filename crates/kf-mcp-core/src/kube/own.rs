//! Requests of the process itself, for no caller: does the API server answer, and whose token is this?
//!
//! They are the only ones that pass no [gate](super::gate): there is no call yet whose gate it could be.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::acting::KUBERNETES;
use super::answer::from_refusal;
use super::connect::Cluster;
use super::error::{Cause, KubeError};
use super::gate::Asked;
use crate::caller::{Identity, Principal};

/// How long the API server may take.
const WITHIN: Duration = Duration::from_secs(5);
/// The largest answer.
const MOST: usize = 1 << 20;

/// What the API server says of a token.
#[derive(Debug, Deserialize)]
struct TokenReview {
    #[serde(default)]
    status: Reviewed,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Reviewed {
    authenticated: bool,
    user: User,
    audiences: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    username: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

impl Cluster {
    /// Asks whether the API server answers.
    pub async fn answers(&self) -> Result<(), KubeError> {
        let asked = Asked::about("read", "the version of the API server");
        self.own::<Value>(&asked, "/version", None).await.map(drop)
    }

    /// Asks the API server whose token this is; nobody when it is not a good one, or is meant for others than `audiences`.
    /// Without audiences it has to be meant for the API server itself.
    pub async fn review_token(&self, token: &str, audiences: &[String]) -> Result<Option<Principal>, KubeError> {
        let asked = Asked::about("create", "tokenreviews");
        let mut spec = json!({"token": token});
        if !audiences.is_empty() {
            spec["audiences"] = json!(audiences);
        }
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec});
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let Reviewed {
            authenticated,
            user,
            audiences: meant_for,
        } = self.own::<TokenReview>(&asked, path, Some(&body)).await?.status;
        // an authenticator that knows no audiences answers without: its tokens are the API server's
        let fits = audiences.is_empty() || meant_for.iter().any(|audience| audiences.contains(audience));
        if !authenticated || !fits || user.username.is_empty() {
            return Ok(None);
        }
        Ok(Some(Principal {
            groups: user.groups,
            uid: Some(user.uid).filter(|uid| !uid.is_empty()),
            extra: user.extra,
            ..Principal::new(Identity::new(KUBERNETES, user.username))
        }))
    }

    async fn own<T: DeserializeOwned>(
        &self,
        asked: &Asked,
        path: &'static str,
        body: Option<&Value>,
    ) -> Result<T, KubeError> {
        let fail = |cause| KubeError {
            asked: asked.words(),
            server: self.describe(),
            namespace: None,
            cause,
        };
        let exchange = async {
            let connected = self.connect(asked).await?;
            let mut request = Request::new(Body::from(body.map(Value::to_string).unwrap_or_default().into_bytes()));
            *request.uri_mut() = http::Uri::from_static(path);
            if body.is_some() {
                *request.method_mut() = http::Method::POST;
                let json = HeaderValue::from_static("application/json");
                request.headers_mut().insert(header::CONTENT_TYPE, json);
            }
            let answer = connected.client.send(request).await;
            let answer = answer.map_err(|error| fail(Cause::Unreachable(super::client::innermost(&error))))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MOST).collect().await;
            let body = body.map_err(|error| fail(Cause::Unreachable(format!("the answer broke off: {error}"))))?;
            let body = body.to_bytes();
            if !head.status.is_success() {
                return Err(fail(from_refusal(head.status, &head.headers, &body)));
            }
            serde_json::from_slice(&body).map_err(|error| fail(malformed(&error)))
        };
        let done = tokio::time::timeout(WITHIN, exchange).await;
        done.unwrap_or_else(|_| Err(fail(Cause::Timeout(WITHIN.as_secs()))))
    }
}

fn malformed(error: &dyn std::error::Error) -> Cause {
    Cause::Malformed(error.to_string())
}
