//! Which requests a rule means: `verb resource[.group][/subresource][@namespace]`, with `*` for anything,
//! and nothing after the `@` for requests at the cluster scope.

/// A request as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Kubernetes verb, for example `list`.
    pub verb: &'a str,
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Plural of the resource.
    pub resource: &'a str,
    /// Subresource, empty for the resource itself.
    pub subresource: &'a str,
    /// Namespace; none for cluster-wide requests.
    pub namespace: Option<&'a str>,
}

/// A rule's left side. Parts that are left out mean anything, except the subresource: without one the rule means the
/// resource itself, as in RBAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    verb: String,
    resource: String,
    group: Option<String>,
    subresource: Option<String>,
    namespace: Option<String>,
}

impl Pattern {
    /// Reads a pattern. There are no bad ones: a pattern that makes no sense matches nothing.
    pub fn new(text: &str) -> Self {
        let (verb, rest) = text
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or((text.trim(), "*"));
        let (rest, namespace) = match rest.trim().split_once('@') {
            Some((rest, namespace)) => (rest, Some(namespace.to_owned())),
            None => (rest.trim(), None),
        };
        let (rest, subresource) = match rest.split_once('/') {
            Some((rest, subresource)) => (rest, Some(subresource.to_owned())),
            None => (rest, None),
        };
        let (resource, group) = match rest.split_once('.') {
            Some((resource, group)) => (resource, Some(group.to_owned())),
            None => (rest, None),
        };
        Self {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            group,
            subresource,
            namespace,
        }
    }

    /// Whether the pattern means this request. A `*` in the request (as an access review may ask) meets every rule.
    pub fn matches(&self, asked: &Asked<'_>) -> bool {
        let same = |pattern: &str, value: &str| pattern == "*" || value == "*" || pattern == value;
        same(&self.verb, asked.verb)
            && same(&self.resource, asked.resource)
            && self.group.as_deref().is_none_or(|group| same(group, asked.group))
            && match &self.subresource {
                Some(subresource) => !asked.subresource.is_empty() && same(subresource, asked.subresource),
                None => asked.subresource.is_empty() || self.resource == "*",
            }
            && match (&self.namespace, asked.namespace) {
                (None, _) => true,
                (Some(pattern), Some(namespace)) => same(pattern, namespace),
                // A bare `@` means what is asked at the cluster scope.
                (Some(pattern), None) => pattern.is_empty(),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_say() {
        let logs = Asked {
            verb: "get",
            group: "",
            resource: "pods",
            subresource: "log",
            namespace: Some("team-a"),
        };
        for (pattern, matches) in [
            ("get pods", false),
            ("get pods/log", true),
            ("* pods/*", true),
            ("get *", true),
            ("*", true),
            ("list pods/log", false),
            ("get pods/log@team-a", true),
            ("get pods/log@team-b", false),
            ("get pods.apps/log", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(&logs), matches, "{pattern}");
        }
        let everywhere = Asked {
            verb: "list",
            group: "trainer.kubeflow.org",
            resource: "trainjobs",
            subresource: "",
            namespace: None,
        };
        for (pattern, matches) in [
            ("list trainjobs", true),
            ("list trainjobs.trainer.kubeflow.org", true),
            ("list *.trainer.kubeflow.org", true),
            ("list trainjobs@team-a", false),
            ("list trainjobs@*", false),
            ("* *@", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(&everywhere), matches, "{pattern}");
        }
    }
}
