//! The volume claims of a training job: which go with it when it is deleted, and which stay.
//!
//! JobSet labels each claim that it makes with its own name, and owns it only when the runtime does not say
//! `whenDeleted: Retain`. So the claims themselves tell, whatever a runtime says by now.

use std::collections::BTreeSet;

use kf_mcp_core::Cx;
use kf_mcp_core::kube::{KubeError, ListQuery, Meta, Resource};
use kf_mcp_trainjob::JOBSET_LABEL;
use serde::Deserialize;
use serde_json::Value;

use crate::pods::outside;

/// Volume claims.
const CLAIMS: Resource = Resource::new("", "v1", "persistentvolumeclaims");
/// Claims of one job that are read: a runtime has one or two.
const MOST: u32 = 50;

/// A claim, as far as it says whose it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Claim {
    metadata: Meta,
}

/// The claims that were made for a job.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Deleted with the job.
    pub(crate) go: Vec<String>,
    /// Left when it is deleted.
    pub(crate) stay: Vec<String>,
}

/// Reads the claims that JobSet made for a job. One request.
pub(crate) async fn of_job(cx: &Cx, namespace: &str, job: &str) -> Result<Claims, KubeError> {
    let query = ListQuery {
        labels: Some(format!("{JOBSET_LABEL}={job}")),
        limit: Some(MOST),
        ..ListQuery::default()
    };
    let page = cx.kube().list(&CLAIMS, Some(namespace), &query).await?;
    Ok(sorted(page.decode::<Claim>().0, job))
}

fn sorted(found: Vec<Claim>, job: &str) -> Claims {
    let owned = |claim: &Claim| {
        let mut owners = claim.metadata.owner_references.iter();
        owners.any(|owner| owner.kind == "JobSet" && owner.name == job)
    };
    let (go, stay): (Vec<Claim>, Vec<Claim>) = found.into_iter().partition(owned);
    let names = |claims: Vec<Claim>| claims.iter().map(|claim| outside(&claim.metadata.name)).collect();
    Claims {
        go: names(go),
        stay: names(stay),
    }
}

/// The claims that volumes name anywhere in an object: they are somebody else's, and stay.
pub(crate) fn mounted(object: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(object, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(name) = map
                .get("persistentVolumeClaim")
                .and_then(|source| source["claimName"].as_str())
            {
                found.insert(outside(name));
            }
            map.values().for_each(|inner| collect(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_owner_says_whether_a_claim_goes() {
        let claim = |name: &str, owner: Value| -> Claim {
            serde_json::from_value(json!({"metadata": {"name": name, "ownerReferences": owner}})).unwrap()
        };
        let found = vec![
            claim("initializer-a", json!([{"kind": "JobSet", "name": "a", "uid": "u"}])),
            claim("kept-a", json!([])),
            claim("other-a", json!([{"kind": "JobSet", "name": "b"}])),
        ];
        let sorted = sorted(found, "a");
        assert_eq!(
            (sorted.go, sorted.stay),
            (
                vec!["initializer-a".to_owned()],
                vec!["kept-a".to_owned(), "other-a".to_owned()]
            )
        );
    }

    #[test]
    fn mounted_claims_are_found_wherever_a_kind_has_its_pods() {
        let volume = |claim: &str| json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]});
        let object = json!({"spec": {"pytorchReplicaSpecs": {"Master": {"template": {"spec": volume("b")}},
            "Worker": {"template": {"spec": volume("a")}}}, "more": [volume("b")]}});
        assert_eq!(mounted(&object).into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
