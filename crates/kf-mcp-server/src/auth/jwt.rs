//! Callers with a JSON web token of an issuer that the operator trusts.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};
use kf_mcp_core::{Engine, Identity, Principal};
use serde_json::{Map, Value};

use super::Verdict;
use super::crypto;
use super::keys::{self, Keys, Missing};

/// How long the issuer may take to answer with its keys.
const WITHIN: Duration = Duration::from_secs(5);
/// The most groups of one caller.
const MOST_GROUPS: usize = 500;
/// The longest name of a user or a group.
const LONGEST: usize = 512;
/// What a token may say that it is: none of these is a token for something else, such as a logout.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// Which tokens are accepted, and what they say of their bearer.
#[derive(Debug, Clone)]
pub struct JwtOptions {
    /// Where the issuer's keys are: an https URL, or http.
    pub jwks_uri: String,
    /// The `iss` that tokens must have.
    pub issuer: String,
    /// The `aud` of which tokens must have one.
    pub audience: Vec<String>,
    /// The claim with the name of the user: a name, or a JSON pointer that begins with a slash.
    pub user_claim: String,
    /// What is put before the name of the user.
    pub user_prefix: String,
    /// The claim with the groups, as the other.
    pub groups_claim: String,
    /// What is put before the names of the groups.
    pub groups_prefix: String,
    /// How far clocks may be apart.
    pub leeway: Duration,
}

impl JwtOptions {
    /// Options as most issuers need them.
    pub fn new(jwks_uri: impl Into<String>, issuer: impl Into<String>, audience: Vec<String>) -> Self {
        Self {
            jwks_uri: jwks_uri.into(),
            issuer: issuer.into(),
            audience,
            user_claim: "sub".into(),
            user_prefix: String::new(),
            groups_claim: "groups".into(),
            groups_prefix: String::new(),
            leeway: Duration::from_secs(30),
        }
    }

    /// What is wrong with these options, if anything is.
    fn problem(&self) -> Option<String> {
        let web = |url: &str| url.starts_with("https://") || url.starts_with("http://");
        if !web(&self.jwks_uri) || self.jwks_uri.parse::<axum::http::Uri>().is_err() {
            return Some(format!("`{}` is no URL of a set of keys", self.jwks_uri));
        }
        if self.issuer.is_empty() || self.audience.iter().all(String::is_empty) {
            return Some("tokens have to name an issuer and an audience that are expected".into());
        }
        None
    }
}

/// Checks tokens of one issuer.
#[derive(Debug)]
pub(super) struct Jwt {
    options: JwtOptions,
    keys: Keys,
}

/// A bearer, and what their token allows them.
#[derive(Debug)]
pub(super) struct Bearer {
    pub(super) principal: Principal,
    pub(super) scopes: Vec<String>,
}

impl Jwt {
    pub(super) fn new(options: JwtOptions, engine: Engine) -> Result<Self, String> {
        if let Some(problem) = options.problem() {
            return Err(problem);
        }
        if options.jwks_uri.starts_with("http://") {
            tracing::warn!("the issuer's keys come over plain HTTP: whoever is between can put others in their place");
        }
        crypto::install();
        let url: Arc<str> = options.jwks_uri.as_str().into();
        let keys = Keys::new(Box::new(move || {
            let (engine, url) = (engine.clone(), Arc::clone(&url));
            Box::pin(async move {
                let reply = engine.fetch(&url, keys::MOST, WITHIN).await?;
                if !reply.status.is_success() {
                    return Err(format!("{url} answered {}", reply.status));
                }
                Ok(reply.body.to_vec())
            })
        }));
        Ok(Self { options, keys })
    }

    /// Who vouches for the bearers.
    pub(super) fn options(&self) -> &JwtOptions {
        &self.options
    }

    /// Fetches the issuer's keys, and says how many there are.
    pub(super) async fn count(&self) -> Result<usize, String> {
        self.keys.count().await
    }

    /// Whose token this is.
    pub(super) async fn verify(&self, token: &str) -> Result<Bearer, Verdict> {
        let invalid = |why: &str| Verdict::Invalid(why.to_owned());
        let header = decode_header(token).map_err(|_| invalid("it is no JSON web token with an accepted algorithm"))?;
        if crypto::family(header.alg).is_none() {
            return Err(invalid("its algorithm is not accepted"));
        }
        if header.crit.is_some_and(|names| !names.is_empty()) {
            return Err(invalid("its header demands what is not understood here"));
        }
        if let Some(kind) = &header.typ
            && !TYPES.iter().any(|known| kind.eq_ignore_ascii_case(known))
        {
            return Err(invalid("it is a token for something else"));
        }
        let key = match self.keys.find(header.kid.as_deref(), header.alg).await {
            Ok(key) => key,
            Err(Missing::Unknown) => return Err(invalid("its key is none of the issuer's")),
            Err(Missing::Unavailable(why)) => {
                return Err(Verdict::Unavailable(format!(
                    "the keys of the tokens' issuer cannot be fetched: {why}"
                )));
            }
        };
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.options.issuer]);
        validation.set_audience(&self.options.audience);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = self.options.leeway.as_secs();
        let claims: Map<String, Value> = match decode(token, &key, &validation) {
            Ok(token) => token.claims,
            Err(error) => return Err(invalid(words(error.kind()))),
        };
        self.bearer(&claims).map_err(|why| Verdict::Invalid(why.into()))
    }

    /// What checked claims say of their bearer.
    fn bearer(&self, claims: &Map<String, Value>) -> Result<Bearer, &'static str> {
        let options = &self.options;
        // a list of issuers, one of them ours, is not ours
        if claims.get("iss").and_then(Value::as_str) != Some(&options.issuer) {
            return Err("it is another issuer's");
        }
        let subject = claims.get("sub").and_then(Value::as_str).filter(|sub| is_name(sub));
        let subject = subject.ok_or("it does not say whose it is")?;
        let user = claim(claims, &options.user_claim).and_then(Value::as_str);
        let user = user
            .filter(|user| is_name(user))
            .ok_or("it has no claim with the name of its user")?;
        if options.user_claim == "email" && claims.get("email_verified") == Some(&Value::Bool(false)) {
            return Err("the issuer has not verified the e-mail address");
        }
        let groups = words_of(claim(claims, &options.groups_claim), false);
        if groups.len() > MOST_GROUPS || !groups.iter().all(|group| is_name(group)) {
            return Err("it names too many groups, or groups with names that are none");
        }
        let mut scopes = words_of(claims.get("scope"), true);
        scopes.extend(words_of(claims.get("scp"), true));
        let prefixed = |group: String| format!("{}{group}", options.groups_prefix);
        Ok(Bearer {
            principal: Principal {
                user: format!("{}{user}", options.user_prefix),
                groups: groups.into_iter().map(prefixed).collect(),
                ..Principal::new(Identity::new(&options.issuer, subject))
            },
            scopes,
        })
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST && !name.chars().any(char::is_control)
}

fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    match name.strip_prefix('/') {
        None => claims.get(name),
        Some(path) => {
            let (first, rest) = path.split_once('/').map_or((path, None), |(a, b)| (a, Some(b)));
            let value = claims.get(first)?;
            rest.map_or(Some(value), |rest| value.pointer(&format!("/{rest}")))
        }
    }
}

/// The words of a claim: a list, or one text, which has several words where spaces part them.
fn words_of(claim: Option<&Value>, spaces: bool) -> Vec<String> {
    match claim {
        Some(Value::String(text)) if spaces => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn words(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidAudience => "it is meant for another audience",
        ErrorKind::InvalidIssuer => "it is another issuer's",
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::MissingRequiredClaim(_) => "it lacks one of the claims exp, iss, aud, sub",
        _ => "it is no good JSON web token",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bearer(change: impl Fn(&mut JwtOptions), more: Value) -> Result<Bearer, &'static str> {
        let mut options = JwtOptions::new("https://i/jwks", "https://i", vec!["mcp".into()]);
        change(&mut options);
        let keys = Keys::new(Box::new(|| Box::pin(async { Err(String::new()) })));
        let mut claims = json!({"iss": "https://i", "sub": "4711", "aud": "mcp"});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        Jwt { options, keys }.bearer(claims.as_object().unwrap())
    }

    #[test]
    fn claims_say_who_that_is_and_what_they_may() {
        let plain = bearer(
            |_| (),
            json!({"scope": "openid kubeflow:read", "scp": ["kubeflow:write"]}),
        )
        .unwrap();
        assert_eq!(plain.principal.identity, Identity::new("https://i", "4711"));
        assert_eq!(
            (plain.principal.user.as_str(), plain.scopes.join(" ")),
            ("4711", "openid kubeflow:read kubeflow:write".into())
        );
        let keycloak = |options: &mut JwtOptions| {
            options.user_claim = "email".into();
            options.user_prefix = "oidc:".into();
            options.groups_claim = "/realm_access/roles".into();
            options.groups_prefix = "kc:".into();
        };
        let claims = json!({"email": "a@b", "realm_access": {"roles": ["ml", 1]}});
        let named = bearer(keycloak, claims).unwrap().principal;
        assert_eq!(
            (named.user.as_str(), named.groups.join(" ")),
            ("oidc:a@b", "kc:ml".into())
        );
        // one group need not be a list, and may have a space in it
        let one = bearer(|_| (), json!({"groups": "data team"})).unwrap().principal;
        assert_eq!(one.groups, ["data team"]);
        for (claims, said) in [
            (json!({"iss": ["https://i", "https://evil"]}), "another issuer's"),
            (json!({"sub": ""}), "whose it is"),
            (json!({"sub": "a\nb"}), "whose it is"),
            (json!({"groups": ["a\u{7}"]}), "groups"),
            (json!({"groups": vec!["g"; MOST_GROUPS + 1]}), "groups"),
        ] {
            let why = bearer(|_| (), claims.clone()).unwrap_err();
            assert!(why.contains(said), "{claims}: {why}");
        }
        let by_mail = |options: &mut JwtOptions| options.user_claim = "email".into();
        assert!(bearer(by_mail, json!({"email": "a@b", "email_verified": false})).is_err());
        assert!(
            bearer(by_mail, json!({})).is_err(),
            "without the claim there is no user"
        );
    }
}
