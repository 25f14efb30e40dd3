//! Jobs.

use serde_json::Value;

use super::{not_negative, pod};
use crate::admission::problem::Problem;

/// What of a suspended Job's pods may be changed: where they run.
const PLACEMENT: [&str; 4] = ["affinity", "nodeSelector", "schedulingGates", "tolerations"];

/// What is wrong with a Job.
pub(super) fn check(job: &Value, before: Option<&Value>) -> Vec<Problem> {
    let (spec, mut problems) = (&job["spec"], Vec::new());
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ] {
        not_negative(&spec[field], &format!("spec.{field}"), &mut problems);
    }
    let (mode, known) = (&spec["completionMode"], ["NonIndexed", "Indexed"]);
    if mode.as_str().is_some_and(|mode| !known.contains(&mode)) {
        problems.push(Problem::unsupported("spec.completionMode", mode, &known));
    }
    if *mode == "Indexed" && spec["completions"].is_null() {
        problems.push(Problem::required("spec.completions", "when completion mode is Indexed"));
    }
    let path = "spec.template.spec";
    pod::template(&spec["template"]["spec"], path, &mut problems);
    let policy = &spec["template"]["spec"]["restartPolicy"];
    match policy.as_str().unwrap_or("Always") {
        "OnFailure" | "Never" => {}
        "Always" | "" => {
            let why = "valid values: \"OnFailure\", \"Never\"";
            problems.push(Problem::required(format!("{path}.restartPolicy"), why));
        }
        _ => {
            let field = format!("{path}.restartPolicy");
            problems.push(Problem::unsupported(field, policy, &["OnFailure", "Never"]));
        }
    }
    if let Some(before) = before {
        unchanged(job, before, &mut problems);
    }
    problems
}

fn unchanged(job: &Value, before: &Value, problems: &mut Vec<Problem>) {
    let (spec, old) = (&job["spec"], &before["spec"]);
    let elastic = spec["completionMode"] == "Indexed" && spec["completions"] == spec["parallelism"];
    for field in ["completions", "selector"] {
        if spec[field] != old[field] && !(field == "completions" && elastic) {
            problems.push(Problem::invalid(
                format!("spec.{field}"),
                &spec[field],
                "field is immutable",
            ));
        }
    }
    let open = before["spec"]["suspend"] == true && before["status"]["startTime"].is_null();
    let (new, was) = (&spec["template"], &old["template"]);
    if kept(&new["spec"], open) != kept(&was["spec"], open) {
        problems.push(Problem::invalid(
            "spec.template.spec",
            &new["spec"],
            "field is immutable",
        ));
    } else if !open && new["metadata"] != was["metadata"] {
        problems.push(Problem::invalid("spec.template", new, "field is immutable"));
    }
    if spec["completionMode"] != old["completionMode"] {
        let mode = &spec["completionMode"];
        problems.push(Problem::invalid("spec.completionMode", mode, "field is immutable"));
    }
}

fn kept(spec: &Value, open: bool) -> Value {
    let mut spec = spec.clone();
    for field in PLACEMENT.iter().filter(|_| open) {
        spec.as_object_mut().map(|spec| spec.remove(*field));
    }
    spec
}
