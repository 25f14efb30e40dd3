//! Who is calling.

/// The caller of a tool. Until requests carry an identity, everybody is the local user of the process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Caller {
    /// The person who started the process: stdio, the command line, and HTTP on loopback.
    Local,
}

impl Caller {
    /// A short name for messages.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Local => "local user",
        }
    }

    /// Issuer and subject, as the mark on created objects digests them.
    pub fn identity(&self) -> (&'static str, &'static str) {
        match self {
            Self::Local => ("local", "local"),
        }
    }

    /// The label value that marks what this caller created: 16 hex digits of SHA-256 over issuer and subject. Advisory,
    /// since whoever may edit an object may edit its labels.
    pub fn mark(&self) -> String {
        use sha2::{Digest, Sha256};
        let (issuer, subject) = self.identity();
        let digest = Sha256::digest(format!("{issuer}\n{subject}").as_bytes());
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}
