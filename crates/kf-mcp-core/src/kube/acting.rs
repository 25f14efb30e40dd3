//! [`ActAs`]: as whom the requests of a call go to the API server.

use std::fmt::Write as _;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::caller::{Caller, Principal};
use crate::policy::{Pattern, Refusal};

/// Who vouches for callers that the API server itself has told who they are.
pub const KUBERNETES: &str = "kubernetes";

const USER: HeaderName = HeaderName::from_static("impersonate-user");
const GROUP: HeaderName = HeaderName::from_static("impersonate-group");
const UID: HeaderName = HeaderName::from_static("impersonate-uid");
const EXTRA: &str = "impersonate-extra-";
/// What Kubernetes keeps for its own users and groups.
const SYSTEM: &str = "system:";

/// As whom callers act on the cluster.
#[derive(Debug, Clone, Default)]
pub enum ActAs {
    /// As the process: its kubeconfig or service account, whoever calls.
    #[default]
    Own,
    /// As themselves: the process impersonates them.
    Impersonate(Impersonation),
    /// As themselves, with their own token of the cluster.
    Token,
}

/// What of a caller is handed on besides their name.
#[derive(Debug, Clone, Default)]
pub struct Impersonation {
    /// The groups that are handed on, of those that a caller is in. Groups of the system never are.
    pub groups: Vec<Pattern>,
    /// The keys of the API server's further facts about a caller that are handed on.
    pub extra: Vec<String>,
}

impl ActAs {
    /// Puts on a request as whom it is made. The error says why it cannot be made in this caller's name.
    pub(super) fn identify(&self, caller: &Caller, headers: &mut HeaderMap) -> Result<(), Refusal> {
        let foreign: Vec<HeaderName> = headers.keys().filter(|name| is_identity(name)).cloned().collect();
        for name in foreign {
            headers.remove(name);
        }
        match (self, caller) {
            (Self::Own, _) => {}
            (_, Caller::Local) => {
                return Err(Refusal {
                    why: "this server acts as whoever calls, and nobody said who that is".into(),
                    fix: "call over HTTP, and say who you are".into(),
                });
            }
            (Self::Impersonate(impersonation), Caller::Named(principal)) => impersonation.put(principal, headers)?,
            (Self::Token, Caller::Named(principal)) => {
                let token = principal.token.as_ref().ok_or_else(|| Refusal {
                    why: format!("`{}` brought no token of this cluster to act with", principal.user),
                    fix: "call with a token of the cluster: kubectl create token NAME".into(),
                })?;
                let bearer = format!("Bearer {}", token.expose());
                let mut bearer = value(bearer.as_bytes(), &principal.user)?;
                bearer.set_sensitive(true);
                headers.insert(AUTHORIZATION, bearer);
            }
        }
        Ok(())
    }
}

impl Impersonation {
    fn put(&self, principal: &Principal, headers: &mut HeaderMap) -> Result<(), Refusal> {
        let user = &principal.user;
        let service_account = user.starts_with("system:serviceaccount:") && principal.identity.issuer == KUBERNETES;
        if user.is_empty() || (user.starts_with(SYSTEM) && !service_account) {
            return Err(Refusal {
                why: format!("nobody acts as `{user}` through this server: names of the system are Kubernetes' own"),
                fix: "call as somebody else".into(),
            });
        }
        headers.insert(USER, value(user.as_bytes(), user)?);
        for group in principal.groups.iter().filter(|group| self.hands_on(group)) {
            headers.append(GROUP, value(group.as_bytes(), user)?);
        }
        if let Some(uid) = &principal.uid {
            headers.insert(UID, value(uid.as_bytes(), user)?);
        }
        let extra = principal.extra.iter().filter(|(key, _)| self.extra.contains(key));
        for (key, values) in extra {
            let name =
                HeaderName::from_bytes(format!("{EXTRA}{}", escaped(key)).as_bytes()).map_err(|_| unfit(user))?;
            for given in values {
                headers.append(name.clone(), value(given.as_bytes(), user)?);
            }
        }
        Ok(())
    }

    fn hands_on(&self, group: &str) -> bool {
        !group.starts_with(SYSTEM) && self.groups.iter().any(|pattern| pattern.matches(group))
    }
}

fn is_identity(name: &HeaderName) -> bool {
    *name == AUTHORIZATION || name.as_str().starts_with("impersonate-")
}

fn value(bytes: &[u8], user: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_bytes(bytes).map_err(|_| unfit(user))
}

fn unfit(user: &str) -> Refusal {
    Refusal {
        why: format!("what is known of `{}` cannot be said in a header", user.escape_debug()),
        fix: "names and groups have no control characters: ask whoever gives them out".into(),
    }
}

/// A key as part of a header's name: Kubernetes wants what no name may hold as %XX, and lower case.
fn escaped(key: &str) -> String {
    let mut name = String::new();
    for byte in key.to_ascii_lowercase().bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte) {
            name.push(char::from(byte));
        } else {
            // writing to a text does not fail
            write!(name, "%{byte:02X}").ok();
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Identity;
    use crate::redact::Redacted;

    fn impersonating(groups: &[&str], extra: &[&str]) -> ActAs {
        ActAs::Impersonate(Impersonation {
            groups: groups.iter().map(|group| Pattern::new(group).unwrap()).collect(),
            extra: extra.iter().map(|key| (*key).to_owned()).collect(),
        })
    }

    fn alice() -> Principal {
        Principal {
            user: "alice@example.com".into(),
            groups: ["ml-team-a", "finance", "system:masters"].map(str::to_owned).to_vec(),
            ..Principal::new(Identity::new("https://issuer.example", "4711"))
        }
    }

    /// The headers of a request in this caller's name, after somebody tried to put others on it.
    fn headers(acts: &ActAs, caller: &Caller) -> Result<Vec<String>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(USER, HeaderValue::from_static("system:admin"));
        headers.insert(GROUP, HeaderValue::from_static("system:masters"));
        headers.insert("impersonate-extra-a", HeaderValue::from_static("b"));
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer stolen"));
        headers.insert("accept", HeaderValue::from_static("application/json"));
        acts.identify(caller, &mut headers).map_err(|refusal| refusal.why)?;
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
        let mut lines: Vec<String> = lines.collect();
        lines.sort();
        Ok(lines)
    }

    #[test]
    fn a_request_says_who_its_caller_is_and_nothing_else() {
        let accept = "accept: application/json";
        let anyone = Caller::from(alice());
        assert_eq!(headers(&ActAs::Own, &anyone).unwrap(), [accept]);
        assert_eq!(headers(&ActAs::Own, &Caller::Local).unwrap(), [accept]);
        assert_eq!(
            headers(&impersonating(&[], &[]), &anyone).unwrap(),
            [accept, "impersonate-user: alice@example.com"]
        );
        // a pattern that fits everything still hands on no group of the system
        assert_eq!(
            headers(&impersonating(&["*"], &[]), &anyone).unwrap(),
            [
                accept,
                "impersonate-group: finance",
                "impersonate-group: ml-team-a",
                "impersonate-user: alice@example.com"
            ]
        );
        assert_eq!(
            headers(&impersonating(&["ml-*"], &[]), &anyone).unwrap(),
            [
                accept,
                "impersonate-group: ml-team-a",
                "impersonate-user: alice@example.com"
            ]
        );
    }

    #[test]
    fn what_the_api_server_said_of_somebody_is_handed_on_as_far_as_it_is_named() {
        let mut principal = alice();
        principal.uid = Some("u-1".into());
        for key in ["Example.com/Project", "scopes"] {
            principal.extra.insert(key.into(), vec!["a".into(), "b".into()]);
        }
        let caller = Caller::from(principal);
        assert_eq!(
            headers(&impersonating(&[], &["Example.com/Project"]), &caller).unwrap()[1..],
            [
                "impersonate-extra-example.com%2fproject: a",
                "impersonate-extra-example.com%2fproject: b",
                "impersonate-uid: u-1",
                "impersonate-user: alice@example.com"
            ]
        );
    }

    #[test]
    fn nobody_becomes_the_system() {
        let named = |issuer: &str, user: &str| Caller::named(Identity::new(issuer, user), None);
        let acts = impersonating(&["*"], &[]);
        for user in [
            "system:admin",
            "system:serviceaccount:kube-system:deployer",
            "system:",
            "",
            "a\nb",
        ] {
            assert!(headers(&acts, &named("jwt", user)).is_err(), "{user}");
        }
        // the API server itself said that it is this account
        let account = named(KUBERNETES, "system:serviceaccount:team-a:ci");
        assert_eq!(
            headers(&acts, &account).unwrap()[1],
            "impersonate-user: system:serviceaccount:team-a:ci"
        );
        assert!(headers(&acts, &named(KUBERNETES, "system:admin")).is_err());
        assert!(headers(&acts, &Caller::Local).is_err(), "nobody is not somebody");
    }

    #[test]
    fn a_token_is_the_callers_own_or_there_is_none() {
        let mut principal = alice();
        assert!(headers(&ActAs::Token, &Caller::from(principal.clone())).is_err());
        assert!(headers(&ActAs::Token, &Caller::Local).is_err());
        principal.token = Some(Redacted::new("hers".into()));
        assert_eq!(
            headers(&ActAs::Token, &Caller::from(principal)).unwrap(),
            ["accept: application/json", "authorization: Bearer hers"]
        );
    }
}
