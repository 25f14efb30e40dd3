//! What a job names in its namespace: Secrets, volume claims, and the LimitRanges that speak for pods.

use std::collections::BTreeMap;

use kf_mcp_core::kube::Meta;
use kf_mcp_core::kube::meta::null_is_empty;
use kf_mcp_core::names::nearest;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::pods::outside;

use super::Report;

/// A Secret: the names of its keys. The values are skipped as they are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Secret {
    #[serde(deserialize_with = "null_is_empty")]
    data: BTreeMap<String, IgnoredAny>,
}

/// Judges the Secret that an argument names; `None` when it is not there. Its keys become variables of the initializers.
pub(crate) fn secret(field: &'static str, name: &str, namespace: &str, found: Option<&Secret>, report: &mut Report) {
    let (any, all): (&[&str], &[&str]) = match field {
        "hf_secret" => (&["ACCESS_TOKEN", "HF_TOKEN"], &[]),
        _ => (&[], &["ACCESS_KEY_ID", "SECRET_ACCESS_KEY"]),
    };
    let create = if field == "hf_secret" {
        r#"--from-literal=ACCESS_TOKEN="$HF_TOKEN""#
    } else {
        r#"--from-literal=ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" --from-literal=SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY""#
    };
    let create = format!("kubectl -n {namespace} create secret generic {name} {create}");
    let Some(found) = found else {
        return report.block(
            "secrets",
            format!("read the Secret `{name}` ({field}) in namespace `{namespace}`"),
            "there is none: the pods that fetch would never start",
            create,
        );
    };
    let has = |key: &&str| found.data.contains_key(*key);
    if !all.iter().all(has) || !any.is_empty() && !any.iter().any(has) {
        let wanted = if any.is_empty() {
            all.join(" and ")
        } else {
            any.join(" or ")
        };
        report.warnings.push(format!(
            "the Secret {name} has no key {wanted}, so what it holds is not used: kubectl -n {namespace} delete secret {name}, \
             then {create}"
        ));
    }
}

/// A volume claim.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Claim {
    metadata: Meta,
    spec: ClaimSpec,
    status: ClaimStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClaimSpec {
    #[serde(deserialize_with = "null_is_empty")]
    access_modes: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ClaimStatus {
    phase: String,
}

/// Judges the claims that model and dataset name, by all claims of the namespace, of which there may be `more`.
pub(crate) fn claims(wanted: &[String], all: &[Claim], more: bool, namespace: &str, nodes: u32, report: &mut Report) {
    for name in wanted {
        let asked = format!("mount the claim `{name}` of namespace `{namespace}`");
        let Some(claim) = all.iter().find(|claim| claim.metadata.name == *name) else {
            if more {
                report
                    .not_seen
                    .push(format!("whether there is a claim {name}: there are too many of them"));
                continue;
            }
            let near = nearest(name, all.iter().map(|claim| claim.metadata.name.as_str()));
            let near = near.map(|near| format!("did you mean `{}`? ", outside(near)));
            report.block(
                "claims",
                asked,
                "there is none: the training pods would never be placed",
                format!(
                    "{}kubectl -n {namespace} get pvc lists those there are; one is made, and filled, with kubectl -n \
                     {namespace} create -f FILE",
                    near.unwrap_or_default()
                ),
            );
            continue;
        };
        let look = format!("kubectl -n {namespace} describe pvc {name} tells why");
        if claim.metadata.deletion_timestamp.is_some() {
            report.block("claims", asked, "it is being deleted", "name a claim that stays");
        } else if claim.status.phase == "Lost" {
            report.block("claims", asked, "its volume is gone (Lost)", look);
        } else if claim.status.phase == "Pending" {
            report.warnings.push(format!(
                "the claim {name} has no volume yet, and is empty when it gets one: {look}"
            ));
        } else if nodes > 1
            && claim
                .spec
                .access_modes
                .iter()
                .all(|mode| mode.starts_with("ReadWriteOnce"))
        {
            report.warnings.push(format!(
                "the claim {name} can be mounted on one node only (ReadWriteOnce), and the job has {nodes}"
            ));
        }
    }
}

/// A LimitRange.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LimitRange {
    spec: LimitSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LimitSpec {
    #[serde(deserialize_with = "null_is_empty")]
    limits: Vec<Limit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Limit {
    #[serde(rename = "type")]
    kind: String,
    #[serde(deserialize_with = "null_is_empty")]
    default: BTreeMap<String, IgnoredAny>,
    #[serde(deserialize_with = "null_is_empty")]
    default_request: BTreeMap<String, IgnoredAny>,
}

impl LimitRange {
    /// Whether it says how much of a resource a container takes that does not say so itself.
    pub(crate) fn fills_in(&self, resource: &str) -> bool {
        let containers = self.spec.limits.iter().filter(|limit| limit.kind == "Container");
        containers
            .into_iter()
            .any(|limit| limit.default.contains_key(resource) || limit.default_request.contains_key(resource))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_secret_must_be_there_and_have_its_keys() {
        let of = |field, data: Option<Value>| {
            let mut report = Report::default();
            let found = data.map(|data| serde_json::from_value::<Secret>(json!({"data": data})).unwrap());
            secret(field, "s", "team", found.as_ref(), &mut report);
            (report.blockers.pop().map(|blocker| blocker.fix), report.warnings.len())
        };
        assert_eq!(
            of("hf_secret", None).0.as_deref(),
            Some(r#"kubectl -n team create secret generic s --from-literal=ACCESS_TOKEN="$HF_TOKEN""#)
        );
        assert_eq!(of("hf_secret", Some(json!({"HF_TOKEN": "eA=="}))), (None, 0));
        assert_eq!(of("hf_secret", Some(json!(null))), (None, 1));
        assert_eq!(of("s3_secret", Some(json!({"ACCESS_KEY_ID": "eA=="}))), (None, 1));
        assert_eq!(
            of("s3_secret", Some(json!({"ACCESS_KEY_ID": "", "SECRET_ACCESS_KEY": ""}))),
            (None, 0)
        );
    }

    #[test]
    fn a_claim_must_be_there_and_stay() {
        let claim = |name: &str, phase: &str| json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"]}, "status": {"phase": phase}});
        let mut leaving = claim("leaving", "Bound");
        leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let all = [
            claim("data", "Bound"),
            claim("lost", "Lost"),
            claim("new", "Pending"),
            leaving,
        ];
        let all: Vec<Claim> = all
            .into_iter()
            .map(|claim| serde_json::from_value(claim).unwrap())
            .collect();
        for (name, nodes, more, blocks, warns, unseen) in [
            ("data", 1, false, 0, 0, 0),
            ("data", 2, false, 0, 1, 0),
            ("lost", 1, false, 1, 0, 0),
            ("new", 1, false, 0, 1, 0),
            ("leaving", 1, false, 1, 0, 0),
            ("date", 1, false, 1, 0, 0),
            ("date", 1, true, 0, 0, 1),
        ] {
            let mut report = Report::default();
            claims(&[name.to_owned()], &all, more, "team", nodes, &mut report);
            let found = (report.blockers.len(), report.warnings.len(), report.not_seen.len());
            assert_eq!(found, (blocks, warns, unseen), "{name} {nodes} {more}");
        }
    }

    #[test]
    fn a_limit_range_speaks_for_containers() {
        let range: LimitRange = serde_json::from_value(json!({"spec": {"limits": [
            {"type": "Pod", "default": {"memory": "1Gi"}}, {"type": "Container", "defaultRequest": {"cpu": "1"}}]}}))
        .unwrap();
        assert!(range.fills_in("cpu") && !range.fills_in("memory"));
    }
}
