//! Asking the API server on the harness's behalf.

use std::path::Path;

use anyhow::{Context, Result, bail};
use http::{Method, Request};
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::Value;

/// The kinds that are in no namespace.
const CLUSTER_SCOPED: &[&str] = &[
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrainingRuntime",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "StorageClass",
    "ValidatingWebhookConfiguration",
];

/// Plain requests with JSON bodies.
#[derive(Clone)]
pub struct Api {
    client: Client,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// The API server of a kubeconfig file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn from_file(path: &Path) -> Result<Self> {
        let file = Kubeconfig::read_from(path).with_context(|| format!("read {}", path.display()))?;
        // a second caller finds it installed, which is what it wants
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
            .await
            .context("use a kubeconfig")?;
        // everything is on loopback, whatever the environment says of proxies
        config.proxy_url = None;
        // a refusal is an answer, and whoever asked decides
        config.default_retry = false;
        Ok(Self {
            client: Client::try_from(config).context("make a client")?,
        })
    }

    /// The client itself.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Reads an object or a list.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, "application/json", None).await
    }

    /// Creates an object; the stored one.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn create(&self, object: &Value) -> Result<Value> {
        self.ask(Method::POST, &collection(object)?, "application/json", Some(object))
            .await
    }

    /// Lets the server check a creation without doing it.
    pub(crate) async fn dry_run(&self, object: &Value) -> Result<Value> {
        let path = format!("{}?dryRun=All", collection(object)?);
        self.ask(Method::POST, &path, "application/json", Some(object)).await
    }

    /// Creates an object or makes it what is said, whatever others made of it.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn apply(&self, object: &Value) -> Result<Value> {
        let path = format!(
            "{}/{}?fieldManager=harness&force=true",
            collection(object)?,
            name(object)?
        );
        self.ask(Method::PATCH, &path, "application/apply-patch+yaml", Some(object))
            .await
    }

    /// Merges a patch into an object.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn merge(&self, path: &str, patch: &Value) -> Result<Value> {
        self.ask(Method::PATCH, path, "application/merge-patch+json", Some(patch))
            .await
    }

    /// Deletes an object or a collection.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.ask(Method::DELETE, path, "application/json", None).await
    }

    async fn ask(&self, method: Method, path: &str, content: &str, body: Option<&Value>) -> Result<Value> {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .header("content-type", content)
            .body(bytes)
            .context("write a request")?;
        self.client
            .request(request)
            .await
            .with_context(|| format!("{method} {path}"))
    }

    /// Whether the server answers `ok` at a path such as `/readyz`.
    pub(crate) async fn says_ok(&self, path: &str) -> bool {
        let Ok(request) = Request::get(path).body(Vec::new()) else {
            return false;
        };
        self.client.request_text(request).await.is_ok_and(|text| text == "ok")
    }
}

/// The path of an object's collection.
pub(crate) fn collection(object: &Value) -> Result<String> {
    let (Some(version), Some(kind)) = (object["apiVersion"].as_str(), object["kind"].as_str()) else {
        bail!("an object has no apiVersion or kind");
    };
    let root = if version.contains('/') { "/apis" } else { "/api" };
    let lower = kind.to_lowercase();
    let plural = if lower.ends_with('s') {
        format!("{lower}es")
    } else {
        format!("{lower}s")
    };
    if CLUSTER_SCOPED.contains(&kind) {
        return Ok(format!("{root}/{version}/{plural}"));
    }
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
    Ok(format!("{root}/{version}/namespaces/{namespace}/{plural}"))
}

/// An object's name.
pub(crate) fn name(object: &Value) -> Result<&str> {
    object["metadata"]["name"].as_str().context("an object has no name")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_have_paths() {
        let path = |version: &str, kind: &str| {
            collection(&json!({"apiVersion": version, "kind": kind, "metadata": {"namespace": "n"}})).unwrap()
        };
        assert_eq!(path("v1", "Node"), "/api/v1/nodes");
        assert_eq!(path("v1", "Pod"), "/api/v1/namespaces/n/pods");
        assert_eq!(
            path("storage.k8s.io/v1", "StorageClass"),
            "/apis/storage.k8s.io/v1/storageclasses"
        );
        assert_eq!(
            path("trainer.kubeflow.org/v1alpha1", "TrainJob"),
            "/apis/trainer.kubeflow.org/v1alpha1/namespaces/n/trainjobs"
        );
        assert!(collection(&json!({"kind": "Pod"})).is_err());
    }
}
