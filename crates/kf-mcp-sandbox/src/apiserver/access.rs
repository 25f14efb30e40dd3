//! Who may do what.

use serde_json::{Value, json};

use super::discovery::served;
use crate::Inner;
use crate::kinds::KINDS;
use crate::pattern::{Asked, Pattern};
use crate::status::Status;

const VERBS: [&str; 8] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
];

/// Whether no rule forbids this. Reviews of oneself are always allowed, as in a cluster with the default roles.
pub(crate) fn allowed(rules: &[Pattern], asked: &Asked<'_>) -> bool {
    is_review(asked) || !rules.iter().any(|rule| rule.matches(asked))
}

fn is_review(asked: &Asked<'_>) -> bool {
    matches!(asked.group, "authorization.k8s.io" | "authentication.k8s.io") && asked.resource.starts_with("selfsubject")
}

/// 403 in RBAC's words.
pub(crate) fn forbidden(user: &str, asked: &Asked<'_>, name: &str) -> Status {
    let Asked {
        verb,
        group,
        resource,
        subresource,
        namespace,
    } = asked;
    let qualified = if group.is_empty() {
        (*resource).to_owned()
    } else {
        format!("{resource}.{group}")
    };
    let named = if name.is_empty() {
        String::new()
    } else {
        format!(" \"{name}\"")
    };
    let what = if subresource.is_empty() {
        (*resource).to_owned()
    } else {
        format!("{resource}/{subresource}")
    };
    let scope = match namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    let mut details = json!({"kind": resource});
    for (field, value) in [("name", name), ("group", group)] {
        if !value.is_empty() {
            details[field] = json!(value);
        }
    }
    let message = format!(
        "{qualified}{named} is forbidden: User \"{user}\" cannot {verb} resource \"{what}\" in API group \"{group}\" {scope}"
    );
    Status::new(403, "Forbidden", message).details(details)
}

/// What is allowed in a namespace. RBAC can only list what is allowed, so the rules that forbid are turned round, resource by resource.
pub(crate) fn rules_of(inner: &Inner, namespace: &str) -> Value {
    let everything = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
    let reviews = json!({
        "verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    });
    let resources = inner.with(|state, _| {
        inner.rules(|rules| {
            if rules.is_empty() {
                return vec![everything];
            }
            let mut out = vec![reviews];
            for kind in KINDS.iter().filter(|kind| served(&state.store, kind)) {
                let mut subresources = vec![("", &VERBS[..])];
                match kind.kind {
                    "Pod" => subresources.push(("log", &["get"])),
                    "Service" => subresources.push(("proxy", &["get", "create", "update", "patch", "delete"])),
                    _ => {}
                }
                if kind.status {
                    subresources.push(("status", &["get", "update", "patch"]));
                }
                for (subresource, verbs) in subresources {
                    let may = |verb: &&&str| {
                        let namespace = Some(namespace).filter(|n| kind.namespaced && !n.is_empty());
                        let (group, resource) = (kind.group, kind.plural);
                        allowed(
                            rules,
                            &Asked {
                                verb,
                                group,
                                resource,
                                subresource,
                                namespace,
                            },
                        )
                    };
                    let verbs: Vec<&&str> = verbs.iter().filter(may).collect();
                    let slash = if subresource.is_empty() { "" } else { "/" };
                    if !verbs.is_empty() {
                        let resource = format!("{}{slash}{subresource}", kind.plural);
                        out.push(json!({"verbs": verbs, "apiGroups": [kind.group], "resources": [resource]}));
                    }
                }
            }
            out
        })
    });
    json!({
        "resourceRules": resources,
        "nonResourceRules": [{
            "verbs": ["get"],
            "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/readyz", "/version"],
        }],
        "incomplete": false,
    })
}
