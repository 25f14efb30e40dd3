//! The public keys of an issuer: fetched when the first token comes, kept, and fetched anew when they are old or a token names
//! one that is not among them. Keys that cannot be fetched anew stay good for a day.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use tokio::time::Instant;

use super::crypto;

/// After this long keys are fetched anew.
const FRESH: Duration = Duration::from_secs(300);
/// After this long keys that could not be fetched anew are good no more.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// How long an issuer that did not answer is left alone.
const PAUSE: Duration = Duration::from_secs(5);
/// How often within a minute keys are fetched because a token names one that is not known: anybody can name one.
const UNKNOWN_A_MINUTE: u32 = 6;
/// The largest set of keys, in bytes, and in keys.
pub(super) const MOST: usize = 256 << 10;
const MOST_KEYS: usize = 100;

/// Fetches the document with the keys; the error says why not.
pub(super) type Fetch = Box<dyn Fn() -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync>;

/// Why there is no key for a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The issuer has none of that name and kind.
    Unknown,
    /// The issuer's keys are not known; why.
    Unavailable(String),
}

/// The keys of an issuer.
pub(super) struct Keys {
    fetch: Fetch,
    state: Mutex<State>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    keys: Option<(Arc<[Jwk]>, Instant)>,
    failed: Option<(String, Instant)>,
    unknown: Option<(Instant, u32)>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    pub(super) fn new(fetch: Fetch) -> Self {
        Self {
            fetch,
            state: Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
        }
    }

    /// The key that a token's header names, or the only one that fits where it names none.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, Missing> {
        if let Some((key, age)) = self.known(id, algorithm) {
            if age < FRESH {
                return Ok(key);
            }
            // one of the calls that find the keys old fetches them, and the others go on with those there are
            if let Ok(_one) = self.fetching.try_lock()
                && self.rested()
            {
                self.renew().await;
            }
        } else {
            let _one = self.fetching.lock().await;
            // another one may have fetched them while this one waited
            if self.known(id, algorithm).is_none() && self.may_fetch() {
                self.renew().await;
            }
        }
        if let Some((key, age)) = self.known(id, algorithm)
            && age < STALE
        {
            return Ok(key);
        }
        let state = self.state();
        match &state.keys {
            Some((_, fetched)) if fetched.elapsed() < STALE => Err(Missing::Unknown),
            _ => {
                let why = state.failed.as_ref().map(|(why, _)| why.clone());
                Err(Missing::Unavailable(why.unwrap_or_default()))
            }
        }
    }

    /// Fetches the keys, and says how many of them check signatures of an accepted algorithm.
    pub(super) async fn count(&self) -> Result<usize, String> {
        let keys = (self.fetch)().await.and_then(|body| read(&body))?;
        let good = keys
            .iter()
            .filter(|key| crypto::ACCEPTED.iter().any(|one| fits(key, *one)));
        match good.count() {
            0 => Err("none of them checks signatures of an accepted algorithm".to_owned()),
            count => Ok(count),
        }
    }

    /// A known key, and how old it is.
    fn known(&self, id: Option<&str>, algorithm: Algorithm) -> Option<(DecodingKey, Duration)> {
        let (keys, fetched) = self.state().keys.clone()?;
        let mut fit = keys.iter().filter(|key| fits(key, algorithm));
        let key = match id {
            Some(id) => fit.find(|key| key.common.key_id.as_deref() == Some(id))?,
            None => {
                let only = fit.next()?;
                if fit.next().is_some() {
                    return None;
                }
                only
            }
        };
        Some((DecodingKey::from_jwk(key).ok()?, fetched.elapsed()))
    }

    /// Whether the issuer may be asked again after it did not answer.
    fn rested(&self) -> bool {
        let state = self.state();
        state.failed.as_ref().is_none_or(|(_, at)| at.elapsed() >= PAUSE)
    }

    /// Whether keys may be fetched for a token whose key is not known.
    fn may_fetch(&self) -> bool {
        if !self.rested() {
            return false;
        }
        let mut state = self.state();
        if state.keys.is_none() {
            return true;
        }
        let (since, times) = state
            .unknown
            .filter(|(since, _)| since.elapsed() < Duration::from_secs(60))
            .unwrap_or((Instant::now(), 0));
        state.unknown = Some((since, times + 1));
        times < UNKNOWN_A_MINUTE
    }

    async fn renew(&self) {
        let fetched = (self.fetch)().await.and_then(|body| read(&body));
        let mut state = self.state();
        match fetched {
            Ok(keys) => {
                state.keys = Some((keys, Instant::now()));
                state.failed = None;
            }
            Err(why) => {
                tracing::warn!("the keys of the tokens' issuer cannot be fetched: {why}");
                state.failed = Some((why, Instant::now()));
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keys of a document. Kinds that are not known are left out by the caller; a document without keys is an error.
fn read(body: &[u8]) -> Result<Arc<[Jwk]>, String> {
    let set: JwkSet = serde_json::from_slice(body).map_err(|error| format!("that is no set of keys: {error}"))?;
    if set.keys.is_empty() || set.keys.len() > MOST_KEYS {
        return Err(format!(
            "a set of keys has between 1 and {MOST_KEYS}, not {}",
            set.keys.len()
        ));
    }
    Ok(set.keys.into())
}

/// Whether a key checks signatures of an algorithm. A secret in a public document is no key.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let family = match &key.algorithm {
        AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa,
        AlgorithmParameters::EllipticCurve(parameters) => {
            let curve = match algorithm {
                Algorithm::ES256 => EllipticCurve::P256,
                _ => EllipticCurve::P384,
            };
            if parameters.curve != curve {
                return false;
            }
            AlgorithmFamily::Ec
        }
        AlgorithmParameters::OctetKeyPair(parameters) if parameters.curve == EllipticCurve::Ed25519 => {
            AlgorithmFamily::Ed
        }
        _ => return false,
    };
    let signs = !matches!(&key.common.public_key_use, Some(used) if *used != PublicKeyUse::Signature);
    let named = key.common.key_algorithm.map(Algorithm::try_from);
    let same = named.is_none_or(|named| named.is_ok_and(|named| named == algorithm));
    crypto::family(algorithm) == Some(family) && signs && same
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn ed(id: &str) -> serde_json::Value {
        serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": X, "use": "sig", "alg": "EdDSA"})
    }

    struct Issuer {
        says: Arc<Mutex<Result<Vec<u8>, String>>>,
        asked: Arc<AtomicU32>,
    }

    impl Issuer {
        fn new(keys: &[serde_json::Value]) -> (Self, Keys) {
            let issuer = Self {
                says: Arc::new(Mutex::new(Ok(document(keys)))),
                asked: Arc::default(),
            };
            let (says, asked) = (Arc::clone(&issuer.says), Arc::clone(&issuer.asked));
            let keys = Keys::new(Box::new(move || {
                asked.fetch_add(1, Ordering::SeqCst);
                let said = says.lock().unwrap().clone();
                Box::pin(async move { said })
            }));
            (issuer, keys)
        }
        fn says(&self, said: Result<Vec<u8>, String>) {
            *self.says.lock().unwrap() = said;
        }
        fn asked(&self) -> u32 {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn document(keys: &[serde_json::Value]) -> Vec<u8> {
        serde_json::to_vec(&serde_json::json!({"keys": keys})).unwrap()
    }

    async fn has(keys: &Keys, id: &str) -> Result<(), Missing> {
        keys.find(Some(id), Algorithm::EdDSA).await.map(drop)
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_kept_renewed_and_outlive_an_issuer_that_is_away() {
        let (issuer, keys) = Issuer::new(&[ed("a")]);
        assert_eq!((has(&keys, "a").await, has(&keys, "a").await), (Ok(()), Ok(())));
        assert_eq!(issuer.asked(), 1);
        // rotation: the new key is fetched when a token names it
        issuer.says(Ok(document(&[ed("a"), ed("b")])));
        assert_eq!((has(&keys, "b").await, issuer.asked()), (Ok(()), 2));
        // old keys are fetched anew, which ends those that are withdrawn
        issuer.says(Ok(document(&[ed("b")])));
        tokio::time::advance(FRESH).await;
        assert_eq!((has(&keys, "b").await, issuer.asked()), (Ok(()), 3));
        assert_eq!(has(&keys, "a").await, Err(Missing::Unknown));
        // an issuer that is away for a while stops nobody, and is not asked for each token
        issuer.says(Err("gone".into()));
        tokio::time::advance(FRESH).await;
        let before = issuer.asked();
        for _ in 0..10 {
            assert_eq!(has(&keys, "b").await, Ok(()));
        }
        assert_eq!(issuer.asked(), before + 1);
        tokio::time::advance(STALE).await;
        assert_eq!(has(&keys, "b").await, Err(Missing::Unavailable("gone".into())));
        issuer.says(Ok(document(&[ed("b")])));
        tokio::time::advance(PAUSE).await;
        assert_eq!(has(&keys, "b").await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn made_up_names_do_not_make_the_issuer_be_asked_for_ever() {
        let (issuer, keys) = Issuer::new(&[ed("a")]);
        assert_eq!(has(&keys, "a").await, Ok(()));
        for _ in 0..100 {
            assert_eq!(has(&keys, "made-up").await, Err(Missing::Unknown));
        }
        assert_eq!(issuer.asked(), 1 + UNKNOWN_A_MINUTE);
        tokio::time::advance(Duration::from_secs(60)).await;
        issuer.says(Ok(document(&[ed("b")])));
        assert_eq!(has(&keys, "b").await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn only_keys_that_fit_are_used() {
        let secret = serde_json::json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0"});
        let foreign = serde_json::json!({"kty": "NEW", "kid": "n", "z": 1});
        let seals = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": "e", "x": X, "use": "enc"});
        let (_, keys) = Issuer::new(&[secret.clone(), foreign.clone(), seals, ed("a")]);
        let find = async |id: Option<&'static str>, algorithm| keys.find(id, algorithm).await.is_ok();
        assert!(find(Some("a"), Algorithm::EdDSA).await);
        assert!(find(None, Algorithm::EdDSA).await, "there is only one that fits");
        for (id, algorithm) in [
            ("s", Algorithm::HS256),
            ("a", Algorithm::HS256),
            ("a", Algorithm::RS256),
            ("a", Algorithm::ES256),
            ("e", Algorithm::EdDSA),
            ("n", Algorithm::EdDSA),
        ] {
            assert!(!find(Some(id), algorithm).await, "{id} {algorithm:?}");
        }
        let (_, two) = Issuer::new(&[ed("a"), ed("b")]);
        assert!(
            two.find(None, Algorithm::EdDSA).await.is_err(),
            "which of the two is not told"
        );
        let (_, none) = Issuer::new(&[secret, foreign]);
        assert!(none.count().await.unwrap_err().contains("none of them"));
        assert_eq!(two.count().await, Ok(2));
        let (_, none) = Issuer::new(&[]);
        let missing = none.find(None, Algorithm::EdDSA).await.unwrap_err();
        assert!(
            matches!(&missing, Missing::Unavailable(why) if why.contains("between 1 and 100")),
            "{missing:?}"
        );
    }
}
