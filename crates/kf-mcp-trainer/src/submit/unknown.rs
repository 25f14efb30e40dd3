//! What a cluster with an older Trainer says of a job: which fields it does not know, and what that means for the caller.
//!
//! A job is tried with strict field validation, so that the API server checks it against the schema of the kind that it serves,
//! and names every field that is not in there. That tells the release as surely as the schema itself, needs no right to read
//! definitions, and costs nothing where the newest dialect is spoken.

use std::collections::BTreeSet;

use kf_mcp_core::{ErrorCode, ToolError};
use kf_mcp_trainjob::Dialect;

/// Fields that came later than TrainJobs did, and the arguments that are sent in them.
const LATER: [(&str, &str); 3] = [
    ("activeDeadlineSeconds", "active_deadline_seconds"),
    ("affinity", "affinity"),
    ("imagePullSecrets", "image_pull_secrets"),
];

/// The fields that a refusal names as unknown, with their paths.
fn unknown(message: &str) -> impl Iterator<Item = &str> {
    let told = message.split_once("strict decoding error").map(|(_, told)| told);
    let fields = told.unwrap_or_default().split("unknown field \"").skip(1);
    fields.filter_map(|rest| rest.split_once('"').map(|(field, _)| field))
}

/// Whether the server does not speak a dialect, by what it says of a job in it.
pub(crate) fn is_foreign(dialect: Dialect, message: &str) -> bool {
    unknown(message).any(|field| field.strip_prefix("spec.") == Some(dialect.field()))
}

/// The arguments that the server has no field for, by what it says of a job in a dialect that it speaks.
pub(crate) fn unserved(dialect: Dialect, message: &str) -> BTreeSet<&'static str> {
    let pods = format!("spec.{}[", dialect.field());
    let of = |path: &str| {
        let (parent, field) = path.rsplit_once('.')?;
        let ours = parent == "spec" || parent.starts_with(&pods);
        let (_, argument) = LATER.into_iter().find(|(later, _)| *later == field)?;
        ours.then_some(argument)
    };
    unknown(message).filter_map(of).collect()
}

/// What a plan tells of a dialect that is not the newest.
pub(crate) fn told_of(dialect: Dialect) -> Option<String> {
    (dialect != Dialect::default()).then(|| {
        format!(
            "this cluster has Kubeflow Trainer {}: what pods get beside the runtime is sent as {}",
            dialect.release(),
            dialect.field()
        )
    })
}

/// The refusal of arguments that a Trainer of this dialect cannot do; `instead` is what to do without an upgrade.
pub(crate) fn too_old(
    dialect: Dialect,
    asked: String,
    arguments: &BTreeSet<&'static str>,
    instead: Option<&str>,
) -> ToolError {
    let named: Vec<&str> = arguments.iter().copied().collect();
    let named = named.join(", ");
    let instead = instead.map_or_else(|| format!("leave {named} out"), str::to_owned);
    let mut error = ToolError::new(
        ErrorCode::Unsupported,
        asked,
        format!(
            "this cluster has Kubeflow Trainer {}, which cannot do what {named} asks for",
            dialect.release()
        ),
    )
    .fix(format!("{instead}, or have Kubeflow Trainer upgraded"))
    .tool("check_compatibility");
    error.field = arguments.first().map(|field| (*field).to_owned());
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2_1: &str = "TrainJob in version \"v1alpha1\" cannot be handled as a TrainJob: strict decoding error: unknown field \
                        \"spec.activeDeadlineSeconds\", unknown field \"spec.runtimePatches\"";

    #[test]
    fn the_dialect_is_told_by_its_field_alone() {
        assert!(is_foreign(Dialect::RuntimePatches, V2_1));
        assert!(!is_foreign(Dialect::PodTemplateOverrides, V2_1));
        let typo =
            "strict decoding error: unknown field \"spec.runtimePatches[0].trainingRuntimeSpec.template.spec.x\"";
        assert!(!is_foreign(Dialect::RuntimePatches, typo));
        // What somebody called so in a text of theirs is no refusal of a field.
        assert!(!is_foreign(
            Dialect::RuntimePatches,
            "denied: unknown field \"spec.runtimePatches\""
        ));
    }

    #[test]
    fn fields_that_came_later_are_told_by_their_arguments() {
        let told = |dialect, message| unserved(dialect, message).into_iter().collect::<Vec<_>>();
        assert_eq!(told(Dialect::PodTemplateOverrides, V2_1), ["active_deadline_seconds"]);
        let v2_0 = "strict decoding error: unknown field \"spec.podSpecOverrides[0].affinity\", unknown field \
                    \"spec.podSpecOverrides[0].imagePullSecrets\", unknown field \"spec.podSpecOverrides[1].affinity\"";
        assert_eq!(
            told(Dialect::PodSpecOverrides, v2_0),
            ["affinity", "image_pull_secrets"]
        );
        let volume = "strict decoding error: unknown field \"spec.podSpecOverrides[0].volumes[0].csi.affinity\"";
        assert_eq!(told(Dialect::PodTemplateOverrides, volume), [""; 0]);
        let error = too_old(Dialect::PodSpecOverrides, "create".into(), &["affinity"].into(), None);
        assert!(
            error.answered.contains("v2.0") && error.fix.contains("leave affinity out"),
            "{error}"
        );
    }
}
