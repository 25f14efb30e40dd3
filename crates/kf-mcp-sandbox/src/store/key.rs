//! [`Key`]: where an object lives, in the order of etcd.

use std::cmp::Ordering;

use crate::kinds::Kind;

/// Where an object lives. Ordered as lists are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// `plural.group`.
    pub resource: String,
    /// Namespace, empty for cluster-scoped kinds.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl Key {
    /// The key of one object.
    pub fn new(kind: &Kind, namespace: &str, name: &str) -> Self {
        let namespace = if kind.namespaced {
            namespace.to_owned()
        } else {
            String::new()
        };
        Self {
            resource: kind.qualified(),
            namespace,
            name: name.to_owned(),
        }
    }
}

impl Ord for Key {
    /// By kind, then as etcd orders `namespace/name`: what is in `team-a` comes before what is in `team`.
    fn cmp(&self, other: &Self) -> Ordering {
        self.resource
            .cmp(&other.resource)
            .then_with(|| namespaced(&self.namespace).cmp(namespaced(&other.namespace)))
            .then_with(|| self.name.cmp(&other.name))
    }
}

/// A namespace as it stands in a key of etcd.
fn namespaced(namespace: &str) -> impl Iterator<Item = u8> + '_ {
    namespace.bytes().chain([b'/'])
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
