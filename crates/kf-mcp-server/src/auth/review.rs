//! Callers with a token of the cluster: the API server is asked whose it is.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kf_mcp_core::kube::Cluster;
use kf_mcp_core::{Principal, Redacted};
use lru::LruCache;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Verdict;

/// How long an answer of the API server is good: a token that is withdrawn is accepted that long.
const KNOWN: Duration = Duration::from_secs(60);
/// How long a token that is none is not asked about again.
const UNKNOWN: Duration = Duration::from_secs(10);
/// Answers that are kept.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);
/// Questions at one time: anybody can make the server ask.
const AT_ONCE: usize = 16;

/// Answers by the SHA-256 of the token: when, and who that is.
type Answers = LruCache<[u8; 32], (Instant, Option<Principal>)>;

/// Asks the API server about tokens.
#[derive(Debug)]
pub(super) struct Review {
    cluster: Arc<Cluster>,
    audiences: Vec<String>,
    /// Whether callers act with their tokens.
    hands_on: bool,
    answers: Mutex<Answers>,
    asking: Semaphore,
}

impl Review {
    pub(super) fn new(cluster: Arc<Cluster>, audiences: Vec<String>, hands_on: bool) -> Self {
        Self {
            cluster,
            audiences,
            hands_on,
            answers: Mutex::new(LruCache::new(KEPT)),
            asking: Semaphore::new(AT_ONCE),
        }
    }

    /// Whose token this is. Nothing of it is kept but its SHA-256.
    pub(super) async fn verify(&self, token: &str) -> Result<Principal, Verdict> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let answer = match self.kept(&digest) {
            Some(answer) => answer,
            None => {
                // it is never closed
                let _turn = self.asking.acquire().await;
                match self.kept(&digest) {
                    Some(answer) => answer,
                    None => self.ask(token, digest).await?,
                }
            }
        };
        let principal = answer.ok_or_else(|| {
            let audience = if self.audiences.is_empty() {
                "the API server".to_owned()
            } else {
                self.audiences.join(" or ")
            };
            Verdict::Invalid(format!("the cluster knows no such token for {audience}"))
        })?;
        Ok(Principal {
            token: self.hands_on.then(|| Redacted::new(token.to_owned())),
            ..principal
        })
    }

    async fn ask(&self, token: &str, digest: [u8; 32]) -> Result<Option<Principal>, Verdict> {
        let answer = self
            .cluster
            .review_token(token, &self.audiences)
            .await
            .map_err(|error| {
                let error = kf_mcp_core::ToolError::from(error);
                tracing::warn!(answered = %error.answered, "a token could not be reviewed");
                Verdict::Unavailable("the API server, which knows whose token this is, did not say".into())
            })?;
        self.answers().put(digest, (Instant::now(), answer.clone()));
        Ok(answer)
    }

    /// The answer of before, while it is good.
    fn kept(&self, digest: &[u8; 32]) -> Option<Option<Principal>> {
        let mut answers = self.answers();
        let (at, answer) = answers.get(digest)?;
        let good = if answer.is_some() { KNOWN } else { UNKNOWN };
        (at.elapsed() < good).then(|| answer.clone())
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
