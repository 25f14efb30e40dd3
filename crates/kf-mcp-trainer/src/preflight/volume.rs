//! The volume that the jobs of a runtime get for themselves: who makes it, and whether a model goes in.

use kf_mcp_core::kube::Meta;
use kf_mcp_trainjob::Runtime;
use serde::Deserialize;

use crate::pods::outside;
use crate::quantity::Quantity;
use crate::sizing::memory::gib;

use super::Report;

const CHECK: &str = "volume";
/// Marks the class of claims that name none, now and in older clusters.
const DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
/// What provisions nothing: volumes of such a class are made by hand.
const BY_HAND: &str = "kubernetes.io/no-provisioner";

/// A storage class.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct StorageClass {
    metadata: Meta,
    provisioner: String,
}

impl StorageClass {
    fn is_default(&self) -> bool {
        let marks = &self.metadata.annotations;
        DEFAULT
            .iter()
            .any(|mark| marks.get(*mark).map(String::as_str) == Some("true"))
    }
}

/// Judges the classes of a runtime's volumes, by all classes of the cluster.
pub(crate) fn classes(runtime: &Runtime, all: &[StorageClass], report: &mut Report) {
    for claim in &runtime.claim_templates {
        let (name, runtime) = (outside(&claim.name), outside(&runtime.name));
        let asked = format!("make the volume `{name}` of a job on the runtime `{runtime}`");
        let fix = "kubectl get storageclass lists what there is; choose a runtime with such a storageClassName (create_runtime: \
                   that of one that exists cannot be changed), or";
        let class = match claim.class.as_deref() {
            Some("") => {
                report.warnings.push(format!(
                    "the volume {name} of each job must have been made by hand: its storageClassName is empty"
                ));
                continue;
            }
            Some(wanted) => match all.iter().find(|class| class.metadata.name == wanted) {
                Some(class) => class,
                None => {
                    let wanted = outside(wanted);
                    let answered = format!("there is no StorageClass `{wanted}`, so the claim would stay Pending");
                    report.block(
                        CHECK,
                        asked,
                        answered,
                        format!("{fix} an administrator of the cluster creates the StorageClass {wanted}"),
                    );
                    continue;
                }
            },
            None => match all.iter().find(|class| class.is_default()) {
                Some(class) => class,
                None => {
                    let answered =
                        "it names no StorageClass and the cluster has no default one, so the claim would stay Pending";
                    let mark = format!(
                        "{fix} an administrator of the cluster marks one: kubectl annotate storageclass NAME {}=true",
                        DEFAULT[0]
                    );
                    report.block(CHECK, asked, answered, mark);
                    continue;
                }
            },
        };
        if class.provisioner == BY_HAND {
            report.warnings.push(format!(
                "the volume {name} of each job must have been made by hand: nothing provisions the StorageClass {}",
                outside(&class.metadata.name)
            ));
        }
    }
}

/// Warns of a model that is larger than the volume it is fetched to: published weights have two bytes for each parameter. What
/// the training writes comes on top.
pub(crate) fn size(runtime: &Runtime, params: f64, report: &mut Report) {
    let bytes = params * 2.0;
    for claim in &runtime.claim_templates {
        let Ok(has) = claim.storage.parse::<Quantity>() else {
            continue;
        };
        if (has.whole() as f64) < bytes {
            report.warnings.push(format!(
                "the job's volume {} has {}, and the model's weights alone take about {}: the fetching would fail. Mount a claim \
                 with the model (pvc://), or have a runtime with a larger volume (create_runtime)",
                outside(&claim.name),
                has.binary(),
                gib(bytes)
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kf_mcp_trainjob::ClaimTemplate;
    use serde_json::json;

    fn runtime(class: Option<&str>) -> Runtime {
        Runtime {
            claim_templates: vec![ClaimTemplate {
                name: "initializer".into(),
                storage: "20Gi".into(),
                class: class.map(str::to_owned),
            }],
            ..Runtime::default()
        }
    }

    #[test]
    fn a_volume_needs_a_class() {
        let class = |name: &str, default: &str, provisioner: &str| json!({"metadata": {"name": name, "annotations": {DEFAULT[0]: default}}, "provisioner": provisioner});
        let all: Vec<StorageClass> = [class("fast", "false", "csi"), class("manual", "false", BY_HAND)]
            .map(|class| serde_json::from_value(class).unwrap())
            .into();
        for (wanted, blocks, warns) in [
            (Some("fast"), 0, 0),
            (Some("slow"), 1, 0),
            (Some("manual"), 0, 1),
            (Some(""), 0, 1),
            (None, 1, 0),
        ] {
            let mut report = Report::default();
            classes(&runtime(wanted), &all, &mut report);
            assert_eq!(
                (report.blockers.len(), report.warnings.len()),
                (blocks, warns),
                "{wanted:?}"
            );
        }
        let mut report = Report::default();
        let default = serde_json::from_value(class("std", "true", "csi")).unwrap();
        classes(&runtime(None), &[default], &mut report);
        assert!(report.blockers.is_empty());
    }

    #[test]
    fn a_model_must_go_into_its_volume() {
        for (params, warns) in [(1e9, 0), (8e9, 0), (11e9, 1), (70e9, 1)] {
            let mut report = Report::default();
            size(&runtime(None), params, &mut report);
            assert_eq!(report.warnings.len(), warns, "{params}");
        }
    }
}
