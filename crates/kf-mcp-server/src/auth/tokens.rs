//! Callers with bearer tokens that the operator has given out.
//!
//! Nothing of a token is kept but its SHA-256, which all are compared by, in constant time.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use kf_mcp_core::{Caller, Identity};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// The fewest characters of a token: shorter ones can be tried out.
pub(super) const SHORTEST: usize = 16;

/// Who vouches for the bearers of these tokens.
const ISSUER: &str = "token";

/// A token that is accepted.
#[derive(Clone)]
pub struct Token {
    digest: [u8; 32],
    caller: Caller,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({})", self.caller.as_str())
    }
}

impl Token {
    /// A token of somebody with a name, and with a persona unless the server's is meant. The error says what is wrong.
    pub fn new(name: &str, token: &str, persona: Option<String>) -> Result<Self, String> {
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.@/:".contains(c);
        if name.is_empty() || name.len() > 100 || !name.chars().all(good) {
            return Err(format!(
                "the name of a token has at most 100 letters, digits and -_.@/:, not `{}`",
                name.escape_debug()
            ));
        }
        if token.len() < SHORTEST || !token.chars().all(|c| c.is_ascii_graphic()) {
            return Err(format!(
                "the token of {name} has to have at least {SHORTEST} characters, all of them visible ASCII"
            ));
        }
        Ok(Self {
            digest: Sha256::digest(token.as_bytes()).into(),
            caller: Caller::named(Identity::new(ISSUER, name), persona),
        })
    }
}

/// The tokens that are accepted at the moment. Others can be put in their place while the server runs.
#[derive(Debug)]
pub struct Tokens(RwLock<Arc<[Token]>>);

impl Tokens {
    /// Some tokens. Each has a name and a value of its own.
    pub fn new(tokens: Vec<Token>) -> Result<Self, String> {
        let accepted = Self(RwLock::new(Arc::from([])));
        accepted.replace(tokens)?;
        Ok(accepted)
    }

    /// Accepts these from now on, and no others.
    pub fn replace(&self, tokens: Vec<Token>) -> Result<(), String> {
        let (mut names, mut digests) = (HashSet::new(), HashSet::new());
        if tokens.is_empty() {
            return Err("there are no tokens, so nobody could call".into());
        }
        for token in &tokens {
            if !names.insert(token.caller.as_str().to_owned()) {
                return Err(format!("two tokens are named {}", token.caller.as_str()));
            }
            if !digests.insert(token.digest) {
                return Err(format!("the token of {} is also another one's", token.caller.as_str()));
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = tokens.into();
        Ok(())
    }

    /// The personas that their bearers have, where they have one of their own.
    pub fn personas(&self) -> Vec<String> {
        let tokens = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let given = tokens.iter().filter_map(|token| token.caller.persona());
        given.map(str::to_owned).collect()
    }

    /// Whose token this is. How long it takes does not tell how much of it is right, or whose it is.
    pub(super) fn bearer(&self, presented: &str) -> Option<Caller> {
        let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let tokens = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let (mut found, mut at) = (Choice::from(0), 0_u64);
        for (index, token) in tokens.iter().enumerate() {
            let same = token.digest.ct_eq(&digest);
            at.conditional_assign(&(index as u64), same);
            found |= same;
        }
        let at = usize::try_from(at).ok()?;
        bool::from(found).then(|| tokens.get(at).map(|token| token.caller.clone()))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, value: &str) -> Token {
        Token::new(name, value, None).unwrap()
    }

    #[test]
    fn a_bearer_is_who_the_token_was_given_to_until_others_are_accepted() {
        let tokens = Tokens::new(vec![
            token("alice", "alice-0123456789"),
            token("bob", "bob-0123456789ab"),
        ])
        .unwrap();
        let who = |value: &str| tokens.bearer(value).map(|caller| caller.as_str().to_owned());
        assert_eq!(who("alice-0123456789").as_deref(), Some("alice"));
        assert_eq!(who("bob-0123456789ab").as_deref(), Some("bob"));
        assert_eq!((who("alice-0123456780"), who(""), who("alice")), (None, None, None));
        tokens.replace(vec![token("carol", "carol-0123456789")]).unwrap();
        assert_eq!(
            (who("alice-0123456789"), who("carol-0123456789").as_deref()),
            (None, Some("carol"))
        );
    }

    #[test]
    fn tokens_that_would_be_no_protection_are_refused() {
        let good = || token("a", "0123456789abcdef");
        for (why, said) in [
            (Token::new("a", "short", None).unwrap_err(), "at least 16"),
            (Token::new("a", "0123456789abcde f", None).unwrap_err(), "visible"),
            (Token::new("a b", "0123456789abcdef", None).unwrap_err(), "name"),
            (Tokens::new(Vec::new()).unwrap_err(), "no tokens"),
            (Tokens::new(vec![good(), good()]).unwrap_err(), "two tokens are named a"),
            (
                Tokens::new(vec![good(), token("b", "0123456789abcdef")]).unwrap_err(),
                "also another one's",
            ),
        ] {
            assert!(why.contains(said), "{why}");
        }
        assert!(!format!("{:?}", good()).contains("0123"));
    }
}
