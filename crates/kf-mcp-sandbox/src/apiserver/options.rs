//! The options of writes, from the query and (for deletions) from the body.

use serde_json::Value;

use super::Call;
use super::errors::{Cause, bad_request, invalid};
use crate::status::Status;

/// What a create, update or patch may say besides its object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteOptions {
    /// Nothing is stored.
    pub(crate) dry_run: bool,
    /// `fieldValidation=Strict`.
    pub(crate) strict: bool,
    /// Warnings are told (`fieldValidation` is not `Ignore`).
    pub(crate) warn: bool,
}

impl WriteOptions {
    /// Reads the query; `kind` is the options' own kind, which messages name.
    pub(crate) fn new(call: &Call, kind: &str) -> Result<Self, Status> {
        let dry_run = dry_run(kind, call.query.all("dryRun"))?;
        let validation = call.query.get("fieldValidation").unwrap_or("Warn");
        if !matches!(validation, "Strict" | "Warn" | "Ignore") {
            let supported = r#"supported values: "", "Ignore", "Strict", "Warn""#;
            return Err(unsupported(kind, "fieldValidation", validation, supported));
        }
        Ok(Self {
            dry_run,
            strict: validation == "Strict",
            warn: validation != "Ignore",
        })
    }
}

/// What a deletion may say.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    pub(crate) dry_run: bool,
    /// `propagationPolicy`, where one is given.
    pub(crate) policy: Option<String>,
    /// `preconditions.uid`.
    pub(crate) uid: Option<String>,
    /// `preconditions.resourceVersion`.
    pub(crate) version: Option<String>,
}

impl DeleteOptions {
    /// Reads the body if there is one, and the query for what the body does not say.
    pub(crate) fn new(call: &Call) -> Result<Self, Status> {
        let body: Value = if call.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&call.body).map_err(|error| {
                bad_request(format!(
                    "the object provided is unrecognized (must be of type DeleteOptions): couldn't get version/kind; \
                     json parse error: {error}"
                ))
            })?
        };
        let string = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let listed = body["dryRun"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|v| v.as_str().unwrap_or_default());
        let dry_run = dry_run("DeleteOptions", listed.chain(call.query.all("dryRun")))?;
        let orphan = body["orphanDependents"]
            .as_bool()
            .or(call.query.get("orphanDependents").map(|v| v == "true"));
        let policy = string("/propagationPolicy")
            .or_else(|| call.query.get("propagationPolicy").map(str::to_owned))
            .or_else(|| {
                orphan.map(|orphan| {
                    if orphan {
                        "Orphan".to_owned()
                    } else {
                        "Background".to_owned()
                    }
                })
            });
        if let Some(policy) = &policy
            && !matches!(policy.as_str(), "Background" | "Foreground" | "Orphan")
        {
            let supported = r#"supported values: "Foreground", "Background", "Orphan", "nil""#;
            return Err(unsupported("DeleteOptions", "propagationPolicy", policy, supported));
        }
        Ok(Self {
            dry_run,
            policy,
            uid: string("/preconditions/uid"),
            version: string("/preconditions/resourceVersion"),
        })
    }
}

fn dry_run<'a>(kind: &str, values: impl Iterator<Item = &'a str>) -> Result<bool, Status> {
    let mut dry = false;
    for value in values {
        if value != "All" {
            return Err(unsupported(kind, "dryRun", value, r#"supported values: "All""#));
        }
        dry = true;
    }
    Ok(dry)
}

fn unsupported(kind: &str, field: &'static str, value: &str, supported: &str) -> Status {
    let message = format!("Unsupported value: \"{value}\": {supported}");
    invalid(
        "meta.k8s.io",
        kind,
        "",
        &Cause {
            reason: "FieldValueNotSupported",
            field,
            message,
        },
    )
}
