//! [`Groups`]: which API groups a server serves, and in which versions.

use serde::Deserialize;

/// The API groups of a server, as `/apis` lists them. The core group is not among them.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Groups {
    #[serde(default, deserialize_with = "super::meta::null_is_empty")]
    groups: Vec<Group>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Group {
    name: String,
    #[serde(deserialize_with = "super::meta::null_is_empty")]
    versions: Vec<Version>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Version {
    version: String,
}

impl Groups {
    /// The served versions of a group, the server's favourite first; none when it does not serve the group.
    pub fn versions<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a str> {
        let groups = self.groups.iter().filter(move |served| served.name == group);
        groups.flat_map(|group| group.versions.iter().map(|version| version.version.as_str()))
    }

    /// The first of the wanted versions that the server serves.
    pub fn first(&self, group: &str, wanted: &[&'static str]) -> Option<&'static str> {
        wanted
            .iter()
            .copied()
            .find(|wanted| self.versions(group).any(|served| served == *wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wanted_version_that_is_served_is_taken() {
        let groups: Groups = serde_json::from_value(serde_json::json!({"groups": [
            {"name": "kueue.x-k8s.io", "versions": [{"version": "v1beta1"}, {"version": "v1beta2"}]},
            {"name": "odd", "versions": null},
        ]}))
        .unwrap();
        assert_eq!(groups.first("kueue.x-k8s.io", &["v1beta2", "v1beta1"]), Some("v1beta2"));
        assert_eq!(groups.first("kueue.x-k8s.io", &["v1"]), None);
        assert_eq!(groups.versions("odd").count() + groups.versions("x").count(), 0);
    }
}
