//! Which versions and kinds of an API group are served. Every authenticated caller may ask, so no access is declared for it.

use http::Request;
use serde::Deserialize;

use super::client::Kube;
use super::error::{Cause, KubeError};
use super::gate::Asked;
use super::meta::null_is_empty;

/// `APIGroup`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Group {
    #[serde(deserialize_with = "null_is_empty")]
    versions: Vec<Version>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Version {
    version: String,
}

/// `APIResourceList`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    #[serde(deserialize_with = "null_is_empty")]
    resources: Vec<Named>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

impl Kube {
    /// The versions of an API group, the preferred one first; none when the group is not served.
    pub async fn versions_of(&self, group: &str) -> Result<Vec<String>, KubeError> {
        let found: Option<Group> = self.discover(group, &format!("/apis/{group}")).await?;
        let versions = found.unwrap_or_default().versions;
        Ok(versions.into_iter().map(|version| version.version).collect())
    }

    /// The plurals that one version of an API group serves, without subresources; none when it is not served.
    pub async fn plurals_of(&self, group: &str, version: &str) -> Result<Vec<String>, KubeError> {
        let what = format!("{group}/{version}");
        let found: Option<Resources> = self.discover(&what, &format!("/apis/{what}")).await?;
        let names = found.unwrap_or_default().resources.into_iter().map(|of| of.name);
        Ok(names.filter(|name| !name.contains('/')).collect())
    }

    /// A document of discovery; none when there is nothing at its path.
    async fn discover<T: serde::de::DeserializeOwned>(&self, what: &str, path: &str) -> Result<Option<T>, KubeError> {
        let asked = Asked::about("read", &format!("the kinds of {what}"));
        let request = Request::get(path).body(Vec::new());
        let request = request.map_err(|error| self.gate.error(&asked, Cause::Malformed(error.to_string())))?;
        match self.succeed(&asked, request).await {
            Ok(answer) => self.decode(&asked, &answer.body).map(Some),
            Err(error) if error.code() == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }
}
