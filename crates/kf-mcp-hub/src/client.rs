//! [`Registry`]: requests of one call to the Model Registry, in the dialect that it speaks.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use kf_mcp_core::backend::{Address, Reply};
use kf_mcp_core::names::is_label;
use kf_mcp_core::{Access, Cx, ErrorCode, Place, ToolError};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::filter::encoded;
use crate::reply;

/// What every tool of the hub asks of the API server, when the registry has no URL of its own.
pub(crate) const ACCESS: &[Access] = &[Access::new("", "services/proxy", &["get"]).at(Place::Configured {
    key: "hub.namespace",
    default: "kubeflow",
    unless: "hub.url",
})];

/// How long a server's dialect is remembered: an upgrade of the registry is noticed soon.
const REMEMBERED: Duration = Duration::from_secs(300);
/// Addresses that are remembered at once.
const ADDRESSES: usize = 256;

/// The configuration's `hub` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
struct Settings {
    url: String,
    api_version: Chosen,
    namespace: String,
    service: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            api_version: Chosen::Auto,
            namespace: "kubeflow".into(),
            service: "model-registry-service".into(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Chosen {
    Auto,
    V1,
    V1alpha3,
}

/// A dialect of the registry. They differ in the base path; what we read is the same in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V1,
    V1alpha3,
}

impl Dialect {
    fn base(self) -> &'static str {
        match self {
            Self::V1 => "/api/model_registry/v1",
            Self::V1alpha3 => "/api/model_registry/v1alpha3",
        }
    }
}

/// The registry as one call sees it.
#[derive(Debug)]
pub(crate) struct Registry<'a> {
    cx: &'a Cx,
    address: Address,
    fixed: Option<Dialect>,
}

impl<'a> Registry<'a> {
    /// The configured registry. Asks nothing yet.
    pub(crate) fn new(cx: &'a Cx) -> Result<Self, ToolError> {
        let settings: Settings = cx.settings("hub")?;
        let fixed = match settings.api_version {
            Chosen::Auto => None,
            Chosen::V1 => Some(Dialect::V1),
            Chosen::V1alpha3 => Some(Dialect::V1alpha3),
        };
        Ok(Self {
            cx,
            address: address(&settings)?,
            fixed,
        })
    }

    /// Where the registry is, in words.
    pub(crate) fn place(&self) -> String {
        self.address.words()
    }

    /// Reads a path below the dialect's base. `asked` is the request in words.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        asked: &str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ToolError> {
        let pairs: Vec<String> = query
            .iter()
            .map(|(key, value)| format!("{key}={}", encoded(value)))
            .collect();
        let path = if pairs.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", pairs.join("&"))
        };
        let reply = self.negotiated(asked, &path).await?;
        reply::read(&reply, asked, &self.address)
    }

    /// The reply in the dialect that the server speaks. The request itself is the probe: a server without the dialect has
    /// no route for it, which differs from every answer of one that has it.
    async fn negotiated(&self, asked: &str, path: &str) -> Result<Reply, ToolError> {
        if let Some(fixed) = self.fixed {
            let reply = self.send(fixed, path).await?;
            if reply::is_other_dialect(&reply) {
                let why = format!("does not serve {}, which hub.api_version asks for", fixed.base());
                return Err(reply::no_registry(asked, &self.address, &why).fix("set hub.api_version to auto"));
            }
            return Ok(reply);
        }
        let key = self.key();
        let order = match remembered(&key) {
            Some(Dialect::V1alpha3) => [Dialect::V1alpha3, Dialect::V1],
            _ => [Dialect::V1, Dialect::V1alpha3],
        };
        for dialect in order {
            let reply = self.send(dialect, path).await?;
            if reply::is_other_dialect(&reply) {
                continue;
            }
            if reply::is_own(&reply) {
                remember(key, dialect);
            }
            return Ok(reply);
        }
        let why = "serves neither /api/model_registry/v1 nor /api/model_registry/v1alpha3";
        Err(reply::no_registry(asked, &self.address, why))
    }

    async fn send(&self, dialect: Dialect, path: &str) -> Result<Reply, ToolError> {
        let path = format!("{}{path}", dialect.base());
        self.cx.send(&self.address, Method::GET, &path, Vec::new()).await
    }

    /// What a dialect is remembered by. Two engines of one process may mean different clusters by one Service, so the
    /// engine is part of it.
    fn key(&self) -> String {
        format!("{} {:?}", self.cx.server_key(), self.address)
    }
}

fn address(settings: &Settings) -> Result<Address, ToolError> {
    let wrong = |key: &str, why: &str| {
        ToolError::new(ErrorCode::Internal, format!("read the configuration `{key}`"), why)
            .fix("correct the configuration file or the environment and restart the server")
    };
    if !settings.url.trim().is_empty() {
        return Address::of_url(&settings.url).ok_or_else(|| {
            wrong(
                "hub.url",
                "it is not an http or https URL without credentials and query",
            )
        });
    }
    for (key, name) in [
        ("hub.namespace", &settings.namespace),
        ("hub.service", &settings.service),
    ] {
        if !is_label(name) {
            return Err(wrong(key, "it is not a Kubernetes name"));
        }
    }
    Ok(Address::Service {
        namespace: settings.namespace.clone(),
        name: settings.service.clone(),
        port: "http-api".into(),
    })
}

static DIALECTS: LazyLock<Mutex<HashMap<String, (Dialect, Instant)>>> = LazyLock::new(Mutex::default);

fn remembered(key: &str) -> Option<Dialect> {
    let dialects = DIALECTS.lock().unwrap_or_else(PoisonError::into_inner);
    dialects
        .get(key)
        .filter(|(_, at)| at.elapsed() < REMEMBERED)
        .map(|(dialect, _)| *dialect)
}

fn remember(key: String, dialect: Dialect) {
    let mut dialects = DIALECTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((known, at)) = dialects.get(&key)
        && *known == dialect
        && at.elapsed() < REMEMBERED
    {
        // Not renewed by every answer: otherwise a busy server would never ask for the newer dialect again.
        return;
    }
    dialects.retain(|_, (_, at)| at.elapsed() < REMEMBERED);
    if dialects.len() < ADDRESSES {
        dialects.insert(key, (dialect, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(section: serde_json::Value) -> Settings {
        serde_json::from_value(section).unwrap()
    }

    #[test]
    fn the_address_is_the_url_or_else_the_service() {
        let found = address(&settings(json!({"url": "https://hub.example/registry/"}))).unwrap();
        assert_eq!(found, Address::Url("https://hub.example/registry".into()));
        let found = address(&settings(json!({"namespace": "models"}))).unwrap();
        assert_eq!(found.words(), "service models/model-registry-service:http-api");
        for wrong in [
            json!({"url": "registry:8080"}),
            json!({"url": "ftp://registry"}),
            json!({"url": "http://registry/?a=b"}),
            json!({"namespace": "../x"}),
            json!({"service": "a/b"}),
        ] {
            let error = address(&settings(wrong)).unwrap_err();
            assert!(error.asked.contains("hub."), "{error}");
        }
    }

    #[test]
    fn the_dialect_is_chosen_by_its_name() {
        assert_eq!(
            settings(json!({"api_version": "v1alpha3"})).api_version,
            Chosen::V1alpha3
        );
        assert_eq!(settings(json!({})).api_version, Chosen::Auto);
        assert!(serde_json::from_value::<Settings>(json!({"api_version": "v2"})).is_err());
    }

    #[test]
    fn a_dialect_is_remembered_by_its_address() {
        remember("test a".into(), Dialect::V1alpha3);
        remember("test b".into(), Dialect::V1);
        assert_eq!(remembered("test a"), Some(Dialect::V1alpha3));
        assert_eq!(remembered("test b"), Some(Dialect::V1));
        assert_eq!(remembered("test c"), None);
    }
}
