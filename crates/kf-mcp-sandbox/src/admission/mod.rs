//! What happens to an object between the request and the store.

mod schema;
mod webhook;

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::status::Status;
use crate::store::{Store, text};

/// Which write is being admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// A new object.
    Create,
    /// A change of an object that is there.
    Update,
}

/// Defaults and validates an object as the real API server with the real webhooks would. `strict` is
/// `fieldValidation=Strict`. Returns the warnings that go into `Warning` headers.
pub fn admit(
    store: &Store,
    kind: &Kind,
    verb: Verb,
    object: &mut Value,
    before: Option<&Value>,
    strict: bool,
) -> Result<Vec<String>, Status> {
    if kind.kind != "TrainJob" {
        return Ok(Vec::new());
    }
    let mut warnings = schema::prune(object);
    if strict && !warnings.is_empty() {
        return Err(Status::new(
            400,
            "BadRequest",
            format!(
                "TrainJob in version \"v1alpha1\" cannot be handled as a TrainJob: strict decoding error: {}",
                warnings.join(", ")
            ),
        ));
    }
    defaults(object);
    let before = before.filter(|_| verb == Verb::Update);
    let problems = schema::validate(object, before);
    if !problems.is_empty() {
        return Err(invalid(object, &problems));
    }
    warnings.extend(webhook::validate(store, object, before).map_err(denied)?);
    Ok(warnings)
}

/// One field that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    field: String,
    reason: &'static str,
    message: String,
}

impl Problem {
    fn invalid(field: impl Into<String>, value: &Value, why: &str) -> Self {
        // Objects and lists are left out of the message by the API server, single values are shown.
        let message = match value {
            Value::Object(_) | Value::Array(_) | Value::Null => format!("Invalid value: {why}"),
            value => format!("Invalid value: {value}: {why}"),
        };
        Self {
            field: field.into(),
            reason: "FieldValueInvalid",
            message,
        }
    }

    fn required(field: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: "FieldValueRequired",
            message: "Required value".into(),
        }
    }
}

fn invalid(object: &Value, problems: &[Problem]) -> Status {
    let name = text(object, "/metadata/name");
    let said: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.field, p.message)).collect();
    let all = if said.len() == 1 {
        said.concat()
    } else {
        format!("[{}]", said.join(", "))
    };
    let causes: Vec<Value> = problems
        .iter()
        .map(|p| json!({"reason": p.reason, "message": p.message, "field": p.field}))
        .collect();
    Status::new(
        422,
        "Invalid",
        format!("TrainJob.trainer.kubeflow.org \"{name}\" is invalid: {all}"),
    )
    .details(json!({"name": name, "group": "trainer.kubeflow.org", "kind": "TrainJob", "causes": causes}))
}

/// A webhook's refusal is a 403 like one of RBAC; only the text tells them apart.
fn denied(why: String) -> Status {
    let hook = "validator.trainjob.trainer.kubeflow.org";
    Status::new(
        403,
        "Forbidden",
        format!("admission webhook \"{hook}\" denied the request: {why}"),
    )
}

/// The CRD's defaults.
fn defaults(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    spec.entry("managedBy")
        .or_insert_with(|| json!("trainer.kubeflow.org/trainjob-controller"));
    spec.entry("suspend").or_insert_with(|| json!(false));
    if let Some(runtime) = spec.get_mut("runtimeRef").and_then(Value::as_object_mut) {
        runtime
            .entry("apiGroup")
            .or_insert_with(|| json!("trainer.kubeflow.org"));
        runtime.entry("kind").or_insert_with(|| json!("ClusterTrainingRuntime"));
    }
}

#[cfg(test)]
mod tests;
