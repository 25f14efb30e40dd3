//! Who is calling.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::redact::Redacted;
use sha2::{Digest, Sha256};

/// The label that tells who created an object through this server: an [`Identity::mark`].
pub const CALLER_LABEL: &str = "kubeflow-mcp/caller";

/// The caller of a tool. Two are the same when the same issuer vouches for the same subject, whatever else came with them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Caller {
    /// The person who started the process: stdio, the command line, and HTTP without authentication.
    Local,
    /// Somebody who said who they are, and was believed.
    Named(Arc<Principal>),
}

/// Somebody who was authenticated.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Who that is.
    pub identity: Identity,
    /// What they are called in messages and in the audit log, and as whom they act on the cluster.
    pub user: String,
    /// The groups that they are in.
    pub groups: Vec<String>,
    /// What tells them from others who were called so before, where the API server vouches for them.
    pub uid: Option<String>,
    /// What else the API server says of them.
    pub extra: BTreeMap<String, Vec<String>>,
    /// The persona that comes with them; that of the server where none does.
    pub persona: Option<String>,
    /// Their own token of the cluster, where the API server said that it is its audience.
    pub token: Option<Redacted<String>>,
}

impl Principal {
    /// Somebody who is called as whoever vouches for them calls them, without groups.
    pub fn new(identity: Identity) -> Self {
        Self {
            user: identity.subject.clone(),
            identity,
            groups: Vec::new(),
            uid: None,
            extra: BTreeMap::new(),
            persona: None,
            token: None,
        }
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

impl Eq for Principal {}

impl From<Principal> for Caller {
    fn from(principal: Principal) -> Self {
        Self::Named(Arc::new(principal))
    }
}

impl Caller {
    /// Somebody who was authenticated.
    pub fn named(identity: Identity, persona: Option<String>) -> Self {
        let principal = Principal::new(identity);
        Principal { persona, ..principal }.into()
    }

    /// A short name for messages.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Local => "local user",
            Self::Named(principal) => &principal.user,
        }
    }

    /// The persona that comes with them, if one does.
    pub fn persona(&self) -> Option<&str> {
        match self {
            Self::Local => None,
            Self::Named(principal) => principal.persona.as_deref(),
        }
    }

    /// What no other caller has: who vouches for them, and as whom.
    pub fn key(&self) -> String {
        match self {
            Self::Local => "local".to_owned(),
            Self::Named(principal) => format!("{}\n{}", principal.identity.issuer, principal.identity.subject),
        }
    }

    /// Who that is: the local user is whom the process acts as.
    pub fn identity<'a>(&'a self, process: &'a Identity) -> &'a Identity {
        match self {
            Self::Local => process,
            Self::Named(principal) => &principal.identity,
        }
    }
}

/// An identity: who vouches for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Who says so.
    pub issuer: String,
    /// Whom it means, as the issuer calls them.
    pub subject: String,
}

impl Identity {
    /// An identity.
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
        }
    }

    /// Somebody on this machine of whom nothing else is known: who uses a sandbox.
    pub fn local() -> Self {
        Self::new("local", "local")
    }

    /// The label value that marks what this caller created: 16 hex digits of SHA-256 over issuer and subject. Advisory,
    /// since whoever may edit an object may edit its labels.
    pub fn mark(&self) -> String {
        let digest = Sha256::digest(format!("{}\n{}", self.issuer, self.subject).as_bytes());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_label_that_tells_callers_apart_and_never_changes() {
        // Marks are on objects that outlive a version of this program.
        assert_eq!(Identity::local().mark(), "733dbe4dbe6d16f9");
        let jane = Identity::new("kubeconfig", "jane");
        assert_eq!(jane.mark(), Identity::new("kubeconfig", "jane").mark());
        assert_ne!(jane.mark(), Identity::new("kubeconfig", "joe").mark());
        assert_eq!(jane.mark().len(), 16);
        assert_eq!(Caller::Local.identity(&jane), &jane);
        let joe = Caller::named(Identity::new("token", "joe"), None);
        assert_eq!(joe.identity(&jane).subject, "joe");
        assert_ne!(joe.key(), Caller::named(Identity::new("jwt", "joe"), None).key());
    }
}
