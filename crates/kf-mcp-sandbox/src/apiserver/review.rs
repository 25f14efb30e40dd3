//! Reviews: the questions with which clients ask beforehand what they may do, and who they are.

use http::StatusCode;
use serde_json::{Value, json};

use super::access::{allowed, rules_of};
use super::answer::Answer;
use super::errors::{self, Cause, bad_request, method_not_allowed};
use super::{Call, body};
use crate::Inner;
use crate::kinds::Kind;
use crate::pattern::Asked;
use crate::status::Status;
use crate::store::text;

/// Answers a review, if that is what is asked for.
pub(crate) fn review(inner: &Inner, call: &Call) -> Option<Result<Answer, Status>> {
    let target = &call.target;
    let kind = match (target.group.as_str(), target.version.as_str(), target.resource.as_str()) {
        ("authorization.k8s.io", "v1", "selfsubjectaccessreviews") => "SelfSubjectAccessReview",
        ("authorization.k8s.io", "v1", "selfsubjectrulesreviews") => "SelfSubjectRulesReview",
        ("authentication.k8s.io", "v1", "selfsubjectreviews") => "SelfSubjectReview",
        _ => return None,
    };
    if call.verb != "create" || target.name.is_some() {
        return Some(Err(method_not_allowed()));
    }
    Some(answer(inner, call, kind))
}

fn answer(inner: &Inner, call: &Call, kind: &str) -> Result<Answer, Status> {
    let mut body = asked(call, kind)?;
    let status = match kind {
        "SelfSubjectAccessReview" => access(inner, &body["spec"])?,
        "SelfSubjectRulesReview" => {
            let namespace = text(&body, "/spec/namespace");
            if namespace.is_empty() {
                return Err(bad_request("no namespace on request"));
            }
            // what was asked is not said again
            body["spec"] = json!({});
            rules_of(inner, &namespace)
        }
        _ => json!({"userInfo": {"username": call.user, "groups": ["system:authenticated"]}}),
    };
    body["apiVersion"] = json!(format!("{}/v1", call.target.group));
    body["kind"] = json!(kind);
    if !body["metadata"].is_object() {
        body["metadata"] = json!({});
    }
    body["status"] = status;
    Ok(Answer::json(StatusCode::CREATED, &body))
}

/// The review in a body.
fn asked(call: &Call, kind: &str) -> Result<Value, Status> {
    let read = body::read(call, kind)?;
    let body = if read.value.is_object() { read.value } else { json!({}) };
    let (version, given) = (text(&body, "/apiVersion"), text(&body, "/kind"));
    if given.is_empty() || given == kind {
        return Ok(body);
    }
    let short = version.rsplit('/').next().unwrap_or_default();
    let group = call.target.group.split('.').next().unwrap_or_default();
    let why = if Kind::of(&version, &given).is_some_and(|kind| !kind.custom()) {
        format!("converting ({short}.{given}) to ({group}.{kind}): unknown conversion")
    } else {
        format!("no kind \"{given}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\"")
    };
    Err(bad_request(format!(
        "{given} in version \"{short}\" cannot be handled as a {kind}: {why}"
    )))
}

fn access(inner: &Inner, spec: &Value) -> Result<Value, Status> {
    let (resource, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    match (resource.is_object(), path.is_object()) {
        (false, false) => {
            let why =
                "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified";
            return Err(invalid("spec.resourceAttributes", why.to_owned()));
        }
        (true, true) => {
            let (at, verb) = (text(path, "/path"), text(path, "/verb"));
            let why = format!(
                "Invalid value: {{\"Path\":{},\"Verb\":{}}}: cannot be specified in combination with resourceAttributes",
                json!(at),
                json!(verb)
            );
            return Err(invalid("spec.nonResourceAttributes", why));
        }
        _ => {}
    }
    let part = |name: &str| resource[name].as_str().unwrap_or_default();
    let asked = Asked {
        verb: part("verb"),
        group: part("group"),
        resource: part("resource"),
        subresource: part("subresource"),
        namespace: Some(part("namespace")).filter(|n| !n.is_empty()),
    };
    Ok(if resource.is_null() || inner.rules(|rules| allowed(rules, &asked)) {
        json!({"allowed": true, "reason": "RBAC: allowed by ClusterRoleBinding \"sandbox\" of ClusterRole \"sandbox\" to User \"sandbox\""})
    } else {
        json!({"allowed": false})
    })
}

fn invalid(field: &'static str, message: String) -> Status {
    let cause = Cause {
        reason: "FieldValueInvalid",
        field: field.into(),
        message,
    };
    errors::invalid("authorization.k8s.io", "", "", &cause)
}
