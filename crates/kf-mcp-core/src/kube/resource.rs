//! [`Resource`]: a kind of object, and its URLs.

use super::gate::Asked;

/// A kind of object as a URL names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Lower-case plural.
    pub plural: &'static str,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// A namespaced kind.
    pub const fn new(group: &'static str, version: &'static str, plural: &'static str) -> Self {
        Self {
            group,
            version,
            plural,
            namespaced: true,
        }
    }

    /// The same, cluster-scoped.
    pub const fn cluster(mut self) -> Self {
        self.namespaced = false;
        self
    }

    /// `group/version`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    pub(super) fn url(&self, namespace: Option<&str>) -> String {
        let base = if self.group.is_empty() { "/api" } else { "/apis" };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{base}/{}/namespaces/{namespace}/{}", self.api_version(), self.plural),
            None => format!("{base}/{}/{}", self.api_version(), self.plural),
        }
    }

    pub(super) fn asked(&self, verb: &'static str, namespace: Option<&str>, name: Option<&str>) -> Asked {
        Asked {
            verb,
            group: self.group.to_owned(),
            resource: self.plural.to_owned(),
            namespace: namespace.filter(|_| self.namespaced).map(str::to_owned),
            // A list of a cluster-scoped kind is in no namespace, not in all.
            name: name.or((!self.namespaced).then_some("")).map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::resources::{NODES, PODS, TRAIN_JOBS};

    #[test]
    fn urls_are_those_of_the_api() {
        assert_eq!(PODS.url(Some("a")), "/api/v1/namespaces/a/pods");
        assert_eq!(TRAIN_JOBS.url(None), "/apis/trainer.kubeflow.org/v1alpha1/trainjobs");
        assert_eq!(NODES.url(Some("a")), "/api/v1/nodes");
    }
}
