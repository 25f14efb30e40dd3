//! Who may do what: refusals and the reviews with which clients ask beforehand.

use http::StatusCode;
use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
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

/// Answers a review, if that is what is asked for.
pub(crate) fn review(inner: &Inner, call: &Call) -> Option<Answer> {
    let target = &call.target;
    let kind = match (target.group.as_str(), target.version.as_str(), target.resource.as_str()) {
        ("authorization.k8s.io", "v1", "selfsubjectaccessreviews") => "SelfSubjectAccessReview",
        ("authorization.k8s.io", "v1", "selfsubjectrulesreviews") => "SelfSubjectRulesReview",
        ("authentication.k8s.io", "v1", "selfsubjectreviews") => "SelfSubjectReview",
        _ => return None,
    };
    if call.verb != "create" || target.name.is_some() {
        return Some(Answer::status(&super::errors::method_not_allowed()));
    }
    if !matches!(call.content_type.as_str(), "" | "application/json") {
        return Some(Answer::status(&super::errors::unsupported_media_type(
            "application/json",
        )));
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(&call.body) else {
        let message = format!("the object provided is unrecognized (must be of type {kind}): json parse error");
        return Some(Answer::status(&super::errors::bad_request(message)));
    };
    if !body.is_object() {
        body = json!({});
    }
    let status = match kind {
        "SelfSubjectAccessReview" => access(inner, &body["spec"]),
        "SelfSubjectRulesReview" => rules(inner, body["spec"]["namespace"].as_str().unwrap_or_default()),
        _ => json!({"userInfo": {"username": call.user, "groups": ["system:authenticated"]}}),
    };
    body["apiVersion"] = json!(format!("{}/v1", target.group));
    body["kind"] = json!(kind);
    if !body["metadata"].is_object() {
        body["metadata"] = json!({"creationTimestamp": null});
    }
    body["status"] = status;
    Some(Answer::json(StatusCode::CREATED, &body))
}

fn access(inner: &Inner, spec: &Value) -> Value {
    let attributes = &spec["resourceAttributes"];
    let part = |name: &str| attributes[name].as_str().unwrap_or_default();
    let asked = Asked {
        verb: part("verb"),
        group: part("group"),
        resource: part("resource"),
        subresource: part("subresource"),
        namespace: Some(part("namespace")).filter(|n| !n.is_empty()),
    };
    if attributes.is_null() || inner.rules(|rules| allowed(rules, &asked)) {
        json!({"allowed": true, "reason": "RBAC: allowed by ClusterRoleBinding \"sandbox\" of ClusterRole \"sandbox\" to User \"sandbox\""})
    } else {
        json!({"allowed": false})
    }
}

/// RBAC can only list what is allowed, so the rules that forbid are turned round, resource by resource.
fn rules(inner: &Inner, namespace: &str) -> Value {
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
