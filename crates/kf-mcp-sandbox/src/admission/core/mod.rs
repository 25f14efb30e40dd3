//! What the built-in kinds must be, as far as clients of Kubeflow write them: pods, Jobs, `ConfigMaps`, Secrets, quotas and
//! Events. The other kinds are taken as they come.

mod config;
mod container;
mod job;
mod pod;
mod quota;

use serde_json::{Value, json};

use super::problem::Problem;
use crate::kinds::Kind;
use crate::store::text;

pub(super) use quota::canonical;

/// What is wrong with an object that is created, or changed from what it was `before`.
pub(super) fn check(kind: &Kind, object: &Value, before: Option<&Value>) -> Vec<Problem> {
    match (kind.group, kind.kind) {
        ("", "Pod") => pod::check(object, before),
        ("batch", "Job") => job::check(object, before),
        ("", "ConfigMap") => config::map(object, before),
        ("", "Secret") => config::secret(object, before),
        ("", "ResourceQuota") => quota::check(object),
        ("", "Event") => event(object),
        _ => Vec::new(),
    }
}

fn event(event: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let (own, of) = (
        text(event, "/metadata/namespace"),
        text(event, "/involvedObject/namespace"),
    );
    // what is in no namespace is told of in the default one
    if of != own && !(of.is_empty() && matches!(own.as_str(), "default" | "kube-system")) {
        let why = "does not match event.namespace";
        problems.push(Problem::invalid("involvedObject.namespace", &json!(of), why));
    }
    problems
}

/// A whole number that must not be negative.
fn not_negative(value: &Value, field: &str, problems: &mut Vec<Problem>) {
    if value.as_i64().is_some_and(|number| number < 0) {
        problems.push(Problem::invalid(field, value, "must be greater than or equal to 0"));
    }
}
