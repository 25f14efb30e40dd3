//! What pods get beside their runtime in jobs of older releases: `podTemplateOverrides` of v2.1, `podSpecOverrides` of v2.0.

use std::collections::BTreeSet;

use serde_json::Value;

use super::patches::OWNED;
use super::{containers, jobs, pod};
use crate::controllers::objects::items;
use crate::controllers::trainjob::overrides;

/// Why a job's overrides are refused.
pub(super) fn check(job: &Value, runtime: &Value, problems: &mut Vec<String>) {
    for (field, once) in [("podTemplateOverrides", false), ("podSpecOverrides", true)] {
        let given = &job["spec"][field];
        let mut refuse = |why: &str| problems.push(format!("spec.{field}: Invalid value: {given}: {why}"));
        let mut seen = BTreeSet::new();
        for target in overrides(job, field) {
            if once && !seen.insert(target.job) {
                refuse(&format!("Duplicate value: \"{}\"", target.job));
            }
            let part = jobs(runtime).find(|part| part["name"] == target.job).map(pod);
            if part.is_none() {
                refuse("must not have targetJob that doesn't exist in the runtime job template");
            }
            for (list, word) in [("initContainers", "initContainer"), ("containers", "container")] {
                for container in items(&target.pod[list]) {
                    let name = container["name"].as_str().unwrap_or_default();
                    let known = part.is_some_and(|part| containers(part).any(|own| own["name"] == name));
                    if !known {
                        let why = format!(
                            "must not have {word} that doesn't exist in the runtime job {}",
                            target.job
                        );
                        refuse(&why);
                    } else if OWNED.contains(&name) && items(&container["env"]).next().is_some() {
                        refuse(&format!("must not have envs for the {} containers", OWNED.join(", ")));
                    }
                }
            }
        }
    }
}
