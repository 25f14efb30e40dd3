//! Which persona a caller has, by what is known of them.

use std::str::FromStr;

/// The scopes of access tokens, from the least to the most, and the persona each gives where nothing else is said.
const SCOPES: [(&str, &str); 3] = [
    ("kubeflow:read", "readonly"),
    ("kubeflow:write", "ml-engineer"),
    ("kubeflow:admin", "platform-admin"),
];

/// What gives a persona.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ground {
    Scope(String),
    Group(String),
    User(String),
}

/// A line of the list: `group:ml-admins=platform-admin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    ground: Ground,
    persona: String,
}

impl Assignment {
    /// The persona that it gives.
    pub fn persona(&self) -> &str {
        &self.persona
    }
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is not of the form scope:NAME=persona, group:NAME=persona or user:NAME=persona",
                text.escape_debug()
            )
        };
        // names of groups may have = in them
        let (ground, persona) = text.rsplit_once('=').ok_or_else(wrong)?;
        let (kind, name) = ground.split_once(':').ok_or_else(wrong)?;
        if name.is_empty() || persona.is_empty() {
            return Err(wrong());
        }
        let name = name.to_owned();
        Ok(Self {
            ground: match kind {
                "scope" => Ground::Scope(name),
                "group" => Ground::Group(name),
                "user" => Ground::User(name),
                _ => return Err(wrong()),
            },
            persona: persona.to_owned(),
        })
    }
}

/// The assignments, of which the first that fits counts.
#[derive(Debug, Clone)]
pub struct Personas(Vec<Assignment>);

impl Default for Personas {
    /// The scopes give personas.
    fn default() -> Self {
        let scope = |(scope, persona): &(&str, &str)| Assignment {
            ground: Ground::Scope((*scope).to_owned()),
            persona: (*persona).to_owned(),
        };
        Self(SCOPES.iter().rev().map(scope).collect())
    }
}

impl Personas {
    /// Some assignments; those of the scopes where there are none.
    pub fn new(assignments: Vec<Assignment>) -> Self {
        if assignments.is_empty() {
            return Self::default();
        }
        Self(assignments)
    }

    /// The persona of somebody, if one is assigned to them.
    pub(super) fn of(&self, user: &str, groups: &[String], scopes: &[String]) -> Option<String> {
        let fits = |assignment: &&Assignment| match &assignment.ground {
            Ground::Scope(scope) => scopes.contains(scope),
            Ground::Group(group) => groups.contains(group),
            Ground::User(name) => name == user,
        };
        self.0.iter().find(fits).map(|assignment| assignment.persona.clone())
    }

    /// The personas that are given.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Assignment::persona)
    }

    /// The scopes that give personas, and those, from the last assignment to the first: what is listed first is most.
    pub(super) fn scopes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().rev().filter_map(|assignment| match &assignment.ground {
            Ground::Scope(scope) => Some((scope.as_str(), assignment.persona.as_str())),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_assignment_that_fits_counts() {
        let list = [
            "user:root@example.com=platform-admin",
            "group:CN=ml,DC=example=ml-engineer",
            "scope:kubeflow:read=readonly",
        ];
        let personas = Personas::new(list.iter().map(|text| text.parse().unwrap()).collect());
        let of = |user: &str, groups: &[&str], scopes: &[&str]| {
            let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            personas.of(user, &owned(groups), &owned(scopes))
        };
        assert_eq!(
            of("root@example.com", &["CN=ml,DC=example"], &[]).as_deref(),
            Some("platform-admin")
        );
        assert_eq!(
            of("a", &["CN=ml,DC=example"], &["kubeflow:read"]).as_deref(),
            Some("ml-engineer")
        );
        assert_eq!(of("a", &[], &["kubeflow:read"]).as_deref(), Some("readonly"));
        assert_eq!(
            of("kubeflow:read", &["kubeflow:read"], &[]),
            None,
            "a name is not a scope"
        );
        assert_eq!(personas.scopes().collect::<Vec<_>>(), [("kubeflow:read", "readonly")]);
        for wrong in ["group=a", "group:=a", "team:x=a", "group:x=", "group:x"] {
            assert!(wrong.parse::<Assignment>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_assignments_the_widest_scope_counts() {
        let scopes = ["kubeflow:read".to_owned(), "kubeflow:admin".to_owned()];
        let personas = Personas::new(Vec::new());
        assert_eq!(personas.of("", &[], &scopes).as_deref(), Some("platform-admin"));
        assert_eq!(personas.scopes().next(), Some(SCOPES[0]));
    }
}
