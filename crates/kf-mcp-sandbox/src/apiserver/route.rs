//! From a path to what it means: the API server's RequestInfo.

use super::query::decode;

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/version`, `/healthz` and other paths outside of the API.
    Other(String),
    /// `/api` or `/apis`.
    Groups {
        /// `/api` rather than `/apis`.
        core: bool,
    },
    /// `/apis/{group}`.
    Group(String),
    /// `/api/{version}` or `/apis/{group}/{version}`.
    Version(String, String),
    /// Objects.
    Resource(Target),
}

/// Which objects a path names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) group: String,
    pub(crate) version: String,
    /// Plural of the resource.
    pub(crate) resource: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    /// Empty for the object itself.
    pub(crate) subresource: String,
    /// `/watch/` stands before the resource, the old way to ask for a watch.
    pub(crate) watch: bool,
    /// What comes after the subresource, without the slash between: the path of a proxied request.
    pub(crate) rest: Option<String>,
}

/// Reads a path.
pub(crate) fn route(path: &str) -> Route {
    let parts: Vec<String> = path.trim_matches('/').split('/').map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["api"] => Route::Groups { core: true },
        ["apis"] => Route::Groups { core: false },
        ["api", version] => Route::Version(String::new(), (*version).to_owned()),
        ["apis", group] => Route::Group((*group).to_owned()),
        ["apis", group, version] => Route::Version((*group).to_owned(), (*version).to_owned()),
        ["api", version, rest @ ..] => Route::Resource(target("", version, rest, path)),
        ["apis", group, version, rest @ ..] => Route::Resource(target(group, version, rest, path)),
        _ => Route::Other(path.to_owned()),
    }
}

fn target(group: &str, version: &str, parts: &[&str], path: &str) -> Target {
    let (watch, parts) = match parts {
        ["watch", rest @ ..] if !rest.is_empty() => (true, rest),
        _ => (false, parts),
    };
    let (namespace, parts) = match parts {
        // what comes after a namespace's name is a resource in it, unless it is a subresource of the namespace itself
        ["namespaces", _, "status" | "finalize"] | ["namespaces", _] | ["namespaces"] => (None, parts),
        ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
        _ => (None, parts),
    };
    let part = |i: usize| parts.get(i).filter(|p| !p.is_empty()).map(|p| (*p).to_owned());
    let subresource = part(2).unwrap_or_default();
    // taken from the raw path: a trailing slash and percent-encoding belong to whom the request is proxied to
    let rest = (subresource == "proxy").then(|| {
        let after = path.split_once("/proxy").map_or("", |(_, after)| after);
        after.trim_start_matches('/').to_owned()
    });
    let resource = part(0).unwrap_or_default();
    Target {
        group: group.to_owned(),
        version: version.to_owned(),
        resource,
        namespace,
        name: part(1),
        subresource,
        watch,
        rest: rest.or_else(|| (parts.len() > 3).then(|| parts.get(3..).unwrap_or_default().join("/"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(path: &str) -> Target {
        match route(path) {
            Route::Resource(target) => target,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn paths_are_read_as_a_real_server_reads_them() {
        let target = resource("/apis/trainer.kubeflow.org/v1alpha1/namespaces/team-a/trainjobs/x/status");
        assert_eq!(
            (target.group.as_str(), target.resource.as_str()),
            ("trainer.kubeflow.org", "trainjobs")
        );
        assert_eq!(target.namespace.as_deref(), Some("team-a"));
        assert_eq!(
            (target.name.as_deref(), target.subresource.as_str()),
            (Some("x"), "status")
        );
        let target = resource("/api/v1/namespaces/team-a");
        assert_eq!(
            (target.resource.as_str(), target.name.as_deref()),
            ("namespaces", Some("team-a"))
        );
        let target = resource("/api/v1/namespaces/a/services/http:reg:8080/proxy/api/x%20y/");
        assert_eq!(target.rest.as_deref(), Some("api/x%20y/"));
        assert_eq!(route("/healthz"), Route::Other("/healthz".to_owned()));
        assert_eq!(
            route("/apis/batch/v1"),
            Route::Version("batch".to_owned(), "v1".to_owned())
        );
    }
}
