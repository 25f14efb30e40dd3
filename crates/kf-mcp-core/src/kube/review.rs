//! Questions about oneself: as whom a call acts, and what it may do. They change nothing.

use kube::core::params::PostParams;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::Kube;
use super::error::{Cause, KubeError};
use super::resource::Resource;

/// As whom a call acts on the API server.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct Acting {
    /// The user's name.
    pub username: String,
    /// The groups that the API server counts them to.
    pub groups: Vec<String>,
}

impl Kube {
    /// As whom this call acts, in the API server's words: who and in which groups. Every authenticated caller may ask, so a
    /// tool declares it as what it can do without.
    pub async fn acts_as(&self) -> Result<Acting, KubeError> {
        #[derive(serde::Deserialize)]
        struct Review {
            status: ReviewStatus,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ReviewStatus {
            user_info: Acting,
        }
        let of = Resource::new("authentication.k8s.io", "v1", "selfsubjectreviews").cluster();
        let body = serde_json::json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let review: Review = self.posted(&of, &body).await?;
        Ok(review.status.user_info)
    }

    /// Posts an access review (they change nothing): `kind` is `selfsubjectaccessreviews` or `selfsubjectrulesreviews`.
    /// Every authenticated caller may, so a tool declares them as what it can do without.
    pub async fn review<T: DeserializeOwned>(&self, kind: &'static str, body: &impl Serialize) -> Result<T, KubeError> {
        let of = Resource::new("authorization.k8s.io", "v1", kind).cluster();
        self.posted(&of, body).await
    }

    /// Posts a question about oneself; its answer.
    async fn posted<T: DeserializeOwned>(&self, of: &Resource, body: &impl Serialize) -> Result<T, KubeError> {
        let asked = of.asked("create", None, Some("self"));
        let body =
            serde_json::to_vec(body).map_err(|error| self.gate.error(&asked, Cause::Malformed(error.to_string())))?;
        let request = self.build(
            &asked,
            kube::core::Request::new(of.url(None)).create(&PostParams::default(), body),
        )?;
        self.json(&asked, request).await
    }
}
