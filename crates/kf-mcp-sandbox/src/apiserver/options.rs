//! The options of writes, from the query and (for deletions) from the body.

use serde::Deserialize;
use serde_json::json;

use super::errors::{Cause, bad_request, invalid};
use super::syntax::quoted;
use super::{Call, media};
use crate::status::Status;
use crate::store::text;

/// The content type of server-side apply.
pub(crate) const APPLY: &str = "application/apply-patch+yaml";

/// How long the name of a field manager can be, in bytes.
const MANAGER: usize = 128;

/// What a create, update or patch may say besides its object.
#[derive(Debug, Clone)]
pub(crate) struct WriteOptions {
    /// Nothing is stored.
    pub(crate) dry_run: bool,
    /// `fieldValidation=Strict`.
    pub(crate) strict: bool,
    /// Warnings are told (`fieldValidation` is not `Ignore`).
    pub(crate) warn: bool,
    /// Who is recorded as the manager of what is written: `fieldManager`, or what the client calls itself.
    pub(crate) manager: String,
    /// An apply takes fields from their owners.
    pub(crate) force: bool,
}

impl WriteOptions {
    /// Reads the query; `kind` is the options' own kind, which messages name.
    pub(crate) fn new(call: &Call, kind: &str) -> Result<Self, Status> {
        let named = call.query.get("fieldManager");
        if kind == "PatchOptions" {
            applied(call, kind, named)?;
        }
        if let Some(name) = named {
            manager(kind, name)?;
        }
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
            manager: named.map_or_else(|| agent(&call.agent), str::to_owned),
            force: call.query.flag("force"),
        })
    }
}

/// What only an apply must or may say.
fn applied(call: &Call, kind: &str, manager: Option<&str>) -> Result<(), Status> {
    let apply = call.content_type == APPLY;
    let (field, reason, message) = if apply && manager.is_none() {
        (
            "fieldManager",
            "FieldValueRequired",
            "Required value: is required for apply patch",
        )
    } else if !apply && call.query.get("force").is_some() {
        (
            "force",
            "FieldValueForbidden",
            "Forbidden: may not be specified for non-apply patch",
        )
    } else {
        return Ok(());
    };
    Err(refused(kind, field, reason, message.to_owned()))
}

/// Refuses names of managers that are too long or cannot be printed.
fn manager(kind: &str, name: &str) -> Result<(), Status> {
    let refused = |reason, message| Err(refused(kind, "fieldManager", reason, message));
    if name.len() > MANAGER {
        return refused(
            "FieldValueTooLong",
            format!("Too long: may not be more than {MANAGER} bytes"),
        );
    }
    match name.char_indices().find(|(_, c)| !printable(*c)) {
        Some((at, c)) => refused(
            "FieldValueInvalid",
            format!(
                "Invalid value: {}: invalid character U+{:04X} (at position {at})",
                quoted(name),
                u32::from(c)
            ),
        ),
        None => Ok(()),
    }
}

/// A client's name out of its `User-Agent`.
fn agent(header: &str) -> String {
    let name = header.split('/').next().unwrap_or_default();
    let mut kept = String::new();
    for c in name.chars().filter(|c| printable(*c)) {
        if kept.len() + c.len_utf8() > MANAGER {
            break;
        }
        kept.push(c);
    }
    kept
}

fn printable(c: char) -> bool {
    c == ' ' || !(c.is_control() || c.is_whitespace())
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
    /// `gracePeriodSeconds`.
    pub(crate) grace: Option<i64>,
}

impl DeleteOptions {
    /// Reads the body, or the query when there is none.
    pub(crate) fn new(call: &Call) -> Result<Self, Status> {
        let options = if call.body.is_empty() {
            queried(call)?
        } else {
            written(call)?
        };
        let kind = "DeleteOptions";
        if let Some(policy) = &options.policy {
            if options.orphan.is_some() {
                let why = "orphanDependents and deletionPropagation cannot be both set";
                let message = format!("Invalid value: \"{policy}\": {why}");
                return Err(refused(kind, "propagationPolicy", "FieldValueInvalid", message));
            }
            if !matches!(policy.as_str(), "Background" | "Foreground" | "Orphan") {
                let supported = r#"supported values: "Foreground", "Background", "Orphan", "nil""#;
                return Err(unsupported(kind, "propagationPolicy", policy, supported));
            }
        }
        let orphaned = |orphan| if orphan { "Orphan" } else { "Background" };
        Ok(Self {
            dry_run: dry_run(kind, options.dry_run.iter().map(String::as_str))?,
            policy: options
                .policy
                .or_else(|| options.orphan.map(|orphan| orphaned(orphan).to_owned())),
            uid: options.preconditions.uid,
            version: options.preconditions.resource_version,
            grace: options.grace_period_seconds,
        })
    }
}

/// `DeleteOptions` as they are sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Sent {
    grace_period_seconds: Option<i64>,
    preconditions: Preconditions,
    #[serde(rename = "orphanDependents")]
    orphan: Option<bool>,
    #[serde(rename = "propagationPolicy")]
    policy: Option<String>,
    dry_run: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

fn queried(call: &Call) -> Result<Sent, Status> {
    Ok(Sent {
        grace_period_seconds: call.query.number("gracePeriodSeconds")?,
        preconditions: Preconditions::default(),
        orphan: call
            .query
            .get("orphanDependents")
            .map(|_| call.query.flag("orphanDependents")),
        policy: call.query.get("propagationPolicy").map(str::to_owned),
        dry_run: call.query.all("dryRun").map(str::to_owned).collect(),
    })
}

fn written(call: &Call) -> Result<Sent, Status> {
    let read = if media::is_yaml(&call.content_type)? {
        media::yaml(&call.body).map_err(bad_request)?
    } else {
        media::json(&call.body)
            .map_err(|why| bad_request(format!("couldn't get version/kind; json parse error: {why}")))?
    };
    let (version, kind) = (text(&read.value, "/apiVersion"), text(&read.value, "/kind"));
    if !matches!(kind.as_str(), "" | "DeleteOptions") {
        return Err(bad_request(format!(
            "no kind \"{kind}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\""
        )));
    }
    serde_json::from_value(read.value).map_err(|error| bad_request(error.to_string()))
}

fn dry_run<'a>(kind: &str, values: impl Iterator<Item = &'a str>) -> Result<bool, Status> {
    let values: Vec<&str> = values.collect();
    if values.iter().any(|value| *value != "All") {
        let message = format!("Unsupported value: {}: supported values: \"All\"", json!(values));
        return Err(refused(kind, "dryRun", "FieldValueNotSupported", message));
    }
    Ok(!values.is_empty())
}

fn unsupported(kind: &str, field: &'static str, value: &str, supported: &str) -> Status {
    let message = format!("Unsupported value: \"{value}\": {supported}");
    refused(kind, field, "FieldValueNotSupported", message)
}

fn refused(kind: &str, field: &'static str, reason: &'static str, message: String) -> Status {
    let field = field.into();
    invalid("meta.k8s.io", kind, "", &Cause { reason, field, message })
}
