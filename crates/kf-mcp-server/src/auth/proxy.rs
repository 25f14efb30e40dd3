//! Callers that a proxy in front of this server has asked who they are: it says so in headers, which are believed only from it.

use std::net::IpAddr;
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use kf_mcp_core::{Identity, Principal};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Verdict;
use crate::listener::Peer;

/// Who vouches for these callers.
const ISSUER: &str = "proxy";
/// Headers with the name of the user; one is enough, and all that are there must say the same.
const USERS: [HeaderName; 2] = [
    HeaderName::from_static("x-forwarded-user"),
    HeaderName::from_static("kubeflow-userid"),
];
/// The header with the groups, parted by commas.
const GROUPS: HeaderName = HeaderName::from_static("x-forwarded-groups");
/// The header in which the proxy proves that it is one.
const SECRET: HeaderName = HeaderName::from_static("x-trusted-proxy-secret");
/// The longest name of a user or a group, and the most groups.
const LONGEST: usize = 512;
const MOST_GROUPS: usize = 500;

/// Where a trusted proxy's requests come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// Addresses.
    Net(IpNet),
    /// Connections with a certificate that the listener's client authority has signed.
    Certified,
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "mtls" {
            return Ok(Self::Certified);
        }
        let net = text.parse::<IpNet>().ok();
        let net = net.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        net.map(|net| Self::Net(net.trunc())).ok_or_else(|| {
            format!(
                "`{}` is no address, no network such as 10.0.0.0/8, and not mtls",
                text.escape_debug()
            )
        })
    }
}

/// The proxies whose headers are believed.
#[derive(Debug, Clone)]
pub struct Proxies {
    from: Vec<From>,
    secret: Option<[u8; 32]>,
}

impl Proxies {
    /// Proxies at some places, or with a secret, or at some places with a secret. The error says what is missing.
    pub fn new(from: Vec<From>, secret: Option<&str>) -> Result<Self, String> {
        if from.is_empty() && secret.is_none() {
            return Err("a trusted proxy is known by its address, its certificate or its secret".into());
        }
        if secret.is_some_and(|secret| secret.len() < super::tokens::SHORTEST) {
            return Err(format!(
                "the secret of the trusted proxy has to have at least {} characters",
                super::tokens::SHORTEST
            ));
        }
        Ok(Self {
            from,
            secret: secret.map(|secret| Sha256::digest(secret.as_bytes()).into()),
        })
    }

    /// Who the proxy says that calls; nobody when the request is not a trusted proxy's, or it names nobody. The headers are
    /// taken off in any case.
    pub(super) fn caller(&self, peer: Option<&Peer>, headers: &mut HeaderMap) -> Result<Option<Principal>, Verdict> {
        let trusted = self.trusts(peer, headers);
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        for name in USERS {
            users.extend(values(headers, &name));
        }
        groups.extend(values(headers, &GROUPS));
        strip(headers);
        if !trusted || users.is_empty() {
            return Ok(None);
        }
        let misled = |why: &str| Verdict::Misled(why.to_owned());
        users.dedup();
        let [Some(user)] = users.as_slice() else {
            return Err(misled("the proxy names more than one user, or one that cannot be read"));
        };
        let groups: Option<Vec<String>> = groups.into_iter().collect();
        let groups = groups.ok_or_else(|| misled("the proxy names groups that cannot be read"))?;
        let groups: Vec<String> = groups
            .iter()
            .flat_map(|value| value.split(','))
            .map(|group| group.trim().to_owned())
            .filter(|group| !group.is_empty())
            .collect();
        let long = |name: &String| name.len() > LONGEST;
        if user.is_empty() || long(user) || groups.len() > MOST_GROUPS || groups.iter().any(long) {
            return Err(misled(
                "the names of the user and the groups have between 1 and 512 characters",
            ));
        }
        Ok(Some(Principal {
            groups,
            ..Principal::new(Identity::new(ISSUER, user))
        }))
    }

    fn trusts(&self, peer: Option<&Peer>, headers: &HeaderMap) -> bool {
        let place = peer.is_some_and(|peer| {
            self.from.iter().any(|from| match from {
                From::Net(net) => net.contains(&peer.addr.ip().to_canonical()),
                From::Certified => peer.certified,
            })
        });
        let knows = self.secret.is_none_or(|secret| {
            let mut given = headers.get_all(SECRET).iter();
            let (first, more) = (given.next(), given.next());
            let digest: [u8; 32] = Sha256::digest(first.map_or(&b""[..], |given| given.as_bytes())).into();
            first.is_some() && more.is_none() && bool::from(digest.ct_eq(&secret))
        });
        (self.from.is_empty() || place) && knows
    }
}

/// Takes what only a trusted proxy may say off a request.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in USERS.iter().chain([&GROUPS, &SECRET]) {
        headers.remove(name);
    }
}

/// The values of a header; none for one that is not plain text.
fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<Option<String>> {
    let text = |value: &axum::http::HeaderValue| value.to_str().ok().map(|text| text.trim().to_owned());
    headers.get_all(name).iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(addr: &str, certified: bool) -> Peer {
        Peer {
            addr: format!("{addr}:1").parse().unwrap(),
            certified,
        }
    }

    /// Who a request's headers make somebody, and whether they are gone after.
    fn caller(proxies: &Proxies, peer: &Peer, given: &[(&'static str, &str)]) -> Result<Option<String>, ()> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().unwrap());
        }
        headers.insert("accept", "x".parse().unwrap());
        let found = proxies.caller(Some(peer), &mut headers);
        assert_eq!(headers.len(), 1, "{headers:?}");
        let found = found.map_err(|_| ())?;
        Ok(found.map(|principal| format!("{} {}", principal.user, principal.groups.join("+"))))
    }

    #[test]
    fn only_a_trusted_proxy_says_who_calls() {
        let alice = [("x-forwarded-user", "alice"), ("x-forwarded-groups", "a, b,,c")];
        let near = Proxies::new(vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()], None).unwrap();
        let hers = Ok(Some("alice a+b+c".to_owned()));
        assert_eq!(caller(&near, &peer("10.1.2.3", false), &alice), hers);
        assert_eq!(caller(&near, &peer("[::ffff:10.1.2.3]", false), &alice), hers);
        assert_eq!(caller(&near, &peer("[::1]", false), &alice), hers);
        assert_eq!(caller(&near, &peer("192.168.0.1", false), &alice), Ok(None));
        assert_eq!(caller(&near, &peer("192.168.0.1", true), &alice), Ok(None));
        let signed = Proxies::new(vec![From::Certified], None).unwrap();
        assert_eq!(caller(&signed, &peer("192.168.0.1", true), &alice), hers);
        assert_eq!(caller(&signed, &peer("10.1.2.3", false), &alice), Ok(None));
    }

    #[test]
    fn a_secret_counts_alone_and_beside_an_address() {
        let secret = "0123456789abcdef";
        let with = |given: &'static str| [("kubeflow-userid", "bob"), ("x-trusted-proxy-secret", given)];
        let anywhere = Proxies::new(Vec::new(), Some(secret)).unwrap();
        let (far, near) = (peer("192.168.0.1", false), peer("10.0.0.1", false));
        assert_eq!(
            caller(&anywhere, &far, &with("0123456789abcdef")),
            Ok(Some("bob ".into()))
        );
        assert_eq!(caller(&anywhere, &far, &with("0123456789abcdeg")), Ok(None));
        assert_eq!(caller(&anywhere, &far, &with("0123456789abcdef")[..1]), Ok(None));
        let both = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()], Some(secret)).unwrap();
        assert_eq!(caller(&both, &near, &with("0123456789abcdef")), Ok(Some("bob ".into())));
        assert_eq!(caller(&both, &far, &with("0123456789abcdef")), Ok(None));
        assert_eq!(caller(&both, &near, &with("")), Ok(None));
        assert!(Proxies::new(Vec::new(), None).is_err());
        assert!(Proxies::new(Vec::new(), Some("short")).is_err());
        assert!("10.0.0.0/33".parse::<From>().is_err() && "proxy".parse::<From>().is_err());
    }

    #[test]
    fn a_proxy_that_contradicts_itself_is_not_believed() {
        let near = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()], None).unwrap();
        let ask = |given: &[(&'static str, &str)]| caller(&near, &peer("10.0.0.1", false), given);
        let same = [("x-forwarded-user", "a"), ("kubeflow-userid", "a")];
        assert_eq!(ask(&same), Ok(Some("a ".into())));
        // a client's header beside the proxy's own
        assert_eq!(ask(&[("x-forwarded-user", "a"), ("x-forwarded-user", "b")]), Err(()));
        assert_eq!(ask(&[("x-forwarded-user", "a"), ("kubeflow-userid", "b")]), Err(()));
        assert_eq!(ask(&[("x-forwarded-user", "")]), Err(()));
        assert_eq!(ask(&[("x-forwarded-user", "é")]), Err(()));
        assert_eq!(ask(&[("x-forwarded-groups", "a")]), Ok(None));
    }
}
