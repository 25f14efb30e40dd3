//! [`Right`]: one thing that the API server must allow, and what does not work without it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::kube::{ActAs, Impersonation};
use crate::policy::Pattern;
use crate::tool::{Access, Need, Place, ToolSpec};

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
#[derive(Debug, Clone, Copy)]
pub struct Callers<'a> {
    /// As whom calls act. Where it is not the server, the rights of the tools are for those who call, and the server needs none
    /// of them.
    pub acts: &'a ActAs,
    /// It asks the API server whose their tokens are.
    pub reviewed: bool,
}

impl Default for Callers<'_> {
    fn default() -> Self {
        static OWN: ActAs = ActAs::Own;
        Self {
            acts: &OWN,
            reviewed: false,
        }
    }
}

impl Callers<'_> {
    /// Whether the server itself needs what the tools need.
    pub fn act_as_the_server(&self) -> bool {
        matches!(self.acts, ActAs::Own)
    }
}

/// Where a right holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// In the namespaces of calls.
    Calls,
    /// In this namespace, whatever the call's is.
    Namespace(String),
    /// In the whole cluster.
    Everywhere,
}

/// One verb on one kind, and what does not work without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// Where it is about.
    pub place: Where,
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Plural, with the subresource after a slash: `pods/log`.
    pub resource: Cow<'static, str>,
    /// The name of the only object that it is about; none when it is about all.
    pub name: Option<String>,
    /// get, list, watch, create, update, patch, delete, impersonate.
    pub verb: &'static str,
    /// Tools that fail without.
    pub needed_by: BTreeSet<&'static str>,
    /// Tools that fail without when they are called with an argument: tool and argument.
    pub needed_with: BTreeSet<(&'static str, &'static str)>,
    /// Tools that can do without, and say what they could not see.
    pub used_by: BTreeSet<&'static str>,
}

impl Right {
    fn new(group: &'static str, resource: impl Into<Cow<'static, str>>, verb: &'static str) -> Self {
        Self {
            place: Where::Everywhere,
            group,
            resource: resource.into(),
            name: None,
            verb,
            needed_by: BTreeSet::new(),
            needed_with: BTreeSet::new(),
            used_by: BTreeSet::new(),
        }
    }

    /// The kind as it is written: `trainjobs.trainer.kubeflow.org`.
    pub fn kind(&self) -> String {
        match self.group {
            "" => self.resource.to_string(),
            group => format!("{}.{group}", self.resource),
        }
    }
}

/// The rights that tools need, each once: those in namespaces first. `settings` are the configuration's sections, which may say
/// where a component is.
pub fn of_tools<'a>(
    tools: impl IntoIterator<Item = &'a ToolSpec>,
    reach: Reach,
    settings: &Map<String, Value>,
) -> Vec<Right> {
    let mut rights = BTreeMap::new();
    for spec in tools {
        for access in spec.access {
            let Some(place) = place(access, reach, settings) else {
                continue;
            };
            for verb in access.verbs {
                let key = (place.clone(), access.group, access.resource, *verb);
                let right = rights.entry(key).or_insert_with(|| Right {
                    place: place.clone(),
                    ..Right::new(access.group, access.resource, verb)
                });
                match access.need {
                    Need::Required => right.needed_by.insert(spec.name),
                    Need::Degrades => right.used_by.insert(spec.name),
                    Need::WithArgument(argument) => right.needed_with.insert((spec.name, argument)),
                };
            }
        }
    }
    rights.into_values().collect()
}

/// Where an access needs a right; nowhere when everybody has it, or it is not asked.
fn place(access: &Access, reach: Reach, settings: &Map<String, Value>) -> Option<Where> {
    let set = |key: &str| {
        let (section, key) = key.split_once('.')?;
        let value = settings.get(section)?.get(key)?.as_str()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    match access.place {
        Place::Public => None,
        Place::Configured { unless, .. } if set(unless).is_some() => None,
        Place::Configured { key, default, .. } => {
            Some(Where::Namespace(set(key).unwrap_or_else(|| default.to_owned())))
        }
        Place::Call if reach == Reach::Cluster || is_of_the_cluster(access) => Some(Where::Everywhere),
        Place::Call => Some(Where::Calls),
    }
}

/// What a server needs besides what its tools need, to know its callers and to act as them.
pub fn of_callers(callers: Callers<'_>) -> Vec<Right> {
    let impersonate = |group, resource: &str| Right::new(group, resource.to_owned(), "impersonate");
    let mut rights = Vec::new();
    if let ActAs::Impersonate(Impersonation { groups, extra }) = callers.acts {
        rights.push(impersonate("", "users"));
        if callers.reviewed {
            rights.push(impersonate("", "serviceaccounts"));
            rights.push(impersonate(AUTHENTICATION, "uids"));
        }
        match groups.iter().map(Pattern::literal).collect::<Option<Vec<&str>>>() {
            Some(names) => rights.extend(names.into_iter().map(|name| Right {
                name: Some(name.to_owned()),
                ..impersonate("", "groups")
            })),
            // with a wildcard the names are not known: any group then
            None => rights.push(impersonate("", "groups")),
        }
        for key in extra {
            rights.push(impersonate(
                AUTHENTICATION,
                &format!("userextras/{}", key.to_ascii_lowercase()),
            ));
        }
    }
    if callers.reviewed {
        rights.push(Right::new(AUTHENTICATION, "tokenreviews", "create"));
    }
    rights
}
