//! Names that go into URLs: checked before any request.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// A DNS-1123 label: what a namespace name is. At most 63 characters of `a-z`, `0-9` and `-`, beginning and ending with
/// a letter or digit.
pub fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_subdomain(name) && !name.contains('.')
}

/// A DNS-1123 subdomain: what most object names are. At most 253 characters.
pub fn is_subdomain(name: &str) -> bool {
    let edge = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= 253
        && name.split('.').all(|part| {
            edge(part.bytes().next())
                && edge(part.bytes().last())
                && part
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        })
}

/// The nearest of some names to one that does not exist, if any is near.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(wrong, name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $check:path, $pattern:literal, $max:literal, $why:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Checks a name.
            pub fn new(name: impl Into<String>) -> Result<Self, String> {
                let name = name.into();
                if $check(&name) { Ok(Self(name)) } else { Err(format!(concat!("`{}` is not ", $why), crate::text::bounded(&name, 80))) }
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::ops::Deref for $type {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(from)?).map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": $pattern, "maxLength": $max})
            }
        }
    };
}

name_type!(
    /// A namespace name.
    Namespace, is_label, "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", 63,
    "a namespace name: at most 63 characters a-z, 0-9 and `-`, beginning and ending with a letter or digit"
);
name_type!(
    /// The name of a Kubernetes object.
    ObjectName, is_subdomain, "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", 253,
    "an object name: at most 253 characters a-z, 0-9, `-` and `.`, beginning and ending with a letter or digit"
);

/// The namespace argument of a list tool: a name, or `*` for all that the caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceOrAll {
    /// One namespace.
    One(Namespace),
    /// All of them.
    All,
}

impl<'de> Deserialize<'de> for NamespaceOrAll {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        if name == "*" {
            Ok(Self::All)
        } else {
            Namespace::new(name).map(Self::One).map_err(de::Error::custom)
        }
    }
}

impl JsonSchema for NamespaceOrAll {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NamespaceOrAll".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 63})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_kubernetes_does() {
        for good in ["a", "team-a", "0a", "a1"] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "a/b", "../x", &"a".repeat(64)] {
            assert!(!is_label(bad), "{bad}");
        }
        assert!(is_subdomain("trainjobs.trainer.kubeflow.org"));
        assert!(!is_subdomain("a..b"));
    }

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(nearest("trainr", ["hub", "trainer", "optimizer"]), Some("trainer"));
        assert_eq!(nearest("xyz", ["hub", "trainer"]), None);
    }
}
