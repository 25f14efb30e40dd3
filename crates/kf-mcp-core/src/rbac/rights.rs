//! [`Right`]: one thing that the API server must allow, and what does not work without it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::kube::Impersonation;
use crate::policy::Pattern;
use crate::tool::{Access, Need, ToolSpec};

const AUTHENTICATION: &str = "authentication.k8s.io";

/// Kinds without a namespace: only a ClusterRole can give rights on them.
const OF_THE_CLUSTER: [&str; 11] = [
    "namespaces",
    "nodes",
    "customresourcedefinitions",
    "clustertrainingruntimes",
    "clusterqueues",
    "resourceslices",
    "storageclasses",
    "queues",
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
];

/// Whether an access is to a kind without a namespace.
pub fn is_of_the_cluster(access: &Access) -> bool {
    OF_THE_CLUSTER.contains(&access.resource)
}

/// Where rights hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In one namespace; kinds without a namespace in the cluster all the same.
    Namespace,
    /// In all namespaces.
    Cluster,
}

/// How a server treats those who call it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Callers<'a> {
    /// It acts as them: the rights of the tools are theirs to have, and the service account needs none of them.
    pub impersonated: Option<&'a Impersonation>,
    /// It asks the API server whose their tokens are.
    pub reviewed: bool,
}

/// One verb on one kind. The order is the one in which rights are printed: those in a namespace first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// Whether it is about the whole cluster, not about one namespace.
    pub wide: bool,
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Plural, with the subresource after a slash: `pods/log`.
    pub resource: Cow<'static, str>,
    /// The names of the only objects that it is about; none when it is about all.
    pub names: Option<Vec<String>>,
    /// get, list, watch, create, update, patch, delete, impersonate.
    pub verb: &'static str,
    /// Tools that fail without.
    pub needed_by: BTreeSet<&'static str>,
    /// Tools that can do without, and say what they could not see.
    pub used_by: BTreeSet<&'static str>,
}

impl Right {
    /// The kind as it is written: `trainjobs.trainer.kubeflow.org`.
    pub fn kind(&self) -> String {
        match self.group {
            "" => self.resource.to_string(),
            group => format!("{}.{group}", self.resource),
        }
    }
}

/// The rights that tools need, each once.
pub fn of_tools<'a>(tools: impl IntoIterator<Item = &'a ToolSpec>, reach: Reach) -> Vec<Right> {
    let mut rights = BTreeMap::new();
    for spec in tools {
        for access in spec.access {
            let wide = reach == Reach::Cluster || is_of_the_cluster(access);
            for verb in access.verbs {
                let key = (wide, access.group, access.resource, *verb);
                let right = rights.entry(key).or_insert_with(|| Right {
                    wide,
                    group: access.group,
                    resource: access.resource.into(),
                    names: None,
                    verb,
                    needed_by: BTreeSet::new(),
                    used_by: BTreeSet::new(),
                });
                match access.need {
                    Need::Required => right.needed_by.insert(spec.name),
                    Need::Degrades | Need::WithArgument(_) => right.used_by.insert(spec.name),
                };
            }
        }
    }
    rights.into_values().collect()
}

/// What a server needs besides what its tools need, to know its callers and to act as them.
pub fn of_callers(callers: Callers<'_>) -> Vec<Right> {
    let Callers { impersonated, reviewed } = callers;
    let right = |group, resource: Cow<'static, str>, verb| Right {
        wide: true,
        group,
        resource,
        names: None,
        verb,
        needed_by: BTreeSet::new(),
        used_by: BTreeSet::new(),
    };
    let mut rights = Vec::new();
    if let Some(Impersonation { groups, extra }) = impersonated {
        rights.push(right("", "users".into(), "impersonate"));
        if reviewed {
            rights.push(right("", "serviceaccounts".into(), "impersonate"));
            rights.push(right(AUTHENTICATION, "uids".into(), "impersonate"));
        }
        if !groups.is_empty() {
            // with a wildcard the names are not known: any group then
            let names: Option<Vec<&str>> = groups.iter().map(Pattern::literal).collect();
            let names = names.map(|names| names.into_iter().map(str::to_owned).collect());
            rights.push(Right {
                names,
                ..right("", "groups".into(), "impersonate")
            });
        }
        for key in extra {
            let key = format!("userextras/{}", key.to_ascii_lowercase());
            rights.push(right(AUTHENTICATION, key.into(), "impersonate"));
        }
    }
    if reviewed {
        rights.push(right(AUTHENTICATION, "tokenreviews".into(), "create"));
    }
    rights
}
