//! [`Access`]: what a tool may ask of the API server, where, and whether it can do without.

use serde::Serialize;

/// Whether a tool can do without an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Without it the call fails.
    Required,
    /// Without it the answer says what it could not see.
    Degrades,
    /// Only calls with this argument ask for it.
    WithArgument(&'static str),
}

/// One thing a tool may ask of the API server. The gate lets nothing else through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Access {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Plural, with the subresource after a slash: `pods/log`.
    pub resource: &'static str,
    /// Kubernetes verbs: get, list, watch, create, update, patch, delete.
    pub verbs: &'static [&'static str],
    /// Whether the tool asks at the cluster scope (cluster-scoped kinds, or lists over all namespaces).
    pub cluster: bool,
    /// Whether the tool can do without.
    pub need: Need,
    /// Whether only sums of what is read leave the tool. A policy that names namespaces may let such a list over all of them
    /// through.
    #[serde(skip)]
    pub sums: bool,
    /// In which namespace it is asked, unless at the cluster scope.
    #[serde(skip)]
    pub place: Place,
}

/// The namespace in which a tool asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The one of the call.
    Call,
    /// One of the component, where it lets everybody read it: no right is to be given.
    Public,
    /// One of the component, which the configuration names.
    Configured {
        /// The key with its name, as `section.key`.
        key: &'static str,
        /// Its name where the key is not set.
        default: &'static str,
        /// The key with which it is not asked at all.
        unless: &'static str,
    },
}

impl Access {
    /// A required access in the namespace of the call.
    pub const fn new(group: &'static str, resource: &'static str, verbs: &'static [&'static str]) -> Self {
        Self {
            group,
            resource,
            verbs,
            cluster: false,
            need: Need::Required,
            sums: false,
            place: Place::Call,
        }
    }

    /// It is asked in another namespace than the call's.
    pub const fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Only sums of it leave the tool.
    pub const fn sums(mut self) -> Self {
        self.sums = true;
        self
    }

    /// The same at the cluster scope too.
    pub const fn cluster(mut self) -> Self {
        self.cluster = true;
        self
    }

    /// The tool can do without, and then says what it could not see.
    pub const fn degrades(mut self) -> Self {
        self.need = Need::Degrades;
        self
    }

    /// Only calls with this argument need it.
    pub const fn with_argument(mut self, argument: &'static str) -> Self {
        self.need = Need::WithArgument(argument);
        self
    }
}
